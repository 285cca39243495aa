//! Owns the notifications over ZeroMQ, heard by PyPI's `pyzmq`: a script of blocks, payments, replacements and
//! reorganisations, and the messages that Core's rules give for it. Where there is a Core, it runs the same script, so that
//! blocks and the steps of the mempool are its.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bitcoin::hex::DisplayHex;
use everett_rpc::ZmqPublisher;
use everett_tests::bitcoind::Bitcoind;
use everett_tests::python::with_packages;
use everett_tests::rpc_client::RpcClient;
use everett_zmq::{Topic, Zmq, ZmqConfig};
use serde_json::{Value, json};

use crate::chain::ADDRESS;
use everett_tests::rpc_node::RpcNode;

/// The clock of the first block.
const START: u64 = 1_790_000_000;
/// The key of `ADDRESS`.
const WIF: &str = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA";
/// An address that other blocks pay.
const ELSEWHERE: &str = "bcrt1pmfr3p9j00pfxjh0zmgp99y8zftmd3s5pmedqhyptwy6lm87hf5ssm803es";
const SUBSCRIBER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/zmq_subscriber.py");

/// A program that hears messages.
struct Subscriber {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Subscriber {
    fn start(addresses: &[String]) -> Option<Subscriber> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let python = match with_packages(directory, "python-zmq", &["pyzmq"], "import zmq") {
            Ok(python) => python,
            Err(why) => {
                eprintln!("zmq: skipped: no Python with pyzmq: {why}");
                return None;
            }
        };
        let mut child = Command::new(python)
            .arg(SUBSCRIBER)
            .args(addresses)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("it says that it listens");
        assert_eq!(line, "ready\n");
        Some(Subscriber { child, lines })
    }

    /// All messages of both addresses, once nothing more comes.
    fn heard(mut self) -> [Vec<Message>; 2] {
        let input = self.child.stdin.take();
        drop(input.map(|mut input| input.flush()));
        let mut heard = [Vec::new(), Vec::new()];
        for line in self.lines.lines() {
            let line = line.expect("a line");
            let words: Vec<&str> = line.split(' ').collect();
            let place = usize::from(words[0] == "1");
            heard[place].push(words[1..].join(" "));
        }
        let _ = self.child.wait();
        heard
    }
}

/// A topic, a body and a number, as the subscriber writes them.
type Message = String;

/// What Core would have told.
#[derive(Default)]
struct Told {
    messages: Vec<Message>,
    counts: std::collections::BTreeMap<&'static str, u32>,
}

impl Told {
    fn push(&mut self, topic: &'static str, body: &str) {
        let count = self.counts.entry(topic).or_default();
        let number = count.to_le_bytes().to_lower_hex_string();
        *count += 1;
        self.messages.push(format!("{topic} {body} {number}"));
    }

    fn transaction(&mut self, txid: &str, hex: &str) {
        self.push("hashtx", txid);
        self.push("rawtx", hex);
    }

    fn added(&mut self, txid: &str, hex: &str, step: u64) {
        self.transaction(txid, hex);
        self.push("sequence", &format!("{txid}41{}", le(step)));
    }

    fn removed(&mut self, txid: &str, step: u64) {
        self.push("sequence", &format!("{txid}52{}", le(step)));
    }
}

fn le(step: u64) -> String {
    step.to_le_bytes().to_lower_hex_string()
}

/// The node, Core where there is one, and what was to be told so far.
struct Script {
    ours: RpcClient,
    core: Option<RpcClient>,
    now: u64,
    told: Told,
}

impl Script {
    /// Calls a method on both; what ours answers.
    fn call(&self, method: &str, params: Value) -> Value {
        let ours = self.ours.call(method, params.clone());
        if let Some(core) = &self.core {
            assert_eq!(ours, core.call(method, params.clone()), "{method} {params}");
        }
        ours
    }

    fn text(&self, method: &str, params: Value) -> String {
        let answer = self.call(method, params);
        answer.as_str().expect("a string").to_owned()
    }

