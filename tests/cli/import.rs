//! `everett import` of good files.

use std::fs::File;
use std::path::Path;

use everett_lab::assemble::Template;
use everett_ledger::{Access, Ledger, LedgerConfig, Network, Params};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::everett::{everett_reading, import, interrupted, on};
use crate::vectors;

/// The frames of a regtest file.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let mut frames = Vec::new();
    let mut rest = bytes.as_slice();
    while rest.len() >= 8 {
        let length = 8 + u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        let (frame, behind) = rest.split_at(length);
        frames.push(frame.to_vec());
        rest = behind;
    }
    frames
}

/// The tips in the shape of `chaintips.json`, sorted.
fn tips(directory: &Path) -> Vec<Value> {
    let worlds = on(directory, &["worlds", "--json"]).json();
    let mut tips: Vec<Value> = worlds["worlds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|world| {
            let height = world["height"].as_u64().unwrap();
            json!({
                "height": height,
                "hash": world["tip_hash"],
                "branchlen": height - world["fork_height"].as_u64().unwrap(),
                "status": world["status"],
            })
        })
        .collect();
    tips.sort_by_key(Value::to_string);
    tips
}

fn expected_tips(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut tips: Vec<Value> = serde_json::from_str(&text).unwrap();
    tips.sort_by_key(Value::to_string);
    tips
}

/// The set info of every twentieth block.
fn check_set_infos(directory: &Path, blocks: &[Value]) {
    for block in blocks.iter().step_by(20) {
        let hash = block["hash"].as_str().unwrap();
        let info = on(directory, &["utxo-info", "--json", "--at", hash]).json();
        assert_eq!(info["world"]["tip_hash"], block["hash"]);
        assert_eq!(info["total_amount_sat"], block["total_sat"], "{hash}");
        for key in ["txouts", "bogosize", "muhash", "hash_serialized_3"] {
            assert_eq!(info[key], block[key], "{key} of {hash}");
        }
    }
}

