//! Owns compact blocks (BIP152): making them from a block's bytes, and blocks from them.
//! Promises that what comes out is, byte for byte, a block whose transactions are those that its header commits to.
//! Refuses to blame a peer for what chance or a third party can cause: such a block is fetched whole.
//!
//! ```text
//! cmpctblock -> CompactBlock::decode -> PartialBlock::begin(recent transactions)
//!                                         | missing() is empty             | request(): getblocktxn
//!                                         |                                v
//!                                         |          blocktxn -> BlockTransactions::decode
//!                                         v                                v
//!                                        fill(none)                      fill(transactions) -> block's bytes
//! ```

use bitcoin::bip152::{BlockTransactionsRequest, ShortId};
use bitcoin::block::Header;
use bitcoin::consensus::encode::{VarInt, deserialize_partial};
use bitcoin::consensus::serialize;
use bitcoin::hashes::{Hash, siphash24};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_compact_blocks::GetBlockTxn;
use bitcoin::{BlockHash, Wtxid};
use bytes::Bytes;
use everett_ledger::decode::{
    DecodeError, DecodedBlock, DecodedTransaction, HEADER_SIZE, decode_block, decode_header,
    decode_transaction,
};
use everett_ledger::rules::merkle::merkle_root;
use everett_ledger::rules::witnesses::{witness_commitment_index, witness_commitment_script};
use everett_net::{Command, Message};

use crate::recent_transactions::RecentTransaction;

mod in_flight;
mod matching;
#[cfg(test)]
mod tests;

pub use in_flight::{
    MAX_RECONSTRUCTIONS_PER_BLOCK, MAX_RECONSTRUCTIONS_PER_PEER, Reconstructions, Refused, Turn,
};
use matching::Places;

/// The version of compact blocks that is spoken: ids are those with witnesses. Bitcoin Core ignores `sendcmpct` of any
/// other too.
pub const COMPACT_VERSION: u64 = 2;

/// Most transactions of a compact block: their places are numbers of 16 bits.
pub const MAX_COMPACT_TRANSACTIONS: usize = u16::MAX as usize;

/// Bytes of a short id.
const SHORT_ID_SIZE: usize = 6;

/// Fewest bytes that a transaction takes: what bounds allocations.
const MIN_TRANSACTION_SIZE: usize = 10;