    /// The next step of the mempool, the same on both.
    fn step(&self) -> u64 {
        let pool = self.call("getrawmempool", json!([false, true]));
        pool["mempool_sequence"].as_u64().expect("a number")
    }

    fn tick(&mut self) {
        self.now += 60;
        self.call("setmocktime", json!([self.now]));
    }

    /// The messages of a block's transactions, and of the block.
    fn tell_block(&mut self, hash: &str, letter: &str) {
        let block = self.call("getblock", json!([hash, 2]));
        for transaction in block["tx"].as_array().expect("transactions") {
            let text = |name: &str| transaction[name].as_str().expect("text").to_owned();
            self.told.transaction(&text("txid"), &text("hex"));
        }
        self.told.push("sequence", &format!("{hash}{letter}"));
    }

    fn tell_best(&mut self, hash: &str) {
        let hex = self.text("getblock", json!([hash, 0]));
        self.told.push("hashblock", hash);
        self.told.push("rawblock", &hex);
    }

    fn connected(&mut self, hash: &str) {
        self.tell_block(hash, "43");
        self.tell_best(hash);
    }

    /// A signed payment of a coin of `ADDRESS`.
    fn pay(&self, txid: &str, amount: f64) -> (String, String) {
        let output = json!({ ADDRESS: amount });
        let raw = self.text(
            "createrawtransaction",
            json!([[{ "txid": txid, "vout": 0 }], output]),
        );
        let signed = self.call("signrawtransactionwithkey", json!([raw, [WIF]]));
        let hex = signed["hex"].as_str().expect("a transaction").to_owned();
        let decoded = self.call("decoderawtransaction", json!([hex]));
        (decoded["txid"].as_str().expect("an id").to_owned(), hex)
    }

    fn coinbase(&self, height: u32) -> String {
        let hash = self.text("getblockhash", json!([height]));
        let block = self.call("getblock", json!([hash]));
        block["tx"][0].as_str().expect("an id").to_owned()
    }

    fn generate(&mut self, transactions: Value) -> String {
        self.tick();
        let made = self.call("generateblock", json!([ELSEWHERE, transactions]));
        made["hash"].as_str().expect("a hash").to_owned()
    }

    fn run(&mut self) {
        self.now = START;
        self.tick();
        let made = self.call("generatetoaddress", json!([102, ADDRESS]));
        for hash in made.as_array().expect("hashes") {
            self.connected(hash.as_str().expect("a hash"));
        }
        // A payment, one in its place, and a child.
        let (first, second) = (self.coinbase(1), self.coinbase(2));
        let (a, a_hex) = self.pay(&first, 49.999);
        let step = self.step();
        self.call("sendrawtransaction", json!([a_hex]));
        self.told.added(&a, &a_hex, step);
        let (b, b_hex) = self.pay(&first, 49.99);
        self.call("sendrawtransaction", json!([b_hex]));
        self.told.removed(&a, step + 1);
        self.told.added(&b, &b_hex, step + 2);
        assert_eq!(self.step(), step + 3);
        let (c, c_hex) = self.pay(&second, 49.99);
        self.call("sendrawtransaction", json!([c_hex]));
        self.told.added(&c, &c_hex, step + 3);
        // A block that has one of them.
        let x = self.generate(json!([b]));
        self.connected(&x);
        assert_eq!(self.step(), step + 5);
        // It is taken back, and what it had waits again.
        self.call("invalidateblock", json!([x]));
        self.tell_block(&x, "44");
        self.told.added(&b, &b_hex, step + 5);
        assert_eq!(self.step(), step + 6);
        // Another one at its height, with nothing; then the first one comes back, for it came first.
        let y = self.generate(json!([]));
        self.connected(&y);
        self.call("reconsiderblock", json!([x]));
        assert_eq!(self.text("getbestblockhash", json!([])), x);
        self.tell_block(&y, "44");
        self.connected(&x);
        assert_eq!(self.step(), step + 7);
        // The other one by hand: a reorganisation that nobody took back.
        self.call("preciousblock", json!([y]));
        assert_eq!(self.text("getbestblockhash", json!([])), y);
        self.tell_block(&x, "44");
        self.told.added(&b, &b_hex, step + 7);
        self.connected(&y);
        assert_eq!(self.step(), step + 8);
        // A block with another spend of what waits.
        let (_, d_hex) = self.pay(&second, 49.98);
        let z = self.generate(json!([d_hex]));
        self.told.removed(&c, step + 8);
        self.connected(&z);
        assert_eq!(self.step(), step + 9);
        // It goes again, and with it everything above the parent: the other spend comes back.
        self.call("invalidateblock", json!([z]));
        self.tell_block(&z, "44");
        let (d, _) = self.pay(&second, 49.98);
        self.told.added(&d, &d_hex, step + 9);
        assert_eq!(self.step(), step + 10);
        self.branches(&z, &d, &d_hex);
    }

