//! Owns the REST interface beside Core's: the same paths on the same blocks, to the byte.

use bitcoin::hex::FromHex;
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::{HttpAnswer, RpcClient};
use serde_json::{Value, json};

use crate::chain::Chain;
use crate::compare::{keep_digits, key_order, normalise};
use everett_tests::rpc_node::RpcNode;

/// The paths, one a line.
const PATHS: &str = include_str!("rest.txt");

/// The mempool's memory, which is each server's own.
const USAGE: &str = "usage";
/// The height of all headers: here those of the best chain stay when a rival is asked.
const HEADERS: &str = "headers";

fn content_type(answer: &HttpAnswer) -> Option<&str> {
    let mut lines = answer.head.lines();
    lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type")
            .then(|| value.trim())
    })
}

/// What is compared: bytes as they are, JSON without what is each server's own and with the order of its keys.
fn shown(answer: &HttpAnswer) -> (u16, Option<&str>, Vec<u8>, Vec<String>) {
    let content = content_type(answer);
    let body = match content {
        Some("application/json") => {
            let mut value: Value = serde_json::from_str(&keep_digits(&answer.body)).expect("JSON");
            normalise("rest", &mut value);
            for name in [USAGE, HEADERS] {
                if value.get(name).is_some() {
                    value[name] = json!("*");
                }
            }
            value.to_string().into_bytes()
        }
        _ => answer.bytes.clone(),
    };
    (answer.status, content, body, key_order(&answer.body))
}

fn differs(name: &str, core: &HttpAnswer, ours: &HttpAnswer) -> Option<String> {
    let (a, b) = (shown(core), shown(ours));
    let told = |(status, content, body, _): &(u16, Option<&str>, Vec<u8>, Vec<String>)| {
        format!("{status} {content:?} {}", String::from_utf8_lossy(body))
    };
    (a != b).then(|| format!("{name}\n  core {}\n  ours {}", told(&a), told(&b)))
}

struct Pair {
    core: RpcClient,
    ours: RpcClient,
    chain: Chain,
    /// Kept running.
    _core: Bitcoind,
    _everett: RpcNode,
}

fn pair() -> Option<Pair> {
    let program = program("rpc_core")?;
    let node = Bitcoind::start(&program, &["-txindex=1", "-rest=1"]);
    let core = RpcClient::new(node.rpc_port(), &node.cookie());
    let chain = Chain::mine(&core);
    let everett = RpcNode::start_with(|config| config.rest = true);
    let ours = everett.client();
    chain.load(&ours);
    Some(Pair {
        core,
        ours,
        chain,
        _core: node,
        _everett: everett,
    })
}

pub(crate) fn get(client: &RpcClient, path: &str) -> HttpAnswer {
    client.request_bytes("GET", path, &[], None)
}