/// Why a compact block, or what was to complete it, cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CompactError {
    /// The bytes are no such message. Bitcoin Core leaves it alone and goes on with the peer.
    #[error("it does not decode: {0}")]
    Undecodable(&'static str),
    /// No block can look so: the peer misbehaves.
    #[error("no block can be like that: {0}")]
    Invalid(&'static str),
    /// It may be chance: two transactions have one short id. The whole block is to be fetched, and nobody is to blame.
    #[error("the block has to be fetched whole: {0}")]
    Unusable(&'static str),
}

impl CompactError {
    /// Whether the peer is to blame.
    pub fn is_misbehaviour(&self) -> bool {
        matches!(self, CompactError::Invalid(_))
    }
}

/// Makes the `cmpctblock` message of a block: ids with witnesses, the coinbase beside them.
///
/// `nonce` decides the short ids: it must not be known before the block is, or somebody may make transactions whose short
/// ids collide.
///
/// # Errors
///
/// The bytes are no block. (One with more than 65,535 transactions is none either.)
pub fn compact_block(block: &[u8], nonce: u64) -> Result<Message, CompactError> {
    let no_block = |_: DecodeError| CompactError::Undecodable("no block");
    let (decoded, length) = decode_block(block).map_err(no_block)?;
    let [coinbase, others @ ..] = &decoded.transactions[..] else {
        return Err(CompactError::Undecodable("a block without transactions"));
    };
    if others.len() >= MAX_COMPACT_TRANSACTIONS {
        return Err(CompactError::Undecodable("too many transactions"));
    }
    let keys = ShortId::calculate_siphash_keys(&decoded.header, nonce);
    let sizes = decoded.transactions.iter().map(|tx| tx.size);
    let coinbase_start = length - sizes.sum::<usize>();
    let mut payload =
        Vec::with_capacity(HEADER_SIZE + 16 + others.len() * SHORT_ID_SIZE + coinbase.size);
    payload.extend(&block[..HEADER_SIZE]);
    payload.extend(nonce.to_le_bytes());
    payload.extend(serialize(&VarInt::from(others.len())));
    for transaction in others {
        payload.extend(&short_id(keys, &transaction.wtxid).to_le_bytes()[..SHORT_ID_SIZE]);
    }
    payload.extend([1, 0]);
    payload.extend(&block[coinbase_start..coinbase_start + coinbase.size]);
    Ok(Message::new(
        Command::new("cmpctblock").expect("a name"),
        payload,
    ))
}

fn short_id((k0, k1): (u64, u64), wtxid: &Wtxid) -> u64 {
    let hash = siphash24::Hash::hash_to_u64_with_keys(k0, k1, wtxid.as_byte_array());
    hash & 0xffff_ffff_ffff
}

/// A `cmpctblock` message, decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompactBlock {
    /// The block's header, of which nothing was checked.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// What the short ids depend on beside the header.
    pub nonce: u64,
    /// Ids of 48 bits, of the transactions that are not prefilled, in the block's order.
    pub short_ids: Vec<u64>,
    /// Transactions that came with it and their places in the block, lowest first; each is below the number of all.
    pub prefilled: Vec<(usize, RecentTransaction)>,
}

impl CompactBlock {
    /// Reads a `cmpctblock` message. Bytes after it are left alone, as Bitcoin Core does.
    ///
    /// # Errors
    ///
    /// [`CompactError::Undecodable`] as soon as the bytes are not what they should be; [`CompactError::Invalid`] where they
    /// are, but no block can be meant.
    pub fn decode(payload: &Bytes) -> Result<CompactBlock, CompactError> {
        let (header, hash) =
            decode_header(payload).map_err(|_| CompactError::Undecodable("no header"))?;
        let mut at = HEADER_SIZE;
        let nonce = payload
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .ok_or(CompactError::Undecodable("it ends before the nonce"))?;
        at += nonce.len();
        let count = size(payload, &mut at)?;
        let ids = count
            .checked_mul(SHORT_ID_SIZE)
            .and_then(|length| payload.get(at..)?.get(..length))
            .ok_or(CompactError::Undecodable("it ends among the short ids"))?;
        at += ids.len();
        let (ids, _) = ids.as_chunks::<SHORT_ID_SIZE>();
        let short_ids: Vec<u64> = ids
            .iter()
            .map(|[a, b, c, d, e, f]| u64::from_le_bytes([*a, *b, *c, *d, *e, *f, 0, 0]))
            .collect();
        let prefilled = prefilled(payload, &mut at, short_ids.len())?;
        if short_ids.is_empty() && prefilled.is_empty() {
            return Err(CompactError::Invalid("no transactions"));
        }
        Ok(CompactBlock {
            header,
            hash,
            nonce: u64::from_le_bytes(*nonce),
            short_ids,
            prefilled,
        })
    }

    /// How many transactions the block has.
    pub fn transactions(&self) -> usize {
        self.short_ids.len() + self.prefilled.len()
    }
}

/// Reads the prefilled transactions, whose places are told as distances to the one before.
fn prefilled(
    payload: &Bytes,
    at: &mut usize,
    short_ids: usize,
) -> Result<Vec<(usize, RecentTransaction)>, CompactError> {
    let count = size(payload, at)?;
    if count + short_ids > MAX_COMPACT_TRANSACTIONS {
        return Err(CompactError::Undecodable("more than 65,535 transactions"));
    }
    let mut prefilled =
        Vec::with_capacity(count.min((payload.len() - *at) / (1 + MIN_TRANSACTION_SIZE)));
    let mut next = 0;
    let mut beyond = false;
    for before in 0..count {
        let place = next + size(payload, at)?;
        let transaction = transaction(payload, at)?;
        // Each place below it is filled by a short id or by one of those before.
        beyond |= place > short_ids + before;
        prefilled.push((place, transaction));
        next = place + 1;
    }
    match beyond {
        true => Err(CompactError::Invalid(
            "a prefilled transaction beyond the block's end",
        )),
        false => Ok(prefilled),
    }
}

/// Reads a number that counts transactions, or says where one is.
fn size(payload: &Bytes, at: &mut usize) -> Result<usize, CompactError> {
    let rest = payload.get(*at..).unwrap_or_default();
    let (number, length) = deserialize_partial::<VarInt>(rest)
        .map_err(|_| CompactError::Undecodable("no number where one should be"))?;
    *at += length;
    match usize::try_from(number.0) {
        Ok(number) if number <= MAX_COMPACT_TRANSACTIONS => Ok(number),
        _ => Err(CompactError::Undecodable("a number above 65,535")),
    }
}

fn transaction(payload: &Bytes, at: &mut usize) -> Result<RecentTransaction, CompactError> {
    let transaction = RecentTransaction::within(payload, *at)
        .map_err(|_| CompactError::Undecodable("no transaction where one should be"))?;
    *at += transaction.bytes.len();
    if transaction.bytes.len() == MIN_TRANSACTION_SIZE {
        return Err(CompactError::Invalid(
            "a transaction without inputs and outputs",
        ));
    }
    Ok(transaction)
}

/// A `blocktxn` message, decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockTransactions {
    /// The block that they are of.
    pub hash: BlockHash,
    /// The transactions, in the order in which they were asked for.
    pub transactions: Vec<RecentTransaction>,
}

