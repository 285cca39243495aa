//! The signature hash of witness version 0 (BIP143).
//! Promises that an input's hash costs the same whatever the size of the transaction.
//! Refuses to find the script code: P2WPKH's implied one comes from `witness`.

use bitcoin::{Amount, Transaction};

use super::{finish, is_anyone_can_pay, is_none, is_single, outpoint_bytes, put_output};
use crate::hash::{Hasher, sha256};
use crate::prepared::SharedHashes;

/// The hashes that the inputs of a transaction share, each SHA-256 twice.
#[derive(Debug)]
pub(crate) struct SegwitHashes {
    prevouts: [u8; 32],
    outputs: [u8; 32],
    /// The hash begun with version, prevouts and sequence numbers, as nearly every input needs it.
    begun: Hasher,
}

impl SegwitHashes {
    pub(crate) fn new(tx: &Transaction, shared: &SharedHashes) -> Self {
        let prevouts = sha256(&shared.prevouts);
        let mut begun = Hasher::new();
        begun.put(&tx.version.0.to_le_bytes());
        begun.put(&prevouts);
        begun.put(&sha256(&shared.sequences));
        SegwitHashes {
            prevouts,
            outputs: sha256(&shared.outputs),
            begun,
        }
    }
}

/// The hash that a signature of `input` commits to, in the order in which SHA-256 gives its bytes.
///
/// `script_code` is the executed script from its last OP_CODESEPARATOR on, `amount` what the input
/// spends; all 32 bits of `hash_type` are hashed. `input` must be one of `tx`.
pub fn signature_hash(
    tx: &Transaction,
    input: usize,
    script_code: &[u8],
    amount: Amount,
    hash_type: u32,
) -> [u8; 32] {
    let hashes = SegwitHashes::new(tx, &SharedHashes::new(tx));
    finish(
        midstate(tx, &hashes, input, script_code, amount, hash_type),
        hash_type,
    )
}

/// The hash up to where the hash type is written.
pub(crate) fn midstate(
    tx: &Transaction,
    hashes: &SegwitHashes,
    input: usize,
    script_code: &[u8],
    amount: Amount,
    hash_type: u32,
) -> Hasher {
    const NOT_SIGNED: [u8; 32] = [0; 32];
    let anyone_can_pay = is_anyone_can_pay(hash_type);
    let all_outputs = !is_none(hash_type) && !is_single(hash_type);

    let mut hasher;
    if !anyone_can_pay && all_outputs {
        hasher = hashes.begun.clone();
    } else {
        hasher = Hasher::new();
        hasher.put(&tx.version.0.to_le_bytes());
        hasher.put(if anyone_can_pay {
            &NOT_SIGNED
        } else {
            &hashes.prevouts
        });
        hasher.put(&NOT_SIGNED);
    }
    let signed = &tx.input[input];
    hasher.put(&outpoint_bytes(&signed.previous_output));
    hasher.put_sized(script_code);

    let mut tail = [0; 8 + 4 + 32 + 4];
    tail[..8].copy_from_slice(&amount.to_sat().to_le_bytes());
    tail[8..12].copy_from_slice(&signed.sequence.0.to_le_bytes());
    if all_outputs {
        tail[12..44].copy_from_slice(&hashes.outputs);
    } else if is_single(hash_type) && input < tx.output.len() {
        let mut output = Hasher::new();
        put_output(&mut output, &tx.output[input]);
        tail[12..44].copy_from_slice(&output.finish_double());
    }
    tail[44..].copy_from_slice(&tx.lock_time.to_consensus_u32().to_le_bytes());
    hasher.put(&tail);
    hasher
}
