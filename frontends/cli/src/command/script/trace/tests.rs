use bitcoin::{Amount, ScriptBuf, Transaction, TxIn, TxOut, absolute, transaction};
use everett_script::Flags;
use serde_json::{Value, json};

use super::*;

/// What is written about a spend of `script_pubkey` with `script_sig`, in Core's test notation.
fn traced(script_sig: &str, script_pubkey: &str, as_json: bool) -> (String, Option<ScriptError>) {
    let parse = |text| assembly::parse(text).expect("it is a script");
    let tx = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            script_sig: parse(script_sig),
            ..TxIn::default()
        }],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::new(),
        }],
    };
    let spent = TxOut {
        value: Amount::from_sat(5_000),
        script_pubkey: parse(script_pubkey),
    };
    let spend = Spend::new(tx, vec![spent], None, Flags::CONSENSUS).unwrap();
    let mut pen = Pen::new(Vec::new(), as_json);
    let failed = trace(&spend, &mut pen).unwrap();
    let text = String::from_utf8(pen.out).unwrap();
    (text, failed.map(|(_, error)| error))
}

fn events(script_sig: &str, script_pubkey: &str) -> Vec<Value> {
    let (text, _) = traced(script_sig, script_pubkey, true);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_step_has_its_opcode_and_all_stacks() {
    let events = events("5", "TOALTSTACK 0 IF 2 ELSE 0x03 0x010203 DROP 1 ENDIF");
    assert_eq!(
        events[5],
        json!({"event": "step", "phase": "scriptPubKey", "index": 0, "offset": 0,
            "opcode": "OP_TOALTSTACK", "push": null, "executed": true,
            "stack": ["05"], "alt_stack": [], "conditions": []})
    );
    let opcodes: Vec<(&str, bool)> = events[5..14]
        .iter()
        .map(|step| {
            (
                step["opcode"].as_str().unwrap(),
                step["executed"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        opcodes,
        [
            ("OP_TOALTSTACK", true),
            ("0", true),
            ("OP_IF", true),
            ("2", false),
            ("OP_ELSE", false),
            ("OP_PUSHBYTES_3", true),
            ("OP_DROP", true),
            ("1", true),
            ("OP_ENDIF", true)
        ]
    );
    let push = &events[10];
    assert_eq!(
        (&push["push"], &push["conditions"]),
        (&json!("010203"), &json!([true]))
    );
    assert_eq!(push["alt_stack"], json!(["05"]));
    let end = &events[14];
    assert_eq!(
        (&end["event"], &end["stack"]),
        (&json!("end"), &json!(["01"]))
    );
    let verdict =
        json!({"event": "verdict", "input": 0, "ok": true, "error": null, "message": null});
    assert_eq!(events[15], verdict);
}

#[test]
fn the_opcode_that_fails_is_the_last_step() {
    let (text, failed) = traced("1 2", "EQUALVERIFY 1", false);
    assert_eq!(failed, Some(ScriptError::EqualVerify));
    let lines: Vec<&str> = text.lines().collect();
    let step = lines
        .iter()
        .position(|line| line.contains("OP_EQUALVERIFY   "));
    let step = step.expect("the step is shown");
    assert!(lines[step].ends_with("[01, 02]"), "{text}");
    assert!(
        lines[step + 2].contains("EQUALVERIFY: Script failed"),
        "{text}"
    );
    assert!(
        lines[lines.len() - 1].starts_with("input 0: EQUALVERIFY: "),
        "{text}"
    );
}

#[test]
fn long_elements_are_shortened_in_text_only() {
    let long = "0x14 0x000102030405060708090a0b0c0d0e0f10111213 DROP 1";
    let (text, _) = traced("", long, false);
    assert!(text.contains("000102030405…111213(20)"), "{text}");
    let (text, _) = traced("", long, true);
    assert!(
        text.contains(r#""stack":["000102030405060708090a0b0c0d0e0f10111213"]"#),
        "{text}"
    );
}

#[test]
fn a_push_past_the_end_is_shown_with_its_place() {
    let mut script = events("", "1 0x4c");
    script.retain(|event| event["event"] == "stop");
    assert_eq!(
        script,
        [
            json!({"event": "stop", "phase": "scriptPubKey", "index": 1, "offset": 1,
            "opcode": "OP_PUSHDATA1", "cause": "truncated_push", "rest": "4c"})
        ]
    );
    let (text, failed) = traced("", "1 0x4c", false);
    assert_eq!(failed, Some(ScriptError::BadOpcode));
    assert!(text.contains("    1 @1     OP_PUSHDATA1 "), "{text}");
}
