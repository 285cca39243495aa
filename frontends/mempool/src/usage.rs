//! Owns the estimate of memory: what a pending transaction takes, counted as Bitcoin Core counts its own.
//! Promises that limits in bytes mean about the same in both.

use everett_ledger::decode::DecodedTransaction;

/// Bytes of Bitcoin Core's entry, its places in the indices, its cluster and its chunk.
const ENTRY: u64 = 508;
/// Bytes of Bitcoin Core's note that an outpoint is spent.
const SPEND: u64 = 64;
/// Bytes of a fee delta.
pub(crate) const DELTA: u64 = 96;

const TRANSACTION: u64 = 128;
const INPUT: u64 = 112;
const OUTPUT: u64 = 48;
const ELEMENT: u64 = 24;
/// Scripts up to this length lie in the input or output itself.
const SHORT_SCRIPT: usize = 36;

/// What a memory allocation of so many bytes takes.
fn allocated(bytes: u64) -> u64 {
    match bytes {
        0 => 0,
        _ => (bytes + 31) >> 4 << 4,
    }
}

fn script(length: usize) -> u64 {
    match length > SHORT_SCRIPT {
        true => allocated(length as u64),
        false => 0,
    }
}

/// Bytes that a transaction takes while it is pending.
pub(crate) fn of(tx: &DecodedTransaction) -> u64 {
    ENTRY + SPEND * tx.tx.input.len() as u64 + of_alone(tx)
}

/// Bytes that a transaction takes by itself.
pub(crate) fn of_alone(tx: &DecodedTransaction) -> u64 {
    let tx = &tx.tx;
    let mut bytes = allocated(TRANSACTION) + allocated(16);
    bytes += allocated(tx.input.len() as u64 * INPUT) + allocated(tx.output.len() as u64 * OUTPUT);
    for input in &tx.input {
        bytes += script(input.script_sig.len());
        bytes += allocated(input.witness.len() as u64 * ELEMENT);
        let elements = input.witness.iter();
        bytes += elements
            .map(|element| allocated(element.len() as u64))
            .sum::<u64>();
    }
    for output in &tx.output {
        bytes += script(output.script_pubkey.len());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use bitcoin::{Amount, ScriptBuf, Transaction, TxOut, absolute, transaction};

    use super::*;

    #[test]
    fn long_scripts_are_counted_and_short_ones_lie_in_their_output() {
        let of = |lengths: &[usize]| {
            let output = |length: &usize| TxOut {
                value: Amount::ZERO,
                script_pubkey: ScriptBuf::from_bytes(vec![0; *length]),
            };
            of_alone(&DecodedTransaction::new(Transaction {
                version: transaction::Version::TWO,
                lock_time: absolute::LockTime::ZERO,
                input: Vec::new(),
                output: lengths.iter().map(output).collect(),
            }))
        };
        assert_eq!(of(&[22]), of(&[36]));
        assert_eq!(of(&[37]) - of(&[36]), 64);
        assert!(of(&[10_000]) > of(&[37]) + 9_900);
        assert!(of(&[22; 100]) > of(&[22]) + 99 * OUTPUT - 32);
    }
}
