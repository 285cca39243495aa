//! The commands about peers: on a node without a network, and on one whose network is a test double.

use std::sync::Arc;

use everett_grpc::{Grpc, GrpcConfig};
use everett_ledger::{LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig};
use everett_tests::peers_double::PeersDouble;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;

use crate::everett::{Answer, Serving, everett, on};

/// A node in this process whose network is a test double.
struct Networked {
    url: String,
    _directory: TempDir,
    _node: Node,
    _runtime: Runtime,
}

impl Networked {
    fn new() -> Networked {
        let directory = tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
        let grpc = Grpc::new(GrpcConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..GrpcConfig::default()
        });
        let address = grpc.bound_address();
        let node = Node::builder(NodeConfig::new(ledger)).frontend(grpc);
        let node = runtime.block_on(node.start()).unwrap();
        let double = Arc::new(PeersDouble::sample());
        node.handle().serve_peers(double);
        Networked {
            url: format!("http://{}", address.get().unwrap()),
            _directory: directory,
            _node: node,
            _runtime: runtime,
        }
    }

    fn ask(&self, arguments: &[&str]) -> Answer {
        everett(&[arguments, &["--connect", &self.url]].concat())
    }

    fn fails(&self, arguments: &[&str], code: i32, reason: &str) {
        let answer = self.ask(&[arguments, &["--json"]].concat());
        assert_eq!(answer.code, Some(code), "{answer:?}");
        assert_eq!(answer.error()["reason"], reason, "{answer:?}");
    }
}

#[test]
fn peers_are_a_table_with_a_line_about_the_sync() {
    let node = Networked::new();
    let answer = node.ask(&["peers"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert!(lines[0].starts_with("ID  ADDRESS"), "{answer:?}");
    for words in ["203.0.113.7:8333", "outbound-full-relay  v2", "12.3 ms"] {
        assert!(lines[1].contains(words), "{words}: {answer:?}");
    }
    // What a peer calls itself cannot move the cursor.
    assert!(
        lines[2].ends_with("/x\\u{1b}[31m<b>:1/\\u{a}"),
        "{answer:?}"
    );
    assert!(
        lines[3].contains("sent a header without work"),
        "{answer:?}"
    );
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("sync: blocks: height 1000 of 4000 headers (25.0 %)"),
        "{last}"
    );
    let answer = node.ask(&["peers", "--messages"]);
    assert!(answer.stdout.contains("getdata"), "{answer:?}");
}

#[test]
fn peers_as_json_have_their_messages_and_nothing_for_what_is_not_known() {
    let node = Networked::new();
    let answer = node.ask(&["peers", "--json"]).json();
    assert_eq!(answer["sync"]["phase"], "blocks");
    assert_eq!(answer["known_addresses"], 42);
    let [first, second] = answer["peers"].as_array().unwrap().as_slice() else {
        panic!("{answer}");
    };
    assert_eq!(first["messages"][0]["command"], "block");
    assert_eq!(first["ping_ms"], 12.345);
    for unknown in [
        "best_hash",
        "best_height",
        "ping_ms",
        "session_id",
        "last_block",
    ] {
        assert!(second[unknown].is_null(), "{unknown}: {second}");
    }
}

#[test]
fn peers_are_added_disconnected_and_banned() {
    let node = Networked::new();
    let added = node.ask(&["addpeer", "192.0.2.1", "--json"]).json();
    assert_eq!(added["address"], "192.0.2.1:18444");
    node.fails(&["addpeer", "192.0.2.1"], 1, "PEER_KNOWN");
    node.fails(&["addpeer", "seed.example.org"], 2, "INVALID_ARGUMENT");
    assert_eq!(node.ask(&["disconnect", "2"]).code, Some(0));
    node.fails(&["disconnect", "2"], 1, "PEER_UNKNOWN");
    assert_eq!(node.ask(&["disconnect", "203.0.113.7:8333"]).code, Some(0));
    let none = node.ask(&["peers"]);
    assert!(none.stdout.starts_with("no peers, 0 of them"), "{none:?}");

    let ban = node.ask(&["ban", "192.0.2.0/24", "--for", "90m"]);
    assert!(ban.stdout.contains("banned for 90 minutes"), "{ban:?}");
    let bans = node.ask(&["ban", "--list", "--json"]).json();
    assert_eq!(bans["bans"].as_array().unwrap().len(), 2);
    let unbanned = node.ask(&["ban", "--remove", "192.0.2.0/24"]);
    assert_eq!(unbanned.code, Some(0), "{unbanned:?}");
    node.fails(&["ban", "--remove", "192.0.2.0/24"], 1, "PEER_UNKNOWN");
    node.fails(&["ban", "everybody"], 2, "INVALID_ARGUMENT");
    for wrong in [
        &["ban"][..],
        &["ban", "192.0.2.1", "--list"],
        &["ban", "--list", "--for", "1h"],
        &["ban", "192.0.2.1", "--for", "1"],
        &["disconnect"],
    ] {
        assert_eq!(node.ask(wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_node_is_found_by_its_data_directory_and_says_that_it_is_on_no_network() {
    let directory = tempdir().unwrap();
    let nobody = on(directory.path(), &["peers", "--json"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert_eq!(nobody.error()["reason"], "NO_NODE");
    let node = Serving::run(directory.path(), &[]);
    for arguments in [
        &["peers"][..],
        &["addpeer", "192.0.2.1"],
        &["disconnect", "1"],
        &["ban", "192.0.2.1"],
        &["ban", "--list"],
    ] {
        let answer = on(directory.path(), &[arguments, &["--json"]].concat());
        assert_eq!(answer.code, Some(1), "{answer:?}");
        assert_eq!(answer.error()["reason"], "NETWORK_DISABLED", "{answer:?}");
    }
    assert!(node.stop("TERM").success());
    assert!(!directory.path().join("grpc.url").exists());
    // A node that was killed leaves its word behind.
    std::fs::write(directory.path().join("grpc.url"), "http://127.0.0.1:1\n").unwrap();
    let gone = on(directory.path(), &["peers", "--json"]);
    assert_eq!(gone.error()["reason"], "UNREACHABLE");
    assert!(gone.stderr.contains("grpc.url"), "{gone:?}");
}

#[test]
fn options_of_the_network_are_looked_at_before_a_ledger_is_opened() {
    let directory = tempdir().unwrap();
    for (options, word) in [
        (&["--connect", "seed.example.org"][..], "--connect"),
        (&["--addnode", "192.0.2.1:99999"], "--addnode"),
        (&["--serve", "127.0.0.1:0", "-i", "0"], "--incoming 0"),
        (&["--no-p2p", "-r"], "--no-p2p"),
    ] {
        let answer = on(directory.path(), &[&["run"], options].concat());
        assert_eq!(answer.code, Some(2), "{answer:?}");
        assert!(answer.stderr.contains(word), "{answer:?}");
    }
    assert!(!directory.path().join("data.mdb").exists());
}
