//! `everett wallet`: a wallet in every world at once, on the command line.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{BlockHash, ScriptBuf, Transaction};
use everett_grpc::{Grpc, GrpcConfig};
use everett_ledger::{LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;

use crate::everett::{Answer, Serving, command, everett, everett_reading, on};

/// Addresses ahead: few, so that wallets are made quickly.
const KEYPOOL: u32 = 5;

/// A node in this process with the wallets `miner`, which has a mature coin of 50 BTC, and `alice`.
struct Wallets {
    url: String,
    directory: TempDir,
    node: Node,
    _runtime: Runtime,
}

impl Wallets {
    fn new() -> Wallets {
        let directory = tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
        let grpc = Grpc::new(GrpcConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..GrpcConfig::default()
        });
        let address = grpc.bound_address();
        let mut config = NodeConfig::new(ledger);
        config.wallets.as_mut().unwrap().keypool = KEYPOOL;
        let node = Node::builder(config).frontend(grpc);
        let node = runtime.block_on(node.start()).unwrap();
        let wallets = Wallets {
            url: format!("http://{}", address.get().unwrap()),
            directory,
            node,
            _runtime: runtime,
        };
        for name in ["miner", "alice"] {
            wallets.done(&["create", name, "--no-passphrase"]);
        }
        let own = wallets.address("miner", "");
        wallets.mine(None, Vec::new(), &own);
        for _ in 0..100 {
            wallets.mine(None, Vec::new(), &ScriptBuf::from_bytes(vec![0x51]));
        }
        wallets
    }

    fn ask(&self, arguments: &[&str]) -> Answer {
        everett(&[&["wallet"], arguments, &["--connect", &self.url]].concat())
    }

    /// The same with something on standard input.
    fn ask_reading(&self, arguments: &[&str], input: &str) -> Answer {
        let path = self.file("input", input);
        let arguments = [&["wallet"], arguments, &["--connect", &self.url]].concat();
        everett_reading(&arguments, File::open(path).unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What it prints, without the line's end.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let answer = self.ask(arguments);
        assert_eq!(answer.code, Some(0), "{arguments:?} {answer:?}");
        answer.stdout.trim_end().to_owned()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let answer = self.ask(&[arguments, &["--json"]].concat());
        assert_eq!(answer.code, Some(0), "{arguments:?} {answer:?}");
        answer.json()
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, reason: &str) -> String {
        let answer = self.ask(&[arguments, &["--json"]].concat());
        assert_eq!(answer.code, Some(code), "{arguments:?} {answer:?}");
        assert_eq!(answer.error()["reason"], reason, "{arguments:?} {answer:?}");
        answer.error()["message"].as_str().unwrap().to_owned()
    }

    /// The script of a new address.
    fn address(&self, wallet: &str, label: &str) -> ScriptBuf {
        let address = self.new_address(wallet, label);
        let address = address.parse::<bitcoin::Address<_>>().unwrap();
        address.assume_checked().script_pubkey()
    }

    fn new_address(&self, wallet: &str, label: &str) -> String {
        self.done(&["-w", wallet, "address", "new", "--label", label])
    }

    /// Mines a block on a block, or on the best one.
    fn mine(
        &self,
        parent: Option<&str>,
        transactions: Vec<Transaction>,
        payout: &ScriptBuf,
    ) -> String {
        let ledger = self.node.handle().ledger();
        let parent = match parent {
            None => ledger.best(),
            Some(hash) => ledger.world(&hash.parse::<BlockHash>().unwrap()).unwrap(),
        };
        let block = everett_scenario::mine(ledger, &parent, transactions, payout, None).unwrap();
        let submitted = ledger.submit_block(&block).unwrap();
        assert_eq!(submitted.outcome.bip22(), None);
        let block: bitcoin::Block = bitcoin::consensus::deserialize(&block).unwrap();
        block.block_hash().to_string()
    }

    fn best(&self) -> String {
        self.node.handle().ledger().best().hash().to_string()
    }

    fn spendable(&self, wallet: &str) -> Vec<i64> {
        let told = self.json(&["-w", wallet, "balance"]);
        let balances = told["balances"].as_array().unwrap();
        let spendable = balances
            .iter()
            .map(|balance| balance["spendable_sat"].as_i64());
        spendable.map(Option::unwrap).collect()
    }
}

/// A command that goes on, and the lines that it writes.
struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn new(wallets: &Wallets, arguments: &[&str]) -> Following {
        let arguments = [
            &["wallet"],
            arguments,
            &["--json", "--connect", &wallets.url],
        ]
        .concat();
        let child = command(&arguments).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Following { child, lines }
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a line").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next();
            if event["kind"] == kind {
                return event;
            }
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn anyone(mark: u8) -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51, mark])
}

