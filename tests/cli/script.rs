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

#[test]
fn what_is_too_long_for_a_command_line_comes_from_a_file_or_standard_input() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("hex");
    let at = format!("@{}", path.display());
    // Longer than an argument can be.
    let script = format!("4e{}{}75", "40420f00", "00".repeat(1_000_000));
    std::fs::write(&path, format!("{script}\n")).unwrap();
    let decoded = everett(&["script", "decode", "--json", &at]);
    assert_eq!(decoded.json()["size_bytes"], 1_000_006);
    let piped = everett_reading(
        &["script", "decode", "--json", "-"],
        File::open(&path).unwrap(),
    );
    assert_eq!(piped.stdout, decoded.stdout);
    std::fs::write(&path, format!("  {TX}\r\n")).unwrap();
    let verified = everett(&["script", "verify", "--tx", &at, "--spent", "5:51"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let traced = ["script", "trace", "--tx", "-", "--spent", "5:51"];
    assert_eq!(
        everett_reading(&traced, File::open(&path).unwrap()).code,
        Some(0)
    );
    for wrong in [
        ["--tx", "@no-such-file", "--spent", "5:51"],
        ["--tx", "-", "--spent", "5:-"],
    ] {
        let wrong = [&["script", "verify"][..], &wrong].concat();
        assert_eq!(
            everett_reading(&wrong, File::open(&path).unwrap()).code,
            Some(2)
        );
    }
}

#[test]
fn a_trace_of_lines_says_of_each_which_it_is_and_goes_on_after_wrong_ones() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("lines");
    let spend = |script: &str| json!({"tx": TX, "spent_outputs": [{"amount_sat": 5, "script_pubkey": script}]});
    std::fs::write(&path, format!("{}\n[]\n{}\n", spend("51"), spend("00"))).unwrap();
    let path = path.to_str().unwrap();
    let answer = everett(&["script", "trace", "--json", "--jsonl", path]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("2 of 3 lines"), "{answer:?}");
    let lines = answer.stdout.lines();
    let events: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| -> Vec<&Value> {
        events
            .iter()
            .filter(|event| event["event"] == kind)
            .collect()
    };
    let errors: Vec<&Value> = of("line").iter().map(|line| &line["error"]).collect();
    assert_eq!(errors, [&Value::Null, &json!("MALFORMED"), &Value::Null]);
    let verdicts: Vec<&Value> = of("verdict").iter().map(|verdict| &verdict["ok"]).collect();
    assert_eq!(verdicts, [&json!(true), &json!(false)]);
    let text = everett(&["script", "trace", "--jsonl", path]).stdout;
    assert!(text.starts_with("line 1\ninput 0 of "), "{text}");
}

#[test]
fn usage_names_every_way_to_call_and_what_a_number_must_be() {
    for command in ["verify", "trace"] {
        let answer = everett(&["script", command]);
        assert_eq!(answer.code, Some(2));
        assert!(answer.stderr.contains("--jsonl [FILE|-]"), "{answer:?}");
    }
    let answer = everett(&["tx", "verify", &"00".repeat(32), "--input", "-1"]);
    assert_eq!(answer.code, Some(2));
    assert!(answer.stderr.contains("counted from 0"), "{answer:?}");
    assert!(!answer.stderr.contains("-- -1"), "{answer:?}");
    for (spent, said) in [
        ("9223372036854775808:51", "from 0 to 9223372036854775807"),
        ("-5:51", "from 0 to 9223372036854775807"),
    ] {
        let answer = everett(&["script", "verify", "--tx", TX, "--spent", spent]);
        assert_eq!(answer.code, Some(2));
        assert!(answer.stderr.contains(said), "{answer:?}");
    }
    let none = ["script", "verify", "--json", "--tx", "02000000000000000000"];
    assert_eq!(everett(&none).error()["reason"], "NO_INPUTS");
}

#[test]
fn lines_that_failed_are_no_success_when_nobody_reads_on() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("lines");
    std::fs::write(&path, "[]\n".repeat(100_000)).unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_everett"))
        .args(["script", "verify", "--jsonl", path.to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn taproot_checks_beside_scripts_and_an_op_success_are_traced() {
    let Some(file) = vectors::path("vectors/core/script_assets.jsonl") else {
        return;
    };
    let text = std::fs::read_to_string(file).unwrap();
    let directory = tempdir().unwrap();
    let path = directory.path().join("lines");
    let mut lines = String::new();
    for asset in text.lines().step_by(40) {
        let asset: Value = serde_json::from_str(asset).unwrap();
        let hex = |value: &Value| -> Vec<u8> {
            bitcoin::hex::FromHex::from_hex(value.as_str().unwrap()).unwrap()
        };
        let mut tx: bitcoin::Transaction = deserialize(&hex(&asset["tx"])).unwrap();
        let index = asset["index"].as_u64().unwrap() as usize;
        let way = &asset["success"];
        if way.is_null() {
            continue;
        }
        tx.input[index].script_sig = hex(&way["scriptSig"]).into();
        let witness: Vec<Vec<u8>> = way["witness"].as_array().unwrap().iter().map(hex).collect();
        tx.input[index].witness = bitcoin::Witness::from_slice(&witness);
        let spent = asset["prevouts"].as_array().unwrap().iter().map(|output| {
            let output: TxOut = deserialize(&hex(output)).unwrap();
            json!({"amount_sat": output.value.to_sat(),
                "script_pubkey": output.script_pubkey.as_bytes().to_lower_hex_string()})
        });
        let spent: Vec<Value> = spent.collect();
        let line = json!({"tx": serialize_hex(&tx), "input": index, "spent_outputs": spent,
            "flags": asset["flags"]});
        lines.push_str(&format!("{line}\n"));
    }
    std::fs::write(&path, lines).unwrap();
    let answer = everett(&[
        "script",
        "trace",
        "--json",
        "--jsonl",
        path.to_str().unwrap(),
    ]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    for part in [
        r#""check":"key_path_signature","ok":true"#,
        r#""check":"taproot_commitment","ok":true"#,
        r#""cause":"op_success""#,
    ] {
        assert!(answer.stdout.contains(part), "{part}");
    }
}
