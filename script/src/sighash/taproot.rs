//! The signature hash of taproot key paths and tapscripts (BIP341, BIP342).
//! Promises that an input's hash costs the same whatever the size of the transaction.
//! Refuses undefined hash types and SINGLE without its output: they have no hash.

use super::{ANYONE_CAN_PAY, outpoint_bytes, put_output};
use crate::hash::{Hasher, tap_sighash};
use crate::prepared::{PreparedTransaction, SharedHashes};
use crate::spent_output::SpentOutput;

/// Hash type of signatures without one: as ALL, but hashed differently.
const DEFAULT: u8 = 0;
/// The bits that choose among outputs, as soon as the whole type is a defined one.
const OUTPUTS_MASK: u8 = 3;
/// The version of the hash's own format.
const EPOCH: u8 = 0;
/// The version of 32-byte public keys in tapscripts.
const KEY_VERSION: u8 = 0;

/// The hashes that the inputs of a transaction share in addition to [`SharedHashes`], each SHA-256 once.
#[derive(Debug)]
pub(crate) struct TaprootHashes {
    amounts: [u8; 32],
    scripts: [u8; 32],
    /// The hash begun for the default hash type, up to where inputs differ.
    begun_default: Hasher,
}

impl TaprootHashes {
    pub(crate) fn new(
        tx: &bitcoin::Transaction,
        spent: &[SpentOutput<'_>],
        shared: &SharedHashes,
    ) -> Self {
        let (mut amounts, mut scripts) = (Hasher::new(), Hasher::new());
        for output in spent {
            amounts.put(&output.amount.to_sat().to_le_bytes());
            scripts.put_sized(output.script_pubkey.as_bytes());
        }
        let mut hashes = TaprootHashes {
            amounts: amounts.finish(),
            scripts: scripts.finish(),
            begun_default: Hasher::new(),
        };
        hashes.begun_default = hashes.begin(tx, shared, DEFAULT);
        hashes
    }

    fn begin(&self, tx: &bitcoin::Transaction, shared: &SharedHashes, hash_type: u8) -> Hasher {
        let mut hasher = tap_sighash();
        hasher.put(&[EPOCH, hash_type]);
        hasher.put(&tx.version.0.to_le_bytes());
        hasher.put(&tx.lock_time.to_consensus_u32().to_le_bytes());
        if u32::from(hash_type) & ANYONE_CAN_PAY == 0 {
            hasher.put(&shared.prevouts);
            hasher.put(&self.amounts);
            hasher.put(&self.scripts);
            hasher.put(&shared.sequences);
        }
        if signs_all_outputs(hash_type) {
            hasher.put(&shared.outputs);
        }
        hasher
    }
}

fn signs_all_outputs(hash_type: u8) -> bool {
    hash_type == DEFAULT || hash_type & OUTPUTS_MASK == 1
}

/// What a tapscript adds to the hash (BIP342).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapscriptPosition {
    /// The hash of the leaf that is executed.
    pub leaf_hash: [u8; 32],
    /// Which opcode the last executed OP_CODESEPARATOR was, the first being 0; `u32::MAX` before any.
    pub code_separator: u32,
}

/// The hash that a Schnorr signature of `input` commits to.
///
/// `annex_hash` is the SHA-256 of the annex with its length before it; `tapscript` is `None` for the key
/// path. `None` for a hash type that is not defined, or SINGLE without an output of that index.
pub fn signature_hash(
    prepared: &PreparedTransaction<'_>,
    input: usize,
    hash_type: u8,
    annex_hash: Option<&[u8; 32]>,
    tapscript: Option<&TapscriptPosition>,
) -> Option<[u8; 32]> {
    hash(prepared, input, hash_type, annex_hash, tapscript, &mut None)
}

/// As [`signature_hash`]; `output_hash` keeps the hash of SINGLE's output for the input's next signature.
pub(crate) fn hash(
    prepared: &PreparedTransaction<'_>,
    input: usize,
    hash_type: u8,
    annex_hash: Option<&[u8; 32]>,
    tapscript: Option<&TapscriptPosition>,
    output_hash: &mut Option<[u8; 32]>,
) -> Option<[u8; 32]> {
    if !matches!(hash_type, 0..=3 | 0x81..=0x83) {
        return None;
    }
    let (tx, shared) = (prepared.transaction(), prepared.shared_hashes());
    let hashes = prepared.taproot_hashes();
    let mut hasher = match hash_type {
        DEFAULT => hashes.begun_default.clone(),
        _ => hashes.begin(tx, shared, hash_type),
    };
    let spend_type = u8::from(tapscript.is_some()) << 1 | u8::from(annex_hash.is_some());
    hasher.put(&[spend_type]);
    if u32::from(hash_type) & ANYONE_CAN_PAY != 0 {
        let spent = &prepared.spent_outputs()[input];
        hasher.put(&outpoint_bytes(&tx.input[input].previous_output));
        hasher.put(&spent.amount.to_sat().to_le_bytes());
        hasher.put_sized(spent.script_pubkey.as_bytes());
        hasher.put(&tx.input[input].sequence.0.to_le_bytes());
    } else {
        hasher.put(&(input as u32).to_le_bytes());
    }
    if let Some(annex_hash) = annex_hash {
        hasher.put(annex_hash);
    }
    if u32::from(hash_type & OUTPUTS_MASK) == super::SINGLE {
        let output = tx.output.get(input)?;
        let output_hash = output_hash.get_or_insert_with(|| {
            let mut hasher = Hasher::new();
            put_output(&mut hasher, output);
            hasher.finish()
        });
        hasher.put(output_hash);
    }
    if let Some(tapscript) = tapscript {
        hasher.put(&tapscript.leaf_hash);
        hasher.put(&[KEY_VERSION]);
        hasher.put(&tapscript.code_separator.to_le_bytes());
    }
    Some(hasher.finish())
}
