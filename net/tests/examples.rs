//! The examples against Bitcoin Core on regtest. `BITCOIND_EXE` names its daemon; without it these tests say that they skip.

#[path = "../../tests/suites/src/ports.rs"]
pub mod ports;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bitcoin::absolute::LockTime;
use bitcoin::consensus::{deserialize, encode::serialize_hex};
use bitcoin::hex::FromHex;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use everett_net::Message;
use everett_net::capture::{Direction, Reader};
use ports::free_port;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node of Bitcoin Core with a directory of its own.
struct Node {
    process: Child,
    daemon: PathBuf,
    directory: tempfile::TempDir,
    port: u16,
    rpc: u16,
}

impl Node {
    /// Starts one, or says why not.
    fn start() -> Option<Node> {
        let Some(daemon) = std::env::var_os("BITCOIND_EXE").map(PathBuf::from) else {
            eprintln!("skipped: BITCOIND_EXE does not name Bitcoin Core's daemon");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let (port, rpc) = (free_port(), free_port());
        let process = Command::new(&daemon)
            .args([
                "-regtest",
                "-listen=1",
                "-listenonion=0",
                "-dnsseed=0",
                "-acceptnonstdtxn=1",
                "-debug=net",
            ])
            .arg(format!("-datadir={}", directory.path().display()))
            .args([format!("-bind=0.0.0.0:{port}"), format!("-rpcport={rpc}")])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let node = Node {
            process,
            daemon,
            directory,
            port,
            rpc,
        };
        let started = Instant::now();
        while node.try_ask(&["getblockcount"]).is_none() {
            assert!(started.elapsed() < PATIENCE, "the node does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(node)
    }

    fn try_ask(&self, what: &[&str]) -> Option<String> {
        let client = std::env::var_os("BITCOIN_CLI_EXE").map(PathBuf::from);
        let client = client.unwrap_or_else(|| self.daemon.with_file_name("bitcoin-cli"));
        let output = Command::new(client)
            .arg("-regtest")
            .arg(format!("-datadir={}", self.directory.path().display()))
            .arg(format!("-rpcport={}", self.rpc))
            .args(what)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        output.status.success().then_some(text)
    }

    fn ask(&self, what: &[&str]) -> String {
        self.try_ask(what)
            .unwrap_or_else(|| panic!("{what:?} fails"))
    }

    /// Blocks whose coins anybody can spend.
    fn mine(&self, count: u32) {
        self.ask(&["generatetodescriptor", &count.to_string(), "raw(51)"]);
    }

    fn block(&self, height: u32) -> Vec<u8> {
        let hash = self.ask(&["getblockhash", &height.to_string()]);
        Vec::from_hex(&self.ask(&["getblock", &hash, "0"])).unwrap()
    }

    /// Spends the coin of a block that is old enough; the transaction's id.
    fn spend(&self, height: u32) -> String {
        let block: Block = deserialize(&self.block(height)).unwrap();
        let coinbase = &block.txdata[0];
        let input = TxIn {
            previous_output: OutPoint::new(coinbase.compute_txid(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let output = TxOut {
            value: coinbase.output[0].value - Amount::from_sat(1_000),
            script_pubkey: ScriptBuf::from_bytes([&[0, 20][..], &[7; 20]].concat()),
        };
        let transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![output],
        };
        self.ask(&["sendrawtransaction", &serialize_hex(&transaction)])
    }

    fn peer(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts an example on this node.
    fn example(&self, name: &str, options: &[&str]) -> Child {
        example(name)
            .args(["--network", "regtest", &self.peer()])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until an example is connected, does something, and waits for the example's end.
    fn while_runs(&self, mut running: Child, action: impl FnOnce()) -> Output {
        let started = Instant::now();
        let is_there = || {
            let peers = self.ask(&["getpeerinfo"]);
            let handshakes_over = peers.matches("\"verack\"").count() / 2;
            handshakes_over >= 1
        };
        while !is_there() {
            assert!(started.elapsed() < PATIENCE && running.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(50));
        }
        action();
        running.wait_with_output().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An example's program, which cargo builds beside the tests.
fn example(name: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    let built = own
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples")
        .join(name);
    assert!(
        built.exists(),
        "{} is not built: cargo build --examples",
        built.display()
    );
    Command::new(built)
}

fn text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

fn interrupt(child: &Child) {
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn help_teaches_and_mistakes_are_told() {
    for name in [
        "connect_single",
        "get_transactions",
        "inv_tracker",
        "block_watch",
        "chain_pull",
    ] {
        let help = text(&example(name).arg("--help").output().unwrap());
        for part in ["--network", "[PEER]", "Examples:"] {
            assert!(help.contains(part), "{name}: {help}");
        }
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let mut run = example(name);
        let output = run.arg("nobody").current_dir(here).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && told.contains("\"nobody\" is no address"),
            "{told}"
        );
        let output = example(name)
            .args(["--network", "regtest"])
            .current_dir(here)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && told.contains("name a peer"),
            "{told}"
        );
        // A mistake leaves nothing behind.
        assert_eq!(std::fs::read_dir(here).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn one_peer_is_called_over_both_transports_and_captured() {
    let Some(node) = Node::start() else { return };
    node.mine(1);
    let file = node.directory.path().join("packets.log");
    let capture = file.to_str().unwrap();
    let options = [
        "--send",
        "getaddr",
        "--decode",
        "--count",
        "2",
        "--capture",
        capture,
    ];
    let said = text(
        &node
            .example("connect_single", &options)
            .wait_with_output()
            .unwrap(),
    );
    assert!(
        said.contains("over v2") && said.contains("/Satoshi:"),
        "{said}"
    );
    assert!(said.contains("has height 1"), "{said}");
    let packets: Vec<_> = Reader::open(&file).unwrap().map(Result::unwrap).collect();
    let has = |direction, name| {
        let mut all = packets.iter();
        all.any(|it| it.direction == direction && it.command.as_str() == name)
    };
    for name in ["version", "verack"] {
        assert!(has(Direction::Sent, name) && has(Direction::Received, name));
    }
    assert!(has(Direction::Sent, "getaddr"));
    assert!(
        packets
            .iter()
            .all(|it| it.message().is_some_and(|it: Message| it.decode().is_ok()))
    );
    let said = node
        .example("connect_single", &["--v1", "--count", "1"])
        .wait_with_output()
        .unwrap();
    assert!(text(&said).contains("over v1"));
}

#[test]
fn transactions_and_blocks_are_seen_as_they_are_announced() {
    let Some(node) = Node::start() else { return };
    node.mine(110);
    let mut txids = Vec::new();
    let running = node.example(
        "get_transactions",
        &["--json", "--count", "3", "--for", "60"],
    );
    let output = node.while_runs(running, || {
        txids.extend((1..=3).map(|height| node.spend(height)))
    });
    let mut seen: Vec<String> = text(&output)
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["txid"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    seen.sort();
    let mut all = txids.clone();
    all.sort();
    assert_eq!(seen, all);

    let running = node.example("block_watch", &["--txns", "--count", "1", "--for", "60"]);
    let said = text(&node.while_runs(running, || node.mine(1)));
    assert!(
        said.contains(&node.ask(&["getbestblockhash"])) && said.contains("height 111"),
        "{said}"
    );
    assert!(txids.iter().all(|txid| said.contains(txid)), "{said}");
}

#[test]
fn many_connections_are_held_and_first_times_are_written() {
    let Some(node) = Node::start() else { return };
    node.mine(101);
    // One node, called at a hundred addresses of this machine: it holds them as peers of their own.
    let peers: Vec<String> = (1..=100)
        .map(|last| format!("127.0.1.{last}:{}", node.port))
        .collect();
    let running = example("inv_tracker")
        .args(["--network", "regtest", "--window", "8", "--format", "jsonl"])
        .args(&peers)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while node.ask(&["getpeerinfo"]).matches("\"addr\"").count() < 100 {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(1));
    node.mine(1);
    std::thread::sleep(Duration::from_secs(2));
    interrupt(&running);
    let said = text(&running.wait_with_output().unwrap());
    let best = node.ask(&["getbestblockhash"]);
    let line = said
        .lines()
        .find(|line| line.contains(&best))
        .unwrap_or_else(|| panic!("{said}"));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["kind"], "block");
    assert_eq!(line["peers"], 100, "{line}");
}

#[test]
fn a_chain_is_pulled_interrupted_and_gone_on_with() {
    let Some(node) = Node::start() else { return };
    node.mine(2_500);
    let file = node.directory.path().join("bootstrap.dat");
    let path = file.to_str().unwrap();
    let expected = |heights: std::ops::RangeInclusive<u32>| -> Vec<u8> {
        let mut bytes = Vec::new();
        for height in heights {
            let block = node.block(height);
            bytes.extend(bitcoin::Network::Regtest.magic().to_bytes());
            bytes.extend((block.len() as u32).to_le_bytes());
            bytes.extend(block);
        }
        bytes
    };

    // Up to a height, then all of it; a torn block at the end is written again.
    let said = text(
        &node
            .example("chain_pull", &["-o", path, "--height", "50"])
            .wait_with_output()
            .unwrap(),
    );
    assert!(said.contains("51 blocks"), "{said}");
    let begin = expected(0..=50);
    assert_eq!(fs::read(&file).unwrap(), begin);
    fs::write(&file, &begin[..begin.len() - 5]).unwrap();
    let said = text(
        &node
            .example("chain_pull", &["-o", path, "--check"])
            .wait_with_output()
            .unwrap(),
    );
    assert!(said.contains("2501 blocks"), "{said}");
    let whole = fs::read(&file).unwrap();
    assert!(whole.starts_with(&begin));
    assert!(whole.ends_with(&expected(2_490..=2_500)));

    // Ctrl-C in the middle: what is there is whole blocks, and the next run ends with the same bytes.
    fs::remove_file(&file).unwrap();
    let mut running = node.example("chain_pull", &["-o", path, "--in-flight", "4"]);
    let started = Instant::now();
    while fs::metadata(&file).map_or(0, |it| it.len()) == 0 && running.try_wait().unwrap().is_none()
    {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    if running.try_wait().unwrap().is_none() {
        interrupt(&running);
    }
    text(&running.wait_with_output().unwrap());
    assert!(whole.starts_with(&fs::read(&file).unwrap()));
    text(
        &node
            .example("chain_pull", &["-o", path])
            .wait_with_output()
            .unwrap(),
    );
    assert_eq!(fs::read(&file).unwrap(), whole);

    // Another chain is longer now: the blocks that are not on it are cut off.
    let fork = node.ask(&["getblockhash", "2495"]);
    node.ask(&["invalidateblock", &fork]);
    node.ask(&["generatetodescriptor", "10", "raw(52)"]);
    let said = node
        .example("chain_pull", &["-o", path])
        .wait_with_output()
        .unwrap();
    assert!(text(&said).contains("whole chain: 2505 blocks"), "{said:?}");
    assert!(fs::read(&file).unwrap().ends_with(&expected(2_495..=2_504)));

    // What is no chain of this network is left alone.
    let before = fs::read(&file).unwrap();
    let wrong = example("chain_pull")
        .args(["--network", "signet", "127.0.0.1", "-o", path])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        !wrong.status.success() && told.contains("no block of signet"),
        "{told}"
    );
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn output_that_nobody_reads_ends_an_example_in_order() {
    let Some(node) = Node::start() else { return };
    node.mine(1);
    let mut running = node.example("connect_single", &["--for", "30"]);
    let out = running.stdout.take().unwrap();
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert!(line.contains("connected"), "{line}");
    let status = running.wait().unwrap();
    assert!(status.success());
}
