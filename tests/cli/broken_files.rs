//! `everett import` of files with damage of every kind: nothing good is lost, all of it is named.

use std::path::Path;

use everett_lab::scenario::DOUBLE_SPEND;
use everett_lab::{Scenario, mine};
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::everett::{Answer, import, on};

/// Bytes of the blocks 1 to 5 of a chain of its own: the same in each call, so the clock stands still.
fn blocks() -> Vec<Vec<u8>> {
    let params = Params::new(Network::Regtest);
    let now = u64::from(params.genesis.header.time) + 1;
    let mut config = LedgerConfig::in_memory(params);
    config.clock = Clock::fixed(now);
    let ledger = Ledger::open(config).unwrap();
    let payout = bitcoin::ScriptBuf::from_bytes(vec![0x51]);
    (0..5)
        .map(|_| {
            let block = mine(&ledger, &ledger.best(), vec![], &payout, None).unwrap();
            ledger.submit_block(&block).unwrap();
            block
        })
        .collect()
}

fn frame(block: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xfa, 0xbf, 0xb5, 0xda];
    bytes.extend((block.len() as u32).to_le_bytes());
    bytes.extend(block);
    bytes
}

/// Imports a file with these bytes into a fresh directory.
fn import_bytes(bytes: &[u8]) -> (Answer, TempDir) {
    let directory = tempdir().unwrap();
    let file = directory.path().join("blocks.dat");
    std::fs::write(&file, bytes).unwrap();
    let answer = import(&directory.path().join("data"), &[&file]);
    (answer, directory)
}

/// Checks that all five blocks arrived and that there is one problem, of this kind at this offset.
fn one_problem(bytes: &[u8], kind: &str, offset: u64) -> Value {
    let (answer, _directory) = import_bytes(bytes);
    let summary = answer.json();
    assert_eq!(summary["accepted"], 5, "{summary}");
    let problems = summary["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{summary}");
    let problem = &problems[0];
    assert_eq!(
        (&problem["kind"], &problem["offset"]),
        (&json!(kind), &json!(offset))
    );
    let message = problem["message"].as_str().unwrap();
    assert!(
        message.contains("blocks.dat") && message.contains(&offset.to_string()),
        "{message}"
    );
    if kind == "duplicate" {
        assert_eq!(answer.code, Some(0));
    } else {
        assert_eq!(answer.code, Some(1));
        assert_eq!(answer.error()["reason"], "IMPORT_PROBLEMS");
    }
    problem.clone()
}

/// All five frames, with `between` before the third.
fn with_between(between: &[u8]) -> (Vec<u8>, u64) {
    let blocks = blocks();
    let mut bytes: Vec<u8> = blocks[..2].iter().flat_map(|block| frame(block)).collect();
    let offset = bytes.len() as u64;
    bytes.extend(between);
    bytes.extend(blocks[2..].iter().flat_map(|block| frame(block)));
    (bytes, offset)
}

#[test]
fn a_torn_tail_is_named() {
    let mut bytes: Vec<u8> = blocks().iter().flat_map(|block| frame(block)).collect();
    let offset = bytes.len() as u64;
    bytes.extend(&frame(&blocks()[0])[..100]);
    one_problem(&bytes, "torn_tail", offset);
}

#[test]
fn garbage_between_frames_is_skipped_and_named() {
    let (bytes, offset) = with_between(b"not a block at all");
    assert_eq!(one_problem(&bytes, "garbage", offset)["length"], 18);
}

#[test]
fn another_networks_frames_are_named() {
    let mut foreign = frame(&blocks()[0]);
    foreign[..4].copy_from_slice(&[0xf9, 0xbe, 0xb4, 0xd9]);
    let (bytes, offset) = with_between(&foreign);
    assert_eq!(
        one_problem(&bytes, "other_network", offset)["network"],
        "mainnet"
    );
}

#[test]
fn a_frame_over_the_limit_is_named() {
    let mut long = vec![0xfa, 0xbf, 0xb5, 0xda];
    long.extend(4_000_001u32.to_le_bytes());
    long.extend([7; 50]);
    let (bytes, offset) = with_between(&long);
    assert_eq!(
        one_problem(&bytes, "oversized_frame", offset)["length"],
        4_000_001
    );
}

#[test]
fn a_copy_is_named_and_does_no_harm() {
    let mut bytes: Vec<u8> = blocks().iter().flat_map(|block| frame(block)).collect();
    let offset = bytes.len() as u64;
    let copy = bytes[..offset as usize / 5].to_vec();
    bytes.extend(copy);
    one_problem(&bytes, "duplicate", offset);
}

