//! Owns the way to a Python that can speak gRPC: an environment of its own, made once.
//! Promises an error in words where there is none to be had, so that a test can say why it was skipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the clients need.
const PACKAGES: [&str; 2] = ["grpcio", "grpcio-tools"];

/// A Python with gRPC, in an environment below `directory` that is made where it is missing.
///
/// # Errors
///
/// What keeps it from being made: no Python, or no way to its packages.
pub fn with_grpc(directory: &Path) -> Result<PathBuf, String> {
    with_packages(
        directory,
        "python-grpc",
        &PACKAGES,
        "import grpc, grpc_tools",
    )
}

/// A Python with these packages, in an environment of this name below `directory` that is made where it is missing;
/// `import` is what has to be there then.
///
/// # Errors
///
/// What keeps it from being made: no Python, or no way to its packages.
pub fn with_packages(
    directory: &Path,
    name: &str,
    packages: &[&str],
    import: &str,
) -> Result<PathBuf, String> {
    let environment = directory.join(name);
    let python = environment.join("bin/python");
    let check = |python: &Path| run(Command::new(python).args(["-c", import])).map(drop);
    if check(&python).is_ok() {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(&environment))?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(Command::new(&python).args(install).args(packages))?;
    check(&python).map(|()| python)
}

/// Runs a program to its end.
///
/// # Errors
///
/// What it wrote to standard error where it fails, or why it did not run.
pub fn run(command: &mut Command) -> Result<Output, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
