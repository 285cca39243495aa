//! `everett script` and `everett tx verify`: scripts and spends, decoded, verified and traced.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::consensus::{Decodable, deserialize};
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, TxOut};
use everett_ledger::{Network, Params};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::everett::{Serving, everett, everett_reading, import, on};
use crate::vectors;

/// A transaction of one input, whose scriptSig is OP_1.
const TX: &str = "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0151ffffffff0100000000000000000000000000";
/// Inputs in all blocks that come with their spent outputs.
const REAL_INPUTS: usize = 52_000;

/// Writes a line for each input of a real block; how many there are.
fn write_lines(spent_outputs: &Path, out: &mut impl Write) -> usize {
    let name = spent_outputs.file_stem().unwrap().to_str().unwrap();
    let (network, height) = name.split_once('-').unwrap();
    let block = std::fs::read(spent_outputs.with_extension("block")).unwrap();
    let block: Block = deserialize(&block).unwrap();
    let params = Params::new(network.parse::<Network>().unwrap());
    let flags = params.script_flags(height.parse().unwrap(), &block.block_hash());
    let bytes = std::fs::read(spent_outputs).unwrap();
    let mut bytes = bytes.as_slice();
    let mut inputs = 0;
    for tx in &block.txdata[1..] {
        let spent = tx.input.iter().map(|_| {
            let output = TxOut::consensus_decode(&mut bytes).unwrap();
            json!({
                "amount_sat": output.value.to_sat(),
                "script_pubkey": output.script_pubkey.as_bytes().to_lower_hex_string(),
            })
        });
        let spent: Vec<Value> = spent.collect();
        let hex = serialize_hex(tx);
        for input in 0..tx.input.len() {
            let line = json!({
                "tx": hex, "input": input, "spent_outputs": spent, "flags": flags.to_string(),
            });
            writeln!(out, "{line}").unwrap();
            inputs += 1;
        }
    }
    inputs
}

