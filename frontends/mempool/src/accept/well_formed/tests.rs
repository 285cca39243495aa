use bitcoin::hashes::Hash;
use bitcoin::{
    Amount, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute, transaction,
};

use super::*;

fn spending(outpoints: &[OutPoint], scripts: usize) -> Arc<DecodedTransaction> {
    let input = |previous_output: &OutPoint| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::from_bytes(vec![0; scripts]),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    Arc::new(DecodedTransaction::new(Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: outpoints.iter().map(input).collect(),
        output: vec![
            TxOut {
                value: Amount::from_sat(1_000),
                script_pubkey: ScriptBuf::new(),
            };
            3
        ],
    }))
}

fn coin(number: u8) -> OutPoint {
    OutPoint::new(Txid::from_byte_array([number; 32]), 0)
}

fn of(tx: &DecodedTransaction, vout: u32) -> OutPoint {
    OutPoint::new(tx.txid, vout)
}

fn reason(package: &[Arc<DecodedTransaction>]) -> Option<String> {
    check_well_formed(package)
        .err()
        .map(|rejection| rejection.to_string())
}

#[test]
fn what_makes_no_package_has_cores_reason() {
    let parent = spending(&[coin(1)], 0);
    let child = spending(&[of(&parent, 0)], 0);
    let pair = [parent.clone(), child.clone()];
    assert_eq!(reason(&pair), None);
    let turned = [child.clone(), parent.clone()];
    assert_eq!(reason(&turned).as_deref(), Some("package-not-sorted"));
    let twice = [parent.clone(), parent.clone()];
    assert_eq!(
        reason(&twice).as_deref(),
        Some("package-contains-duplicates")
    );
    let rival = spending(&[coin(1), coin(2)], 0);
    assert_eq!(
        reason(&[parent.clone(), rival]).as_deref(),
        Some("conflict-in-package")
    );
    let empty = spending(&[], 0);
    assert_eq!(
        reason(&[parent.clone(), empty]).as_deref(),
        Some("conflict-in-package")
    );
    let many: Vec<_> = (0..26).map(|number| spending(&[coin(number)], 0)).collect();
    assert_eq!(
        reason(&many).as_deref(),
        Some("package-too-many-transactions")
    );
    assert_eq!(reason(&many[..25]), None);
    let heavy = spending(&[coin(3)], 101_000);
    assert_eq!(
        reason(&[heavy.clone(), parent]).as_deref(),
        Some("package-too-large")
    );
    assert_eq!(
        reason(&[heavy]),
        None,
        "one by itself is told what is wrong with it"
    );
}

#[test]
fn a_child_comes_with_parents_that_need_not_each_other() {
    let one = spending(&[coin(1)], 0);
    let two = spending(&[coin(2)], 0);
    let child = spending(&[of(&one, 0), of(&two, 0)], 0);
    let family = [one.clone(), two.clone(), child.clone()];
    assert!(is_child_with_parents(&family) && is_child_with_parents_tree(&family));
    assert!(!is_child_with_parents(&family[..1]) && !is_child_with_parents(&[]));
    let stranger = spending(&[coin(3)], 0);
    assert!(!is_child_with_parents(&[stranger, two, child]));
    let second = spending(&[of(&one, 1)], 0);
    let child = spending(&[of(&one, 0), of(&second, 0)], 0);
    let chained = [one, second, child];
    assert!(is_child_with_parents(&chained) && !is_child_with_parents_tree(&chained));
}
