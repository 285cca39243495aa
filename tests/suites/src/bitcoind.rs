//! Owns a Bitcoin Core daemon for tests: started on regtest, asked with the `bitcoin-cli` beside it, stopped at the end.
//! Promises a fresh data directory, a free port, and a line that says so where there is no daemon to be had.
//! Refuses to look for one: `BITCOIND_EXE` names it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::ports::free_port;

/// How long anything that a daemon is asked for may take, its start included.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often is looked whether it has come.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// A running daemon. Dropping it ends it.
pub struct Bitcoind {
    child: Child,
    cli: PathBuf,
    directory: TempDir,
    rpc_port: u16,
    p2p: SocketAddr,
}

/// The daemon's program; says that the test `name` is skipped where there is none.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("BITCOIND_EXE").map(PathBuf::from);
    match path {
        Some(path) if path.exists() => Some(path),
        Some(path) => panic!("BITCOIND_EXE is {}, and there is nothing", path.display()),
        None => {
            eprintln!("{name}: skipped: BITCOIND_EXE does not name a Bitcoin Core daemon");
            None
        }
    }
}

impl Bitcoind {
    /// Starts one on regtest that takes connections on a port of loopback; `options` are added to its command line.
    pub fn start(program: &Path, options: &[&str]) -> Bitcoind {
        let directory = tempfile::tempdir().expect("a directory for the daemon");
        let (rpc_port, p2p_port) = (free_port(), free_port());
        let p2p = SocketAddr::from(([127, 0, 0, 1], p2p_port));
        let child = Command::new(program)
            .arg("-regtest")
            .arg(format!("-datadir={}", directory.path().display()))
            .arg(format!("-rpcport={rpc_port}"))
            .arg(format!("-bind={p2p}"))
            .args([
                "-listen=1",
                "-dnsseed=0",
                "-fixedseeds=0",
                "-discover=0",
                "-listenonion=0",
                "-natpmp=0",
                "-printtoconsole=0",
                "-debug=net",
            ])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the daemon starts");
        let bitcoind = Bitcoind {
            child,
            cli: program.with_file_name("bitcoin-cli"),
            directory,
            rpc_port,
            p2p,
        };
        bitcoind.wait_until("it answers", |node| {
            node.try_call("getblockcount", &[]).is_ok()
        });
        bitcoind
    }

    /// Where it takes connections.
    pub fn p2p(&self) -> SocketAddr {
        self.p2p
    }

    /// The port of its JSON-RPC server, on loopback.
    pub fn rpc_port(&self) -> u16 {
        self.rpc_port
    }

    /// The content of its cookie: a name, a colon, a password.
    pub fn cookie(&self) -> String {
        let path = self.directory.path().join("regtest/.cookie");
        std::fs::read_to_string(path).expect("it runs, so there is a cookie")
    }

