//! Owns bcoin, a node in JavaScript: how it is got, started, asked over HTTP, stopped.
//! Promises an error in words where it cannot be had, so that a test can say why it was skipped.
//! Refuses its native database, which has to be built: it runs in memory, with its own arithmetic.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ports::free_port;

/// What is asked of npm's registry.
const PACKAGE: &str = "bcoin@1.0.2";
/// How long anything may take that bcoin is waited for: its own elliptic curve is slow.
const PATIENCE: Duration = Duration::from_secs(180);
/// Where segwit becomes active on its regtest, three windows of 144 blocks after its start: bcoin has it voted for first,
/// and refuses blocks that commit to witnesses before. Elsewhere it is active from the start.
pub const SEGWIT_HEIGHT: u32 = 432;

/// A directory that has bcoin: the one that `BCOIN_DIR` names, or, with `EVERETT_BCOIN` set to anything, one below
/// `directory`, where npm puts it if it is missing. Nothing of it is run by that.
///
/// # Errors
///
/// What keeps it from being had: nobody asked for it, there is no Node.js, or no way to npm's registry.
pub fn install(directory: &Path) -> Result<PathBuf, String> {
    let known = std::env::var_os("BCOIN_DIR").map(PathBuf::from);
    if known.is_none() && std::env::var_os("EVERETT_BCOIN").is_none() {
        return Err("set EVERETT_BCOIN=1 to have it from npm, or BCOIN_DIR".to_owned());
    }
    run(Command::new("node").arg("--version"))?;
    if let Some(directory) = known {
        return Ok(directory);
    }
    let directory = directory.join("bcoin");
    let program = directory.join("node_modules/bcoin/bin/node");
    if !program.is_file() {
        std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let options = [
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            PACKAGE,
        ];
        run(Command::new("npm")
            .args(options)
            .arg("--prefix")
            .arg(&directory))?;
    }
    match program.is_file() {
        true => Ok(directory),
        false => Err(format!(
            "npm was run, and there is no {}",
            program.display()
        )),
    }
}

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!(
            "{command:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// A bcoin node in memory.
pub struct Bcoin {
    child: Child,
    http: u16,
    /// Where it takes connections.
    pub p2p: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Bcoin {
    /// Starts one on loopback, from a directory with bcoin in it ([`install`]); `options` are added to its command line.
    pub fn start(directory: &Path, options: &[String]) -> Bcoin {
        let preload = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/bcoin-in-memory.js");
        let (http, port) = (free_port(), free_port());
        let place = tempfile::tempdir().expect("a directory");
        let child = Command::new("node")
            .arg("-r")
            .arg(preload)
            .arg(directory.join("node_modules/bcoin/bin/node"))
            .args([
                "--network=regtest",
                "--memory=true",
                "--no-wallet",
                "--no-auth",
            ])
            .args([
                "--http-host=127.0.0.1".to_owned(),
                format!("--http-port={http}"),
            ])
            .args(["--host=127.0.0.1".to_owned(), format!("--port={port}")])
            .arg(format!("--prefix={}", place.path().display()))
            .args(options)
            .env("NODE_BACKEND", "js")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs");
        let bcoin = Bcoin {
            child,
            http,
            p2p: SocketAddr::from(([127, 0, 0, 1], port)),
            _directory: place,
        };
        bcoin.wait_until("it answers", |bcoin| {
            bcoin.try_ask("GET", "/", None).is_some()
        });
        bcoin
    }

    /// What it answers to an HTTP request; `None` while it does not.
    fn try_ask(&self, method: &str, path: &str, body: Option<Value>) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let begin = answer.find('{')?;
        let end = answer.rfind('}')?;
        serde_json::from_str(&answer[begin..=end]).ok()
    }

    /// Its best block.
    pub fn tip(&self) -> String {
        let info = self.try_ask("GET", "/", None).expect("it answers");
        info["chain"]["tip"].as_str().expect("a tip").to_owned()
    }

    /// Has it mine some blocks.
    pub fn mine(&self, blocks: u32) {
        // A public key hash, as bcoin writes one on regtest: Bitcoin Core's prefixes are others.
        let mut payout = vec![0x3c];
        payout.extend([7; 20]);
        let call = json!({
            "method": "generatetoaddress",
            "params": [blocks, bitcoin::base58::encode_check(&payout)],
        });
        let answer = self.try_ask("POST", "/", Some(call)).expect("it answers");
        assert!(answer["error"].is_null(), "{answer}");
    }

    /// Waits until it is so.
    pub fn wait_until(&self, what: &str, so: impl Fn(&Bcoin) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so(self) {
            assert!(Instant::now() < deadline, "never: {what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Bcoin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
