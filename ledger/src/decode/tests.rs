use bitcoin::consensus::{deserialize_partial, serialize};
use bitcoin::hex::FromHex;
use proptest::prelude::*;

use super::*;

/// `version | 00 inputs | 00 outputs | lock time`
const EMPTY: &str = "02000000000000000000";

fn decode(hex: &str) -> Result<DecodedTransaction, DecodeFault> {
    let bytes = Vec::from_hex(hex).unwrap();
    match decode_transaction(&bytes) {
        Ok((transaction, used)) => {
            assert_eq!(used, bytes.len(), "all of {hex}");
            assert_eq!(DecodedTransaction::new(transaction.tx.clone()), transaction);
            Ok(transaction)
        }
        Err(error) => Err(error.what),
    }
}

/// A transaction of one input and one output in hexadecimal, with what lies between its parts.
fn one_to_one(marker: &str, witness: &str) -> String {
    let input = format!("01{}0700000002abcdffffffff", "11".repeat(32));
    let output = "0105000000000000000151";
    format!("02000000{marker}{input}{output}{witness}09000000")
}

#[test]
fn a_transaction_without_inputs_and_outputs_decodes() {
    let empty = decode(EMPTY).unwrap();
    assert!(empty.tx.input.is_empty() && empty.tx.output.is_empty());
    assert!(!empty.has_witness() && !empty.is_coinbase());
    assert_eq!((empty.size, empty.stripped_size), (10, 10));
    assert_eq!(empty.txid.to_byte_array(), empty.wtxid.to_byte_array());
    assert_eq!(
        empty.txid.to_byte_array(),
        sha256d(&[&Vec::from_hex(EMPTY).unwrap()])
    );
}

#[test]
fn a_plain_transaction_decodes() {
    let plain = decode(&one_to_one("", "")).unwrap();
    assert_eq!(plain.tx.version.0, 2);
    assert_eq!(plain.tx.input[0].previous_output.vout, 7);
    assert_eq!(plain.tx.input[0].script_sig.as_bytes(), [0xab, 0xcd]);
    assert_eq!(plain.tx.output[0].value.to_sat(), 5);
    assert_eq!(plain.tx.lock_time.to_consensus_u32(), 9);
    assert_eq!(plain.txid, plain.tx.compute_txid());
    assert!(!plain.has_witness());
}

#[test]
fn a_witness_is_in_one_hash_and_not_in_the_other() {
    let with = decode(&one_to_one("0001", "0202aabb00")).unwrap();
    assert_eq!(
        with.tx.input[0].witness.to_vec(),
        [vec![0xaa, 0xbb], vec![]]
    );
    assert!(with.has_witness());
    assert_eq!(with.txid, decode(&one_to_one("", "")).unwrap().txid);
    assert_eq!(with.wtxid, with.tx.compute_wtxid());
    assert_eq!(with.size - with.stripped_size, 2 + 5);
}

#[test]
fn flags_are_as_core_takes_them() {
    use DecodeFault::*;
    assert_eq!(decode(&one_to_one("0001", "00")), Err(SuperfluousWitness));
    // Inputs are there, so these have no witnesses to read; the flag is unknown.
    assert_eq!(decode(&one_to_one("0002", "")), Err(UnknownOptionalData));
    assert_eq!(
        decode(&one_to_one("0003", "0101aa")),
        Err(UnknownOptionalData)
    );
    assert_eq!(decode(&one_to_one("0003", "00")), Err(SuperfluousWitness));
    // A witness flag, and no inputs that could have a witness.
    assert_eq!(decode("020000000001000000000000"), Err(SuperfluousWitness));
}

#[test]
fn sizes_are_in_their_shortest_form_and_limited() {
    use DecodeFault::*;
    let inputs = |size: &str| decode(&format!("02000000{size}"));
    for size in ["fdfc00", "feffff0000", "ffffffffff00000000"] {
        assert_eq!(inputs(size), Err(NonCanonicalSize), "{size}");
    }
    for size in ["fdfd00", "fe00000100", "fe00000002"] {
        assert_eq!(inputs(size), Err(EndOfData), "{size}");
    }
    for size in ["fe01000002", "ff0000000001000000", "ffffffffffffffffff"] {
        assert_eq!(inputs(size), Err(SizeTooLarge), "{size}");
    }
    assert_eq!(
        decode_transaction(&[2, 0, 0, 0, 0xfd, 0xfc, 0])
            .unwrap_err()
            .offset,
        4
    );
}

#[test]
fn amounts_keep_their_bits() {
    let bytes = one_to_one("", "").replace("0500000000000000", "ffffffffffffffff");
    assert_eq!(
        decode(&bytes).unwrap().tx.output[0].value.to_sat() as i64,
        -1
    );
}

