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
    let tx = &tx.tx;
    let mut bytes = ENTRY + allocated(TRANSACTION) + allocated(16);
    bytes += allocated(tx.input.len() as u64 * INPUT) + allocated(tx.output.len() as u64 * OUTPUT);
    for input in &tx.input {
        bytes += SPEND + script(input.script_sig.len());
        bytes += allocated(input.witness.len() as u64 * ELEMENT);
        bytes += input
            .witness
            .iter()
            .map(|element| allocated(element.len() as u64))
            .sum::<u64>();
    }
    for output in &tx.output {
        bytes += script(output.script_pubkey.len());
    }
    bytes
}
