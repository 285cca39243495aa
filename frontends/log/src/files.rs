//! Owns the names of the log's files and their order.
//! Promises that a later file has a higher number, also after files were deleted; refuses to delete what is no log.

use std::io;
use std::path::{Path, PathBuf};

/// The log's directory in a data directory.
pub const LOG_DIRECTORY: &str = "log";

const PREFIX: &str = "everett-";
const SUFFIX: &str = ".log";

/// A file of the log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LogFile {
    /// Its number: later files have higher ones.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// A file's name.
pub(crate) fn name(number: u64) -> String {
    format!("{PREFIX}{number:06}{SUFFIX}")
}

/// The files of a log, oldest first; none where there is no directory.
///
/// # Errors
///
/// What the system says of the directory.
pub fn list(directory: &Path) -> io::Result<Vec<LogFile>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX))
            .and_then(|number| number.parse().ok());
        if let Some(number) = number {
            let path = entry.path();
            files.push(LogFile { number, path });
        }
    }
    files.sort();
    Ok(files)
}