#[test]
fn every_cut_is_an_end_of_data() {
    let bytes = Vec::from_hex(&one_to_one("0001", "0202aabb00")).unwrap();
    for cut in 0..bytes.len() {
        let error = decode_transaction(&bytes[..cut]).unwrap_err();
        assert_eq!(error.what, DecodeFault::EndOfData, "cut at {cut}");
        assert!(error.offset <= cut);
    }
}

#[test]
fn bytes_behind_a_block_are_left_to_the_caller() {
    let genesis = crate::params::Params::new(crate::params::Network::Regtest).genesis;
    let mut bytes = serialize(&genesis);
    let length = bytes.len();
    bytes.extend_from_slice(&[1, 2, 3]);
    let (block, used) = decode_block(&bytes).unwrap();
    assert_eq!((used, block.size), (length, length));
    assert_eq!(block, DecodedBlock::from(genesis));
    for cut in 0..length {
        assert!(decode_block(&bytes[..cut]).is_err());
    }
}

#[test]
fn a_block_without_transactions_decodes() {
    let mut bytes = vec![0; 80];
    bytes.push(0);
    let (block, used) = decode_block(&bytes).unwrap();
    assert_eq!(
        (used, block.stripped_size, block.transactions.len()),
        (81, 81, 0)
    );
}

#[test]
fn a_count_beyond_the_data_allocates_no_more_than_the_data_could_hold() {
    // 2^25 transactions claimed, none there: it fails at once, where reserving for them would not.
    let mut bytes = vec![0; 80];
    bytes.extend_from_slice(&[0xfe, 0, 0, 0, 2]);
    assert_eq!(
        decode_block(&bytes).unwrap_err().what,
        DecodeFault::EndOfData
    );
}

/// Transactions of few parts, of which some have witnesses.
fn any_transaction() -> impl Strategy<Value = Transaction> {
    let script = || proptest::collection::vec(any::<u8>(), 0..40).prop_map(ScriptBuf::from_bytes);
    let witness = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..3);
    let input = (
        any::<[u8; 32]>(),
        any::<u32>(),
        script(),
        any::<u32>(),
        witness,
    );
    let input = input.prop_map(|(txid, vout, script_sig, sequence, witness)| TxIn {
        previous_output: OutPoint::new(Txid::from_byte_array(txid), vout),
        script_sig,
        sequence: Sequence(sequence),
        witness: Witness::from_slice(&witness),
    });
    let output = (any::<u64>(), script()).prop_map(|(sat, script_pubkey)| TxOut {
        value: Amount::from_sat(sat),
        script_pubkey,
    });
    let inputs = proptest::collection::vec(input, 1..4);
    let outputs = proptest::collection::vec(output, 0..4);
    (any::<i32>(), any::<u32>(), inputs, outputs).prop_map(|(version, lock_time, input, output)| {
        let lock_time = absolute::LockTime::from_consensus(lock_time);
        Transaction {
            version: Version(version),
            lock_time,
            input,
            output,
        }
    })
}

/// Holds our verdict on some bytes against the `bitcoin` crate's, which is of another mind about
/// transactions without inputs only.
fn compare(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = decode_transaction(bytes);
    let theirs = deserialize_partial::<Transaction>(bytes);
    match (&ours, &theirs) {
        (Ok((ours, used)), Ok((theirs, their_used))) => {
            prop_assert_eq!(&ours.tx, theirs);
            prop_assert_eq!(used, their_used);
            prop_assert_eq!(ours.txid, theirs.compute_txid());
            prop_assert_eq!(ours.wtxid, theirs.compute_wtxid());
        }
        (Ok((ours, _)), Err(_)) => {
            prop_assert!(ours.tx.input.is_empty() && ours.tx.output.is_empty())
        }
        (Err(_), Ok((theirs, _))) => prop_assert!(theirs.input.is_empty()),
        (Err(_), Err(_)) => {}
    }
    if let Ok((ours, used)) = ours {
        prop_assert_eq!(used, ours.size);
        prop_assert_eq!(DecodedTransaction::new(ours.tx.clone()), ours);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn transactions_decode_as_the_bitcoin_crate_encodes_them(tx in any_transaction()) {
        let bytes = serialize(&tx);
        let (ours, used) = decode_transaction(&bytes).unwrap();
        prop_assert_eq!((used, &ours.tx), (bytes.len(), &tx));
        prop_assert_eq!(ours.stripped_size, tx.base_size());
        compare(&bytes)?;
    }

    #[test]
    fn mutated_transactions_are_judged_as_the_bitcoin_crate_judges_them(
        tx in any_transaction(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..4),
    ) {
        let mut bytes = serialize(&tx);
        for (place, byte, kind) in changes {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                // Small numbers make likelier sizes and flags.
                1 => bytes[place] = byte % 4,
                2 => bytes.insert(place, byte),
                _ => { bytes.remove(place); }
            }
        }
        compare(&bytes)?;
    }

    #[test]
    fn any_bytes_are_judged_as_the_bitcoin_crate_judges_them(
        bytes in proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..120),
    ) {
        compare(&bytes)?;
    }
}
