//! Owns the way from bytes to blocks and transactions.
//! Promises to accept exactly what Bitcoin Core's deserialiser accepts, hashing straight from the bytes,
//! with memory bounded by the input's length. Refuses nothing on grounds of consensus: that is for the rules.

use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, Witness, Wtxid, absolute,
};
use smallvec::SmallVec;
use thiserror::Error;

use crate::sha256d::{block_hash, sha256d};
use reader::Reader;

mod reader;
#[cfg(test)]
mod tests;

/// The largest number that a CompactSize may hold where it counts something (32 MiB).
pub const MAX_SIZE: u64 = 0x0200_0000;

/// Bytes of a block header.
pub const HEADER_SIZE: usize = 80;

/// The fewest bytes that an input, an output or a transaction can take: what bounds allocations.
const MIN_INPUT_SIZE: usize = 41;
const MIN_OUTPUT_SIZE: usize = 9;
const MIN_TRANSACTION_SIZE: usize = 10;

/// Bytes that are no block or transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{what} at byte {offset}")]
pub struct DecodeError {
    /// Where it was noticed, counted from the first byte given.
    pub offset: usize,
    /// What was wrong.
    pub what: DecodeFault,
}

/// What can be wrong with the bytes of a block or transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecodeFault {
    /// The bytes end in the middle of something.
    #[error("the data ends too early")]
    EndOfData,
    /// A CompactSize is not written in its shortest form.
    #[error("a size is not in its shortest form")]
    NonCanonicalSize,
    /// A CompactSize is larger than [`MAX_SIZE`].
    #[error("a size is larger than 33554432")]
    SizeTooLarge,
    /// The witness flag is set, but no input has a witness.
    #[error("superfluous witness record")]
    SuperfluousWitness,
    /// A flag other than the witness flag is set.
    #[error("unknown transaction optional data")]
    UnknownOptionalData,
}

/// A transaction with what is worth computing once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecodedTransaction {
    /// The transaction. Its amounts are as in the bytes: a negative one appears as a huge one.
    pub tx: Transaction,
    /// Double SHA-256 of the encoding without witness.
    pub txid: Txid,
    /// Double SHA-256 of the whole encoding.
    pub wtxid: Wtxid,
    /// Bytes of the whole encoding.
    pub size: usize,
    /// Bytes of the encoding without witness.
    pub stripped_size: usize,
    /// Signature operations counted the old way in all its scripts, not scaled.
    pub legacy_sigops: u32,
}

impl DecodedTransaction {
    /// Computes what the decoder would have computed.
    pub fn new(tx: Transaction) -> DecodedTransaction {
        let mut stripped = Vec::new();
        let mut put = |part: &dyn Fn(&mut Vec<u8>) -> Result<usize, bitcoin::io::Error>| {
            part(&mut stripped).expect("writing to a Vec cannot fail");
        };
        use bitcoin::consensus::Encodable;
        put(&|to| tx.version.consensus_encode(to));
        put(&|to| tx.input.consensus_encode(to));
        put(&|to| tx.output.consensus_encode(to));
        put(&|to| tx.lock_time.consensus_encode(to));
        let txid = sha256d(&[&stripped]);
        // The `bitcoin` crate writes a transaction without inputs in the witness form; Core does not.
        let has_witness = tx.input.iter().any(|input| !input.witness.is_empty());
        let (size, wtxid) = match has_witness {
            true => {
                let whole = bitcoin::consensus::serialize(&tx);
                (whole.len(), sha256d(&[&whole]))
            }
            false => (stripped.len(), txid),
        };
        DecodedTransaction {
            txid: Txid::from_byte_array(txid),
            wtxid: Wtxid::from_byte_array(wtxid),
            size,
            stripped_size: stripped.len(),
            legacy_sigops: legacy_sigops(&tx),
            tx,
        }
    }

    /// Whether its only input is the null outpoint.
    pub fn is_coinbase(&self) -> bool {
        matches!(&self.tx.input[..], [input] if input.previous_output == OutPoint::null())
    }

    /// Whether any input has a witness.
    pub fn has_witness(&self) -> bool {
        self.size != self.stripped_size
    }
}

