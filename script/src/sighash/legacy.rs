//! The signature hash of everything before segwit.
//! Promises every oddity: the SINGLE bug, undefined hash types, OP_CODESEPARATOR left out, broken script codes.
//! Refuses FindAndDelete: the script code comes with the signature already deleted.

use bitcoin::Transaction;

use super::{finish, is_anyone_can_pay, is_none, is_single, outpoint_bytes, put_output};
use crate::hash::Hasher;
use crate::instruction::Instructions;
use crate::opcode::OP_CODESEPARATOR;

/// What is signed where SINGLE names an output that is not there: the number one, little-endian. Such a
/// signature can be moved to any other transaction that has the same flaw.
pub const SINGLE_BUG: [u8; 32] = {
    let mut one = [0; 32];
    one[0] = 1;
    one
};

/// Transactions with fewer inputs than this are hashed from front to back: a template would not pay.
const TEMPLATE_MIN_INPUTS: usize = 3;

/// Length of an input whose script is left out: outpoint, the length 0, sequence number.
const BLANK_INPUT_LENGTH: usize = 36 + 1 + 4;

/// The parts of the hash that the inputs of a transaction share, for hash types that sign all of it.
///
/// Hashing remains quadratic in the number of inputs, as the rule is, but from one flat buffer, and
/// only from the signed input on: what is before it is kept as midstates.
#[derive(Debug)]
pub(crate) struct Template {
    /// The hash begun with all that stands before input n.
    before: Vec<Hasher>,
    /// All inputs without their scripts.
    blank_inputs: Vec<u8>,
    /// Outputs and lock time.
    tail: Vec<u8>,
}

impl Template {
    pub(crate) fn new(tx: &Transaction) -> Self {
        let mut blank_inputs = Vec::with_capacity(tx.input.len() * BLANK_INPUT_LENGTH);
        for input in &tx.input {
            blank_inputs.extend_from_slice(&outpoint_bytes(&input.previous_output));
            blank_inputs.push(0);
            blank_inputs.extend_from_slice(&input.sequence.0.to_le_bytes());
        }
        let mut hasher = begin(tx, tx.input.len());
        let mut before = Vec::with_capacity(tx.input.len());
        for blank_input in blank_inputs.chunks_exact(BLANK_INPUT_LENGTH) {
            before.push(hasher.clone());
            hasher.put(blank_input);
        }
        let mut tail = bitcoin::consensus::serialize(&tx.output);
        tail.extend_from_slice(&tx.lock_time.to_consensus_u32().to_le_bytes());
        Template {
            before,
            blank_inputs,
            tail,
        }
    }

    fn midstate(&self, tx: &Transaction, input: usize, script_code: &[u8]) -> Hasher {
        let mut hasher = self.before[input].clone();
        put_signed_input(&mut hasher, tx, input, script_code);
        hasher.put(&self.blank_inputs[(input + 1) * BLANK_INPUT_LENGTH..]);
        hasher.put(&self.tail);
        hasher
    }
}

/// The hash that a signature of `input` commits to, in the order in which SHA-256 gives its bytes.
///
/// `script_code` is the executed script from its last OP_CODESEPARATOR on, the signature deleted from it;
/// `hash_type` is the signature's last byte, but all 32 bits of it are hashed. `input` must be one of `tx`.
pub fn signature_hash(
    tx: &Transaction,
    input: usize,
    script_code: &[u8],
    hash_type: u32,
) -> [u8; 32] {
    if signs_missing_output(tx, input, hash_type) {
        return SINGLE_BUG;
    }
    finish(
        direct_midstate(tx, input, script_code, hash_type),
        hash_type,
    )
}

/// True where the hash is [`SINGLE_BUG`].
#[inline]
pub(crate) fn signs_missing_output(tx: &Transaction, input: usize, hash_type: u32) -> bool {
    is_single(hash_type) && input >= tx.output.len()
}

/// The hash up to where the hash type is written. `template` is asked only where it pays.
pub(crate) fn midstate<'t>(
    tx: &Transaction,
    input: usize,
    script_code: &[u8],
    hash_type: u32,
    template: impl FnOnce() -> &'t Template,
) -> Hasher {
    let signs_everything =
        !is_anyone_can_pay(hash_type) && !is_none(hash_type) && !is_single(hash_type);
    if signs_everything && tx.input.len() >= TEMPLATE_MIN_INPUTS {
        template().midstate(tx, input, script_code)
    } else {
        direct_midstate(tx, input, script_code, hash_type)
    }
}