#[test]
fn every_path_is_answered_as_core_answers_it() {
    let Some(pair) = pair() else {
        return;
    };
    let mut differences = Vec::new();
    let mut count = 0;
    for line in PATHS.lines() {
        let path = pair.chain.fill_text(line);
        let (a, b) = (get(&pair.core, &path), get(&pair.ours, &path));
        count += 1;
        differences.extend(differs(line, &a, &b));
    }
    let named = pair.chain.fill_text("/rest/getutxos/$TXID-0.bin");
    let bodies: [(&str, &str, &[u8]); 8] = [
        ("POST", "/rest/getutxos.bin", &[7]),
        ("POST", "/rest/getutxos.hex", b"no"),
        ("POST", "/rest/getutxos.hex", b""),
        ("POST", "/rest/getutxos.json", &[0, 1]),
        ("POST", "/rest/getutxos", &[0, 1]),
        ("POST", &named, &[0, 1]),
        ("POST", "/rest/chaininfo.json", b"{}"),
        ("DELETE", "/rest/chaininfo.json", b""),
    ];
    for (method, path, body) in bodies {
        let ask = |client: &RpcClient| client.request_bytes(method, path, body, None);
        let (a, b) = (ask(&pair.core), ask(&pair.ours));
        count += 1;
        let name = format!("{method} {path} {body:?}");
        differences.extend(differs(&name, &a, &b));
    }
    assert!(
        differences.is_empty(),
        "{} of {count} answers differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    eprintln!("{count} paths, the same answers");
}

#[test]
fn what_waits_is_told_as_core_tells_it() {
    let Some(pair) = pair() else {
        return;
    };
    let (core, ours) = (&pair.core, &pair.ours);
    let tip = core.call("getblockheader", json!([pair.chain.names["TIP"]]));
    let now = tip["time"].as_u64().expect("a time") + 600;
    for node in [core, ours] {
        node.call("setmocktime", json!([now]));
    }
    let third = core.text("getblockhash", json!([3]));
    let coin = core.call("getblock", json!([third]))["tx"][0].clone();
    let mut spent = coin.as_str().expect("an id").to_owned();
    let mut paths = vec![
        format!("/rest/getutxos/{spent}-0.json"),
        format!("/rest/getutxos/checkmempool/{spent}-0.json"),
    ];
    for amount in [49.999, 49.998] {
        let inputs = json!([{ "txid": spent, "vout": 0 }]);
        let raw = core.text(
            "createrawtransaction",
            json!([inputs, { crate::chain::ADDRESS: amount }]),
        );
        let key = &pair.chain.names["WIF"];
        let signed = core.call("signrawtransactionwithkey", json!([raw, [key]]));
        assert_eq!(signed["complete"], true, "{signed}");
        for node in [core, ours] {
            spent = node.text("sendrawtransaction", json!([signed["hex"]]));
        }
        for format in ["json", "bin", "hex"] {
            paths.push(format!("/rest/tx/{spent}.{format}"));
            paths.push(format!("/rest/getutxos/{spent}-0.{format}"));
            paths.push(format!("/rest/getutxos/checkmempool/{spent}-0.{format}"));
        }
    }
    for rest in [
        "info.json",
        "contents.json",
        "contents.json?verbose=false",
        "contents.json?verbose=false&mempool_sequence=true",
    ] {
        paths.push(format!("/rest/mempool/{rest}"));
    }
    let differences: Vec<String> = paths
        .iter()
        .filter_map(|path| differs(path, &get(core, path), &get(ours, path)))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn outpoints_in_a_body_are_answered_as_those_of_a_path() {
    let Some(pair) = pair() else {
        return;
    };
    let mut txid = Vec::from_hex(&pair.chain.names["TXID"]).expect("an id");
    txid.reverse();
    let mut body = vec![1, 3];
    for vout in 0..3_u32 {
        body.extend(&txid);
        body.extend(vout.to_le_bytes());
    }
    let path = "/rest/getutxos/checkmempool/$TXID-0/$TXID-1/$TXID-2";
    let path = pair.chain.fill_text(path);
    let digits: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    for (format, body) in [("bin", body), ("hex", digits.into_bytes())] {
        let named = get(&pair.ours, &format!("{path}.{format}"));
        let sent = format!("/rest/getutxos.{format}");
        let sent = pair.ours.request_bytes("POST", &sent, &body, None);
        assert_eq!((sent.status, &sent.bytes), (200, &named.bytes));
    }
}

#[test]
fn a_rival_world_is_asked_where_the_best_chain_stays() {
    let Some(pair) = pair() else {
        return;
    };
    let side = pair.chain.names["SIDE"].clone();
    let paths = [
        "/rest/chaininfo.json",
        "/rest/headers/$SIDE.json",
        "/rest/headers/$SPEND.bin",
        "/rest/blockhashbyheight/288.json",
        "/rest/getutxos/$SIDECOINBASE-0/$COINBASE-0.json",
        "/rest/getutxos/$SIDECOINBASE-0/$COINBASE-0.bin",
        "/rest/deploymentinfo.json",
        "/rest/block/notxdetails/$SIDE.json",
        "/rest/tx/$SIDECOINBASE.json",
        "/rest/mempool/contents.json",
        "/rest/mempool/info.json",
        "/rest/getutxos/checkmempool/$SIDECOINBASE-0/$COINBASE-0/$TX2-0.json",
    ];
    let ours = paths.map(|path| {
        let path = pair.chain.fill_text(path);
        get(&pair.ours, &format!("{path}?at={side}"))
    });
    // Core has to be moved there.
    let above = pair.core.text("getblockhash", json!([287]));
    let kept = pair.core.text("getbestblockhash", json!([]));
    pair.core.call("invalidateblock", json!([above]));
    assert_eq!(pair.core.text("getbestblockhash", json!([])), side);
    for (path, ours) in paths.iter().zip(&ours) {
        let core = get(&pair.core, &pair.chain.fill_text(path));
        if let Some(difference) = differs(path, &core, ours) {
            panic!("{difference}");
        }
    }
    assert_eq!(pair.ours.text("getbestblockhash", json!([])), kept);
    for (at, status) in [("nothing", 400), (&"ff".repeat(32), 404)] {
        let answer = get(&pair.ours, &format!("/rest/chaininfo.json?at={at}"));
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[test]
fn nothing_is_served_unless_it_is_asked_for() {
    let everett = RpcNode::start();
    let answer = get(&everett.client(), "/rest/chaininfo.json");
    assert_eq!(answer.status, 404);
}
