//! The reading commands: a directory and a server give the same answer.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::everett::{Serving, everett, import, on};
use crate::vectors;

/// Asks both, and checks that they answer alike.
fn both(directory: &Path, url: &str, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let there = on(directory, &arguments);
    let over = everett(&[&arguments[..], &["--connect", url]].concat());
    assert_eq!(
        (there.code, over.code),
        (Some(0), Some(0)),
        "{there:?}\n{over:?}"
    );
    assert_eq!(there.stdout, over.stdout, "{arguments:?}");
    there.json()
}

/// Asks both for what there is not, and checks that they fail alike.
fn neither(directory: &Path, url: &str, arguments: &[&str], code: i32, reason: &str) {
    let arguments = [arguments, &["--json"]].concat();
    let there = on(directory, &arguments);
    let over = everett(&[&arguments[..], &["--connect", url]].concat());
    for answer in [&there, &over] {
        assert_eq!(answer.code, Some(code), "{arguments:?} {answer:?}");
        assert_eq!(answer.error()["reason"], reason, "{arguments:?} {answer:?}");
        assert_eq!(answer.stdout, "");
    }
}

const RIVAL: &str = "6bf3b5b8feede77a686f575c6437548586c4873c9b6bdc691c9bbbf330d5330c";

#[test]
fn a_directory_and_a_server_answer_alike() {
    let (Some(file), Some(balances)) = (
        vectors::sixty_forks("blocks.dat"),
        vectors::sixty_forks("balances.jsonl"),
    ) else {
        return;
    };
    let directory = tempdir().unwrap();
    assert_eq!(import(directory.path(), &[&file]).code, Some(0));
    let node = Serving::run(directory.path(), &[]);
    let (directory, url) = (directory.path(), node.url().to_owned());
    let ask = |arguments: &[&str]| both(directory, &url, arguments);

    assert_eq!(ask(&["worlds"])["worlds"].as_array().unwrap().len(), 61);

    for line in vectors::lines(&balances).iter().step_by(97) {
        let (tip, script) = (
            line["tip"].as_str().unwrap(),
            line["script"].as_str().unwrap(),
        );
        // Bare scripts have no address.
        let name = line["address"].as_str().unwrap_or(script);
        let answer = ask(&["balance", "--at", tip, script, name]);
        for balance in answer["balances"].as_array().unwrap() {
            assert_eq!(balance["confirmed_sat"], line["balance_sat"]);
        }
        let coins = ask(&["coins", "--at", tip, name]);
        let found: Vec<Value> = coins["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|coin| {
                json!([
                    coin["txid"],
                    coin["vout"],
                    coin["amount_sat"],
                    coin["height"],
                    coin["coinbase"]
                ])
            })
            .collect();
        let mut expected = line["utxos"].as_array().unwrap().clone();
        let sorted = |coins: &mut Vec<Value>| coins.sort_by_key(Value::to_string);
        let mut found = found;
        sorted(&mut found);
        sorted(&mut expected);
        assert_eq!(found, expected, "{line}");
    }

    let script = vectors::lines(&balances)[0]["address"]
        .as_str()
        .unwrap()
        .to_owned();
    let few = ask(&["coins", "--limit", "3", &script]);
    assert_eq!(
        (few["outputs"].as_array().unwrap().len(), &few["more"]),
        (3, &json!(true))
    );

    let diff = ask(&["diff", RIVAL]);
    assert_eq!(
        (&diff["fork_height"], &diff["b"]["best"]),
        (&json!(410), &json!(true))
    );
    assert_eq!(diff["undone"].as_array().unwrap().len(), 8);
    assert_eq!(diff["applied"].as_array().unwrap().len(), 10);
    assert!(
        !ask(&["conflicts", RIVAL])["conflicts"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    ask(&["utxo-info", "--at", RIVAL]);
    ask(&["utxo-info", "--at", "0"]);

    for block in ["best", "0", "210", RIVAL] {
        let block = ask(&["block", block]);
        let hash = block["hash"].as_str().unwrap().to_owned();
        for txid in [0, block["txids"].as_array().unwrap().len() - 1] {
            let txid = block["txids"][txid].as_str().unwrap();
            let transaction = ask(&["tx", txid, "--in-block", &hash]);
            assert_eq!(transaction["txid"], txid);
            assert_eq!(transaction["block_hash"], hash.as_str());
        }
    }
    assert!(node.stop("TERM").success());
}

#[test]
fn the_transaction_index_is_built_by_an_import_or_beside_a_node_and_read_by_both() {
    let Some(file) = vectors::sixty_forks("blocks.dat") else {
        return;
    };
    let directory = tempdir().unwrap();
    let path = directory.path();
    let file = file.to_str().unwrap();
    assert_eq!(on(path, &["import", file]).code, Some(0));
    let rivals = on(path, &["conflicts", RIVAL, "--json"]).json();
    let txid = rivals["conflicts"][0]["txid_a"]
        .as_str()
        .unwrap()
        .to_owned();

    // Without an index: nobody knows where else it is.
    let without = on(path, &["tx", &txid, "--at", RIVAL, "--json"]).json();
    assert_eq!(
        (&without["indexed"], &without["conflicts"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(without["places"].as_array().unwrap().len(), 1);

    // It is built from what is there, though nothing new came.
    assert_eq!(on(path, &["import", "--txindex", file]).code, Some(0));
    let there = on(path, &["tx", &txid, "--json"]).json();
    assert_eq!(there["indexed"], true);
    assert_eq!(there["world"]["best"], false);
    assert_eq!(there["conflicts"][0]["txid_a"], txid);
    assert!(!there["places"][0]["worlds"].as_array().unwrap().is_empty());
    let text = on(path, &["tx", &txid]).stdout;
    assert!(
        text.contains("DEPTH") && text.contains("CONFLICTS WITH"),
        "{text}"
    );

    // A node without it says so; one with it, here by its configuration file, agrees with the directory.
    let node = Serving::run(path, &[]);
    let url = node.url().to_owned();
    let over = everett(&["tx", &txid, "--at", RIVAL, "--json", "--connect", &url]).json();
    assert_eq!(over["indexed"], false);
    assert!(node.stop("TERM").success());
    let config = path.join("everett.toml");
    std::fs::write(&config, "txindex = true\n").unwrap();
    let node = Serving::run(path, &["--config", config.to_str().unwrap()]);
    let url = node.url().to_owned();
    assert_eq!(both(path, &url, &["tx", &txid]), there);
    assert!(node.stop("TERM").success());

    // A node builds it, too, beside its work.
    let other = tempdir().unwrap();
    let path = other.path();
    assert_eq!(on(path, &["import", file]).code, Some(0));
    let node = Serving::run(path, &["--txindex"]);
    let started = std::time::Instant::now();
    while on(path, &["tx", &txid]).code != Some(0) {
        assert!(started.elapsed().as_secs() < 60, "the index is not built");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let built = both(path, node.url(), &["tx", &txid]);
    for part in ["places", "conflicts", "block_hash", "indexed"] {
        assert_eq!(built[part], there[part]);
    }
    assert!(node.stop("TERM").success());
}

#[test]
fn a_directory_and_a_server_fail_alike() {
    let directory = tempdir().unwrap();
    let node = Serving::run(directory.path(), &[]);
    let url = node.url().to_owned();
    let fail = |arguments: &[&str], code: i32, reason: &str| {
        neither(directory.path(), &url, arguments, code, reason);
    };
    let nowhere = "00".repeat(32);
    fail(&["utxo-info", "--at", &nowhere], 1, "WORLD_UNKNOWN");
    fail(&["utxo-info", "--at", "7"], 1, "WORLD_UNKNOWN");
    fail(&["diff", &nowhere], 1, "WORLD_UNKNOWN");
    fail(&["block", "1"], 1, "WORLD_UNKNOWN");
    fail(
        &["tx", &nowhere, "--in-block", &nowhere],
        1,
        "WORLD_UNKNOWN",
    );
    fail(
        &["balance", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
        2,
        "INVALID_ARGUMENT",
    );
    fail(&["balance", "nonsense"], 2, "INVALID_ARGUMENT");
    fail(&["utxo-info", "--at", "tip"], 2, "INVALID_ARGUMENT");
}
