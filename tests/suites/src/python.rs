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
    let environment = directory.join("python-grpc");
    let python = environment.join("bin/python");
    let has_grpc = |python: &Path| {
        let check = run(Command::new(python).args(["-c", "import grpc, grpc_tools"]));
        check.is_ok()
    };
    if has_grpc(&python) {
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
    run(Command::new(&python).args(install).args(PACKAGES))?;
    match has_grpc(&python) {
        true => Ok(python),
        false => Err("grpcio is installed and cannot be imported".to_owned()),
    }
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
