//! Owns the commands that a user has run when something happens (`-blocknotify` and the like).
//! Promises that the node never waits for one, except at its end, and that in the background nobody gets what one prints.
//! Refuses to run more than some at once: what comes beyond them is left out, and the log says so.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::warn;

use super::daemon;

/// Commands that may run at once.
const MAX_RUNNING: usize = 64;

/// The commands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Commands {
    /// When the node is ready.
    pub(crate) startup: Option<String>,
    /// When it is about to stop.
    pub(crate) shutdown: Vec<String>,
    /// When the best block changes; `%s` is its hash.
    pub(crate) block: Option<String>,
}

/// Runs commands beside the node.
#[derive(Clone, Default)]
pub(crate) struct Runner {
    running: Arc<AtomicUsize>,
    /// Whether what they print goes nowhere.
    silent: bool,
}

impl Runner {
    /// For a node in the background (`silent`) or in a terminal.
    pub(crate) fn new(silent: bool) -> Runner {
        Runner {
            running: Arc::default(),
            silent,
        }
    }

    /// Runs a command by the shell, and does not wait for it.
    pub(crate) fn run(&self, command: String) {
        if self.running.fetch_add(1, Ordering::AcqRel) >= MAX_RUNNING {
            self.running.fetch_sub(1, Ordering::AcqRel);
            warn!(command, "too many commands run already; it is left out");
            return;
        }
        let (running, silent) = (self.running.clone(), self.silent);
        std::thread::spawn(move || {
            finish(&command, silent);
            running.fetch_sub(1, Ordering::AcqRel);
        });
    }

    /// Runs all of them, and waits for them.
    pub(crate) fn run_all(&self, commands: &[String]) {
        let silent = self.silent;
        let threads: Vec<_> = commands
            .iter()
            .cloned()
            .map(|command| std::thread::spawn(move || finish(&command, silent)))
            .collect();
        for thread in threads {
            // A panic in there is in the log.
            let _ = thread.join();
        }
    }
}

fn finish(command: &str, silent: bool) {
    let mut shell = Command::new("/bin/sh");
    if silent {
        // Else it has the pipe on which we tell that we are ready, and whose other end is gone later.
        shell.stdout(Stdio::null()).stderr(Stdio::null());
    }
    let status = shell
        .args(["-c", command])
        // A daemon that the command starts is another one.
        .env_remove(daemon::MARK)
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => warn!("runCommand error: system({command}) returned {status}"),
        Err(error) => warn!("runCommand error: system({command}) failed: {error}"),
    }
}