/// A block with what is worth computing once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecodedBlock {
    /// The header.
    pub header: Header,
    /// Double SHA-256 of the header.
    pub hash: BlockHash,
    /// The transactions; not even a coinbase is sure to be there.
    pub transactions: Vec<DecodedTransaction>,
    /// Bytes of the whole encoding.
    pub size: usize,
    /// Bytes of the encoding without witnesses.
    pub stripped_size: usize,
}

impl DecodedBlock {
    /// Puts a block together, computing what the decoder would have computed.
    pub fn new(header: Header, transactions: Vec<DecodedTransaction>) -> DecodedBlock {
        let overhead = HEADER_SIZE + bitcoin::VarInt::from(transactions.len()).size();
        let size = overhead + transactions.iter().map(|tx| tx.size).sum::<usize>();
        let stripped_size = overhead
            + transactions
                .iter()
                .map(|tx| tx.stripped_size)
                .sum::<usize>();
        DecodedBlock {
            hash: block_hash(&header),
            header,
            transactions,
            size,
            stripped_size,
        }
    }

    /// Weight units (BIP141): three times the stripped size plus the whole size.
    pub fn weight(&self) -> usize {
        self.stripped_size * 3 + self.size
    }
}

impl From<bitcoin::Block> for DecodedBlock {
    fn from(block: bitcoin::Block) -> DecodedBlock {
        let transactions = block
            .txdata
            .into_iter()
            .map(DecodedTransaction::new)
            .collect();
        DecodedBlock::new(block.header, transactions)
    }
}

/// Decodes the header at the start of `bytes`.
pub fn decode_header(bytes: &[u8]) -> Result<(Header, BlockHash), DecodeError> {
    let mut reader = Reader::new(bytes);
    let header = read_header(&mut reader)?;
    let hash = sha256d(&[reader.since(0)]);
    Ok((header, BlockHash::from_byte_array(hash)))
}

/// Decodes the block at the start of `bytes`, and says how many bytes it took.
///
/// Bytes behind it are not looked at: whether they may be there is for the caller to say.
pub fn decode_block(bytes: &[u8]) -> Result<(DecodedBlock, usize), DecodeError> {
    let (header, hash) = decode_header(bytes)?;
    let mut reader = Reader::new(bytes);
    reader.take(HEADER_SIZE)?;
    let count = reader.size()?;
    let mut stripped_size = reader.offset();
    let mut transactions = Vec::with_capacity(count.min(reader.left() / MIN_TRANSACTION_SIZE));
    for _ in 0..count {
        let transaction = read_transaction(&mut reader)?;
        stripped_size += transaction.stripped_size;
        transactions.push(transaction);
    }
    let size = reader.offset();
    Ok((
        DecodedBlock {
            header,
            hash,
            transactions,
            size,
            stripped_size,
        },
        size,
    ))
}

/// Decodes the transaction at the start of `bytes`, and says how many bytes it took.
pub fn decode_transaction(bytes: &[u8]) -> Result<(DecodedTransaction, usize), DecodeError> {
    let mut reader = Reader::new(bytes);
    let transaction = read_transaction(&mut reader)?;
    Ok((transaction, reader.offset()))
}

fn read_header(reader: &mut Reader<'_>) -> Result<Header, DecodeError> {
    Ok(Header {
        version: BlockVersion::from_consensus(reader.u32()? as i32),
        prev_blockhash: BlockHash::from_byte_array(reader.array()?),
        merkle_root: TxMerkleNode::from_byte_array(reader.array()?),
        time: reader.u32()?,
        bits: CompactTarget::from_consensus(reader.u32()?),
        nonce: reader.u32()?,
    })
}

