//! Owns the comparison of answers.

use everett_tests::bitcoind::{Bitcoind, program};
use serde_json::{Value, json};

use crate::chain::Chain;
use everett_tests::rpc_node::RpcNode;

/// The calls, one a line: a method and its arguments.
const CALLS: &str = include_str!("calls.jsonl");

/// Fields that are each server's own: clocks, sizes of its files and caches, paths, warnings about itself.
pub(crate) const SERVERS_OWN: [&str; 16] = [
    "ban_created",
    "banned_until",
    "coins_db_cache_bytes",
    "coins_tip_cache_bytes",
    "disk_size",
    "duration",
    "filename",
    "initialblockdownload",
    "logpath",
    "path",
    "size_on_disk",
    "time_remaining",
    "timemillis",
    "usage",
    "verificationprogress",
    "warnings",
];

/// Puts numbers with a point or an exponent between quotes, so that their digits are compared.
pub(crate) fn keep_digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut number = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let part = character.is_ascii_digit() || matches!(character, '-' | '+' | '.' | 'e' | 'E');
        if !in_string
            && part
            && (!number.is_empty() || character == '-' || character.is_ascii_digit())
        {
            number.push(character);
            continue;
        }
        if !number.is_empty() {
            let real = number.contains(['.', 'e', 'E']);
            let quote = if real { "\"" } else { "" };
            out.push_str(&format!("{quote}{number}{quote}"));
            number.clear();
        }
        out.push(character);
        match character {
            '"' => in_string = !in_string,
            '\\' if in_string => out.extend(characters.next()),
            _ => {}
        }
    }
    out + &number
}

/// The keys of all objects, in their order; without those that stand in strings, as in help.
pub(crate) fn key_order(text: &str) -> Vec<String> {
    let plain = text.replace("\\\"", "'");
    let mut keys = Vec::new();
    let mut rest = plain.as_str();
    while let Some(end) = rest.find("\":") {
        let start = rest[..end].rfind('"').map_or(0, |start| start + 1);
        keys.push(rest[start..end].to_owned());
        rest = &rest[end + 2..];
    }
    keys
}

pub(crate) fn normalise(method: &str, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                // Core counts all coins that it went by, and we look only at those that are asked for.
                let counted = method == "scantxoutset" && name == "txouts";
                if counted || SERVERS_OWN.contains(&name.as_str()) {
                    *field = json!("*");
                }
                normalise(method, field);
                // It counts what each server calls a change.
                if let (Some(text), "longpollid") = (field.as_str(), name.as_str()) {
                    let hash: String = text.chars().take(64).collect();
                    *field = json!(hash);
                }
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| normalise(method, item));
            if method == "getchaintips" {
                // Core orders tips of one height by where they lie in its memory.
                items.sort_by_key(|tip| {
                    (
                        std::cmp::Reverse(tip["height"].as_u64()),
                        tip["hash"].to_string(),
                    )
                });
            }
        }
        // Help is in our own words; the line of usage is Core's.
        Value::String(text) if text.contains("\n\n") && !text.starts_with("Wrong type") => {
            let first = text.lines().next().unwrap_or_default().to_owned();
            *text = first;
        }
        _ => {}
    }
}

#[test]
fn every_shared_method_answers_as_core_does_on_the_same_blocks() {
    let Some(program) = program("rpc_core") else {
        return;
    };
    let core = Bitcoind::start(&program, &["-txindex=1"]);
    let core_rpc = everett_tests::rpc_client::RpcClient::new(core.rpc_port(), &core.cookie());
    let chain = Chain::mine(&core_rpc);
    let everett = RpcNode::start();
    let ours = everett.client();
    chain.load(&ours);
    let mut differences = Vec::new();
    let mut count = 0;
    for line in CALLS.lines().filter(|line| !line.trim().is_empty()) {
        let call = chain.fill(line);
        let method = call[0].as_str().expect("a method");
        let (a, b) = (
            core_rpc.answer(method, &call[1]),
            ours.answer(method, &call[1]),
        );
        count += 1;
        let parse = |body: &str| {
            let mut value: Value = serde_json::from_str(&keep_digits(body)).expect("JSON");
            normalise(method, &mut value);
            value
        };
        let same = a.status == b.status && parse(&a.body) == parse(&b.body);
        let same_order = method == "getchaintips" || key_order(&a.body) == key_order(&b.body);
        if !same || !same_order {
            differences.push(format!(
                "{line}\n  core {} {}\n  ours {} {}",
                a.status,
                parse(&a.body),
                b.status,
                parse(&b.body)
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {count} calls differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    eprintln!("{count} calls, the same answers");
}

#[test]
fn rival_tips_are_asked_without_touching_the_best_chain() {
    let Some(program) = program("rpc_core") else {
        return;
    };
    let core = Bitcoind::start(&program, &["-txindex=1"]);
    let core_rpc = everett_tests::rpc_client::RpcClient::new(core.rpc_port(), &core.cookie());
    let chain = Chain::mine(&core_rpc);
    let everett = RpcNode::start();
    let ours = everett.client();
    chain.load(&ours);
    let side = chain.names["SIDE"].clone();
    let best = ours.text("getbestblockhash", json!([]));
    // Core has to be moved there; 287 is where the best chain leaves the side branch.
    let above = core_rpc.text("getblockhash", json!([286]));
    core_rpc.call("invalidateblock", json!([above]));
    assert_eq!(core_rpc.text("getbestblockhash", json!([])), side);
    let coinbase = chain.names["SIDECOINBASE"].clone();
    let calls = [
        ("getblockcount", json!({})),
        ("getbestblockhash", json!({})),
        ("getblockhash", json!({ "height": 288 })),
        ("gettxoutsetinfo", json!({})),
        ("gettxoutsetinfo", json!({ "hash_type": "muhash" })),
        ("gettxout", json!({ "txid": coinbase, "n": 0 })),
        (
            "gettxout",
            json!({ "txid": chain.names["COINBASE"], "n": 0 }),
        ),
        ("getblock", json!({ "blockhash": side, "verbosity": 3 })),
        ("getblockheader", json!({ "blockhash": best })),
        ("getblockstats", json!({ "hash_or_height": 287 })),
        ("getchaintxstats", json!({})),
        ("getdeploymentinfo", json!({})),
        ("getdifficulty", json!({})),
        (
            "getrawtransaction",
            json!({ "txid": coinbase, "verbosity": 2 }),
        ),
        ("gettxoutproof", json!({ "txids": [coinbase] })),
        (
            "verifytxoutproof",
            json!({ "proof": chain.names["SIDEPROOF"] }),
        ),
        ("verifychain", json!({})),
        (
            "scantxoutset",
            json!({ "action": "start", "scanobjects": [format!("tr({})", crate::chain::KEY)] }),
        ),
    ];
    for (method, params) in calls {
        let mut there = core_rpc.call(method, params.clone());
        let mut with_at = params.clone();
        with_at["at"] = json!(side);
        let mut here = ours.call(method, with_at);
        normalise(method, &mut there);
        normalise(method, &mut here);
        assert_eq!(here, there, "{method} {params}");
    }
    assert_eq!(ours.text("getbestblockhash", json!([])), best);
    assert_eq!(ours.call("getblockcount", json!({ "at": 5 })), 5);
    assert_eq!(ours.call("getblockcount", json!({ "at": "best" })), 290);
    let bad = json!({ "at": chain.names["BAD"] });
    assert_eq!(ours.answer("getblockcount", &bad).status, 500);
}
