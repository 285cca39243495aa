//! Owns the links by which the program is found under Core's names. Refuses to replace anything but such a link.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

use super::failure::InitError;

/// The names under which the program acts as one of Core's.
pub(crate) const NAMES: [&str; 2] = ["bitcoind", "bitcoin-cli"];

/// Makes the links in a directory, and says so.
///
/// # Errors
///
/// Something else has the name, or the system does not let us.
pub(super) fn make(directory: &Path) -> Result<ExitCode, InitError> {
    let failed = |path: &Path, error: io::Error| {
        InitError::new(format!(
            "Cannot make the link '{}': {error}",
            path.display()
        ))
    };
    let program = std::env::current_exe().map_err(|error| failed(directory, error))?;
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    for name in NAMES {
        let path = directory.join(name);
        match fs::read_link(&path) {
            Ok(target) if target == program => {}
            _ => symlink(&program, &path).map_err(|error| failed(&path, error))?,
        }
        super::say(&format!("{} -> {}\n", path.display(), program.display()));
    }
    Ok(ExitCode::SUCCESS)
}
