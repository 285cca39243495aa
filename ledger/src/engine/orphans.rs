//! Owns the blocks whose parents are unknown: on disk, with their place by parent in memory.
//! Promises a bound on their number and bytes, and to give back each when its parent comes, in the order in which they
//! came: that is the order in which they lie in the block files, so neither a restart nor a failed commit changes it.

use std::collections::{BTreeMap, HashMap};

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

impl Orphan {
    /// Rises from one to the next.
    fn arrival(&self) -> (u32, u32) {
        (self.position.file, self.position.offset)
    }
}

/// Orphans by the parent they wait for.
#[derive(Clone, Default)]
pub(super) struct Orphans {
    by_hash: HashMap<BlockHash, Orphan>,
    by_previous: HashMap<BlockHash, Vec<BlockHash>>,
    arrived: BTreeMap<(u32, u32), BlockHash>,
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
        self.arrived.insert(orphan.arrival(), orphan.hash);
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
        self.arrived.remove(&orphan.arrival());
        Some(orphan)
    }

    /// The oldest, while there are too many.
    pub(super) fn surplus(&mut self) -> Option<Orphan> {
        if self.by_hash.len() <= MAX_ORPHANS && self.bytes <= MAX_ORPHAN_BYTES {
            return None;
        }
        let oldest = *self.arrived.first_key_value()?.1;
        self.remove(&oldest)
    }

    /// Those that wait for `previous`, in order of arrival.
    pub(super) fn waiting_for(&self, previous: &BlockHash) -> Vec<Orphan> {
        let hashes = self
            .by_previous
            .get(previous)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut waiting: Vec<Orphan> = hashes
            .iter()
            .filter_map(|hash| self.by_hash.get(hash).copied())
            .collect();
        waiting.sort_by_key(Orphan::arrival);
        waiting
    }

    /// Where their bytes are.
    pub(super) fn positions(&self) -> impl Iterator<Item = BlockPosition> + '_ {
        self.by_hash.values().map(|orphan| orphan.position)
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

#[cfg(test)]
mod tests;
