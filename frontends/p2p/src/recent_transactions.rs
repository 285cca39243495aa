//! Owns transactions that were heard of lately and that the mempool does not hold: what compact blocks are put together
//! from besides.
//! Promises bounds in number and bytes for each way in which they come, and no memory of the messages they came in.
//! Refuses to judge them: that they decode is all that is known.

use std::collections::{HashSet, VecDeque};
use std::mem::size_of;

use bitcoin::consensus::serialize;
use bitcoin::{Transaction, Txid, Wtxid};
use bytes::Bytes;
use everett_ledger::decode::{DecodeError, DecodedTransaction, decode_block, decode_transaction};

#[cfg(test)]
mod tests;

/// Larger transactions are not kept: no node relays them (Bitcoin Core's limit is 400,000 weight units).
pub const MAX_TRANSACTION_BYTES: usize = 400_000;

/// A transaction as bytes, with its ids. Clones share the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecentTransaction {
    /// Double SHA-256 of the encoding without witness.
    pub txid: Txid,
    /// Double SHA-256 of the whole encoding.
    pub wtxid: Wtxid,
    /// The whole encoding.
    pub bytes: Bytes,
}

impl RecentTransaction {
    /// The transaction that starts at byte `at`, whose bytes are a part of `source`'s, not a copy. It ends
    /// `bytes.len()` later.
    ///
    /// # Errors
    ///
    /// No transaction starts there.
    pub fn within(source: &Bytes, at: usize) -> Result<RecentTransaction, DecodeError> {
        let rest = source.get(at..).unwrap_or_default();
        let (decoded, length) = decode_transaction(rest)?;
        Ok(RecentTransaction {
            txid: decoded.txid,
            wtxid: decoded.wtxid,
            bytes: source.slice(at..at + length),
        })
    }

    /// Whether any input has a witness.
    pub fn has_witness(&self) -> bool {
        self.txid.to_raw_hash() != self.wtxid.to_raw_hash()
    }

    /// The transaction, decoded anew.
    pub fn decode(&self) -> Result<Transaction, DecodeError> {
        decode_transaction(&self.bytes).map(|(decoded, _)| decoded.tx)
    }

    fn copied(&self) -> RecentTransaction {
        RecentTransaction {
            bytes: Bytes::copy_from_slice(&self.bytes),
            ..*self
        }
    }
}

impl From<&DecodedTransaction> for RecentTransaction {
    /// Encodes it anew.
    fn from(decoded: &DecodedTransaction) -> RecentTransaction {
        RecentTransaction {
            txid: decoded.txid,
            wtxid: decoded.wtxid,
            bytes: Bytes::from(serialize(&decoded.tx)),
        }
    }
}

/// How a transaction came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// In a `tx` message; the mempool did not take it, or let it go for another: a miner may think otherwise.
    Refused,
    /// In a block, perhaps of a branch that loses: others of the same height often hold it too.
    Block,
}

/// How much is kept of each [`Source`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecentLimits {
    /// Transactions that came in blocks.
    pub count: usize,
    /// Transactions that the mempool refused: Bitcoin Core's `-blockreconstructionextratxn`.
    pub refused: usize,
    /// Bytes, with what it takes to keep them.
    pub bytes: usize,
}

impl Default for RecentLimits {
    /// 10,000 transactions of blocks and 100 others, in 16 MiB each.
    fn default() -> RecentLimits {
        RecentLimits {
            count: 10_000,
            refused: 100,
            bytes: 16 << 20,
        }
    }
}

/// Transactions heard of lately. What came first goes first; what was refused never pushes out what came in a block,
/// nor the other way round.
#[derive(Debug)]
pub struct RecentTransactions {
    limits: RecentLimits,
    known: HashSet<Wtxid>,
    refused: Queue,
    blocks: Queue,
}

#[derive(Default, Debug)]
struct Queue {
    /// Oldest first.
    transactions: VecDeque<RecentTransaction>,
    bytes: usize,
}

/// What a transaction takes beside its bytes: its place in the queue and among the ids, and the count of its bytes' users.
const OVERHEAD: usize = size_of::<RecentTransaction>() + 2 * size_of::<Wtxid>() + 64;

impl RecentTransactions {
    /// None yet.
    pub fn new(limits: RecentLimits) -> RecentTransactions {
        RecentTransactions {
            limits,
            known: HashSet::new(),
            refused: Queue::default(),
            blocks: Queue::default(),
        }
    }

    /// Keeps a copy of a transaction, unless it is known or too large. `true` if it is new.
    pub fn insert(&mut self, transaction: &RecentTransaction, source: Source) -> bool {
        let size = transaction.bytes.len();
        if size > MAX_TRANSACTION_BYTES || size + OVERHEAD > self.limits.bytes {
            return false;
        }
        if !self.known.insert(transaction.wtxid) {
            return false;
        }
        let count = match source {
            Source::Refused => self.limits.refused,
            Source::Block => self.limits.count,
        };
        let queue = match source {
            Source::Refused => &mut self.refused,
            Source::Block => &mut self.blocks,
        };
        queue.transactions.push_back(transaction.copied());
        queue.bytes += size + OVERHEAD;
        while queue.transactions.len() > count || queue.bytes > self.limits.bytes {
            let Some(oldest) = queue.transactions.pop_front() else {
                break;
            };
            queue.bytes -= oldest.bytes.len() + OVERHEAD;
            self.known.remove(&oldest.wtxid);
        }
        true
    }

    /// Keeps the transactions of a block, but for its coinbase, which no other block has. How many were new; none of
    /// bytes that are no block.
    ///
    /// Worth its cost (about that of decoding the block) where branches compete: what the loser holds, the next block of
    /// the winner will.
    pub fn insert_block(&mut self, block: &Bytes) -> usize {
        let Ok((decoded, length)) = decode_block(block) else {
            return 0;
        };
        let sizes = decoded.transactions.iter().map(|tx| tx.size);
        let mut at = length - sizes.sum::<usize>();
        let mut new = 0;
        for decoded in &decoded.transactions {
            let transaction = RecentTransaction {
                txid: decoded.txid,
                wtxid: decoded.wtxid,
                bytes: block.slice(at..at + decoded.size),
            };
            at += decoded.size;
            if !DecodedTransaction::is_coinbase(decoded) {
                new += usize::from(self.insert(&transaction, Source::Block));
            }
        }
        new
    }

    /// Whether it is here.
    pub fn contains(&self, wtxid: &Wtxid) -> bool {
        self.known.contains(wtxid)
    }

    /// All of them: those that were refused first, of either kind the newest first. No id comes twice.
    pub fn iter(&self) -> impl Iterator<Item = &RecentTransaction> {
        let refused = self.refused.transactions.iter().rev();
        refused.chain(self.blocks.transactions.iter().rev())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Bytes that they take, with what it takes to keep them.
    pub fn bytes(&self) -> usize {
        self.refused.bytes + self.blocks.bytes
    }
}