    /// Branches of several blocks: one comes back, goes, is overtaken, and comes back again.
    fn branches(&mut self, z: &str, d: &str, d_hex: &str) {
        self.call("reconsiderblock", json!([z]));
        self.connected(z);
        let z2 = self.generate(json!([]));
        self.connected(&z2);
        let back = |script: &mut Script, call: &str, block: &str| {
            let step = script.step();
            script.call(call, json!([block]));
            script.tell_block(&z2, "44");
            script.tell_block(z, "44");
            script.told.added(d, d_hex, step);
        };
        back(self, "invalidateblock", z);
        let w: Vec<String> = (0..3)
            .map(|_| {
                let block = self.generate(json!([]));
                self.connected(&block);
                block
            })
            .collect();
        // With less work than there is, nothing happens.
        self.call("reconsiderblock", json!([z]));
        self.call("invalidateblock", json!([w[0]]));
        for block in w.iter().rev() {
            self.tell_block(block, "44");
        }
        // By hand it is gone down first, so that each block is a new best one.
        self.connected(z);
        self.connected(&z2);
        back(self, "reconsiderblock", &w[0]);
        // Blocks that only together have more work are one step.
        for block in &w {
            self.tell_block(block, "43");
        }
        self.tell_best(&w[2]);
        assert_eq!(self.text("getbestblockhash", json!([])), w[2]);
    }
}

#[test]
fn pyzmq_hears_what_core_tells() {
    let mut config = ZmqConfig::default();
    let directory = tempfile::tempdir().expect("a directory for the socket");
    let ipc = format!("ipc://{}", directory.path().join("zmq").display());
    for topic in Topic::ALL {
        config
            .publish(topic, "tcp://127.0.0.1:0", 100_000)
            .expect("an address");
        config.publish(topic, &ipc, 0).expect("an address");
    }
    let zmq = Zmq::new(config);
    let bound = zmq.bound_addresses();
    let publisher = ZmqPublisher {
        kind: "pubhashtx".to_owned(),
        address: ipc.clone(),
        high_water_mark: 7,
    };
    let everett = RpcNode::start_with_zmq(|config| config.zmq.push(publisher), Some(zmq));
    let listed = everett.client().call("getzmqnotifications", json!([]));
    assert_eq!(
        listed,
        json!([{ "type": "pubhashtx", "address": ipc, "hwm": 7 }])
    );
    let addresses: Vec<String> = bound.get().iter().map(ToString::to_string).collect();
    assert_eq!(addresses.len(), 2, "topics share a socket: {addresses:?}");
    let Some(subscriber) = Subscriber::start(&addresses) else {
        return;
    };
    let node =
        everett_tests::bitcoind::program("zmq").map(|program| Bitcoind::start(&program, &[]));
    let core = node
        .as_ref()
        .map(|node| RpcClient::new(node.rpc_port(), &node.cookie()));
    let mut script = Script {
        ours: everett.client(),
        core,
        now: START,
        told: Told::default(),
    };
    script.run();
    for heard in subscriber.heard() {
        for (place, (told, heard)) in script.told.messages.iter().zip(&heard).enumerate() {
            assert_eq!(heard, told, "message {place}");
        }
        assert_eq!(heard.len(), script.told.messages.len());
        eprintln!("{} messages, as Core tells them", heard.len());
    }
}
