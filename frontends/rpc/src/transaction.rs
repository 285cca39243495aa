//! Owns the bytes of transactions, as Core reads and writes those that are not whole yet.
//! Promises that one without inputs is written without witnesses, and that what is ambiguous is read as Core reads it.

use bitcoin::absolute::LockTime;
use bitcoin::consensus::Encodable;
use bitcoin::consensus::encode::{Decodable, deserialize, serialize};
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::transaction::Version;
use bitcoin::{Script, Transaction, TxIn, TxOut};

/// Longest script and longest push that can be executed.
const MAX_SCRIPT_BYTES: usize = 10_000;
const MAX_PUSH_BYTES: usize = 520;
/// The last opcode that has a name.
const MAX_OPCODE: u8 = 0xb9;

/// Whether any input has a witness.
fn has_witness(transaction: &Transaction) -> bool {
    transaction
        .input
        .iter()
        .any(|input| !input.witness.is_empty())
}

/// Without witnesses.
pub(crate) fn encode_stripped(transaction: &Transaction) -> Vec<u8> {
    let mut bytes = Vec::new();
    let parts: [&dyn Part; 4] = [
        &transaction.version,
        &transaction.input,
        &transaction.output,
        &transaction.lock_time,
    ];
    for part in parts {
        part.write(&mut bytes);
    }
    bytes
}

/// What can be written to memory.
trait Part {
    fn write(&self, bytes: &mut Vec<u8>);
}

impl<T: Encodable> Part for T {
    fn write(&self, bytes: &mut Vec<u8>) {
        // Memory takes all that is written to it.
        let _ = self.consensus_encode(bytes);
    }
}

/// All of it.
pub(crate) fn encode(transaction: &Transaction) -> Vec<u8> {
    match has_witness(transaction) {
        true => serialize(transaction),
        false => encode_stripped(transaction),
    }
}

/// All of it in hexadecimal.
pub(crate) fn encode_hex(transaction: &Transaction) -> String {
    encode(transaction).to_lower_hex_string()
}

/// The sizes of a transaction: all of it, and its weight.
pub(crate) fn sizes(transaction: &Transaction) -> (usize, usize) {
    let size = encode(transaction).len();
    let stripped = match has_witness(transaction) {
        true => encode_stripped(transaction).len(),
        false => size,
    };
    (size, stripped * 3 + size)
}

fn decode_stripped(mut bytes: &[u8]) -> Option<Transaction> {
    let reader = &mut bytes;
    let transaction = Transaction {
        version: Version::consensus_decode(reader).ok()?,
        input: Vec::<TxIn>::consensus_decode(reader).ok()?,
        output: Vec::<TxOut>::consensus_decode(reader).ok()?,
        lock_time: LockTime::consensus_decode(reader).ok()?,
    };
    reader.is_empty().then_some(transaction)
}

/// Whether a script has only pushes and opcodes that there are, and sizes that can be executed.
pub(crate) fn is_sane_script(script: &Script) -> bool {
    script.len() <= MAX_SCRIPT_BYTES
        && script.instructions().all(|instruction| match instruction {
            Ok(bitcoin::script::Instruction::PushBytes(bytes)) => bytes.len() <= MAX_PUSH_BYTES,
            Ok(bitcoin::script::Instruction::Op(opcode)) => opcode.to_u8() <= MAX_OPCODE,
            Err(_) => false,
        })
}

/// Whether the scripts look as if they had been meant.
fn is_sane(transaction: &Transaction) -> bool {
    let inputs = transaction.is_coinbase()
        || transaction
            .input
            .iter()
            .all(|input| is_sane_script(&input.script_sig));
    inputs
        && transaction
            .output
            .iter()
            .all(|output| is_sane_script(&output.script_pubkey))
}

/// Reads a transaction, which may be partial: with witnesses, without, or whichever looks better.
pub(crate) fn decode(bytes: &[u8], without: bool, with: bool) -> Option<Transaction> {
    let extended: Option<Transaction> = match with {
        // With witnesses, one without inputs has none; without, Core takes its outputs' count for the flag.
        true => deserialize(bytes)
            .ok()
            .filter(|tx: &Transaction| !tx.input.is_empty())
            .or_else(|| {
                decode_stripped(bytes).filter(|tx| !tx.input.is_empty() || tx.output.is_empty())
            }),
        false => None,
    };
    if let Some(transaction) = extended.as_ref().filter(|transaction| is_sane(transaction)) {
        return Some(transaction.clone());
    }
    let legacy = if without {
        decode_stripped(bytes)
    } else {
        None
    };
    match legacy {
        Some(legacy) if is_sane(&legacy) || extended.is_none() => Some(legacy),
        _ => extended,
    }
}

/// Reads one in hexadecimal.
pub(crate) fn decode_hex(text: &str, without: bool, with: bool) -> Option<Transaction> {
    let bytes = Vec::<u8>::from_hex(text).ok()?;
    decode(&bytes, without, with)
}
