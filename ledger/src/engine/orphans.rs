//! Owns the blocks whose parents are unknown: on disk, with their place by parent in memory.
//! Promises a bound on their number and bytes, and to give back each when its parent comes.

use std::collections::{HashMap, VecDeque};

use bitcoin::BlockHash;

use crate::store::BlockPosition;

/// Most orphans kept; the oldest goes first. Each has proof of work, so a stranger pays for the place.
pub(super) const MAX_ORPHANS: usize = 10_000;
/// Most bytes of blocks kept waiting.
pub(super) const MAX_ORPHAN_BYTES: u64 = 1 << 30;

#[derive(Clone, Copy, Debug)]
pub(super) struct Orphan {
    pub(super) hash: BlockHash,
    pub(super) previous: BlockHash,
    pub(super) position: BlockPosition,
}

/// Orphans by the parent they wait for.
#[derive(Clone, Default)]
pub(super) struct Orphans {
    by_hash: HashMap<BlockHash, Orphan>,
    by_previous: HashMap<BlockHash, Vec<BlockHash>>,
    /// Arrival order; may name orphans that are gone.
    arrived: VecDeque<BlockHash>,
    bytes: u64,
}

impl Orphans {
    pub(super) fn contains(&self, hash: &BlockHash) -> bool {
        self.by_hash.contains_key(hash)
    }

    pub(super) fn insert(&mut self, orphan: Orphan) {
        self.by_previous
            .entry(orphan.previous)
            .or_default()
            .push(orphan.hash);
        self.arrived.push_back(orphan.hash);
        self.bytes += u64::from(orphan.position.length);
        self.by_hash.insert(orphan.hash, orphan);
    }

    pub(super) fn remove(&mut self, hash: &BlockHash) -> Option<Orphan> {
        let orphan = self.by_hash.remove(hash)?;
        self.bytes -= u64::from(orphan.position.length);
        if let Some(waiting) = self.by_previous.get_mut(&orphan.previous) {
            waiting.retain(|other| other != hash);
            if waiting.is_empty() {
                self.by_previous.remove(&orphan.previous);
            }
        }
        if self.arrived.len() > 2 * self.by_hash.len() + 16 {
            let by_hash = &self.by_hash;
            self.arrived.retain(|hash| by_hash.contains_key(hash));
        }
        Some(orphan)
    }

    /// The oldest, while there are too many.
    pub(super) fn surplus(&mut self) -> Option<Orphan> {
        if self.by_hash.len() <= MAX_ORPHANS && self.bytes <= MAX_ORPHAN_BYTES {
            return None;
        }
        while let Some(hash) = self.arrived.pop_front() {
            if let Some(orphan) = self.remove(&hash) {
                return Some(orphan);
            }
        }
        None
    }

    /// Those that wait for `previous`, in order of arrival.
    pub(super) fn waiting_for(&self, previous: &BlockHash) -> Vec<Orphan> {
        let hashes = self
            .by_previous
            .get(previous)
            .map(Vec::as_slice)
            .unwrap_or_default();
        hashes
            .iter()
            .filter_map(|hash| self.by_hash.get(hash).copied())
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// `(hash, previous)` of all.
    pub(super) fn iter(&self) -> impl Iterator<Item = (BlockHash, BlockHash)> + '_ {
        self.by_hash
            .values()
            .map(|orphan| (orphan.hash, orphan.previous))
    }
}
