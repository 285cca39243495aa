use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{ScriptBuf, Txid};

use super::super::fixtures::{ListChain, coinbase, reason, transaction};
use super::*;
use crate::params::{Network, Params};

fn outpoint(number: u32) -> OutPoint {
    OutPoint::new(Txid::hash(&[1]), number)
}

fn verdict(tx: Transaction) -> Option<String> {
    reason(check_transaction(&DecodedTransaction::new(tx)))
}

fn assert_bad(tx: Transaction, reason: &str) {
    assert_eq!(verdict(tx).as_deref(), Some(reason));
}

#[test]
fn a_plain_transaction_passes() {
    assert_eq!(
        verdict(transaction(&[outpoint(0), outpoint(1)], &[0, 5])),
        None
    );
    assert_eq!(verdict(coinbase(1, 50)), None);
}

#[test]
fn there_are_inputs_and_outputs() {
    assert_bad(transaction(&[], &[1]), "bad-txns-vin-empty");
    assert_bad(transaction(&[], &[]), "bad-txns-vin-empty");
    assert_bad(transaction(&[outpoint(0)], &[]), "bad-txns-vout-empty");
}

#[test]
fn without_witnesses_it_fits_into_a_block() {
    let mut tx = transaction(&[outpoint(0)], &[1]);
    let overhead = tx.base_size() - 1 + 4;
    tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x51; 1_000_000 - overhead]);
    assert_eq!(tx.base_size(), 1_000_000);
    tx.input[0].witness.push([0; 100]);
    assert_eq!(verdict(tx.clone()), None);
    tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x51; 1_000_001 - overhead]);
    assert_bad(tx, "bad-txns-oversize");
}

#[test]
fn all_the_money_is_what_the_bitcoin_crate_says() {
    assert_eq!(MAX_MONEY, signed(Amount::MAX_MONEY));
}

#[test]
fn amounts_are_money() {
    let max = MAX_MONEY as u64;
    assert_eq!(verdict(transaction(&[outpoint(0)], &[max, 0])), None);
    assert_bad(
        transaction(&[outpoint(0)], &[u64::MAX]),
        "bad-txns-vout-negative",
    );
    assert_bad(
        transaction(&[outpoint(0)], &[1 << 63]),
        "bad-txns-vout-negative",
    );
    assert_bad(
        transaction(&[outpoint(0)], &[max + 1]),
        "bad-txns-vout-toolarge",
    );
    assert_bad(
        transaction(&[outpoint(0)], &[i64::MAX as u64]),
        "bad-txns-vout-toolarge",
    );
    assert_bad(
        transaction(&[outpoint(0)], &[max, 1]),
        "bad-txns-txouttotal-toolarge",
    );
    // The first wrong output decides.
    assert_bad(
        transaction(&[outpoint(0)], &[max, 1, u64::MAX]),
        "bad-txns-txouttotal-toolarge",
    );
}

#[test]
fn no_output_is_spent_twice() {
    assert_bad(
        transaction(&[outpoint(0), outpoint(1), outpoint(0)], &[1]),
        "bad-txns-inputs-duplicate",
    );
    let null = OutPoint::null();
    assert_bad(
        transaction(&[null, null], &[1]),
        "bad-txns-inputs-duplicate",
    );
}

#[test]
fn a_coinbases_script_has_2_to_100_bytes() {
    for (length, good) in [(0, false), (1, false), (2, true), (100, true), (101, false)] {
        let mut tx = coinbase(1, 1);
        tx.input[0].script_sig = ScriptBuf::from_bytes(vec![0; length]);
        let expected = (!good).then(|| "bad-cb-length".to_owned());
        assert_eq!(verdict(tx), expected, "{length} bytes");
    }
}

#[test]
fn only_a_coinbase_spends_nothing() {
    assert_bad(
        transaction(&[OutPoint::null(), outpoint(0)], &[1]),
        "bad-txns-prevout-null",
    );
    // Only the zero hash together with the largest number is nothing.
    assert_eq!(
        verdict(transaction(
            &[OutPoint::new(Txid::all_zeros(), 0), outpoint(0)],
            &[1]
        )),
        None
    );
}

