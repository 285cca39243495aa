//! `--assumevalid` and `--par`: a chain with a script that fails, deep below its tip.

use std::path::{Path, PathBuf};

use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode,
    TxOut, Witness, absolute, transaction,
};
use everett_ledger::{Network, Params};
use everett_tests::corrupt::seal;
use serde_json::json;
use tempfile::tempdir;

use crate::everett::{Answer, Serving, everett, on};

/// Where the block with the wrong script stands.
const WRONG: u32 = 101;
/// More than two weeks of blocks.
const ON_TOP: u32 = 14 * 24 * 6 + 1;

/// A chain whose coinbases nobody can spend, and whose block [`WRONG`] spends one all the same.
fn chain() -> Vec<Block> {
    let params = Params::new(Network::Regtest);
    let mut blocks = vec![params.genesis.clone()];
    for height in 1..=WRONG + ON_TOP {
        let mut txdata = vec![coinbase(height, params.subsidy(height))];
        if height == WRONG {
            txdata.push(spend(&blocks[1].txdata[0]));
        }
        let mut block = Block {
            header: Header {
                version: Version::from_consensus(0x2000_0000),
                prev_blockhash: blocks[blocks.len() - 1].block_hash(),
                merkle_root: TxMerkleNode::all_zeros(),
                time: params.genesis.header.time + height,
                bits: CompactTarget::from_consensus(params.pow_limit_bits),
                nonce: 0,
            },
            txdata,
        };
        seal(&mut block);
        blocks.push(block);
    }
    blocks
}

fn coinbase(height: u32, reward: Amount) -> Transaction {
    let script = Builder::new().push_int(i64::from(height)).push_int(0);
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: script.into_script(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: reward,
            script_pubkey: ScriptBuf::from_bytes(vec![0x00]),
        }],
    }
}

fn spend(coinbase: &Transaction) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(coinbase.compute_txid(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: coinbase.output[0].value,
            script_pubkey: ScriptBuf::from_bytes(vec![0x51]),
        }],
    }
}

fn write(path: &Path, blocks: &[Block]) -> PathBuf {
    let magic = Params::new(Network::Regtest).magic;
    let mut bytes = Vec::new();
    for block in blocks {
        let block = serialize(block);
        bytes.extend_from_slice(&magic);
        bytes.extend_from_slice(&(block.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&block);
    }
    std::fs::write(path, bytes).unwrap();
    path.to_owned()
}

/// Imports into a fresh directory, and says how high the best chain is.
fn height(file: &Path, options: &[&str]) -> (u64, Answer) {
    let directory = tempdir().unwrap();
    let import = ["import", "--json", file.to_str().unwrap()];
    let answer = on(directory.path(), &[&import[..], options].concat());
    (answer.json()["best_height"].as_u64().unwrap(), answer)
}

#[test]
fn scripts_below_the_assumed_block_are_not_run_with_two_weeks_of_work_on_top() {
    let blocks = chain();
    let directory = tempdir().unwrap();
    let whole = write(&directory.path().join("whole.dat"), &blocks);
    let short = write(
        &directory.path().join("short.dat"),
        &blocks[..blocks.len() - 1],
    );
    let hash_at = |height: u32| blocks[height as usize].block_hash().to_string();
    let wrong = hash_at(WRONG);
    let below = u64::from(WRONG - 1);
    let (best, answer) = height(&whole, &["--assumevalid", &wrong]);
    assert_eq!((best, answer.code), (u64::from(WRONG + ON_TOP), Some(0)));
    assert_eq!(
        height(&whole, &["--assumevalid", &hash_at(WRONG + 9)]).0,
        best
    );
    // Not enough on top; not an ancestor of it; an unknown block; none; the network's own, which is none.
    assert_eq!(height(&short, &["--assumevalid", &wrong]).0, below);
    assert_eq!(
        height(&whole, &["--assumevalid", &hash_at(WRONG - 1)]).0,
        below
    );
    assert_eq!(
        height(&whole, &["--assumevalid", &"11".repeat(32)]).0,
        below
    );
    assert_eq!(
        height(&whole, &["--assumevalid", "0", "--par", "1"]).0,
        below
    );
    let (best, answer) = height(&whole, &["--par=-1"]);
    assert_eq!((best, answer.code), (below, Some(1)));
    let problems = answer.json()["problems"].to_string();
    assert!(
        problems.contains("block-script-verify-flag-failed"),
        "{problems}"
    );
}

#[test]
fn the_options_are_those_of_run_lab_and_import_and_can_stand_in_the_file() {
    let directory = tempdir().unwrap();
    let node = Serving::run(directory.path(), &["--par", "2", "--assumevalid", "0"]);
    assert!(node.stop("TERM").success());
    let lab = everett(&["lab", "--exit", "--par", "-100", "--assumevalid", "0"]);
    assert_eq!(lab.code, Some(0), "{lab:?}");
    for wrong in [
        ["--par", "many"],
        ["--assumevalid", "00"],
        ["--assumevalid", "best"],
    ] {
        for command in [&["run"][..], &["lab", "--exit"], &["import", "/dev/null"]] {
            assert_eq!(everett(&[command, &wrong].concat()).code, Some(2));
        }
    }
    let file = directory.path().join("everett.toml");
    let import = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let options = ["import", "/dev/null", "--config", file.to_str().unwrap()];
        on(&directory.path().join("data"), &options)
    };
    assert_eq!(import("par = -1\nassumevalid = \"0\"\n").code, Some(0));
    let answer = import("assumevalid = \"1\"\n");
    assert_eq!(answer.code, Some(2));
    assert!(answer.stderr.contains("`1` is no block hash"), "{answer:?}");
}

