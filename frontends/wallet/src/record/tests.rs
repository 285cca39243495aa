use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxIn, TxOut, Txid};

use super::{MAX_REQUESTS, Record, RequestId};

fn record() -> Record {
    let tx = Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::from_byte_array([7; 32]), 3),
            ..TxIn::default()
        }],
        output: vec![TxOut {
            value: Amount::from_sat(5),
            script_pubkey: ScriptBuf::new(),
        }],
    };
    let mut record = Record::new(Arc::new(tx), 12, 1_700_000_000, 1_600_000_000);
    record.ours = true;
    record.replaced_by = Some(Txid::from_byte_array([9; 32]));
    record.notes.insert("comment".into(), "für Alice".into());
    record.name(id(7));
    record
}

fn id(number: u32) -> RequestId {
    RequestId::new(&format!("order {number}")).unwrap()
}

#[test]
fn a_row_brings_the_record_back() {
    let record = record();
    let plain = Record {
        requests: Vec::new(),
        ..record.clone()
    };
    assert_eq!(Record::decode(plain.txid, &plain.encode()), Ok(plain));
    let mut named = record.clone();
    named.name(id(8));
    named.name(id(9));
    assert_eq!(Record::decode(named.txid, &named.encode()), Ok(named));
    assert_eq!(Record::decode(record.txid, &record.encode()), Ok(record));
}

#[test]
fn a_row_that_was_cut_or_that_is_of_another_transaction_is_refused() {
    let record = record();
    let row = record.encode();
    for length in 0..row.len() {
        assert!(
            Record::decode(record.txid, &row[..length]).is_err(),
            "{length}"
        );
    }
    assert!(Record::decode(Txid::from_byte_array([1; 32]), &row).is_err());
}

#[test]
fn of_many_names_the_first_one_and_the_newest_stay() {
    let mut record = record();
    for number in 0..100 {
        record.name(id(number));
        record.name(id(number));
    }
    assert_eq!(record.requests.len(), MAX_REQUESTS);
    assert_eq!(record.requests.first(), Some(&id(7)));
    assert_eq!(record.requests.last(), Some(&id(99)));
}
