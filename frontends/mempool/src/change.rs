//! Owns what the mempool tells: records of what entered and left, numbered without gaps.
//! Promises that a record is one step: nobody sees a mempool between its first and last entry.
//! Refuses to keep records without end: see [`MAX_CHANGES`] and [`MAX_CHANGE_BYTES`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bitcoin::BlockHash;
use everett_ledger::decode::DecodedTransaction;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::watch;

/// Records that are kept for those who follow.
pub const MAX_CHANGES: usize = 20_000;
/// Bytes of transactions and hashes in records that are kept, the latest record aside.
pub const MAX_CHANGE_BYTES: usize = 64_000_000;

/// Why a transaction left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// It waited too long.
    Expiry,
    /// There was no room for it.
    SizeLimit,
    /// A reorganisation made it, or what it spends, invalid.
    Reorg,
    /// A block has it.
    Block,
    /// A block has another spend of what it spends, or of what something it depends on spends.
    Conflict,
    /// Another transaction took its place.
    Replaced,
}

impl Reason {
    /// Bitcoin Core's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Expiry => "expiry",
            Reason::SizeLimit => "sizelimit",
            Reason::Reorg => "reorg",
            Reason::Block => "block",
            Reason::Conflict => "conflict",
            Reason::Replaced => "replaced",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A transaction that entered or left. `sequence` is Bitcoin Core's mempool sequence: each has its own.
#[derive(Clone, Debug)]
pub enum Happened {
    /// It is pending now.
    Entered {
        /// The transaction.
        tx: Arc<DecodedTransaction>,
        /// What it pays, in satoshis.
        fee: i64,
        /// Its size as fees count it, in virtual bytes.
        vsize: u64,
        /// The mempool's sequence.
        sequence: u64,
        /// Whether an undone block gave it back.
        returned: bool,
    },
    /// It is not pending any more.
    Left {
        /// The transaction.
        tx: Arc<DecodedTransaction>,
        /// Why.
        reason: Reason,
        /// The mempool's sequence.
        sequence: u64,
    },
}

impl Happened {
    /// The transaction.
    pub fn tx(&self) -> &Arc<DecodedTransaction> {
        match self {
            Happened::Entered { tx, .. } | Happened::Left { tx, .. } => tx,
        }
    }

    /// The mempool's sequence.
    pub fn sequence(&self) -> u64 {
        match self {
            Happened::Entered { sequence, .. } | Happened::Left { sequence, .. } => *sequence,
        }
    }
}

/// One step of the mempool.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its number; the first is 1.
    pub number: u64,
    /// The best block that the mempool fits to after it.
    pub world: BlockHash,
    /// Blocks that were undone, from the old best one down. Empty unless the best world changed.
    pub undone: Vec<BlockHash>,
    /// Blocks that were applied, upward.
    pub applied: Vec<BlockHash>,
    /// What entered and left, by sequence.
    pub happened: Vec<Happened>,
}

impl Change {
    fn bytes(&self) -> usize {
        let hashes = (self.undone.len() + self.applied.len()) * size_of::<BlockHash>();
        let transactions = self.happened.iter();
        hashes
            + transactions
                .map(|happened| happened.tx().size)
                .sum::<usize>()
    }
}

/// Records that were asked for are not kept any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "the mempool's changes up to {wanted} are gone, the oldest is {oldest}: read the mempool and go on from its change number"
)]
pub struct ChangesGone {
    /// The number after which records were asked for.
    pub wanted: u64,
    /// The oldest one that is kept.
    pub oldest: u64,
}

/// The latest records.
pub(crate) struct Changes {
    kept: Mutex<Kept>,
    latest: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    records: VecDeque<Arc<Change>>,
    bytes: usize,
}

impl Changes {
    pub(crate) fn new() -> Changes {
        Changes {
            kept: Mutex::default(),
            latest: watch::Sender::new(0),
        }
    }

    pub(crate) fn latest(&self) -> u64 {
        *self.latest.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Takes the next record, whose number it gives.
    pub(crate) fn push(&self, mut change: Change) {
        let mut kept = self.kept.lock();
        change.number = self.latest() + 1;
        kept.bytes += change.bytes();
        let number = change.number;
        kept.records.push_back(Arc::new(change));
        while kept.records.len() > 1
            && (kept.records.len() > MAX_CHANGES || kept.bytes > MAX_CHANGE_BYTES)
        {
            if let Some(oldest) = kept.records.pop_front() {
                kept.bytes -= oldest.bytes();
            }
        }
        drop(kept);
        self.latest.send_replace(number);
    }

    /// At most `limit` records after the one with this number.
    pub(crate) fn after(&self, number: u64, limit: usize) -> Result<Vec<Arc<Change>>, ChangesGone> {
        let kept = self.kept.lock();
        let Some(oldest) = kept.records.front().map(|change| change.number) else {
            return Ok(Vec::new());
        };
        let skip = number
            .saturating_add(1)
            .checked_sub(oldest)
            .ok_or(ChangesGone {
                wanted: number,
                oldest,
            })?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(kept
            .records
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;

    use super::*;

    fn change() -> Change {
        Change {
            number: 0,
            world: BlockHash::all_zeros(),
            undone: Vec::new(),
            applied: Vec::new(),
            happened: Vec::new(),
        }
    }

    #[test]
    fn records_are_numbered_and_the_oldest_are_forgotten() {
        let changes = Changes::new();
        assert!(changes.after(0, 10).unwrap().is_empty());
        for _ in 0..MAX_CHANGES + 5 {
            changes.push(change());
        }
        let last = MAX_CHANGES as u64 + 5;
        assert_eq!(changes.latest(), last);
        assert_eq!(
            changes.after(4, 1).unwrap_err(),
            ChangesGone {
                wanted: 4,
                oldest: 6
            }
        );
        let numbers = |from| -> Vec<u64> {
            let records = changes.after(from, 2).unwrap();
            records.iter().map(|change| change.number).collect()
        };
        assert_eq!(numbers(5), [6, 7]);
        assert_eq!(numbers(last - 1), [last]);
        assert!(numbers(last).is_empty());
    }
}
