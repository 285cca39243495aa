//! Owns the question at which place of a block the transaction with a short id belongs.
//! Promises an answer in a few steps whatever the ids are: a peer chooses them, so nothing here hashes.
//! Refuses two places with one id, and two candidates for one place.

use bitcoin::Wtxid;

use super::Candidate;
use crate::recent_transactions::RecentTransaction;

/// Bits that say which ids may be there at all: by their lowest 16 bits. Most candidates are in no block, and one look at
/// 8 KiB tells them apart.
const WORDS: usize = 1 << 10;

/// Short ids and their places.
#[derive(Debug)]
pub(super) struct Places {
    maybe: Box<[u64; WORDS]>,
    /// By id.
    sorted: Vec<(u64, u16)>,
}

impl Places {
    /// `None` if an id is there twice.
    pub(super) fn new(mut named: Vec<(u64, u16)>) -> Option<Places> {
        named.sort_unstable();
        if named.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return None;
        }
        let mut maybe = Box::new([0; WORDS]);
        for (id, _) in &named {
            let (word, bit) = slot(*id);
            maybe[word] |= bit;
        }
        Some(Places {
            maybe,
            sorted: named,
        })
    }

    /// Puts each candidate that an id names into its place. Where another one has been named by the same id, neither is: the
    /// place stays empty.
    pub(super) fn fill<C: Candidate>(
        &self,
        transactions: &mut [Option<RecentTransaction>],
        candidates: impl IntoIterator<Item = C>,
        id: impl Fn(&Wtxid) -> u64,
    ) {
        let mut missing = self.sorted.len();
        let mut doubtful = vec![false; transactions.len()];
        for candidate in candidates {
            // As Bitcoin Core does: that a later one may have the same id is not worth looking at the rest.
            if missing == 0 {
                break;
            }
            let Some(place) = self.find(id(&candidate.wtxid())) else {
                continue;
            };
            match &transactions[place] {
                None if !doubtful[place] => {
                    transactions[place] = Some(candidate.transaction());
                    missing -= 1;
                }
                Some(found) if found.wtxid != candidate.wtxid() => {
                    transactions[place] = None;
                    doubtful[place] = true;
                    missing += 1;
                }
                _ => {}
            }
        }
    }

    /// The place of the transaction with this id.
    pub(super) fn find(&self, id: u64) -> Option<usize> {
        let (word, bit) = slot(id);
        if self.maybe[word] & bit == 0 {
            return None;
        }
        let found = self.sorted.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(usize::from(self.sorted[found].1))
    }
}

fn slot(id: u64) -> (usize, u64) {
    (id as usize >> 6 & (WORDS - 1), 1 << (id & 63))
}