fn direct_midstate(tx: &Transaction, input: usize, script_code: &[u8], hash_type: u32) -> Hasher {
    let mut hasher;
    if is_anyone_can_pay(hash_type) {
        hasher = begin(tx, 1);
        put_signed_input(&mut hasher, tx, input, script_code);
    } else {
        hasher = begin(tx, tx.input.len());
        let others_may_update = is_none(hash_type) || is_single(hash_type);
        for (index, other) in tx.input.iter().enumerate() {
            if index == input {
                put_signed_input(&mut hasher, tx, input, script_code);
                continue;
            }
            let sequence = if others_may_update {
                0
            } else {
                other.sequence.0
            };
            let mut blank = [0; BLANK_INPUT_LENGTH];
            blank[..36].copy_from_slice(&outpoint_bytes(&other.previous_output));
            blank[37..].copy_from_slice(&sequence.to_le_bytes());
            hasher.put(&blank);
        }
    }
    if is_none(hash_type) {
        hasher.put_compact_size(0);
    } else if is_single(hash_type) {
        hasher.put_compact_size(input + 1);
        for _ in 0..input {
            // An output that never was: amount -1, no script.
            hasher.put(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
        }
        put_output(&mut hasher, &tx.output[input]);
    } else {
        hasher.put_compact_size(tx.output.len());
        for output in &tx.output {
            put_output(&mut hasher, output);
        }
    }
    hasher.put(&tx.lock_time.to_consensus_u32().to_le_bytes());
    hasher
}

fn begin(tx: &Transaction, inputs: usize) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.put(&tx.version.0.to_le_bytes());
    hasher.put_compact_size(inputs);
    hasher
}

#[inline]
fn put_signed_input(hasher: &mut Hasher, tx: &Transaction, input: usize, script_code: &[u8]) {
    let input = &tx.input[input];
    hasher.put(&outpoint_bytes(&input.previous_output));
    put_script_code(hasher, script_code);
    hasher.put(&input.sequence.0.to_le_bytes());
}

/// Writes the script code without its OP_CODESEPARATORs.
fn put_script_code(hasher: &mut Hasher, script_code: &[u8]) {
    let separator = OP_CODESEPARATOR.0;
    if !script_code.contains(&separator) && reads_to_its_end(script_code) {
        hasher.put_sized(script_code);
        return;
    }
    let opcodes = || Instructions::new(script_code).map_while(Result::ok);
    let separators = opcodes()
        .filter(|one| one.opcode == OP_CODESEPARATOR)
        .count();
    hasher.put_compact_size(script_code.len() - separators);

    let mut instructions = Instructions::new(script_code);
    let mut unwritten = script_code;
    let broken = loop {
        let at = instructions.rest();
        match instructions.next() {
            None => break None,
            Some(Err(_)) => break Some(at),
            Some(Ok(one)) if one.opcode == OP_CODESEPARATOR => {
                hasher.put(&unwritten[..unwritten.len() - at.len()]);
                unwritten = instructions.rest();
            }
            Some(Ok(_)) => {}
        }
    };
    match broken {
        None => hasher.put(unwritten),
        // Core stops reading inside the push that cannot be read, and hashes up to there: fewer bytes
        // than the length just written says.
        Some(at) if !unwritten.is_empty() => {
            let hashed = unwritten.len() - at.len() + broken_push_header(at);
            hasher.put(&unwritten[..hashed]);
        }
        Some(_) => {}
    }
}

/// Cheap for the usual script, whose last instruction is no push.
fn reads_to_its_end(script_code: &[u8]) -> bool {
    Instructions::new(script_code).all(|read| read.is_ok())
}

/// How many bytes of a push past the end are read before its data is missed: opcode and length, or only
/// the opcode where the length itself is cut off.
fn broken_push_header(push: &[u8]) -> usize {
    let length_bytes = match push.first() {
        Some(0x4c) => 1,
        Some(0x4d) => 2,
        Some(0x4e) => 4,
        _ => 0,
    };
    if push.len() > length_bytes {
        1 + length_bytes
    } else {
        1
    }
}
