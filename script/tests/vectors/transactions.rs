//! `tx_valid.json` and `tx_invalid.json`: whole transactions, and that their flags are just the ones needed.

use std::collections::HashMap;

use bitcoin::{Amount, OutPoint, Transaction, TxOut};
use everett_script::assembly::parse;
use everett_script::{Flags, PreparedTransaction, SpentOutput};
use serde_json::Value;

use crate::data::{Random, core_cases, in_parallel, transaction};

struct Case {
    text: String,
    tx: Transaction,
    spent: Vec<TxOut>,
    /// Valid: the flags to leave out. Invalid: the flags to apply.
    flags: Flags,
}

fn read(name: &str) -> Option<Vec<Case>> {
    let cases = core_cases(name)?;
    // What fails before scripts are looked at is for the rules on transactions.
    let cases = cases.iter().filter(|case| case[2] != "BADTX");
    Some(cases.map(read_case).collect())
}

fn read_case(case: &Value) -> Case {
    let mut outputs = HashMap::new();
    for output in case[0].as_array().unwrap() {
        let txid = output[0].as_str().unwrap().parse().unwrap();
        let outpoint = OutPoint {
            txid,
            vout: output[1].as_i64().unwrap() as u32,
        };
        let value = Amount::from_sat(output.get(3).map_or(0, |value| value.as_u64().unwrap()));
        let script_pubkey = parse(output[2].as_str().unwrap()).unwrap();
        outputs.insert(
            outpoint,
            TxOut {
                value,
                script_pubkey,
            },
        );
    }
    let tx = transaction(&case[1]);
    let spent = tx
        .input
        .iter()
        .map(|input| outputs[&input.previous_output].clone())
        .collect();
    let flags = case[2].as_str().unwrap().parse().unwrap();
    Case {
        text: case.to_string(),
        tx,
        spent,
        flags,
    }
}

fn is_valid(case: &Case, flags: Flags) -> bool {
    let spent: Vec<SpentOutput<'_>> = case.spent.iter().map(SpentOutput::from).collect();
    PreparedTransaction::new(&case.tx, &spent)
        .unwrap()
        .verify(flags)
        .is_ok()
}

/// Every consistent set that lacks one of the flags, and what depends on it.
fn with_one_less(flags: Flags) -> impl Iterator<Item = Flags> {
    flags.iter().map(move |flag| (flags - flag).trimmed())
}

#[test]
fn valid_transactions_are_valid_under_all_flags_but_the_excluded() {
    let Some(cases) = read("tx_valid.json") else {
        return;
    };
    assert!(cases.len() > 100);
    let failures = in_parallel(&cases, |case| {
        let mut random = Random(1 + case.text.len() as u64);
        let flags = Flags::ALL - case.flags;
        if !flags.is_consistent() {
            return Err(format!("bad flags: {}", case.text));
        }
        if !is_valid(case, flags) {
            return Err(format!("fails: {}", case.text));
        }
        for (_, flag) in Flags::NAMED {
            for less in [*flag, random.flags()] {
                if !is_valid(case, (flags - less).trimmed()) {
                    return Err(format!("fails without {less}: {}", case.text));
                }
            }
        }
        for excluded in with_one_less(case.flags) {
            if is_valid(case, Flags::ALL - excluded) {
                return Err(format!(
                    "passes even with {}: {}",
                    Flags::ALL - excluded,
                    case.text
                ));
            }
        }
        Ok(())
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn invalid_transactions_are_invalid_through_each_of_their_flags() {
    let Some(cases) = read("tx_invalid.json") else {
        return;
    };
    assert!(cases.len() > 60);
    let failures = in_parallel(&cases, |case| {
        let mut random = Random(1 + case.text.len() as u64);
        if !case.flags.is_consistent() {
            return Err(format!("bad flags: {}", case.text));
        }
        if is_valid(case, case.flags) {
            return Err(format!("passes: {}", case.text));
        }
        for (_, flag) in Flags::NAMED {
            for more in [*flag, random.flags()] {
                if is_valid(case, (case.flags | more).filled()) {
                    return Err(format!("passes with {more} too: {}", case.text));
                }
            }
        }
        for fewer in with_one_less(case.flags) {
            if !is_valid(case, fewer) {
                return Err(format!("fails even under {fewer}: {}", case.text));
            }
        }
        Ok(())
    });
    assert!(failures.is_empty(), "{failures:#?}");
}