#[test]
fn a_frame_that_is_no_block_is_named() {
    let mut nonsense = blocks()[0].clone();
    nonsense[80] = 0xfe;
    let (bytes, offset) = with_between(&frame(&nonsense));
    one_problem(&bytes, "undecodable", offset);
}

#[test]
fn a_block_that_breaks_a_rule_is_named_with_height_hash_and_reason() {
    let mut block: bitcoin::Block = bitcoin::consensus::deserialize(&blocks()[2]).unwrap();
    block.txdata[0].output[0].value = bitcoin::Amount::from_sat(50_0000_0001);
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    let (bytes, offset) = with_between(&frame(&bitcoin::consensus::serialize(&block)));
    let (answer, _directory) = import_bytes(&bytes);
    let problem = &answer.json()["problems"][0];
    assert_eq!(problem["kind"], "rejected");
    assert_eq!(
        (&problem["height"], &problem["offset"]),
        (&json!(3), &json!(offset))
    );
    assert_eq!(problem["reason"], "bad-cb-amount");
    assert_eq!(problem["hash"], block.block_hash().to_string());
    assert_eq!(answer.code, Some(1));
}

#[test]
fn blocks_without_a_parent_are_kept_and_listed() {
    let blocks = blocks();
    let directory = tempdir().unwrap();
    let (late, early) = (
        directory.path().join("late"),
        directory.path().join("early"),
    );
    std::fs::write(&late, frame(&blocks[0])).unwrap();
    let rest: Vec<u8> = blocks[1..].iter().flat_map(|block| frame(block)).collect();
    std::fs::write(&early, rest).unwrap();
    let data = directory.path().join("data");
    let answer = import(&data, &[&early]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let summary = answer.json();
    assert_eq!(summary["unknown_parents"], 4);
    assert_eq!(summary["problems"][3]["kind"], "unknown_parent");
    let summary = import(&data, &[&late]).json();
    assert_eq!(
        (&summary["accepted"], &summary["best_height"]),
        (&json!(5), &json!(5))
    );
}

#[test]
fn a_file_of_text_fails_and_leaves_an_empty_ledger() {
    let (answer, directory) = import_bytes(b"hello, this is no block file\n");
    assert_eq!(answer.code, Some(1));
    assert_eq!(answer.json()["accepted"], 0);
    let worlds = on(&directory.path().join("data"), &["worlds", "--json"]).json();
    assert_eq!(worlds["worlds"][0]["height"], 0);
}

#[test]
fn a_file_that_is_not_there_fails() {
    let directory = tempdir().unwrap();
    let answer = import(directory.path(), &[Path::new("/no/such.dat")]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.error()["message"]
            .as_str()
            .unwrap()
            .contains("/no/such.dat")
    );
}

#[test]
fn a_shipped_scenario_survives_export_and_import() {
    // Blocks of a scenario, hex from `block`, framed: the same worlds elsewhere.
    let directory = tempdir().unwrap();
    let source = directory.path().join("source");
    let config = LedgerConfig::new(Params::new(Network::Regtest), &source);
    let ledger = Ledger::open(config).unwrap();
    let played = Scenario::parse(DOUBLE_SPEND)
        .unwrap()
        .play(&ledger)
        .unwrap();
    drop(ledger);
    let mut bytes = Vec::new();
    for world in &played.worlds {
        let mut at = world.tip_hash.to_string();
        loop {
            let block = on(&source, &["block", &at, "--json"]).json();
            if block["height"] == 0 {
                break;
            }
            let hex = on(&source, &["block", &at, "--hex"]).stdout;
            let block_bytes: Vec<u8> = bitcoin::hex::FromHex::from_hex(hex.trim()).unwrap();
            bytes.extend(frame(&block_bytes));
            at = block["previous_hash"].as_str().unwrap().to_owned();
            if block["height"].as_u64().unwrap() <= 101 && world.best {
                continue;
            }
            if block["height"].as_u64().unwrap() <= 102 && !world.best {
                break; // The trunk is in the best world's.
            }
        }
    }
    let (answer, directory) = import_bytes(&bytes);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let worlds = on(&directory.path().join("data"), &["worlds", "--json"]).json();
    let found: Vec<&str> = worlds["worlds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|world| world["tip_hash"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = played
        .worlds
        .iter()
        .map(|w| w.tip_hash.to_string())
        .collect();
    assert_eq!(found, expected);
}
