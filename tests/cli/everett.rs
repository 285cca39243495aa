//! Owns the processes under test: one that answers and ends, one that serves until it is told to stop.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a process may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How long one may take to begin its work.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often is looked whether it has.
const LOOKED_EVERY: Duration = Duration::from_millis(5);

/// The binary with these arguments, without the environment's settings.
pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everett"));
    command
        .args(arguments)
        // Tests run beside each other: no two may want the same port.
        .env("EVERETT_WEBUI", "127.0.0.1:0")
        .env_remove("EVERETT_USER")
        .env_remove("EVERETT_TOKEN")
        .env_remove("EVERETT_GRPC_TOKEN")
        .env_remove("EVERETT_LOG");
    command
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Answer {
    /// Standard output, which is to be one JSON object.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error on standard error, which is to be one JSON object.
    pub(crate) fn error(&self) -> Value {
        let error: Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        error["error"].clone()
    }
}

/// Runs to the end.
pub(crate) fn everett<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Answer {
    command(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

/// The same, with something on standard input.
pub(crate) fn everett_reading(arguments: &[&str], input: std::fs::File) -> Answer {
    command(arguments).stdin(input).output().unwrap().into()
}

/// A command on a regtest directory.
pub(crate) fn on(directory: &Path, arguments: &[&str]) -> Answer {
    let directory = directory.to_str().unwrap();
    let common = ["--network", "regtest", "--datadir", directory];
    everett(&[arguments, &common].concat())
}

/// `import --json` of these files into a regtest directory.
pub(crate) fn import(directory: &Path, files: &[&Path]) -> Answer {
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    on(
        directory,
        &[&["import", "--json"], files.as_slice()].concat(),
    )
}

/// Starts a command, sends it a signal by its name once it is `at_work`, and waits for its end.
pub(crate) fn interrupted(
    arguments: &[&str],
    signal: &str,
    mut at_work: impl FnMut() -> bool,
) -> Answer {
    let mut child = command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !at_work() {
        if child.try_wait().unwrap().is_some() {
            return child.wait_with_output().unwrap().into();
        }
        assert!(started.elapsed() < START_TIMEOUT, "it never is at work");
        std::thread::sleep(LOOKED_EVERY);
    }
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.unwrap().success());
    child.wait_with_output().unwrap().into()
}

/// A process that serves.
pub(crate) struct Serving {
    child: Child,
    /// What it said when it was ready.
    pub(crate) ready: Value,
}

impl Serving {
    /// Starts `run` on a regtest directory, on a free port, and waits until it is ready.
    pub(crate) fn run(directory: &Path, options: &[&str]) -> Serving {
        let directory = directory.to_str().unwrap();
        let common = ["run", "--network", "regtest", "--datadir", directory];
        let rest = ["--grpc", "127.0.0.1:0", "--json"];
        Serving::start(&[&common[..], &rest, options].concat(), "ready")
    }

    /// Starts a command with `--json` and waits until it has printed an object with `key`.
    pub(crate) fn start(arguments: &[&str], key: &str) -> Serving {
        Serving::wait_for(command(arguments), key)
    }

    /// As [`Serving::start`], by another command: one that becomes the binary, such as `ip netns exec NAME`.
    pub(crate) fn start_within(within: &[&str], arguments: &[&str], key: &str) -> Serving {
        let inner = command(arguments);
        let mut outer = Command::new(within[0]);
        outer
            .args(&within[1..])
            .arg(inner.get_program())
            .args(arguments);
        Serving::wait_for(outer, key)
    }

    fn wait_for(mut command: Command, key: &str) -> Serving {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        let ready = loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("no {key} in {text:?}"));
            text.push_str(&line.unwrap());
            match serde_json::from_str::<Value>(&text) {
                Ok(ready) => break ready,
                Err(_) => text.push('\n'),
            }
        };
        assert!(ready.get(key).is_some(), "{ready}");
        Serving { child, ready }
    }

    /// Where it is served.
    pub(crate) fn url(&self) -> &str {
        self.ready["grpc"].as_str().unwrap()
    }

    /// Sends a signal by its name, and waits for the end.
    pub(crate) fn stop(mut self, signal: &str) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < STOP_TIMEOUT, "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A test that failed leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