const BTC: i64 = 100_000_000;

#[test]
fn a_payment_and_its_double_spend_are_told_side_by_side_and_the_branch_that_wins_decides() {
    let wallets = Wallets::new();
    let fork = wallets.best();
    let alice = wallets.new_address("alice", "Alice");
    let own = wallets.new_address("miner", "");
    let coins = wallets.json(&["-w", "miner", "coins"]);
    let coin = format!(
        "{}:{}",
        text(&coins["coins"][0]["txid"]),
        coins["coins"][0]["vout"]
    );
    // The other one first: it is signed, and not sent.
    let back = format!("{own}=49.9");
    let other_hex = wallets.done(&["-w", "miner", "build", "--to", &back, "--coin", &coin]);
    let paid = wallets.done(&[
        "-w",
        "miner",
        "send",
        &alice,
        "30",
        "--coin",
        &coin,
        "--fee-rate",
        "2.5",
    ]);
    let told = wallets.json(&["-w", "alice", "payment", &paid]);
    assert_eq!(told["net_sat"], 30 * BTC);
    assert_eq!(told["states"][0]["state"], "pending");
    assert_eq!(
        told["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["mine"] == true)
            .count(),
        1
    );
    let tx = |hex: &str| vec![deserialize_hex::<Transaction>(hex).unwrap()];
    let mut warned = Following::new(&wallets, &["-w", "alice", "warnings", "--follow"]);
    assert_eq!(warned.next()["warnings"], Value::Array(Vec::new()));
    let first = wallets.mine(Some(&fork), tx(text(&told["hex"])), &anyone(0x61));
    let second = wallets.mine(Some(&fork), tx(&other_hex), &anyone(0x62));
    assert_eq!(wallets.best(), first);
    assert_eq!(wallets.spendable("alice"), [30 * BTC, 0]);

    let answer = wallets.done(&["-w", "alice", "balance"]);
    let lines: Vec<&str> = answer.lines().collect();
    assert!(
        lines[0].contains("SPENDABLE BTC") && lines[0].ends_with("WORLD"),
        "{answer}"
    );
    assert!(
        lines[1].starts_with('*') && lines[1].ends_with(&first),
        "{answer}"
    );
    assert!(
        lines[1].contains("30.00000000") && lines[2].ends_with(&second),
        "{answer}"
    );
    assert_eq!(
        lines[3],
        "safe: 0.00000000 BTC in all 2 live worlds, 30.00000000 BTC not in all of them"
    );
    assert!(
        lines[4].starts_with("1 rival branch would take"),
        "{answer}"
    );
    let event = warned.next_of("warning_appeared");
    assert_eq!(event["warning"]["world"]["tip_hash"], second.as_str());
    assert_eq!(event["warning"]["lost_sat"], 30 * BTC);
    let only = wallets.json(&["-w", "alice", "balance", "--at", &second]);
    assert_eq!(only["balances"].as_array().unwrap().len(), 1);

    let other = tx(&other_hex)[0].compute_txid().to_string();
    let payment = wallets.done(&["-w", "alice", "payment", &paid]);
    assert!(
        payment.contains(&format!("conflicted by {other}")),
        "{payment}"
    );
    assert!(payment.contains("confirmed at 102, 1 deep"), "{payment}");
    let warnings = wallets.done(&["-w", "alice", "warnings"]);
    assert!(
        warnings.starts_with(&format!("double spend: {second}")),
        "{warnings}"
    );
    let warnings = wallets.json(&["-w", "alice", "warnings"]);
    assert_eq!(
        warnings["warnings"][0]["payments"][0]["conflicting_txid"],
        other.as_str()
    );
    assert_eq!(
        wallets.json(&["-w", "alice", "coins"])["coins"][0]["safe"],
        false
    );
    let there = wallets.json(&["-w", "alice", "history", "--at", &second]);
    assert_eq!(there["payments"][0]["states"][0]["state"], "conflicted");

    // What a rival lacks is only spent where somebody says so.
    let why = wallets.fails(&["-w", "alice", "send", &own, "1"], 1, "INSUFFICIENT_FUNDS");
    assert!(why.contains(&second), "{why}");
    let hex = wallets.done(&["-w", "alice", "build", &own, "1", "--in", "best"]);
    let checked = wallets.json(&["-w", "alice", "verify", &hex]);
    assert_eq!(
        (
            checked["valid"].as_bool(),
            checked["valid_everywhere"].as_bool()
        ),
        (Some(true), Some(false))
    );
    assert_eq!(checked["inputs"][0]["worlds"][1]["coin"], "missing");
    let mut spoilt: Transaction = deserialize_hex(&hex).unwrap();
    spoilt.output[0].value -= bitcoin::Amount::ONE_SAT;
    let spoilt = wallets.ask(&["-w", "alice", "verify", &serialize_hex(&spoilt)]);
    assert_eq!(spoilt.code, Some(1), "{spoilt:?}");
    assert!(spoilt.stdout.contains("not valid"), "{spoilt:?}");

    // The branch flips.
    let higher = wallets.mine(Some(&second), Vec::new(), &anyone(0x63));
    assert_eq!(wallets.best(), higher);
    assert_eq!(warned.next_of("warning_cleared")["warning_end"], "won");
    assert_eq!(wallets.spendable("alice"), [0, 30 * BTC]);
    assert_eq!(
        wallets.done(&["-w", "alice", "warnings"]),
        "no warnings: no rival branch would take anything away"
    );
}

#[test]
fn payments_are_built_sent_bumped_and_sped_up() {
    let wallets = Wallets::new();
    let alice = wallets.new_address("alice", "rent");
    let other = wallets.new_address("alice", "food");
    let path = wallets.directory.path().join("pay.psbt");
    let path = path.to_str().unwrap();
    let to = [format!("{alice}=1.5"), format!("{other}=0.25")];
    wallets.done(&[
        "-w", "miner", "psbt", "create", "--to", &to[0], "--to", &to[1], "-o", path,
    ]);
    let given = format!("@{path}");
    let shown = wallets.json(&["psbt", "show", &given]);
    assert_eq!(shown["finished"], false);
    assert_eq!(shown["outputs"].as_array().unwrap().len(), 3);
    let why = wallets.fails(&["-w", "miner", "send", "--raw", &given], 1, "NOT_SIGNED");
    assert!(why.contains("input 0"), "{why}");
    let signed = wallets.done(&["-w", "miner", "psbt", "sign", &given, "--unfinished"]);
    let combined = wallets.done(&["psbt", "combine", &given, &signed]);
    let hex = wallets.done(&["psbt", "finalize", &combined]);
    let txid = wallets.done(&["-w", "miner", "send", "--raw", &hex]);
    // Once more is no harm.
    assert_eq!(
        wallets.done(&["-w", "miner", "send", "--raw", &signed]),
        txid
    );
    assert!(
        wallets
            .ask(&["-w", "miner", "psbt", "create", &alice, "1", "-o", path])
            .code
            == Some(1)
    );

    wallets.fails(
        &["-w", "miner", "bump", &txid, "--fee-rate", "0.5"],
        1,
        "FEE_UNFIT",
    );
    let bumped = wallets.json(&["-w", "miner", "bump", &txid, "--fee-rate", "30"]);
    assert_eq!(bumped["sent"], true);
    let bumped = text(&bumped["txid"]).to_owned();
    let child = wallets.json(&["-w", "alice", "cpfp", &bumped, "--fee-rate", "100"]);
    assert_eq!(child["inputs"][0]["txid"], bumped.as_str());
    let history = wallets.done(&["-w", "miner", "history"]);
    assert!(
        history.contains(&bumped) && history.contains("pending"),
        "{history}"
    );
    wallets.fails(
        &["-w", "miner", "payment", &"00".repeat(32)],
        1,
        "PAYMENT_UNKNOWN",
    );
    wallets.fails(&["-w", "miner", "abandon", &bumped], 1, "PAYMENT_FIXED");

    // What is wrong with the line is told before anybody is asked.
    wallets.fails(&["-w", "miner", "send"], 2, "INVALID_ARGUMENT");
    wallets.fails(
        &["-w", "miner", "send", &alice, "1,5"],
        2,
        "INVALID_ARGUMENT",
    );
    wallets.fails(
        &["-w", "miner", "send", &alice, "0.00000001"],
        2,
        "INVALID_ARGUMENT",
    );
    wallets.fails(&["-w", "nobody", "balance"], 1, "WALLET_UNKNOWN");
    wallets.fails(&["balance"], 1, "WALLET_NOT_NAMED");
}

#[test]
fn wallets_are_made_sealed_copied_and_put_back() {
    let wallets = Wallets::new();
    let secret = wallets.file("secret", "open sesame\n");
    let secret = secret.to_str().unwrap();
    wallets.done(&["create", "safe", "--passphrase-file", secret]);
    let listed = wallets.json(&["list"]);
    let safe = listed["wallets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "safe");
    assert_eq!(safe.unwrap()["locked"], true);
    let own = wallets.new_address("safe", "");
    wallets.done(&["-w", "miner", "send", &own, "2"]);
    let alice = wallets.new_address("alice", "");
    wallets.fails(
        &["-w", "safe", "send", &alice, "1", "--untrusted"],
        1,
        "WALLET_LOCKED",
    );
    let wrong = wallets.ask_reading(&["-w", "safe", "unlock", "--json"], "open barley\n");
    assert_eq!(wrong.error()["reason"], "WRONG_PASSPHRASE", "{wrong:?}");
    let right = wallets.ask_reading(&["-w", "safe", "unlock", "--for", "10m"], "open sesame\n");
    assert_eq!(right.stdout, "unlocked for 600 s\n", "{right:?}");
    wallets.done(&["-w", "safe", "send", &alice, "1", "--untrusted"]);
    wallets.done(&["-w", "safe", "lock"]);
    let changed = wallets.ask_reading(&["-w", "safe", "passphrase"], "open sesame\nsimsalabim\n");
    assert_eq!(changed.code, Some(0), "{changed:?}");
    wallets.fails(
        &["-w", "safe", "unlock", "--passphrase-file", secret],
        1,
        "WRONG_PASSPHRASE",
    );
    wallets.done(&["-w", "alice", "encrypt", "--passphrase-file", secret]);

    let copy = wallets.directory.path().join("copy");
    let copy = copy.to_str().unwrap();
    wallets.done(&["-w", "miner", "backup", copy]);
    wallets.done(&["restore", "twin", copy]);
    assert_eq!(wallets.spendable("twin"), wallets.spendable("miner"));
    wallets.done(&["unload", "twin"]);
    wallets.fails(&["-w", "twin", "balance"], 1, "WALLET_UNKNOWN");
    wallets.done(&["load", "twin"]);
    wallets.fails(&["create", "twin", "--no-passphrase"], 1, "WALLET_EXISTS");
}

#[test]
fn keys_descriptors_labels_and_messages_come_and_go() {
    let wallets = Wallets::new();
    let public = wallets.directory.path().join("public");
    let public = public.to_str().unwrap();
    wallets.done(&["-w", "miner", "descriptors", "export", "-o", public]);
    wallets.done(&["create", "watch", "--watch-only"]);
    let told = wallets.json(&["-w", "watch", "descriptors", "import", public, "--active"]);
    assert_eq!(
        (told["imported"].as_u64(), told["rescanned_from"].as_u64()),
        (Some(8), Some(0))
    );
    assert_eq!(wallets.spendable("watch"), [50 * BTC]);
    let descriptors = wallets.json(&["-w", "watch", "descriptors", "list"]);
    let descriptors = descriptors["descriptors"].as_array().unwrap();
    assert_eq!(
        descriptors
            .iter()
            .filter(|one| one["internal"] == true)
            .count(),
        4
    );
    wallets.fails(
        &["-w", "watch", "descriptors", "export", "--private"],
        1,
        "KEYS_MISSING",
    );
    let private = wallets.done(&["-w", "miner", "descriptors", "export", "--private"]);
    assert_eq!(
        private.lines().filter(|line| line.contains("tprv")).count(),
        8
    );

    // The key 7, read from standard input.
    let key = bitcoin::PrivateKey::new(
        bitcoin::secp256k1::SecretKey::from_slice(&[7; 32]).unwrap(),
        bitcoin::Network::Regtest,
    );
    let import = ["-w", "alice", "key", "import", "--label", "seven"];
    let taken = wallets.ask_reading(&import, &key.to_wif());
    assert_eq!(taken.code, Some(0), "{taken:?}");
    let seven = wallets.json(&["-w", "alice", "address", "list", "--label", "seven"]);
    let addresses = seven["addresses"].as_array().unwrap();
    let mut all = addresses.iter().map(|one| text(&one["address"]));
    let legacy = all.find(|address| address.starts_with(['m', 'n']));
    let legacy = legacy.unwrap();
    let signature = wallets.done(&["-w", "alice", "message", "sign", legacy, "hello"]);
    assert_eq!(
        wallets
            .ask(&["message", "verify", legacy, &signature, "hello"])
            .code,
        Some(0)
    );
    assert_eq!(
        wallets
            .ask(&["message", "verify", legacy, &signature, "hallo"])
            .code,
        Some(1)
    );

    wallets.done(&["-w", "alice", "labels", "set", legacy, "lucky"]);
    let exported = wallets.directory.path().join("labels");
    let exported = exported.to_str().unwrap();
    wallets.done(&["-w", "alice", "labels", "export", "-o", exported]);
    let imported = wallets.json(&["-w", "watch", "labels", "import", exported]);
    assert!(imported["imported"].as_u64().unwrap() >= 1);
    let labels = wallets.done(&["-w", "watch", "labels", "list"]);
    assert!(labels.contains("lucky"), "{labels}");
    let rescanned = wallets.json(&["-w", "alice", "rescan"]);
    assert_eq!(
        (rescanned["from"].as_u64(), rescanned["to"].as_u64()),
        (Some(0), Some(101))
    );
    let coins = wallets.json(&["-w", "miner", "coins"]);
    let coin = format!(
        "{}:{}",
        text(&coins["coins"][0]["txid"]),
        coins["coins"][0]["vout"]
    );
    wallets.done(&["-w", "miner", "coins", "--lock", &coin]);
    assert!(wallets.done(&["-w", "miner", "coins"]).contains("locked"));
    wallets.done(&["-w", "miner", "coins", "--unlock", &coin]);
}

#[test]
fn words_are_looked_for_from_the_day_on_that_their_owner_knows() {
    let wallets = Wallets::new();
    let words = format!("{}about\n", "abandon ".repeat(11));
    let create = |name, options: &[&str]| {
        let line = ["create", name, "--no-passphrase", "--words"];
        wallets.ask_reading(&[&line[..], options].concat(), &words)
    };
    let born = create("born", &["--born", "2024-03-01"]);
    assert_eq!(born.code, Some(0), "{born:?}");
    let listed = wallets.json(&["-w", "born", "descriptors", "list"]);
    assert_eq!(listed["descriptors"][0]["birth_time"], 1_709_251_200);
    let hasty = create("hasty", &["--no-rescan"]);
    assert_eq!(hasty.code, Some(0), "{hasty:?}");
    for wrong in [
        ["--born", "yesterday"].as_slice(),
        &["--born", "2024-03-01", "--no-rescan"],
    ] {
        assert_eq!(create("wrong", wrong).code, Some(2), "{wrong:?}");
    }
    let random = ["create", "random", "--no-passphrase", "--no-rescan"];
    assert_eq!(wallets.ask(&random).code, Some(2));
}

#[test]
fn help_teaches_with_examples() {
    let help = everett(&["wallet", "--help"]);
    for words in [
        "everett wallet create savings",
        "cpfp",
        "descriptors",
        "--wallet <NAME>",
    ] {
        assert!(help.stdout.contains(words), "{words}: {}", help.stdout);
    }
    let help = everett(&["wallet", "send", "--help"]);
    for words in ["--in best", "--fee-rate 12.5", "--coin TXID:1"] {
        assert!(help.stdout.contains(words), "{words}: {}", help.stdout);
    }
    let nobody = everett(&["wallet", "--json", "--datadir", "/nonexistent", "list"]);
    assert_eq!(nobody.error()["reason"], "NO_NODE", "{nobody:?}");
}

#[test]
fn what_is_wrong_with_an_address_a_psbt_or_a_transaction_is_said() {
    let wallets = Wallets::new();
    let address = wallets.new_address("alice", "");
    let last = address.chars().last().unwrap();
    let other = if last == 'q' { "p" } else { "q" };
    let mistyped = format!("{}{other}", &address[..address.len() - 1]);
    for (to, told) in [
        (mistyped.as_str(), "its checksum is wrong"),
        ("", "`` is no address: there is nothing"),
        (
            "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
            "this node is on regtest",
        ),
        (
            "alice",
            "it begins like no address; those of regtest begin with bcrt1, m, n, 2",
        ),
    ] {
        let message = wallets.fails(&["-w", "miner", "send", to, "1"], 2, "INVALID_ARGUMENT");
        assert!(message.contains(told), "{to}: {message}");
    }
    let cut = |text: &str, length: usize| text[..length].to_owned();
    let psbt = wallets.done(&["-w", "miner", "psbt", "create", &address, "1"]);
    let message = wallets.fails(
        &["-w", "miner", "psbt", "sign", &cut(&psbt, 80)],
        2,
        "INVALID_ARGUMENT",
    );
    assert!(message.contains("it is cut"), "{message}");
    let hex = wallets.done(&["-w", "miner", "build", &address, "1"]);
    let raw = cut(&hex, 100);
    let message = wallets.fails(
        &["-w", "miner", "send", "--raw", &raw],
        2,
        "INVALID_ARGUMENT",
    );
    assert!(message.contains("the data ends too early"), "{message}");
    let coin = wallets.json(&["-w", "miner", "coins"]);
    let coin = &coin["coins"][0];
    let coin = format!("{}:{}", coin["txid"].as_str().unwrap(), coin["vout"]);
    wallets.done(&["-w", "miner", "coins", "--lock", &coin]);
    let message = wallets.fails(
        &["-w", "miner", "send", &address, "1", "--coin", &coin],
        1,
        "COIN_UNSPENDABLE",
    );
    assert!(
        message.contains("everett wallet coins --unlock"),
        "{message}"
    );
    assert!(!message.contains("lockunspent"), "{message}");
}

#[test]
fn a_secret_that_is_missing_is_asked_for_where_the_command_takes_it() {
    let wallets = Wallets::new();
    for (arguments, option) in [
        (&["-w", "alice", "passphrase"][..], None),
        (&["create", "bob", "--words", "--no-passphrase"], None),
        (&["-w", "alice", "encrypt"], Some("--passphrase-file")),
        (&["-w", "alice", "key", "import"], Some("--file")),
    ] {
        let message = wallets.fails(arguments, 2, "INVALID_ARGUMENT");
        assert!(message.contains("pipe it in"), "{message}");
        match option {
            Some(option) => assert!(message.contains(option), "{message}"),
            None => assert!(!message.contains("--"), "{message}"),
        }
    }
}

#[test]
fn a_payment_whose_answer_did_not_come_may_have_been_made_and_that_is_said() {
    let wallets = Wallets::new();
    let address = wallets.new_address("alice", "");
    // Takes calls, and is gone before it answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let send = ["wallet", "send", &address, "1", "--connect", &url, "--json"];
    let answer = everett(&send);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert_eq!(answer.error()["reason"], "CONNECTION_LOST", "{answer:?}");
    let message = answer.error()["message"].to_string();
    assert!(message.contains("everett wallet history"), "{message}");
    let answer = everett(&[&send[..], &["--request-id", "rent"]].concat());
    let message = answer.error()["message"].to_string();
    assert!(message.contains("the same --request-id"), "{message}");
}

/// How many bytes the longest file in a directory has, and in those in it, but for one of them.
fn longest_file(directory: &Path, but: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let lengths = paths.filter(|path| path != but).map(|path| {
        let found = path.symlink_metadata().unwrap();
        match found.is_dir() {
            true => longest_file(&path, but),
            false => found.len(),
        }
    });
    lengths.max().unwrap_or(0)
}

#[test]
fn a_limit_on_the_size_of_files_is_told_as_a_full_disk_and_ends_no_node() {
    let place = tempdir().unwrap();
    let directory = place.path().to_str().unwrap();
    // The ledger, and the wallet that such a node makes by itself.
    drop(Serving::run(place.path(), &[]));
    // Halfway between the longest file that the node needs and a new wallet's, in the shell's KiB.
    let wallets = place.path().join("wallets");
    let wallet = wallets.join("@unnamed/data.mdb").metadata().unwrap().len();
    let longest = longest_file(place.path(), &wallets);
    assert!(
        longest < wallet,
        "{longest} bytes, and a wallet has {wallet}"
    );
    let limit = (longest + wallet) / 2 / 1024;
    let within = format!("ulimit -f {limit}; exec \"$0\" \"$@\"");
    let limited = ["bash", "-c", &within];
    let run = ["run", "--network", "regtest", "--datadir", directory];
    let rest = ["--grpc", "127.0.0.1:0", "--no-rpc", "--no-log", "--json"];
    let node = Serving::start_within(&limited, &[&run[..], &rest].concat(), "ready");
    let create = ["wallet", "create", "big", "--no-passphrase", "--json"];
    let answer = on(place.path(), &create);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert_eq!(answer.error()["reason"], "DISK_FULL", "{answer:?}");
    assert!(!place.path().join("wallets/big").exists());
    let answer = on(place.path(), &["wallet", "list"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    node.stop("TERM");
}
