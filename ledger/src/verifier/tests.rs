use super::*;

#[test]
fn threads_are_counted_as_core_counts_them() {
    assert_eq!(threads(3, 8), 3);
    assert_eq!(threads(16, 2), 16, "more than there are cores is allowed");
    assert_eq!(threads(0, 8), 8);
    assert_eq!(threads(-3, 8), 5);
    assert_eq!(threads(-9, 8), 1, "one always runs");
    assert_eq!(threads(i32::MIN, 8), 1);
    assert_eq!(threads(i32::MAX, 8), MAX_SCRIPT_THREADS);
}

#[test]
fn scripts_run_on_the_threads_that_were_asked_for() {
    let verifier = ScriptVerifier::with_par(3).expect("three threads can be started");
    assert_eq!(verifier.on_threads(rayon::current_num_threads), 3);
}

#[test]
fn what_somebody_vouches_for_is_not_run_again_under_the_same_flags() {
    use bitcoin::hashes::Hash;
    use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, Txid, Witness};

    let input = TxIn {
        previous_output: OutPoint::new(Txid::all_zeros(), 0),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let transaction = crate::decode::DecodedTransaction::new(Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![input],
        output: Vec::new(),
    });
    let mut spent = crate::rules::SpentCoins::default();
    spent.push_transaction([Coin {
        amount: Amount::ZERO,
        // OP_FALSE: the script fails when it is run.
        script_pubkey: crate::coin::ScriptPubKey::new(&[0]),
        height: 1,
        coinbase: false,
    }]);
    let verifier = ScriptVerifier::new();
    let run = |flags| {
        verifier.check(BlockScripts {
            block: bitcoin::BlockHash::all_zeros(),
            transactions: std::slice::from_ref(&transaction),
            spent: &spent,
            flags,
        })
    };
    assert!(run(Flags::P2SH).is_err());
    verifier.remember(transaction.wtxid, Flags::P2SH);
    assert!(run(Flags::P2SH).is_ok());
    assert!(run(Flags::NONE).is_err(), "other flags are other rules");
}
