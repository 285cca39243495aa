use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, BlockHash, ScriptBuf, Transaction};
use everett_ledger::{Ledger, LedgerConfig, Network, Outcome, Params};
use everett_node::{Node, NodeConfig};
use everett_wallet::keys::Kdf;
use everett_wallet::{NewWallet, Wallet};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::client::{Client, Outcome as Ended, Said, Script};
use crate::protocol::ScriptError;
use crate::{Console, ConsoleConfig};

/// A console on a node with wallets.
struct Bench {
    _directory: TempDir,
    node: Node,
    client: Client,
}

impl Bench {
    async fn new(write: bool) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
        let mut config = ConsoleConfig::new(socket.clone());
        config.allow_write = write;
        let mut node = NodeConfig::new(ledger);
        let wallets = node.wallets.as_mut().unwrap();
        wallets.keypool = 5;
        wallets.kdf = Kdf {
            memory: 64,
            passes: 1,
            lanes: 1,
        };
        let node = Node::builder(node).frontend(Console::new(config));
        Bench {
            _directory: directory,
            node: node.start().await.unwrap(),
            client: Client::attach(&socket).await.unwrap(),
        }
    }

    /// With a wallet that is open, and a mature coinbase of 50 in it.
    async fn earned(name: &str) -> Bench {
        let mut bench = Bench::new(true).await;
        bench.open(name);
        let address = bench.eval(&format!("wallet(\"{name}\").new_key()")).await;
        let address: Address<NetworkUnchecked> = address.parse().unwrap();
        bench.block(None, &[], address.assume_checked().script_pubkey());
        for _ in 0..100 {
            bench.block(None, &[], anyone());
        }
        bench
    }

    fn open(&self, name: &str) -> Wallet {
        let wallets = self.node.handle().wallets().unwrap();
        wallets.create(name, NewWallet::default()).unwrap()
    }

    fn ledger(&self) -> &Ledger {
        self.node.handle().ledger()
    }

    /// A block on the best one or another.
    fn block(&self, on: Option<BlockHash>, txs: &[Transaction], payout: ScriptBuf) -> BlockHash {
        let ledger = self.ledger();
        let on = on.unwrap_or_else(|| ledger.best().hash());
        let world = ledger.world(&on).unwrap();
        let block = everett_lab::mine(ledger, &world, txs.to_vec(), &payout, None).unwrap();
        match ledger.submit_block(&block).unwrap().outcome {
            Outcome::Accepted { hash, .. } => hash,
            other => panic!("{other:?}"),
        }
    }

    async fn run(&mut self, text: &str, json: bool) -> Result<String, ScriptError> {
        let script = Script {
            text,
            json,
            ..Script::default()
        };
        let mut said = String::new();
        let (_never, mut interrupts) = watch::channel(0);
        let outcome = self.client.run(script, &mut interrupts, |what| {
            let (Said::Printed(text) | Said::Value(text)) = what;
            said.push_str(text);
            said.push('\n');
            Ok(())
        });
        match outcome.await.unwrap() {
            Ended::Done(_) => Ok(said.trim_end().to_owned()),
            Ended::Failed(error) => Err(error),
        }
    }

    async fn eval(&mut self, text: &str) -> String {
        let said = self.run(text, false).await;
        said.unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    async fn json(&mut self, text: &str) -> serde_json::Value {
        let said = self.run(text, true).await;
        let said = said.unwrap_or_else(|error| panic!("{text}: {error}"));
        serde_json::from_str(&said).unwrap()
    }

    async fn fails(&mut self, text: &str) -> String {
        match self.run(text, false).await {
            Ok(said) => panic!("{text} came to {said}"),
            Err(error) => error.reason,
        }
    }
}

fn anyone() -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51])
}

/// An address of nobody here.
const ELSEWHERE: &str = "bcrt1qsmnj2dh2mg2vsugazxwr6puvz39nuhnsd4zmpu";

