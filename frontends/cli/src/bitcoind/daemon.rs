//! Owns the way into the background: the program starts itself again, without a terminal, and the first process ends.
//! Promises with `-daemonwait` that the first process ends well only once the second one is ready.
//! Refuses to fork, which a program of safe code cannot do.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use super::arguments::Arguments;
use super::failure::InitError;

/// Says in the environment of the second process that it is the second one.
pub(super) const MARK: &str = "EVERETT_BITCOIND_IN_BACKGROUND";
/// What the second process writes when it is ready.
const READY: &[u8] = b"1";

/// Whether this is the process in the background.
pub(super) fn is_background() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Leaves the terminal and the session of whoever started us.
pub(super) fn detach() {
    // It fails only for a process that leads a group, which was detached before.
    let _ = rustix::process::setsid();
}

/// Tells the first process, where it waits, that this one is ready.
pub(super) fn tell_ready() {
    let mut stdout = io::stdout().lock();
    // It may wait no more.
    let _ = stdout.write_all(READY).and_then(|()| stdout.flush());
}

/// Starts the second process with the same command line, and waits for it if that is wanted.
///
/// # Errors
///
/// It cannot be started.
pub(super) fn start(line: &[String], wait: bool, log: &str) -> Result<ExitCode, InitError> {
    let failed = |error: io::Error| InitError::new(format!("fork_daemon() failed: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg0("everett")
        .arg("bitcoind")
        .args(line)
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(if wait { Stdio::piped() } else { Stdio::null() })
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let Some(mut pipe) = child.stdout.take() else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut token = [0; READY.len()];
    match pipe.read_exact(&mut token) {
        Ok(()) if token == READY => Ok(ExitCode::SUCCESS),
        _ => {
            eprintln!("Error during initialization - check {log} for details");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Whether the node is to run in the background.
pub(super) fn wanted(arguments: &Arguments) -> bool {
    arguments.flag("daemon", false) || arguments.flag("daemonwait", false)
}