impl BlockTransactions {
    /// Reads a `blocktxn` message. Bytes after it are left alone, as Bitcoin Core does.
    ///
    /// # Errors
    ///
    /// The bytes are no such message.
    pub fn decode(payload: &Bytes) -> Result<BlockTransactions, CompactError> {
        let hash = payload
            .first_chunk()
            .ok_or(CompactError::Undecodable("it ends before the hash"))?;
        let mut at = hash.len();
        let count = size(payload, &mut at)?;
        let mut transactions =
            Vec::with_capacity(count.min((payload.len() - at) / MIN_TRANSACTION_SIZE));
        for _ in 0..count {
            transactions.push(transaction(payload, &mut at)?);
        }
        Ok(BlockTransactions {
            hash: BlockHash::from_byte_array(*hash),
            transactions,
        })
    }

    /// Makes a `blocktxn` message of transactions' bytes.
    pub fn encode<'a>(
        hash: &BlockHash,
        transactions: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Message {
        let mut payload = hash.to_byte_array().to_vec();
        payload.extend(serialize(&VarInt::from(transactions.len())));
        for transaction in transactions {
            payload.extend(transaction);
        }
        Message::new(Command::new("blocktxn").expect("a name"), payload)
    }
}

/// A transaction that may be in a block.
pub trait Candidate {
    /// Its id with the witnesses.
    fn wtxid(&self) -> Wtxid;

    /// It, as bytes; only asked for where it seems to be in the block.
    fn transaction(&self) -> RecentTransaction;
}

impl Candidate for &RecentTransaction {
    fn wtxid(&self) -> Wtxid {
        self.wtxid
    }

    fn transaction(&self) -> RecentTransaction {
        (*self).clone()
    }
}

/// A block of which some transactions may be missing.
#[derive(Clone, Debug)]
pub struct PartialBlock {
    header: Header,
    hash: BlockHash,
    transactions: Vec<Option<RecentTransaction>>,
}

impl PartialBlock {
    /// Puts what came with a compact block, and those of `candidates` that its short ids name, into their places.
    ///
    /// Takes some 30 ns for each candidate. Where two candidates have the same short id, neither is taken.
    ///
    /// # Errors
    ///
    /// [`CompactError::Unusable`] where two transactions of the block have the same short id.
    pub fn begin<'a>(
        compact: CompactBlock,
        candidates: impl IntoIterator<Item = &'a RecentTransaction>,
    ) -> Result<PartialBlock, CompactError> {
        PartialBlock::begin_with(compact, candidates)
    }

    /// The same with candidates of any kind.
    ///
    /// # Errors
    ///
    /// As [`PartialBlock::begin`].
    pub fn begin_with<C: Candidate>(
        compact: CompactBlock,
        candidates: impl IntoIterator<Item = C>,
    ) -> Result<PartialBlock, CompactError> {
        let mut transactions = vec![None; compact.transactions()];
        for (place, transaction) in compact.prefilled {
            // Checked when it was decoded; a block made by hand may have another.
            *transactions
                .get_mut(place)
                .ok_or(CompactError::Invalid("a place beyond the block's end"))? =
                Some(transaction);
        }
        let empty = (0..transactions.len()).filter(|place| transactions[*place].is_none());
        let named: Vec<(u64, u16)> = compact
            .short_ids
            .iter()
            .zip(empty)
            .map(|(id, place)| (*id, place as u16))
            .collect();
        if named.len() != compact.short_ids.len() {
            return Err(CompactError::Invalid("two transactions in one place"));
        }
        let places = Places::new(named).ok_or(CompactError::Unusable(
            "two of its transactions have one short id",
        ))?;
        let keys = ShortId::calculate_siphash_keys(&compact.header, compact.nonce);
        let id = |wtxid: &Wtxid| short_id(keys, wtxid);
        places.fill(&mut transactions, candidates, id);
        Ok(PartialBlock {
            header: compact.header,
            hash: compact.hash,
            transactions,
        })
    }

    /// The block's hash.
    pub fn hash(&self) -> BlockHash {
        self.hash
    }

    /// The block's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many transactions the block has.
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Those that are there already.
    pub fn found(&self) -> impl Iterator<Item = &RecentTransaction> {
        self.transactions.iter().flatten()
    }

    /// The places of the transactions that are missing, lowest first.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        let places = self.transactions.iter().enumerate();
        places.filter_map(|(place, transaction)| transaction.is_none().then_some(place))
    }

    /// The `getblocktxn` message that asks for what is missing; `None` if nothing is.
    pub fn request(&self) -> Option<Message> {
        let indexes: Vec<u64> = self.missing().map(|place| place as u64).collect();
        let asks = !indexes.is_empty();
        asks.then(|| {
            Message::from(NetworkMessage::GetBlockTxn(GetBlockTxn {
                txs_request: BlockTransactionsRequest {
                    block_hash: self.hash,
                    indexes,
                },
            }))
        })
    }

    /// Puts the missing transactions into their places, in order, and gives the block's bytes. `segwit` says whether
    /// witnesses are committed to at its height.
    ///
    /// # Errors
    ///
    /// [`CompactError::Invalid`] if these are fewer or more than are missing; [`CompactError::Unusable`] if the block is not
    /// the one that its header commits to, with its witnesses: a short id may have named another transaction.
    pub fn fill(
        self,
        missing: Vec<RecentTransaction>,
        segwit: bool,
    ) -> Result<Bytes, CompactError> {
        let mut missing = missing.into_iter();
        let mut transactions = Vec::with_capacity(self.transactions.len());
        for transaction in self.transactions {
            let transaction = transaction
                .or_else(|| missing.next())
                .ok_or(CompactError::Invalid("fewer transactions than asked for"))?;
            transactions.push(transaction);
        }
        if missing.next().is_some() {
            return Err(CompactError::Invalid("more transactions than asked for"));
        }
        check_not_mutated(&self.header, &transactions, segwit).map_err(CompactError::Unusable)?;

        let size: usize = transactions.iter().map(|tx| tx.bytes.len()).sum();
        let mut block = Vec::with_capacity(HEADER_SIZE + 9 + size);
        block.extend(serialize(&self.header));
        block.extend(serialize(&VarInt::from(transactions.len())));
        for transaction in &transactions {
            block.extend_from_slice(&transaction.bytes);
        }
        Ok(Bytes::from(block))
    }
}

