//! The network's switch, peers, the address book, orphans and blocks of one peer, beside Core: both are connected to the
//! same third node, another Core, which is told what to send them.

use std::time::{Duration, Instant};

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::RpcClient;
use serde_json::{Value, json};

use crate::both::{Both, START, verdict};
use crate::coins::spend;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn wait(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Both, and the node that both are connected to.
struct Three {
    both: Both,
    hub: RpcClient,
    address: String,
    _daemon: Bitcoind,
}

impl Three {
    fn start(name: &str) -> Option<Three> {
        let program = program(name)?;
        let both = Both::start(name)?;
        both.same("generatetodescriptor", json!([1, "raw(51)"]));
        let daemon = Bitcoind::start(&program, &[&format!("-mocktime={START}")]);
        let hub = RpcClient::new(daemon.rpc_port(), &daemon.cookie());
        let block = both.core.text("getbestblockhash", json!([]));
        let block = both.core.text("getblock", json!([block, 0]));
        hub.call("submitblock", json!([block]));
        Some(Three {
            address: daemon.p2p().to_string(),
            _daemon: daemon,
            hub,
            both,
        })
    }

    fn servers(&self) -> [&RpcClient; 2] {
        [&self.both.core, &self.both.ours]
    }

    /// Has both call the third node, and waits until they are connected.
    fn connect(&self) {
        self.both.same("addnode", json!([self.address, "onetry"]));
        for server in self.servers() {
            wait("a handshake", || {
                let peers = server.call("getpeerinfo", json!([]));
                peers[0]["bytesrecv_per_msg"]["verack"].as_u64() > Some(0)
            });
        }
        wait("both at the third node", || {
            self.hub.call("getconnectioncount", json!([])) == 2
        });
    }
}

/// What is each connection's own.
const OWN: [&str; 19] = [
    "addrbind",
    "bytesrecv",
    "bytesrecv_per_msg",
    "bytessent",
    "bytessent_per_msg",
    "conntime",
    "id",
    "inv_to_send",
    "last_inv_sequence",
    "lastrecv",
    "lastsend",
    "minping",
    "pingtime",
    "session_id",
    "synced_blocks",
    "synced_headers",
    "bip152_hb_from",
    "bip152_hb_to",
    "minfeefilter",
];

#[test]
fn a_peer_is_shown_as_core_shows_it_and_the_switch_ends_all_connections() {
    let Some(three) = Three::start("network") else {
        return;
    };
    let both = &three.both;
    three.connect();
    let [theirs, ours] = three.servers().map(|server| {
        wait("a ping", || {
            !server.call("getpeerinfo", json!([]))[0]["minping"].is_null()
        });
        let body = server.answer("getpeerinfo", &json!([])).body;
        let mut keys = crate::compare::key_order(&body);
        // Which messages went is each node's own.
        let common = |key: &String| {
            !matches!(
                key.as_str(),
                "addrv2"
                    | "feefilter"
                    | "getheaders"
                    | "headers"
                    | "ping"
                    | "pong"
                    | "sendaddrv2"
                    | "sendcmpct"
                    | "sendheaders"
                    | "verack"
                    | "version"
                    | "wtxidrelay"
                    | "getaddr"
                    | "inv"
                    | "feature"
                    | "pingtime"
                    | "pingwait"
                    | "getdata"
                    | "block"
                    | "*other*"
            )
        };
        keys.retain(common);
        let mut peer = server.call("getpeerinfo", json!([]))[0].clone();
        let bound = peer["addrbind"].as_str().expect("an address").to_owned();
        assert!(bound.starts_with("127.0.0.1:"), "{bound}");
        // The clock stands, and what is noted by it stands with it.
        for time in ["conntime", "lastsend", "lastrecv"] {
            assert_eq!(peer[time], START, "{time} {peer}");
        }
        for own in OWN {
            peer[own] = json!("*");
        }
        peer.as_object_mut().expect("a peer").remove("pingwait");
        (keys, peer)
    });
    assert_eq!(ours.1, theirs.1);
    assert_eq!(ours.0, theirs.0);
    assert_eq!(ours.1["network"], "not_publicly_routable");
    for server in three.servers() {
        let info = server.call("getnetworkinfo", json!([]));
        assert_eq!(info["connections_out"], 1);
        assert_eq!(info["connections_in"], 0);
        assert_eq!(info["networkactive"], true);
    }
    let networks =
        |server: &RpcClient| server.call("getnetworkinfo", json!([]))["networks"].clone();
    assert_eq!(networks(&both.ours), networks(&both.core));
    // Off.
    both.same("setnetworkactive", json!([]));
    both.same("setnetworkactive", json!(["off"]));
    both.same("setnetworkactive", json!([false]));
    for server in three.servers() {
        wait("no connection", || {
            server.call("getconnectioncount", json!([])) == 0
        });
        assert_eq!(
            server.call("getnetworkinfo", json!([]))["networkactive"],
            false
        );
    }
    both.same("addnode", json!([three.address, "add"]));
    both.same("addnode", json!([three.address, "onetry"]));
    std::thread::sleep(Duration::from_millis(1_500));
    for server in three.servers() {
        assert_eq!(server.call("getconnectioncount", json!([])), 0);
    }
    // Callers are not let in either.
    wait("nobody there", || {
        three.hub.call("getconnectioncount", json!([])) == 0
    });
    // On: who was added is called again.
    both.same("setnetworkactive", json!([true]));
    wait("a connection", || {
        both.ours.call("getconnectioncount", json!([])) == 1
    });
}

#[test]
fn messages_by_hand_orphans_and_blocks_of_one_peer_are_as_in_core() {
    let Some(three) = Three::start("network") else {
        return;
    };
    let both = &three.both;
    // A block that is the third node's alone, beside the one that all have.
    let genesis = three.hub.text("getblockhash", json!([0]));
    let best = three.hub.text("getbestblockhash", json!([]));
    three.hub.call("invalidateblock", json!([best]));
    three.hub.call("setmocktime", json!([START + 1]));
    let side = three
        .hub
        .call("generatetodescriptor", json!([1, "raw(52)"]))[0]
        .clone();
    three.hub.call("reconsiderblock", json!([best]));
    both.same("getblockfrompeer", json!([side, 0]));
    let header = three.hub.call("getblockheader", json!([side, false]));
    both.same("submitheader", json!([header]));
    both.same("getblockfrompeer", json!([side, 77]));
    both.same("getblockfrompeer", json!([genesis, 0]));
    both.same("getblockfrompeer", json!(["00", 0]));
    three.connect();
    for server in three.servers() {
        let peer = server.call("getpeerinfo", json!([]))[0]["id"].clone();
        assert_eq!(
            server.call("getblockfrompeer", json!([side, peer])),
            json!({})
        );
        wait("the block", || {
            server.answer("getblock", &json!([side, 0])).status == 200
        });
    }
    both.same("getblock", json!([side, 0]));
    both.same("getbestblockhash", json!([]));
    // Orphans, which the third node is told to send.
    both.same("getorphantxs", json!([]));
    let unknown = |byte| OutPoint::new(Txid::from_byte_array([byte; 32]), 0);
    let orphans = [
        spend(&[unknown(1)], &[1_000]),
        spend(&[unknown(2), unknown(3)], &[2_000, 3_000]),
    ];
    let peers = three.hub.call("getpeerinfo", json!([]));
    for orphan in &orphans {
        for peer in peers.as_array().expect("peers") {
            let message = json!([peer["id"], "tx", serialize_hex(orphan)]);
            assert_eq!(three.hub.call("sendmsgtopeer", message), json!({}));
        }
    }
    for verbosity in 0..3 {
        let [theirs, ours] = three.servers().map(|server| {
            wait("two orphans", || {
                let orphans = server.call("getorphantxs", json!([]));
                orphans.as_array().map(Vec::len) == Some(2)
            });
            let peer = server.call("getpeerinfo", json!([]))[0]["id"].clone();
            let mut orphans = server.call("getorphantxs", json!([verbosity]));
            for orphan in orphans.as_array_mut().expect("orphans") {
                if let Some(from) = orphan.get_mut("from") {
                    assert_eq!(*from, json!([peer]));
                    *from = json!("*");
                }
            }
            let list = orphans.as_array_mut().expect("orphans");
            list.sort_by_key(Value::to_string);
            orphans
        });
        assert_eq!(ours, theirs);
    }
    for wrong in [json!([3]), json!([-1]), json!([true]), json!(["1"])] {
        both.same("getorphantxs", wrong);
    }
    for wrong in [
        json!([99, "tx", "00"]),
        json!([99, "longerthantwelve", "00"]),
        json!([99, "tx", "0"]),
        json!([99, "tx"]),
    ] {
        both.same("sendmsgtopeer", wrong);
    }
}

#[test]
fn the_address_book_is_counted_and_shown_as_core_does() {
    let Some(both) = Both::start("network") else {
        return;
    };
    both.same("getaddrmaninfo", json!([]));
    both.same("getrawaddrman", json!([]));
    let added = [
        ("1.2.3.4", true),
        ("5.6.7.8", false),
        ("2a01:4f8::1", false),
        ("127.0.0.1", false),
        (
            "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion",
            false,
        ),
    ];
    for (address, tried) in added {
        both.same("addpeeraddress", json!([address, 18_444, tried]));
    }
    both.same("getaddrmaninfo", json!([]));
    both.same("getaddrmaninfo", json!([1]));
    // Places are picked by each one's secret.
    let entries = |server: &RpcClient| {
        let (_, body) = (0, verdict(server, "getrawaddrman", &json!([])));
        let of = |table: &str| {
            let table = body[1][table].as_object().expect("a table").clone();
            let mut entries: Vec<String> = table.values().map(Value::to_string).collect();
            entries.sort();
            assert!(table.keys().all(|place| place.split_once('/').is_some()));
            entries
        };
        [of("new"), of("tried")]
    };
    assert_eq!(entries(&both.ours), entries(&both.core));
    // Bans go by the clock that is held.
    both.same("setban", json!(["1.2.3.4", "add", 100]));
    let left =
        |server: &RpcClient| server.call("listbanned", json!([]))[0]["time_remaining"].clone();
    assert_eq!(left(&both.ours), 100);
    assert_eq!(left(&both.core), 100);
    both.same("setmocktime", json!([START + 60]));
    assert_eq!(left(&both.ours), 40);
    assert_eq!(left(&both.core), 40);
    both.same("setmocktime", json!([START + 200]));
    for server in [&both.core, &both.ours] {
        assert_eq!(server.call("listbanned", json!([])), json!([]));
    }
}