#[tokio::test(flavor = "multi_thread")]
async fn the_wallet_is_the_only_one_or_the_one_without_a_name() {
    let mut bench = Bench::new(true).await;
    assert_eq!(bench.eval("wallets().len()").await, "0");
    assert_eq!(bench.fails("the_wallet.name").await, "WALLET_UNKNOWN");
    assert_eq!(bench.fails("wallet(\"alice\")").await, "WALLET_UNKNOWN");
    bench.open("alice");
    assert_eq!(bench.eval("the_wallet.name").await, "alice");
    assert_eq!(
        bench.eval("wallet(\"alice\").total_btc").await,
        "0.00000000"
    );
    bench.open("bob");
    assert_eq!(bench.fails("the_wallet.name").await, "WALLET_UNKNOWN");
    bench.open("");
    assert_eq!(bench.eval("the_wallet.name").await, "");
    assert_eq!(
        bench.eval("wallets().map(|w| w.name)").await,
        "\nalice\nbob"
    );
    // In a function of a script as well, and under another name.
    let text = "fn all() { the_wallet.total_sat } let w = the_wallet; all() + w.total_sat";
    assert_eq!(bench.eval(text).await, "0");
    assert!(
        bench
            .eval("the_wallet")
            .await
            .contains("keys          no passphrase")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_a_wallet_is_looked_at_and_nothing_of_it_changes() {
    let mut bench = Bench::new(false).await;
    let wallet = bench.open("alice");
    assert_eq!(bench.eval("the_wallet.total_btc").await, "0.00000000");
    assert_eq!(bench.eval("the_wallet.coins()").await, "(none)");
    let before = *wallet.revision().borrow();
    for text in [
        "the_wallet.new_key()",
        "the_wallet.new_key(7)",
        "the_wallet.build_send_request(\"x\", 1)",
        "the_wallet.build_send_request(#{})",
    ] {
        assert_eq!(bench.fails(text).await, "READ_ONLY", "{text}");
    }
    assert_eq!(*wallet.revision().borrow(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_on_a_directory_has_no_wallets() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
    let ledger = Ledger::open(ledger).unwrap();
    let mut client = Client::own(ledger, true, true).await.unwrap();
    for text in ["the_wallet.total_btc", "wallets()", "wallet(\"\")"] {
        let script = Script {
            text,
            ..Script::default()
        };
        let (_never, mut interrupts) = watch::channel(0);
        let outcome = client.run(script, &mut interrupts, |_| Ok(()));
        match outcome.await.unwrap() {
            Ended::Failed(error) => assert_eq!(error.reason, "WALLETS_DISABLED"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_built_dumped_verified_and_pushed() {
    let mut bench = Bench::earned("miner").await;
    assert_eq!(bench.eval("the_wallet.total_btc").await, "50.00000000");
    assert_eq!(bench.eval("the_wallet.balance.coins").await, "1");
    let text = format!("let r = the_wallet.build_send_request(\"{ELSEWHERE}\", 12.5)");
    bench.eval(&text).await;
    let dump = bench.eval("r.dump()").await;
    for words in [
        "request       signed, not sent",
        "amount      12.50000000 BTC",
        ELSEWHERE,
        "(change)",
    ] {
        assert!(dump.contains(words), "no {words}: {dump}");
    }
    assert_eq!(bench.eval("r.verify().ok").await, "true");
    assert_eq!(bench.eval("r.verify(0).ok").await, "true");
    assert_eq!(bench.fails("r.verify(1)").await, "INVALID_ARGUMENT");
    assert_eq!(bench.eval("r.tx.verify(0).ok").await, "true");
    assert!(bench.eval("r.psbt()").await.starts_with("cHNidP8"));
    // Nothing is sent yet.
    assert_eq!(bench.eval("the_wallet.payments().len()").await, "1");
    let txid = bench.eval("r.push()").await;
    assert_eq!(bench.eval("r.txid").await, txid);
    // Again is no other payment.
    assert_eq!(bench.eval("r.push()").await, txid);
    assert!(
        bench
            .node
            .handle()
            .mempool()
            .view()
            .unwrap()
            .contains(&txid.parse().unwrap())
    );
    let payment = format!("the_wallet.payment(\"{txid}\")");
    assert_eq!(
        bench.eval(&format!("{payment}.state.word")).await,
        "pending"
    );
    // What is built on it is verified with what waits.
    let text = format!("let s = the_wallet.build_send_request(\"{ELSEWHERE}\", 1); s.push()");
    let next = bench.eval(&text).await;
    let text = format!("the_wallet.payment(\"{next}\").tx().verify().ok");
    assert_eq!(bench.eval(&text).await, "true");
    let fee: i64 = bench.eval("r.fee_sat").await.parse().unwrap();
    let moved = bench.eval(&format!("{payment}.amount_sat")).await;
    assert_eq!(moved, (-1_250_000_000 - fee).to_string());
    let all = bench.json("the_wallet.payments()").await;
    assert_eq!(all[0]["txid"], next);
    assert_eq!(all[0]["states"][0]["state"], "pending");
    let tx = bench.eval("r.tx.hex()").await;
    let tx: Transaction = bitcoin::consensus::encode::deserialize_hex(&tx).unwrap();
    bench.block(None, &[tx], anyone());
    assert_eq!(
        bench.eval(&format!("{payment}.state.confirmations")).await,
        "1"
    );
    assert_eq!(
        bench.eval(&format!("{payment}.tx().fee_sat")).await,
        fee.to_string()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paid_says_why() {
    let mut bench = Bench::earned("miner").await;
    let main = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    for (call, reason) in [
        (format!("(\"{ELSEWHERE}\", 51)"), "INSUFFICIENT_FUNDS"),
        (
            format!("(\"{ELSEWHERE}\", \"0.00000001\")"),
            "NOT_SPENDABLE",
        ),
        (format!("(\"{ELSEWHERE}\", 0)"), "INVALID_ARGUMENT"),
        (format!("(\"{ELSEWHERE}\", -1)"), "INVALID_ARGUMENT"),
        (
            format!("(\"{ELSEWHERE}\", 0.123456789)"),
            "INVALID_ARGUMENT",
        ),
        (format!("(\"{ELSEWHERE}\", true)"), "INVALID_ARGUMENT"),
        (format!("(\"{main}\", 1)"), "INVALID_ARGUMENT"),
        ("(5, 1)".to_owned(), "INVALID_ARGUMENT"),
        ("(#{})".to_owned(), "NOT_SPENDABLE"),
        (
            format!("(\"{ELSEWHERE}\", 1, #{{rate: 1}})"),
            "INVALID_ARGUMENT",
        ),
        (
            format!("(\"{ELSEWHERE}\", 1, #{{fee_rate: -1}})"),
            "INVALID_ARGUMENT",
        ),
        (
            format!("(\"{ELSEWHERE}\", 1, #{{scope: \"some\"}})"),
            "INVALID_ARGUMENT",
        ),
    ] {
        let text = format!("the_wallet.build_send_request{call}");
        assert_eq!(bench.fails(&text).await, reason, "{text}");
    }
    // Several, with options.
    let own = bench.eval("the_wallet.new_key(\"own\")").await;
    let text = format!(
        "let r = the_wallet.build_send_request(#{{\"{ELSEWHERE}\": 1, \"{own}\": \"2.5\"}}, #{{fee_rate: 3, subtract_fee: true}}); r.tx.outputs.len()"
    );
    assert_eq!(bench.eval(&text).await, "3");
    let rate: f64 = bench
        .eval("(r.fee_sat.to_float() / r.tx.vsize.to_float()).to_string()")
        .await
        .parse()
        .unwrap();
    assert!((2.9..3.2).contains(&rate), "{rate}");
    // What is locked is built, and not signed.
    let wallet = bench.node.handle().wallets().unwrap().get("miner").unwrap();
    wallet.encrypt("correct horse").unwrap();
    let text = format!("let l = the_wallet.build_send_request(\"{ELSEWHERE}\", 1); l.signed");
    assert_eq!(bench.eval(&text).await, "false");
    assert_eq!(bench.fails("l.push()").await, "WALLET_LOCKED");
    assert_eq!(bench.fails("l.verify()").await, "WALLET_LOCKED");
    assert_eq!(bench.eval("the_wallet.locked").await, "true");
    wallet
        .unlock("correct horse", std::time::Duration::from_secs(60))
        .unwrap();
    assert_eq!(bench.eval("l.verify().ok").await, "true");
    bench.eval("l.push()").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_world_has_its_balance_and_the_rival_is_warned_of() {
    let mut bench = Bench::earned("miner").await;
    bench.open("alice");
    let fork = bench.ledger().best().hash();
    let own = bench.eval("wallet(\"miner\").new_key()").await;
    let to = bench.eval("wallet(\"alice\").new_key(\"rent\")").await;
    let hex = |script: &str| format!("{script}.hex()");
    let build =
        |to: &str, btc: &str| format!("wallet(\"miner\").build_send_request(\"{to}\", {btc})");
    let other = bench.eval(&hex(&build(&own, "49"))).await;
    bench.eval(&format!("let r = {}", build(&to, "30"))).await;
    let paid = bench.eval("r.push()").await;
    let decode =
        |hex: &str| -> Transaction { bitcoin::consensus::encode::deserialize_hex(hex).unwrap() };
    let [other, tx] = [decode(&other), decode(&bench.eval("r.hex()").await)];
    let first = bench.block(Some(fork), &[tx], anyone());
    let second = bench.block(Some(fork), &[other], anyone());
    bench.eval("let a = wallet(\"alice\")").await;
    assert_eq!(bench.eval("a.btc").await, "30.00000000");
    assert_eq!(bench.eval("a.safe_btc").await, "0.00000000");
    assert_eq!(
        bench.eval("a.balances.map(|b| b.trusted_sat)").await,
        "3000000000\n0"
    );
    assert_eq!(
        bench.eval(&format!("a.balance(\"{second}\").btc")).await,
        "0.00000000"
    );
    assert_eq!(
        bench.eval("a.balance(worlds()[0]).btc").await,
        "30.00000000"
    );
    assert_eq!(
        bench.eval(&format!("a.coins(\"{second}\").len()")).await,
        "0"
    );
    assert_eq!(bench.eval("a.coins()[0].safe").await, "false");
    assert_eq!(bench.eval("a.coins()[0].label").await, "rent");
    let warnings = bench.json("a.warnings()").await;
    assert_eq!(warnings[0]["tip_hash"], second.to_string());
    assert_eq!(warnings[0]["lost_sat"], 3_000_000_000_i64);
    assert_eq!(warnings[0]["double_spend"], true);
    assert_eq!(warnings[0]["payments"][0]["txid"], paid);
    let words = format!("a.payment(\"{paid}\").states.map(|s| s.word)");
    assert_eq!(bench.eval(&words).await, "confirmed\nconflicted");
    // What only one world has is not spent, unless that is said.
    let send = format!("a.build_send_request(\"{ELSEWHERE}\", 1");
    assert_eq!(bench.fails(&format!("{send})")).await, "INSUFFICIENT_FUNDS");
    assert_eq!(
        bench
            .eval(&format!("{send}, #{{scope: \"best\"}}).signed"))
            .await,
        "true"
    );
    // The other branch wins.
    bench.block(Some(second), &[], anyone());
    assert_eq!(bench.eval("a.btc").await, "0.00000000");
    assert_eq!(
        bench.eval(&format!("a.balance(\"{first}\").btc")).await,
        "30.00000000"
    );
    assert_eq!(bench.eval("a.warnings(0).len()").await, "0");
    let caught = "let m = \"\"; try { a.warnings(-1); } catch (error) { m = error.message; } m";
    let told = bench.eval(caught).await;
    assert!(told.contains("a number of blocks cannot be -1"), "{told}");
    assert_eq!(bench.eval(&words).await, "conflicted\nconfirmed");
    for kind in [
        "a",
        "a.balance",
        "a.balances",
        "a.payments()",
        "a.payments()[0]",
        "a.payments()[0].states",
        "r",
    ] {
        assert!(!bench.eval(kind).await.is_empty(), "{kind}");
        bench.json(kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_tells_of_wallets() {
    let mut bench = Bench::new(false).await;
    let help = bench.eval("help()").await;
    for words in ["the_wallet", "wallets()", "SendRequest", "PaymentState"] {
        assert!(help.contains(words), "no {words}");
    }
    assert!(
        bench
            .eval("help(\"Wallet\")")
            .await
            .contains("build_send_request(address, btc)")
    );
    assert!(
        bench
            .eval("help(\"the_wallet\")")
            .await
            .contains("only wallet")
    );
    let hello = bench.client.hello();
    assert!(hello.functions.iter().any(|name| name == "the_wallet"));
    assert!(hello.members.iter().any(|name| name == "new_key("));
}
