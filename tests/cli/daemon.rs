//! Owns an `everett bitcoind` under test, and Core's own where there is one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use everett_tests::ports::free_port;

use crate::everett::{Answer, command};

/// How long a daemon may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked whether it has.
const LOOKED_EVERY: Duration = Duration::from_millis(25);

/// A program of Core's, if `BITCOIND_EXE` names the daemon.
pub(crate) fn cores(name: &str) -> Option<PathBuf> {
    let Some(daemon) = std::env::var_os("BITCOIND_EXE").map(PathBuf::from) else {
        eprintln!("skipped: BITCOIND_EXE does not name a Bitcoin Core daemon");
        return None;
    };
    Some(daemon.with_file_name(name))
}

/// Waits until it is so.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(LOOKED_EVERY);
    }
}

/// `everett bitcoind` with these options, to its end.
pub(crate) fn bitcoind(options: &[&str]) -> Answer {
    let line = [&["bitcoind"], options].concat();
    let output = command(&line).stdin(Stdio::null()).output();
    output.unwrap().into()
}

/// `everett cli` with these options.
pub(crate) fn cli(options: &[&str]) -> Answer {
    let line = [&["cli"], options].concat();
    let output = command(&line).stdin(Stdio::null()).output();
    output.unwrap().into()
}

/// A daemon on regtest.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) directory: PathBuf,
    pub(crate) port: u16,
}

impl Daemon {
    /// Starts one that nobody can call, and waits until it answers.
    pub(crate) fn start(directory: &Path, options: &[&str]) -> Daemon {
        let command = command(&["bitcoind", "-regtest", "-listen=0"]);
        Daemon::run(command, directory, options)
    }

    /// Starts one by a command that was begun already.
    pub(crate) fn run(mut command: Command, directory: &Path, options: &[&str]) -> Daemon {
        let port = free_port();
        let child = command
            .arg(format!("-datadir={}", directory.display()))
            .arg(format!("-rpcport={port}"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let daemon = Daemon {
            child,
            directory: directory.to_owned(),
            port,
        };
        let ready = daemon.cli(&["-rpcwait", "-rpcwaittimeout=60", "getblockcount"]);
        assert_eq!(ready.code, Some(0), "{ready:?} {}", daemon.log());
        daemon
    }

    /// What tells a client where it is.
    pub(crate) fn options(&self) -> Vec<String> {
        vec![
            "-regtest".to_owned(),
            format!("-datadir={}", self.directory.display()),
            format!("-rpcport={}", self.port),
        ]
    }

    /// Asks it with `everett cli`.
    pub(crate) fn cli(&self, words: &[&str]) -> Answer {
        let options = self.options();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        cli(&[&options[..], words].concat())
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A file of its chain.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join("regtest").join(name)
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.file("debug.log")).unwrap_or_default()
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end: exit code and standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        use std::io::Read;
        let mut code = None;
        wait_until("it ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        let mut text = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut text).unwrap();
        (code.unwrap().code(), text)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
