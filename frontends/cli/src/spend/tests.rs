use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Amount, ScriptBuf, TxIn, absolute, transaction};

use super::*;

/// A transaction with so many inputs, and what it spends: anyone may.
fn transaction(inputs: usize) -> (Transaction, Vec<TxOut>) {
    let output = TxOut {
        value: Amount::from_sat(1),
        script_pubkey: ScriptBuf::from_bytes(vec![0x51]),
    };
    let tx = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn::default(); inputs],
        output: vec![output.clone()],
    };
    (tx, vec![output; inputs])
}

#[test]
fn all_inputs_are_verified_unless_one_is_named() {
    let (tx, mut spent) = transaction(3);
    spent[2].script_pubkey = ScriptBuf::from_bytes(vec![0x00]);
    let all = Spend::new(tx.clone(), spent.clone(), None, Flags::CONSENSUS).unwrap();
    let verdicts = all.verify().unwrap();
    assert_eq!(verdicts.len(), 3);
    assert_eq!(verdicts[1].result, Ok(()));
    assert_eq!(verdicts[2].result, Err(ScriptError::EvalFalse));
    let one = Spend::new(tx, spent, Some(2), Flags::CONSENSUS).unwrap();
    assert_eq!(one.verify().unwrap(), verdicts[2..]);
}

#[test]
fn a_spend_that_does_not_fit_together_is_refused() {
    let (tx, spent) = transaction(2);
    let refused = |input, spent: &[TxOut]| {
        let spend = Spend::new(tx.clone(), spent.to_vec(), input, Flags::NONE);
        spend.expect_err("it does not fit").reason()
    };
    assert_eq!(refused(Some(2), &spent), "INPUT_OUT_OF_RANGE");
    assert_eq!(refused(Some(0), &spent[1..]), "SPENT_OUTPUT_COUNT");
    assert_eq!(refused(None, &[]), "SPENT_OUTPUT_COUNT");
}

#[test]
fn a_transaction_is_read_whole_or_not_at_all() {
    let (tx, _) = transaction(1);
    let hex = serialize_hex(&tx);
    assert_eq!(read_transaction(&hex), Ok(tx));
    for wrong in [&hex[1..], &hex[2..], &hex[..hex.len() - 2], "", "zz"] {
        let error = read_transaction(wrong).expect_err("it is no transaction");
        assert_eq!(error.reason(), "TX_MALFORMED");
    }
    let longer = read_transaction(&format!("{hex}00"));
    assert!(matches!(
        longer,
        Err(SpendError::TrailingBytes { surplus: 1, .. })
    ));
    // Without inputs it decodes, and has no input to verify.
    let read = read_transaction("02000000000000000000").expect("it decodes");
    let spend = Spend::new(read, Vec::new(), Some(0), Flags::NONE);
    assert_eq!(spend.expect_err("there is none").reason(), "NO_INPUTS");
}

#[test]
fn what_is_no_transaction_is_told_with_the_byte_where_it_breaks() {
    let (tx, _) = transaction(1);
    let hex = serialize_hex(&tx);
    let message = |hex: &str| read_transaction(hex).expect_err("it is none").to_string();
    assert!(message(&hex[..20]).contains("too early at byte "));
    assert!(message(&hex[..21]).ends_with("at byte 10: it ends after half a byte"));
    let wrong = hex.replacen('f', "x", 1);
    let place = wrong.find('x').unwrap() / 2;
    assert!(message(&wrong).ends_with(&format!("at byte {place}: 'x' is no digit")));
}