#[test]
fn the_spend_that_made_a_block_invalid_can_be_looked_at() {
    let blocks = chain();
    let directory = tempdir().unwrap();
    let file = write(
        &directory.path().join("blocks.dat"),
        &blocks[..WRONG as usize + 3],
    );
    let data = directory.path().join("data");
    let answer = on(&data, &["import", "--json", file.to_str().unwrap()]);
    assert_eq!(
        (answer.code, &answer.json()["rejected"]),
        (Some(1), &json!(3))
    );
    let bad = &blocks[WRONG as usize];
    let (hash, txid) = (
        bad.block_hash().to_string(),
        bad.txdata[1].compute_txid().to_string(),
    );
    let node = Serving::run(&data, &[]);
    for connect in [&[][..], &["--connect", node.url()]] {
        let ask = |arguments: &[&str]| on_or_over(&data, arguments, connect);
        let block = ask(&["block", &hash, "--json"]).json();
        let reason = block["reject_reason"].as_str().unwrap();
        assert!(
            reason.starts_with("block-script-verify-flag-failed ("),
            "{reason}"
        );
        let debug = block["reject_debug"].as_str().unwrap();
        assert!(
            debug.contains("input 0") && debug.contains(&txid),
            "{debug}"
        );
        let text = ask(&["block", &hash]).stdout;
        assert!(text.contains(debug), "{text}");

        let verify = ["tx", "verify", &txid, "--in-block", &hash, "--input", "0"];
        let answer = ask(&[&verify[..], &["--json"]].concat());
        let verdict = answer.json();
        assert_eq!(
            (answer.code, &verdict["error"]),
            (Some(1), &json!("EVAL_FALSE"))
        );
        assert_eq!(
            (&verdict["block_hash"], &verdict["index"]),
            (&json!(hash), &json!(1))
        );
        let trace = ask(&[&verify[..], &["--trace"]].concat());
        assert!(trace.stdout.contains("input 0: EVAL_FALSE"), "{trace:?}");
        let elsewhere = ask(&[
            "tx",
            "verify",
            &"00".repeat(32),
            "--in-block",
            &hash,
            "--json",
        ]);
        assert_eq!(elsewhere.error()["reason"], "TX_UNKNOWN");
        // What stands on it has no world below, which is said.
        let above = blocks[WRONG as usize + 1].block_hash().to_string();
        let block = ask(&["block", &above, "--json"]);
        assert_ne!(block.code, Some(2), "{block:?}");
    }
    assert!(node.stop("TERM").success());
}

fn on_or_over(data: &Path, arguments: &[&str], connect: &[&str]) -> Answer {
    match connect {
        [] => on(data, arguments),
        _ => everett(&[arguments, connect].concat()),
    }
}