#[test]
fn sixty_forks_come_out_as_bitcoin_core_has_them() {
    let (Some(file), Some(blocks), Some(tips_file)) = (
        vectors::sixty_forks("blocks.dat"),
        vectors::sixty_forks("blocks.jsonl"),
        vectors::sixty_forks("chaintips.json"),
    ) else {
        return;
    };
    let directory = tempdir().unwrap();
    let answer = import(directory.path(), &[&file]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let summary = answer.json();
    assert_eq!(
        (&summary["blocks"], &summary["tips"]),
        (&json!(762), &json!(61))
    );
    assert_eq!(
        (&summary["accepted"], &summary["known"]),
        (&json!(761), &json!(1))
    );
    assert_eq!(summary["problems"], json!([]));
    assert_eq!(tips(directory.path()), expected_tips(&tips_file));
    check_set_infos(directory.path(), &vectors::lines(&blocks));

    let again = import(directory.path(), &[&file]).json();
    assert_eq!(
        (&again["accepted"], &again["known"]),
        (&json!(0), &json!(762))
    );
}

#[test]
fn three_runs_over_shuffled_thirds_come_to_the_same() {
    let (Some(file), Some(tips_file)) = (
        vectors::sixty_forks("blocks.dat"),
        vectors::sixty_forks("chaintips.json"),
    ) else {
        return;
    };
    let mut frames = frames(&file);
    // Backwards within each third: every block comes before its parent.
    frames[1..250].reverse();
    frames[250..500].reverse();
    frames[500..].reverse();
    let directory = tempdir().unwrap();
    let files = tempdir().unwrap();
    for (number, frames) in [&frames[..250], &frames[250..500], &frames[500..]]
        .into_iter()
        .enumerate()
    {
        let path = files.path().join(format!("{number}.dat"));
        std::fs::write(&path, frames.concat()).unwrap();
        let answer = import(directory.path(), &[&path]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    // The tie between equal branches goes to the one seen first, so tips are compared but for that.
    let found: Vec<Value> = tips(directory.path());
    let hashes = |tips: &[Value]| {
        let mut hashes: Vec<String> = tips.iter().map(|tip| tip["hash"].to_string()).collect();
        hashes.sort();
        hashes
    };
    assert_eq!(hashes(&found), hashes(&expected_tips(&tips_file)));
}

#[test]
fn standard_input_is_a_file_too() {
    let Some(file) = vectors::sixty_forks("blocks.dat") else {
        return;
    };
    let directory = tempdir().unwrap();
    let datadir = directory.path().to_str().unwrap();
    let arguments = [
        "import",
        "--network",
        "regtest",
        "--datadir",
        datadir,
        "--json",
        "-",
    ];
    let summary = everett_reading(&arguments, File::open(file).unwrap()).json();
    assert_eq!(summary["accepted"], 761);
}

#[test]
fn worlds_beyond_the_horizon_are_retired() {
    let Some(file) = vectors::sixty_forks("blocks.dat") else {
        return;
    };
    let directory = tempdir().unwrap();
    let path = file.to_str().unwrap();
    let answer = on(
        directory.path(),
        &["import", "--json", "--horizon", "25", path],
    );
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let worlds = on(directory.path(), &["worlds", "--json"]).json();
    for world in worlds["worlds"].as_array().unwrap() {
        let inside = world["fork_height"].as_u64().unwrap() >= 420 - 25;
        assert_eq!(world["live"], json!(inside), "{world}");
        let hash = world["tip_hash"].as_str().unwrap();
        let answer = on(directory.path(), &["utxo-info", "--json", "--at", hash]);
        if inside {
            assert_eq!(answer.code, Some(0));
        } else {
            assert_eq!(answer.error()["reason"], "WORLD_RETIRED");
        }
    }
}

/// Frames of a chain of empty blocks.
fn long_chain(count: u32) -> Vec<u8> {
    let params = Params::new(Network::Regtest);
    let (mut parent, mut time) = (params.genesis_hash(), params.genesis.header.time);
    let mut bytes = Vec::new();
    for height in 1..=count {
        time += 1;
        let template = Template {
            height,
            parent,
            time,
            bits: params.genesis.header.bits,
            version: 0x2000_0000,
            reward: params.subsidy(height),
            witness_active: true,
            payout: bitcoin::ScriptBuf::from_bytes(vec![0x51]),
            extra_nonce: None,
        };
        let block = template.block(vec![]).unwrap();
        parent = block.block_hash();
        let block = bitcoin::consensus::serialize(&block);
        bytes.extend(params.magic);
        bytes.extend((block.len() as u32).to_le_bytes());
        bytes.extend(block);
    }
    bytes
}

#[test]
fn an_interrupted_import_keeps_what_it_has_and_goes_on_when_run_again() {
    const BLOCKS: u32 = 30_000;
    let directory = tempdir().unwrap();
    let file = directory.path().join("long.dat");
    std::fs::write(&file, long_chain(BLOCKS)).unwrap();
    let data = directory.path().join("data");
    let (path, datadir) = (file.to_str().unwrap(), data.to_str().unwrap());
    let arguments = [
        "import",
        "--network",
        "regtest",
        "--datadir",
        datadir,
        "--json",
        path,
    ];
    let has_blocks = || {
        let ledger = Ledger::open(LedgerConfig {
            access: Access::Reader,
            ..LedgerConfig::new(Params::new(Network::Regtest), &data)
        });
        ledger.is_ok_and(|ledger| ledger.best().height() > 0)
    };
    let answer = interrupted(&arguments, "INT", has_blocks);
    let first = answer.json();
    if first["interrupted"] == json!(false) {
        eprintln!("the import was done before it could be interrupted");
        return;
    }
    assert_eq!(answer.code, Some(1));
    assert_eq!(answer.error()["reason"], "INTERRUPTED");
    let second = import(&data, &[&file]);
    assert_eq!(second.code, Some(0), "{second:?}");
    let second = second.json();
    assert_eq!(
        (&second["known"], &second["best_height"]),
        (&first["accepted"], &json!(BLOCKS))
    );
}

#[test]
fn two_mainnet_chains_compete_in_one_directory() {
    let (Some(first), Some(other)) = (
        vectors::path("vectors/chains/mainnet-first-blocks.dat"),
        vectors::path("vectors/chains/mainnet-alternate-2016.dat"),
    ) else {
        return;
    };
    let directory = tempdir().unwrap();
    let arguments = [
        "import",
        "--datadir",
        directory.path().to_str().unwrap(),
        "--json",
    ];
    let files = [other.to_str().unwrap(), first.to_str().unwrap()];
    let answer = crate::everett::everett(&[&arguments[..], &files].concat());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let summary = answer.json();
    assert_eq!(
        (&summary["best_height"], &summary["tips"]),
        (&json!(2016), &json!(2))
    );
}