    /// Its log.
    pub fn log(&self) -> String {
        let path = self.directory.path().join("regtest/debug.log");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Asks it; what is no JSON comes back as text.
    ///
    /// # Errors
    ///
    /// What `bitcoin-cli` says.
    pub fn try_call(&self, method: &str, args: &[&str]) -> Result<Value, String> {
        let answer = Command::new(&self.cli)
            .arg("-regtest")
            .arg(format!("-datadir={}", self.directory.path().display()))
            .arg(format!("-rpcport={}", self.rpc_port))
            .arg(method)
            .args(args)
            .output()
            .expect("bitcoin-cli lies beside bitcoind");
        let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        match answer.status.success() {
            true => Ok(serde_json::from_str(&text).unwrap_or(Value::String(text))),
            false => Err(String::from_utf8_lossy(&answer.stderr).into_owned()),
        }
    }

    /// Asks it with arguments of any length: longer than a command line may be.
    ///
    /// # Errors
    ///
    /// What `bitcoin-cli` says.
    pub fn try_ask(&self, method: &str, args: &[&str]) -> Result<Value, String> {
        use std::io::Write;
        let mut child = Command::new(&self.cli)
            .arg("-regtest")
            .arg(format!("-datadir={}", self.directory.path().display()))
            .arg(format!("-rpcport={}", self.rpc_port))
            .args(["-stdin", method])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("bitcoin-cli lies beside bitcoind");
        let mut stdin = child.stdin.take().expect("it is piped");
        let lines = args
            .iter()
            .map(|arg| format!("{arg}\n"))
            .collect::<String>();
        let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
        let answer = child.wait_with_output().expect("bitcoin-cli ends");
        let _ = writer.join();
        let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        match answer.status.success() {
            true => Ok(serde_json::from_str(&text).unwrap_or(Value::String(text))),
            false => Err(String::from_utf8_lossy(&answer.stderr).into_owned()),
        }
    }

    /// The same; it has to answer.
    pub fn ask(&self, method: &str, args: &[&str]) -> Value {
        self.try_ask(method, args)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The directory of its chain: blocks, log, `mempool.dat`.
    pub fn chain_directory(&self) -> PathBuf {
        self.directory.path().join("regtest")
    }

    /// Asks it to stop, and waits until it has; its directories stay until it is dropped.
    pub fn stop(&mut self) {
        self.call("stop", &[]);
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "it stops with {status}");
    }

    /// Asks it; it has to answer.
    pub fn call(&self, method: &str, args: &[&str]) -> Value {
        self.try_call(method, args)
            .unwrap_or_else(|error| panic!("{method} {args:?}: {error}"))
    }

    /// Mines blocks that pay to a fixed script, and gives their hashes.
    pub fn mine(&self, blocks: u32) -> Vec<String> {
        // A witness program of regtest that nobody has the key to.
        const ANYWHERE: &str = "raw(0014000102030405060708090a0b0c0d0e0f10111213)";
        let descriptor = self.call("getdescriptorinfo", &[ANYWHERE])["descriptor"].clone();
        let descriptor = descriptor.as_str().expect("a descriptor with its checksum");
        let hashes = self.call("generatetodescriptor", &[&blocks.to_string(), descriptor]);
        let text = |hash: &Value| hash.as_str().expect("a hash").to_owned();
        hashes
            .as_array()
            .expect("hashes")
            .iter()
            .map(text)
            .collect()
    }

    /// Hands it a block.
    pub fn submit(&self, block: &[u8]) {
        use bitcoin::hex::DisplayHex;
        let file = self.directory.path().join("block.hex");
        std::fs::write(&file, block.to_lower_hex_string()).expect("a file for the block");
        // A full block is longer than a command line may be.
        let answer = Command::new(&self.cli)
            .arg("-regtest")
            .arg(format!("-datadir={}", self.directory.path().display()))
            .arg(format!("-rpcport={}", self.rpc_port))
            .args(["-stdin", "submitblock"])
            .stdin(std::fs::File::open(&file).expect("just written"))
            .output()
            .expect("bitcoin-cli lies beside bitcoind");
        assert!(
            answer.status.success(),
            "submitblock: {}",
            String::from_utf8_lossy(&answer.stderr)
        );
    }

    /// Its best block.
    pub fn best_hash(&self) -> String {
        let hash = self.call("getbestblockhash", &[]);
        hash.as_str().expect("a hash").to_owned()
    }

    /// Its height.
    pub fn height(&self) -> u64 {
        self.call("getblockcount", &[]).as_u64().expect("a number")
    }

    /// `hash_serialized_3` of its UTXO set.
    pub fn hash_serialized(&self) -> String {
        let info = self.call("gettxoutsetinfo", &["hash_serialized_3"]);
        info["hash_serialized_3"]
            .as_str()
            .expect("a hash")
            .to_owned()
    }

    /// Waits until it is so.
    pub fn wait_until(&self, what: &str, so: impl Fn(&Bitcoind) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so(self) {
            let log = || {
                let log = self.log();
                let lines: Vec<&str> = log.lines().rev().take(30).collect();
                lines.into_iter().rev().collect::<Vec<_>>().join("\n")
            };
            assert!(
                Instant::now() < deadline,
                "never: {what}; its log ends with\n{}",
                log()
            );
            std::thread::sleep(LOOKED_EVERY);
        }
    }
}

impl Drop for Bitcoind {
    fn drop(&mut self) {
        let asked = self.try_call("stop", &[]).is_ok();
        let deadline = Instant::now() + PATIENCE;
        while asked && Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(LOOKED_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
