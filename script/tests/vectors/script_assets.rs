//! `script_assets.jsonl`: the spends that Core's taproot test makes up, valid and invalid.

use bitcoin::consensus::deserialize;
use bitcoin::{ScriptBuf, Transaction, TxOut, Witness};
use everett_script::Flags;
use serde_json::Value;

use crate::data::{core_file, hex_of, in_parallel, transaction, verify_input};

/// Every consistent set of consensus flags.
fn consensus_sets() -> Vec<Flags> {
    let bits = 0..=Flags::CONSENSUS.bits();
    let sets = bits
        .filter_map(Flags::from_bits)
        .filter(|flags| Flags::CONSENSUS.contains(*flags));
    sets.filter(|flags| flags.is_consistent()).collect()
}

fn with_spend(tx: &Transaction, input: usize, spend: &Value) -> Transaction {
    let mut tx = tx.clone();
    let witness: Vec<Vec<u8>> = spend["witness"]
        .as_array()
        .unwrap()
        .iter()
        .map(hex_of)
        .collect();
    tx.input[input].script_sig = ScriptBuf::from_bytes(hex_of(&spend["scriptSig"]));
    tx.input[input].witness = Witness::from_slice(&witness);
    tx
}

#[test]
fn a_success_holds_under_fewer_flags_and_a_failure_under_more() {
    let Some(text) = core_file("script_assets.jsonl") else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1402);
    let sets = consensus_sets();
    assert_eq!(sets.len(), 96);
    let failures = in_parallel(&lines, |line| {
        let case: Value = serde_json::from_str(line).unwrap();
        let (tx, input) = (
            transaction(&case["tx"]),
            case["index"].as_u64().unwrap() as usize,
        );
        let spent = case["prevouts"].as_array().unwrap().iter();
        let spent: Vec<TxOut> = spent
            .map(|output| deserialize(&hex_of(output)).unwrap())
            .collect();
        let own: Flags = case["flags"].as_str().unwrap().parse().unwrap();
        // A final case holds under all flags there are, now and later.
        let is_final = case["final"] == true;
        let comment = &case["comment"];
        let success = with_spend(&tx, input, &case["success"]);
        for flags in sets
            .iter()
            .filter(|flags| is_final || own.contains(**flags))
        {
            let result = verify_input(&success, input, &spent, *flags);
            if let Err(error) = result {
                return Err(format!("{comment} fails under {flags}: {error}"));
            }
        }
        if !case["failure"].is_null() {
            let failure = with_spend(&tx, input, &case["failure"]);
            for flags in sets.iter().filter(|flags| flags.contains(own)) {
                if verify_input(&failure, input, &spent, *flags).is_ok() {
                    return Err(format!("{comment} passes under {flags}"));
                }
            }
        }
        Ok(())
    });
    assert!(
        failures.is_empty(),
        "{} failures: {failures:#?}",
        failures.len()
    );
}
