//! Owns who gave which block, until the block is judged for good: those that wait for an ancestor are judged late.
//! Promises its limit. Refuses to remember what was judged.

use std::collections::{HashMap, VecDeque};

use bitcoin::BlockHash;
use everett_net::PeerId;

/// Blocks that are remembered: what eight windows hold.
pub(super) const MAX_SOURCES: usize = 8 * 1_024;

/// Who gave which block, and whether it was put together from a compact one.
#[derive(Default)]
pub(super) struct Sources {
    from: HashMap<BlockHash, (PeerId, bool)>,
    /// Those of `from`, and some that were removed meanwhile.
    order: VecDeque<BlockHash>,
}

impl Sources {
    pub(super) fn insert(&mut self, hash: BlockHash, peer: PeerId, compact: bool) {
        if self.from.insert(hash, (peer, compact)).is_none() {
            self.order.push_back(hash);
        }
        while self.order.len() > MAX_SOURCES {
            if let Some(oldest) = self.order.pop_front() {
                self.from.remove(&oldest);
            }
        }
    }

    pub(super) fn get(&self, hash: &BlockHash) -> Option<(PeerId, bool)> {
        self.from.get(hash).copied()
    }

    /// How many there are, those of removed ones that still have a place included.
    pub(super) fn len(&self) -> usize {
        self.order.len().max(self.from.len())
    }

    pub(super) fn remove(&mut self, hash: &BlockHash) {
        self.from.remove(hash);
        if self.from.is_empty() {
            self.order.clear();
        }
    }
}
