use std::sync::Arc;

use everett_ledger::{LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig, SyncPhase};
use everett_tests::peers_double::PeersDouble;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::client::{Client, Outcome, Said, Script};
use crate::protocol::ScriptError;
use crate::{Console, ConsoleConfig};

/// A console on a node whose network is a test double.
struct Bench {
    _directory: TempDir,
    node: Node,
    double: Arc<PeersDouble>,
    client: Client,
}

impl Bench {
    async fn new(write: bool) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
        let mut config = ConsoleConfig::new(socket.clone());
        config.allow_write = write;
        let node = Node::builder(NodeConfig::new(ledger))
            .frontend(Console::new(config))
            .start()
            .await
            .unwrap();
        Bench {
            _directory: directory,
            double: Arc::new(PeersDouble::sample()),
            node,
            client: Client::attach(&socket).await.unwrap(),
        }
    }

    async fn networked(write: bool) -> Bench {
        let bench = Bench::new(write).await;
        bench.node.handle().serve_peers(bench.double.clone());
        bench
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
            Outcome::Done(_) => Ok(said.trim_end().to_owned()),
            Outcome::Failed(error) => Err(error),
        }
    }

    async fn eval(&mut self, text: &str) -> String {
        let said = self.run(text, false).await;
        said.unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    async fn fails(&mut self, text: &str) -> String {
        match self.run(text, false).await {
            Ok(said) => panic!("{text} came to {said}"),
            Err(error) => error.reason,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_network_says_so_to_whoever_may_ask() {
    let mut bench = Bench::new(true).await;
    for text in [
        "peers()",
        "peer(1)",
        "sync_progress()",
        "bans()",
        "add_peer(\"x\")",
        "disconnect(1)",
        "ban(\"x\")",
        "unban(\"x\")",
    ] {
        assert_eq!(bench.fails(text).await, "NETWORK_DISABLED", "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_are_shown_as_a_table_as_facts_and_as_json() {
    let mut bench = Bench::networked(false).await;
    let table = bench.eval("peers()").await;
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = table.lines().map(words).collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[1].contains("203.0.113.7:8333 outbound-full-relay v2"));
    assert!(
        lines[1].ends_with("12.3 ms 2300064 1298 /Everett:0.1.0/"),
        "{table}"
    );
    assert!(lines[2].contains("\\u{1b}[31m<b>:1/\\u{a}"), "{table}");
    assert_eq!(bench.eval("peer(1).in_flight.len()").await, "3");
    assert_eq!(bench.eval("peer(2).height == ()").await, "true");
    assert_eq!(bench.eval("peers()[0] == peer(1)").await, "true");
    let busiest = "peer(1).messages.filter(|m| m.bytes_received > 1000)[0].command";
    assert_eq!(bench.eval(busiest).await, "block");
    let facts = bench.eval("peer(2)").await;
    assert!(facts.contains("sent a header without work"), "{facts}");
    assert!(!facts.contains('\u{1b}'));
    let json: serde_json::Value =
        serde_json::from_str(&bench.run("peers()", true).await.unwrap()).unwrap();
    assert_eq!(json[0]["service_names"][2], "P2P_V2");
    assert_eq!(json[0]["best_height"], 4_000);
    assert_eq!(json[1]["session_id"], serde_json::Value::Null);
    assert_eq!(bench.fails("peer(3)").await, "PEER_UNKNOWN");
    assert_eq!(bench.fails("peer(-1)").await, "INVALID_ARGUMENT");
}

#[tokio::test(flavor = "multi_thread")]
async fn syncing_can_be_waited_for() {
    let mut bench = Bench::networked(false).await;
    assert_eq!(bench.eval("sync_progress().phase").await, "blocks");
    assert_eq!(bench.eval("sync_progress().remaining_seconds").await, "90");
    assert!(bench.eval("sync_progress()").await.contains("4000"));
    let double = bench.double.clone();
    let later = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        double.change(|shown| shown.progress.phase = SyncPhase::Synced);
    });
    let wait = "while sync_progress().phase != \"synced\" { sleep(0.01) } sync_progress().phase";
    assert_eq!(bench.eval(wait).await, "synced");
    later.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_steered_without_leave() {
    let mut bench = Bench::networked(false).await;
    for text in [
        "add_peer(\"192.0.2.1\")",
        "add_peer(\"nonsense\", true)",
        "disconnect(1)",
        "disconnect(\"203.0.113.7:8333\")",
        "disconnect(peer(1))",
        "ban(\"192.0.2.0/24\")",
        "ban(\"192.0.2.0/24\", \"nonsense\")",
        "unban(\"198.51.100.0/24\")",
    ] {
        assert_eq!(bench.fails(text).await, "READ_ONLY", "{text}");
    }
    let left = bench
        .double
        .change(|shown| (shown.peers.len(), shown.bans.len()));
    assert_eq!(left, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_leave_peers_are_called_disconnected_and_banned() {
    let mut bench = Bench::networked(true).await;
    assert_eq!(
        bench.eval("add_peer(\"192.0.2.1\")").await,
        "192.0.2.1:18444"
    );
    assert_eq!(bench.fails("add_peer(\"192.0.2.1\")").await, "PEER_KNOWN");
    assert_eq!(bench.fails("add_peer(\"?\")").await, "INVALID_ARGUMENT");
    bench.eval("disconnect(peer(2))").await;
    bench.eval("disconnect(\"203.0.113.7:8333\")").await;
    assert_eq!(bench.eval("peers().len()").await, "0");
    assert_eq!(bench.fails("disconnect(1)").await, "PEER_UNKNOWN");
    for (text, lasts) in [
        ("ban(\"192.0.2.0/24\")", "86400"),
        ("ban(\"192.0.2.0/24\", 60)", "60"),
        ("ban(\"192.0.2.0/24\", \"2w\")", "1209600"),
    ] {
        let script = format!("let b = {text}; b.ends - b.created");
        assert_eq!(bench.eval(&script).await, lasts);
    }
    assert_eq!(bench.eval("bans().len()").await, "2");
    for text in [
        "ban(\"192.0.2.0/24\", 0)",
        "ban(\"192.0.2.0/24\", -1)",
        "ban(\"x\")",
    ] {
        assert_eq!(bench.fails(text).await, "INVALID_ARGUMENT", "{text}");
    }
    bench.eval("unban(\"192.0.2.0/24\")").await;
    assert_eq!(bench.fails("unban(\"192.0.2.0/24\")").await, "PEER_UNKNOWN");
}