/// Checks that transactions are those that a header commits to, with their witnesses.
fn check_not_mutated(
    header: &Header,
    transactions: &[RecentTransaction],
    segwit: bool,
) -> Result<(), &'static str> {
    const DECODES: &str = "a transaction does not decode";
    let txids = transactions.iter().map(|tx| tx.txid.to_byte_array());
    let merkle = merkle_root(txids.collect());
    if merkle.root != header.merkle_root.to_byte_array() {
        return Err("the merkle root is not the header's");
    }
    if merkle.mutated {
        return Err("transactions are repeated without changing the merkle root");
    }
    let first = transactions.first().ok_or("no transactions")?;
    let (coinbase, _) = decode_transaction(&first.bytes).map_err(|_| DECODES)?;
    if !coinbase.is_coinbase() {
        // Where the tree's inner nodes pass for transactions, they have 64 bytes. Anything else is for the ledger to judge.
        for transaction in transactions {
            let (decoded, _) = decode_transaction(&transaction.bytes).map_err(|_| DECODES)?;
            if decoded.stripped_size == 64 {
                return Err("without a coinbase, and with a transaction of 64 bytes");
            }
        }
        return Ok(());
    }
    check_witnesses(*header, coinbase, transactions, segwit)
}

fn check_witnesses(
    header: Header,
    coinbase: DecodedTransaction,
    transactions: &[RecentTransaction],
    segwit: bool,
) -> Result<(), &'static str> {
    let alone = DecodedBlock::new(header, vec![coinbase]);
    let commitment = witness_commitment_index(&alone).filter(|_| segwit);
    let Some(output) = commitment else {
        let any = transactions.iter().any(RecentTransaction::has_witness);
        return match any {
            true => Err("witnesses that nothing commits to"),
            false => Ok(()),
        };
    };
    let coinbase = &alone.transactions[0].tx;
    let nonce = coinbase.input.first().and_then(|input| {
        let only = (input.witness.len() == 1).then(|| input.witness.nth(0))??;
        <&[u8; 32]>::try_from(only).ok()
    });
    let nonce = nonce.ok_or("the coinbase's witness is not one element of 32 bytes")?;
    let wtxids = transactions
        .iter()
        .enumerate()
        .map(|(place, tx)| match place {
            0 => [0; 32],
            _ => tx.wtxid.to_byte_array(),
        });
    let expected = witness_commitment_script(&merkle_root(wtxids.collect()).root, nonce);
    let script = &coinbase.output[output].script_pubkey;
    match script.as_bytes().starts_with(expected.as_bytes()) {
        true => Ok(()),
        false => Err("the witnesses are not those that the coinbase commits to"),
    }
}
