use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence, Transaction, TxIn, Txid, Witness};
use proptest::prelude::*;

use super::*;
use crate::sighash::legacy::Template;

/// Transactions of random contents.
fn transactions() -> impl Strategy<Value = Transaction> {
    let input =
        (any::<[u8; 32]>(), any::<u32>(), any::<u32>()).prop_map(|(txid, vout, sequence)| TxIn {
            previous_output: OutPoint {
                txid: Txid::from_byte_array(txid),
                vout,
            },
            script_sig: ScriptBuf::from_bytes(vec![0x51; (vout % 7) as usize]),
            sequence: Sequence(sequence),
            witness: Witness::new(),
        });
    let script = prop::collection::vec(any::<u8>(), 0..300);
    let output = (0..21_000_000_u64, script).prop_map(|(value, script)| TxOut {
        value: Amount::from_sat(value),
        script_pubkey: ScriptBuf::from_bytes(script),
    });
    let inputs = prop::collection::vec(input, 1..7);
    let outputs = prop::collection::vec(output, 1..5);
    (any::<i32>(), inputs, outputs, any::<u32>()).prop_map(|(version, input, output, lock_time)| {
        Transaction {
            version: Version(version),
            lock_time: LockTime::from_consensus(lock_time),
            input,
            output,
        }
    })
}

/// Scripts of opcodes and pushes, OP_CODESEPARATORs and broken pushes among them.
fn scripts() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        Just(0xab_u8),
        Just(0xac),
        Just(0x51),
        Just(0x01),
        any::<u8>()
    ];
    prop::collection::vec(bytes, 0..60)
}

proptest! {
    #[test]
    fn the_shared_template_changes_no_legacy_hash(
        tx in transactions(),
        script in scripts(),
        input in any::<prop::sample::Index>(),
        hash_type in any::<u32>(),
    ) {
        let input = input.index(tx.input.len());
        prop_assume!(!legacy::signs_missing_output(&tx, input, hash_type));
        let template = Template::new(&tx);
        let midstate = legacy::midstate(&tx, input, &script, hash_type, || &template);
        let direct = legacy::signature_hash(&tx, input, &script, hash_type);
        prop_assert_eq!(finish(midstate, hash_type), direct);
    }

    #[test]
    fn segwit_hashes_are_those_of_another_implementation(
        tx in transactions(),
        script in scripts(),
        input in any::<prop::sample::Index>(),
        amount in 0..21_000_000_u64,
        hash_type in prop::sample::select(vec![1_u8, 2, 3, 0x81, 0x82, 0x83]),
    ) {
        let input = input.index(tx.input.len());
        let amount = Amount::from_sat(amount);
        let own = segwit::signature_hash(&tx, input, &script, amount, u32::from(hash_type));
        let hash_type = EcdsaSighashType::from_standard(u32::from(hash_type)).unwrap();
        let script = ScriptBuf::from_bytes(script);
        let theirs = SighashCache::new(&tx).p2wsh_signature_hash(input, &script, amount, hash_type);
        prop_assert_eq!(own, theirs.unwrap().to_byte_array());
    }

    #[test]
    fn the_cache_changes_no_hash(
        tx in transactions(),
        asked in prop::collection::vec((scripts(), any::<u32>()), 1..12),
    ) {
        let mut cache = MidstateCache::default();
        for (script, hash_type) in asked.iter().chain(&asked) {
            let amount = Amount::from_sat(5);
            let hashes = segwit::SegwitHashes::new(&tx, &crate::prepared::SharedHashes::new(&tx));
            let hash = cache.hash(script, *hash_type, || {
                segwit::midstate(&tx, &hashes, 0, script, amount, *hash_type)
            });
            prop_assert_eq!(hash, segwit::signature_hash(&tx, 0, script, amount, *hash_type));
        }
    }
}

#[test]
fn many_signatures_over_one_script_hash_the_transaction_once() {
    let mut cache = MidstateCache::default();
    let mut computed = 0;
    for hash_type in [ALL, ALL, 0, 4, 0x40] {
        cache.hash(&[0xac, 0xac], hash_type, || {
            computed += 1;
            Hasher::new()
        });
    }
    assert_eq!(computed, 1);
    cache.hash(&[0xac], ALL, || {
        computed += 1;
        Hasher::new()
    });
    cache.hash(&[0xac], ALL | ANYONE_CAN_PAY, || {
        computed += 1;
        Hasher::new()
    });
    assert_eq!(computed, 3);
}

#[test]
fn single_without_its_output_signs_the_number_one() {
    let tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn::default(), TxIn::default()],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::new(),
        }],
    };
    for hash_type in [SINGLE, SINGLE | ANYONE_CAN_PAY, 0x43, 0xffff_ff63] {
        assert_eq!(
            legacy::signature_hash(&tx, 1, &[], hash_type),
            legacy::SINGLE_BUG
        );
        assert_ne!(
            legacy::signature_hash(&tx, 0, &[], hash_type),
            legacy::SINGLE_BUG
        );
    }
}

#[test]
fn a_script_code_that_ends_inside_a_push_is_hashed_as_core_does() {
    // Only as far as Core reads: the length says 5, the bytes end after the push's opcode.
    let tx = Transaction {
        version: Version::ONE,
        lock_time: LockTime::ZERO,
        input: vec![TxIn::default()],
        output: vec![],
    };
    let expected = |hashed: &[u8], length: u8| {
        let mut bytes = vec![1, 0, 0, 0, 1];
        bytes.extend_from_slice(&outpoint_bytes(&OutPoint::default()));
        bytes.push(length);
        bytes.extend_from_slice(hashed);
        bytes.extend_from_slice(&0xffff_ffff_u32.to_le_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        crate::hash::sha256d(&bytes)
    };
    let hash = |script: &[u8]| legacy::signature_hash(&tx, 0, script, ALL);
    assert_eq!(hash(&[0xac, 5, 1, 2, 3]), expected(&[0xac, 5], 5));
    assert_eq!(hash(&[0xac, 0xab, 5, 1, 2]), expected(&[0xac, 5], 4));
    assert_eq!(hash(&[0xac, 0x4c]), expected(&[0xac, 0x4c], 2));
    assert_eq!(hash(&[0xac, 0x4c, 9, 1]), expected(&[0xac, 0x4c, 9], 4));
    assert_eq!(hash(&[0xac, 0x4d, 9]), expected(&[0xac, 0x4d], 3));
    assert_eq!(
        hash(&[0xac, 0x4d, 9, 0, 1]),
        expected(&[0xac, 0x4d, 9, 0], 5)
    );
    assert_eq!(hash(&[0xac, 0x4e, 9, 0, 0]), expected(&[0xac, 0x4e], 5));
    assert_eq!(
        hash(&[0xac, 0x4e, 9, 0, 0, 0]),
        expected(&[0xac, 0x4e, 9, 0, 0, 0], 6)
    );
}