#[test]
fn every_input_of_the_real_blocks_verifies_and_one_wrong_line_is_named() {
    let Some(folder) = vectors::path("vectors/blocks") else {
        return;
    };
    let directory = tempdir().unwrap();
    let file = directory.path().join("spends.jsonl");
    let mut out = BufWriter::new(File::create(&file).unwrap());
    let entries = std::fs::read_dir(folder).unwrap();
    let mut blocks: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    blocks.retain(|path| path.extension().is_some_and(|kind| kind == "spent-outputs"));
    let inputs: usize = blocks.iter().map(|path| write_lines(path, &mut out)).sum();
    assert!(inputs >= REAL_INPUTS, "{inputs}");
    out.flush().unwrap();
    let answer = everett(&["script", "verify", "--jsonl", file.to_str().unwrap()]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        answer.stdout,
        "{\"ok\":true,\"error\":null}\n".repeat(inputs)
    );

    let mut wrong = String::new();
    let lines = std::fs::read_to_string(&file).unwrap();
    for (number, line) in (1..).zip(lines.lines().take(3_000)) {
        wrong.push_str(if number == 1_234 { "{\"tx\":" } else { line });
        wrong.push('\n');
    }
    std::fs::write(&file, wrong).unwrap();
    // This time through standard input.
    let answer = everett_reading(&["script", "verify", "--jsonl"], File::open(&file).unwrap());
    assert_eq!(answer.code, Some(1));
    let answers: Vec<Value> = answer
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 3_000);
    for (number, answer) in (1..).zip(&answers) {
        let expected = if number == 1_234 { "MALFORMED" } else { "" };
        assert_eq!(
            answer["error"].as_str().unwrap_or_default(),
            expected,
            "{number}"
        );
        assert_eq!(answer["ok"], expected.is_empty());
    }
    assert_eq!(answers[1_233]["line"], 1_234);
    assert!(
        answer.stderr.contains("1 of 3000 lines do not verify"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_script_is_decoded() {
    let hash = "751e76e8199196d454941c45d1b3a323f1433bd6";
    let script = format!("0014{hash}");
    let answer = everett(&[
        "script",
        "decode",
        &script,
        "--network",
        "regtest",
        "--json",
    ]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let decoded = answer.json();
    assert_eq!(decoded["asm"], format!("0 {hash}"));
    assert_eq!(decoded["type"], "witness_v0_keyhash");
    assert_eq!(
        decoded["address"],
        "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    );
    assert_eq!(decoded["sigops"], 0);
    assert_eq!(decoded["script_hash"].as_str().unwrap().len(), 64);
    let key = format!("21{}", "02".repeat(33));
    let multisig = everett(&["script", "decode", &format!("51{key}{key}52ae")]);
    for part in ["multisig     1 of 2", "sigops       20 (2 in a redeem"] {
        assert!(multisig.stdout.contains(part), "{multisig:?}");
    }
    let broken = everett(&["script", "decode", "4c"]);
    assert!(broken.stdout.contains("asm          [error]"), "{broken:?}");
    assert_eq!(everett(&["script", "decode", "5"]).code, Some(2));
}

#[test]
fn a_spend_is_verified_and_its_failure_named() {
    let verify = |spent: &str, more: &[&str]| {
        let spend = ["script", "verify", "--json", "--tx", TX, "--spent", spent];
        everett(&[&spend[..], more].concat())
    };
    let ok = verify("5000:51", &["--input", "0"]);
    assert_eq!((ok.code, &ok.json()["ok"]), (Some(0), &json!(true)));
    let fails = verify("5000:00", &[]);
    assert_eq!(fails.code, Some(1));
    let verdict = fails.json();
    assert_eq!(
        (&verdict["ok"], &verdict["error"]),
        (&json!(false), &json!("EVAL_FALSE"))
    );
    assert_eq!(verdict["inputs"][0]["amount_sat"], 5_000);
    assert_eq!(fails.error()["reason"], "SCRIPT_FAILED");
    let unclean = verify("5000:51", &["--flags", "P2SH,WITNESS,CLEANSTACK"]);
    assert_eq!(unclean.json()["error"], "CLEANSTACK");
    for (spent, more, reason) in [
        ("5000:51", &["--input", "1"][..], "INPUT_OUT_OF_RANGE"),
        ("5000:51", &["--spent", "5000:51"], "SPENT_OUTPUT_COUNT"),
        ("5000", &[], "INVALID_ARGUMENT"),
        ("-1:51", &[], "INVALID_ARGUMENT"),
        ("5000:5", &[], "INVALID_ARGUMENT"),
        (
            "5000:51",
            &["--flags", "P2SH,CLEANSTAK"],
            "INVALID_ARGUMENT",
        ),
        ("5000:51", &["--jsonl"], "INVALID_ARGUMENT"),
    ] {
        let answer = verify(spent, more);
        assert_eq!(answer.code, Some(2), "{answer:?}");
        assert_eq!(answer.error()["reason"], reason);
    }
    let answer = everett(&[
        "script", "verify", "--json", "--tx", "0200", "--spent", "1:51",
    ]);
    assert_eq!(
        (answer.code, &answer.error()["reason"]),
        (Some(2), &json!("TX_MALFORMED"))
    );
    assert_eq!(everett(&["script", "verify"]).code, Some(2));
    let answer = everett(&["script", "verify", "--json", "--jsonl", "no-such-file"]);
    assert_eq!(
        (answer.code, &answer.error()["reason"]),
        (Some(1), &json!("FILE_FAILED"))
    );
}

#[test]
fn a_trace_is_lines_of_json_and_ends_with_the_verdict() {
    let spend = ["script", "trace", "--tx", TX, "--spent", "5000:5287"];
    let answer = everett(&[&spend[..], &["--json"]].concat());
    assert_eq!(answer.code, Some(1));
    let events: Vec<Value> = answer
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    let expected = [
        "input", "script", "step", "end", "script", "step", "step", "end", "verdict",
    ];
    assert_eq!(kinds, expected);
    let step = &events[6];
    assert_eq!(
        (&step["opcode"], &step["stack"]),
        (&json!("OP_EQUAL"), &json!(["01", "02"]))
    );
    assert_eq!(events[8]["error"], "EVAL_FALSE");
    assert_eq!(answer.error()["reason"], "SCRIPT_FAILED");
    let text = everett(&spend);
    assert!(text.stdout.ends_with("top stack element\n"), "{text:?}");
}

#[test]
fn transactions_of_every_world_verify_from_a_directory_and_a_server() {
    let (Some(file), Some(tips)) = (
        vectors::sixty_forks("blocks.dat"),
        vectors::sixty_forks("chaintips.json"),
    ) else {
        return;
    };
    let directory = tempdir().unwrap();
    let directory = directory.path();
    assert_eq!(import(directory, &[&file]).code, Some(0));
    let node = Serving::run(directory, &[]);
    let ask = |arguments: &[&str]| {
        let arguments = [arguments, &["--json"]].concat();
        let there = on(directory, &arguments);
        let over = everett(&[&arguments[..], &["--connect", node.url()]].concat());
        assert_eq!(
            (there.code, &there.stdout),
            (over.code, &over.stdout),
            "{over:?}"
        );
        there
    };
    let tips: Vec<Value> = serde_json::from_slice(&std::fs::read(tips).unwrap()).unwrap();
    let mut verified = 0;
    for tip in tips.iter().step_by(12) {
        let hash = tip["hash"].as_str().unwrap();
        let block = on(directory, &["block", hash, "--json"]).json();
        let txids = block["txids"].as_array().unwrap();
        for txid in txids.iter().skip(1).take(2) {
            let txid = txid.as_str().unwrap();
            let found = ["tx", "verify", txid, "--in-block", hash];
            let answer = ask(&found).json();
            assert_eq!(
                (&answer["ok"], &answer["block_hash"]),
                (&json!(true), &json!(hash))
            );
            assert!(!answer["inputs"].as_array().unwrap().is_empty());
            let one = ask(&[&found[..], &["--input", "0"]].concat()).json();
            assert_eq!(one["inputs"][0], answer["inputs"][0]);
            let beyond = ask(&[&found[..], &["--input", "9999"]].concat());
            assert_eq!(beyond.code, Some(2));
            assert_eq!(beyond.error()["reason"], "INPUT_OUT_OF_RANGE");
            verified += 1;
        }
        // The coinbase spends nothing; and `tx` alone shows a transaction as it did before.
        let coinbase = txids[0].as_str().unwrap();
        let answer = ask(&["tx", "verify", coinbase, "--at", hash]).json();
        assert_eq!(
            (&answer["ok"], &answer["inputs"]),
            (&json!(true), &json!([]))
        );
        assert_eq!(
            ask(&["tx", coinbase, "--at", hash]).json()["txid"],
            coinbase
        );
        let input = ask(&["tx", "verify", coinbase, "--at", hash, "--input", "0"]);
        assert_eq!(input.code, Some(2));
    }
    assert!(verified >= 2, "{verified}");
    let nowhere = ask(&["tx", "verify", &"00".repeat(32)]);
    assert_eq!(nowhere.code, Some(1));
    assert!(node.stop("TERM").success());
}