/// Reads `version [00 flags] inputs outputs [witnesses] locktime`.
///
/// An empty list of inputs is read as the start of the witness form; where the byte after it is zero
/// too, it was no flag but an empty list of outputs, and the transaction has neither.
fn read_transaction(reader: &mut Reader<'_>) -> Result<DecodedTransaction, DecodeError> {
    const WITNESS_FLAG: u8 = 1;
    let start = reader.offset();
    let version = Version(reader.u32()? as i32);
    let mut body_start = reader.offset();
    let mut input = read_inputs(reader)?;
    let mut output = Vec::new();
    let mut flags = 0;
    if input.is_empty() {
        flags = reader.u8()?;
        if flags != 0 {
            body_start = reader.offset();
            input = read_inputs(reader)?;
            output = read_outputs(reader)?;
        }
    } else {
        output = read_outputs(reader)?;
    }
    let body_end = reader.offset();
    if flags & WITNESS_FLAG != 0 {
        flags ^= WITNESS_FLAG;
        let mut any = false;
        for input in &mut input {
            input.witness = read_witness(reader)?;
            any |= !input.witness.is_empty();
        }
        if !any {
            return Err(reader.fault(DecodeFault::SuperfluousWitness));
        }
    }
    if flags != 0 {
        return Err(reader.fault(DecodeFault::UnknownOptionalData));
    }
    let lock_time_start = reader.offset();
    let lock_time = absolute::LockTime::from_consensus(reader.u32()?);

    let whole = reader.since(start);
    let has_witness = lock_time_start != body_end;
    let wtxid = sha256d(&[whole]);
    let (txid, stripped_size) = match has_witness {
        false => (wtxid, whole.len()),
        true => {
            let parts = [
                &whole[..4],
                &whole[body_start - start..body_end - start],
                &whole[lock_time_start - start..],
            ];
            (sha256d(&parts), parts.iter().map(|part| part.len()).sum())
        }
    };
    let tx = Transaction {
        version,
        lock_time,
        input,
        output,
    };
    Ok(DecodedTransaction {
        txid: Txid::from_byte_array(txid),
        wtxid: Wtxid::from_byte_array(wtxid),
        size: whole.len(),
        stripped_size,
        legacy_sigops: legacy_sigops(&tx),
        tx,
    })
}

fn read_inputs(reader: &mut Reader<'_>) -> Result<Vec<TxIn>, DecodeError> {
    let count = reader.size()?;
    let mut inputs = Vec::with_capacity(count.min(reader.left() / MIN_INPUT_SIZE));
    for _ in 0..count {
        let txid = Txid::from_byte_array(reader.array()?);
        let vout = reader.u32()?;
        inputs.push(TxIn {
            previous_output: OutPoint { txid, vout },
            script_sig: ScriptBuf::from_bytes(reader.sized()?.to_vec()),
            sequence: Sequence(reader.u32()?),
            witness: Witness::new(),
        });
    }
    Ok(inputs)
}

fn read_outputs(reader: &mut Reader<'_>) -> Result<Vec<TxOut>, DecodeError> {
    let count = reader.size()?;
    let mut outputs = Vec::with_capacity(count.min(reader.left() / MIN_OUTPUT_SIZE));
    for _ in 0..count {
        let value = Amount::from_sat(reader.u64()?);
        let script_pubkey = ScriptBuf::from_bytes(reader.sized()?.to_vec());
        outputs.push(TxOut {
            value,
            script_pubkey,
        });
    }
    Ok(outputs)
}

fn read_witness(reader: &mut Reader<'_>) -> Result<Witness, DecodeError> {
    let count = reader.size()?;
    if count == 0 {
        return Ok(Witness::new());
    }
    // Each element takes at least the byte of its length.
    let mut elements = SmallVec::<[&[u8]; 8]>::with_capacity(count.min(reader.left()));
    for _ in 0..count {
        elements.push(reader.sized()?);
    }
    Ok(Witness::from_slice(&elements))
}

fn legacy_sigops(tx: &Transaction) -> u32 {
    let inputs = tx.input.iter().map(|input| input.script_sig.as_script());
    let outputs = tx
        .output
        .iter()
        .map(|output| output.script_pubkey.as_script());
    inputs
        .chain(outputs)
        .map(|script| everett_script::legacy_sigops(script, false) as u32)
        .sum()
}

/// Decodes a signet solution: a script and a witness that take up all of `bytes` (BIP325).
pub(crate) fn decode_solution(bytes: &[u8]) -> Option<(ScriptBuf, Witness)> {
    let mut reader = Reader::new(bytes);
    let script_sig = ScriptBuf::from_bytes(reader.sized().ok()?.to_vec());
    let witness = read_witness(&mut reader).ok()?;
    (reader.left() == 0).then_some((script_sig, witness))
}
