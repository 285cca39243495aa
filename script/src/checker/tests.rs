use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Script, Sequence, Transaction, TxIn};

use super::*;
use crate::spent_output::SpentOutput;

fn with_input<T>(
    version: i32,
    lock_time: u32,
    sequence: u32,
    ask: impl FnOnce(&mut InputChecker<'_>) -> T,
) -> T {
    let tx = Transaction {
        version: Version(version),
        lock_time: LockTime::from_consensus(lock_time),
        input: vec![TxIn {
            sequence: Sequence(sequence),
            ..TxIn::default()
        }],
        output: vec![],
    };
    let spent = [SpentOutput {
        amount: Amount::ZERO,
        script_pubkey: Script::new(),
    }];
    let prepared = PreparedTransaction::new(&tx, &spent).unwrap();
    ask(&mut InputChecker::new(&prepared, 0))
}

fn lock_time_reached(own: u32, sequence: u32, wanted: i64) -> bool {
    with_input(2, own, sequence, |checker| checker.check_lock_time(wanted))
}

fn sequence_reached(version: i32, own: u32, wanted: i64) -> bool {
    with_input(version, 0, own, |checker| checker.check_sequence(wanted))
}

#[test]
fn a_lock_time_is_reached_from_its_own_kind_only() {
    assert!(lock_time_reached(100, 0, 100));
    assert!(lock_time_reached(100, 0, 0));
    assert!(!lock_time_reached(100, 0, 101));
    assert!(!lock_time_reached(600_000_000, 0, 100));
    assert!(!lock_time_reached(100, 0, 600_000_000));
    assert!(lock_time_reached(600_000_000, 0, 500_000_000));
    assert!(lock_time_reached(u32::MAX, 0, 0xffff_ffff));
    assert!(!lock_time_reached(u32::MAX, 0, 0x1_0000_0000));
}

#[test]
fn a_final_input_reaches_no_lock_time() {
    assert!(!lock_time_reached(100, u32::MAX, 100));
}

#[test]
fn a_relative_lock_needs_version_two_read_as_unsigned() {
    assert!(sequence_reached(2, 10, 10));
    assert!(!sequence_reached(1, 10, 10));
    assert!(!sequence_reached(0, 10, 10));
    assert!(sequence_reached(-1, 10, 10));
}

#[test]
fn a_relative_lock_is_reached_from_its_own_kind_only() {
    let seconds = 1 << 22;
    assert!(!sequence_reached(2, 10, 11));
    assert!(!sequence_reached(2, 10 | seconds, 10));
    assert!(!sequence_reached(2, 10, 10 | i64::from(seconds)));
    assert!(sequence_reached(2, 10 | seconds, 10 | i64::from(seconds)));
    assert!(!sequence_reached(2, 1 << 31 | 10, 10));
    // Bits without a meaning are ignored on both sides.
    assert!(sequence_reached(2, 10, 10 | 1 << 20 | 1 << 33));
    assert!(sequence_reached(2, 10 | 1 << 20, 10));
}