#[test]
fn lock_times_are_heights_below_500_million_and_times_above() {
    let judge = |lock_time: u32, height, time| {
        let mut tx = transaction(&[outpoint(0)], &[1]);
        tx.input[0].sequence = Sequence(0xffff_fffe);
        tx.lock_time = LockTime::from_consensus(lock_time);
        is_final(&tx, height, time)
    };
    assert!(judge(0, 0, 0));
    assert!(!judge(100, 100, u32::MAX));
    assert!(judge(99, 100, 0));
    assert!(judge(499_999_999, 500_000_000, 0));
    assert!(!judge(500_000_000, u32::MAX, 500_000_000));
    assert!(judge(500_000_000, 0, 500_000_001));
    assert!(!judge(u32::MAX, u32::MAX, u32::MAX));
}

#[test]
fn final_sequences_switch_the_lock_time_off() {
    let mut tx = transaction(&[outpoint(0), outpoint(1)], &[1]);
    tx.lock_time = LockTime::from_consensus(100);
    assert!(is_final(&tx, 1, 0));
    tx.input[1].sequence = Sequence(0xffff_fffe);
    assert!(!is_final(&tx, 1, 0));
}

/// Whether a transaction with this version and sequence may spend a coin from height 50 after height 99.
fn relative(version: i32, sequence: u32) -> bool {
    let params = Params::new(Network::Regtest);
    let chain = ListChain::regular(&params, 99, 0x207f_ffff);
    let mut tx = transaction(&[outpoint(0)], &[1]);
    tx.version = Version(version);
    tx.input[0].sequence = Sequence(sequence);
    sequence_locks_pass(&tx, [50], &chain)
}

#[test]
fn relative_heights_count_from_the_coins_block() {
    assert!(relative(2, 0));
    assert!(relative(2, 50));
    assert!(!relative(2, 51));
    assert!(!relative(2, 0xffff));
}

#[test]
fn relative_times_count_from_the_median_time_before_the_coins_block() {
    // From the median at height 49 to that at 99: 50 blocks of 600 seconds, in units of 512.
    const IN_SECONDS: u32 = 1 << 22;
    assert!(relative(2, IN_SECONDS));
    assert!(relative(2, IN_SECONDS | (50 * 600 / 512)));
    assert!(!relative(2, IN_SECONDS | (50 * 600 / 512 + 1)));
}

#[test]
fn relative_locks_need_version_2_read_as_unsigned() {
    for version in [0, 1] {
        assert!(relative(version, 0xffff));
    }
    for version in [2, 3, i32::MAX, -1, i32::MIN] {
        assert!(!relative(version, 0xffff), "version {version}");
    }
}

#[test]
fn relative_locks_are_switched_off_by_their_top_bit_and_ignore_the_rest() {
    assert!(relative(2, 1 << 31 | 0xffff));
    assert!(relative(2, 0x7fbf_0000 | 50));
    assert!(!relative(2, 0x7fbf_0000 | 51));
}

#[test]
fn coins_of_the_same_block_and_of_the_first_one_have_relative_times() {
    let params = Params::new(Network::Regtest);
    let chain = ListChain::regular(&params, 99, 0x207f_ffff);
    let mut tx = transaction(&[outpoint(0)], &[1]);
    tx.input[0].sequence = Sequence(1 << 22);
    assert!(sequence_locks_pass(&tx, [100], &chain));
    assert!(sequence_locks_pass(&tx, [0], &chain));
    tx.input[0].sequence = Sequence(1 << 22 | 1);
    assert!(!sequence_locks_pass(&tx, [100], &chain));
    tx.input[0].sequence = Sequence(1);
    assert!(!sequence_locks_pass(&tx, [100], &chain));
}

#[test]
fn every_input_must_pass() {
    let params = Params::new(Network::Regtest);
    let chain = ListChain::regular(&params, 99, 0x207f_ffff);
    let mut tx = transaction(&[outpoint(0), outpoint(1)], &[1]);
    tx.input[0].sequence = Sequence(10);
    tx.input[1].sequence = Sequence(10);
    assert!(sequence_locks_pass(&tx, [90, 90], &chain));
    assert!(!sequence_locks_pass(&tx, [90, 91], &chain));
    assert!(!sequence_locks_pass(&tx, [91, 90], &chain));
}
