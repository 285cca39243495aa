use super::*;

/// As Core's `createpsbt` makes it: two inputs, one output, lock time 7.
const VERSION_2: &str = "cHNidP8BAgQCAAAAAQMEBwAAAAEEAQIBBQEBAfsEAgAAAAABDiDgaRGeldFjjbri3h+NQAq4pudezCmHTDlR1/H6XPEHvgEPBAAAAAABEAT9////AAEOIOBpEZ6V0WONuuLeH41ACrim517MKYdMOVHX8fpc8Qe+AQ8ECAAAAAEQBAUAAAAAAQMIgPD6AgAAAAABBBYAFHUedugZkZbUVJQcRdGzoyPxQzvWAA==";

#[test]
fn one_of_version_2_is_written_as_it_was_read() {
    let partial = Partial::parse(VERSION_2).unwrap();
    assert_eq!(partial.version, 2);
    assert_eq!(partial.psbt.unsigned_tx.lock_time.to_consensus_u32(), 7);
    assert_eq!(partial.extras[1].sequence, Some(5));
    assert_eq!(partial.text(), VERSION_2);
    let again = Partial::new(partial.psbt.unsigned_tx.clone(), 2).unwrap();
    assert_eq!(again.text(), VERSION_2);
    let old = Partial::new(partial.psbt.unsigned_tx.clone(), 0).unwrap();
    assert_eq!(Partial::parse(&old.text()).unwrap().version, 0);
}

#[test]
fn what_is_none_is_told_why() {
    let error = |text: &str| Partial::parse(text).unwrap_err().message;
    assert_eq!(error("xx"), "TX decode failed invalid base64");
    assert_eq!(
        error("AAAA"),
        "TX decode failed SpanReader::read(): end of data: iostream error"
    );
    assert!(error(&VERSION_2[..80]).starts_with("TX decode failed"));
}

#[test]
fn lock_times_of_inputs_are_joined() {
    let extra = |time, height| InputExtra {
        sequence: None,
        time,
        height,
    };
    assert_eq!(lock_time(&[extra(None, None)], Some(5)), Some(5));
    assert_eq!(
        lock_time(
            &[extra(None, Some(9)), extra(Some(600_000_000), Some(7))],
            None
        ),
        Some(9)
    );
    assert_eq!(
        lock_time(
            &[extra(Some(600_000_000), None), extra(None, Some(7))],
            None
        ),
        None
    );
    assert_eq!(
        lock_time(&[extra(Some(600_000_000), None)], None),
        Some(600_000_000)
    );
}

/// One that spends a coin.
fn transaction(spent: OutPoint) -> Transaction {
    Transaction {
        version: Version(2),
        lock_time: LockTime::from_consensus(0),
        input: vec![TxIn {
            previous_output: spent,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(1_000),
            script_pubkey: ScriptBuf::new(),
        }],
    }
}

#[test]
fn a_transaction_that_is_not_the_one_spent_is_refused() {
    let made = transaction(OutPoint::null());
    let txid = made.compute_txid();
    let read = |spent: OutPoint, version: u32| {
        let mut partial = Partial::new(transaction(spent), version).expect("a PSBT");
        partial.psbt.inputs[0].non_witness_utxo = Some(made.clone());
        Partial::parse(&partial.text()).map(drop)
    };
    for version in [0, 2] {
        assert!(read(OutPoint::new(txid, 0), version).is_ok());
        let mut other = OutPoint::new(txid, 0);
        other.txid = transaction(other).compute_txid();
        for (wrong, why) in [
            (other, "Non-witness UTXO does not match outpoint hash"),
            (
                OutPoint::new(txid, 1),
                "Input specifies output index that does not exist",
            ),
        ] {
            let error = read(wrong, version).expect_err("it is wrong");
            assert_eq!(error.code, -22);
            assert_eq!(
                error.message,
                format!("TX decode failed {why}: iostream error")
            );
        }
    }
}
