//! Everett beside bcoin, a node in JavaScript that none of us and nobody of Bitcoin Core wrote.
//! Needs `BCOIN_DIR`, a directory in which `npm install bcoin --ignore-scripts` was run.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use everett_tests::big_chain;
use everett_tests::bitcoind::free_port;
use everett_tests::p2p_node::{P2pNode, on_loopback};
use serde_json::{Value, json};

/// How long anything may take that bcoin is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A bcoin node in memory.
struct Bcoin {
    child: Child,
    http: u16,
    p2p: SocketAddr,
    _directory: tempfile::TempDir,
}

fn directory(name: &str) -> Option<PathBuf> {
    match std::env::var_os("BCOIN_DIR") {
        Some(directory) => Some(directory.into()),
        None => {
            eprintln!("{name}: skipped: BCOIN_DIR does not name a directory with bcoin in it");
            None
        }
    }
}

impl Bcoin {
    fn start(directory: &Path, options: &[String]) -> Bcoin {
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

    fn tip(&self) -> String {
        let info = self.try_ask("GET", "/", None).expect("it answers");
        info["chain"]["tip"].as_str().expect("a tip").to_owned()
    }

    fn mine(&self, blocks: u32) {
        let call = json!({
            "method": "generatetoaddress",
            "params": [blocks, "bcrt1qqqqsyqcyq5rqwzqfpg9scrgwpugpzysnard0ew"],
        });
        let answer = self.try_ask("POST", "/", Some(call)).expect("it answers");
        assert!(answer["error"].is_null(), "{answer}");
    }

    fn wait_until(&self, what: &str, so: impl Fn(&Bcoin) -> bool) {
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

#[test]
fn bcoin_syncs_from_everett_and_everett_follows_what_bcoin_mines() {
    let name = "bcoin_syncs_from_everett_and_everett_follows_what_bcoin_mines";
    let Some(directory) = directory(name) else {
        return;
    };
    let node = P2pNode::start(on_loopback());
    big_chain::mine(node.ledger(), 120, 50_000, 0);
    let ours = node.ledger().best().hash().to_string();
    let caller = Bcoin::start(&directory, &[format!("--only={}", node.address())]);
    caller.wait_until("it has our chain", |bcoin| bcoin.tip() == ours);

    // It mines, and tells us.
    caller.mine(3);
    let theirs = caller.tip();
    assert_ne!(theirs, ours);
    node.wait_for_best(&theirs);

    // A reorganisation of ours goes to it.
    let fork = node.ledger().world_at_height(118).expect("a world");
    big_chain::extend(node.ledger(), fork, 8, 0, 5);
    let ours = node.ledger().best().hash().to_string();
    caller.wait_until("it follows us", |bcoin| bcoin.tip() == ours);
}

#[test]
fn everett_syncs_from_bcoin() {
    let Some(directory) = directory("everett_syncs_from_bcoin") else {
        return;
    };
    let bcoin = Bcoin::start(&directory, &["--listen=true".to_owned()]);
    bcoin.mine(130);
    let node = P2pNode::start(on_loopback());
    node.call(bcoin.p2p);
    node.wait_for_best(&bcoin.tip());
    assert!(
        node.wait_for_peer(|_| true)
            .info
            .user_agent
            .contains("bcoin")
    );
}
