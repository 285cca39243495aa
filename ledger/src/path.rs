//! Owns the path of a world: the block at each height from genesis up to it.
//! Promises O(1) clones and extension, shared between all worlds: forking copies nothing.

use crate::id::BlockId;

/// `height -> block` of one chain, in a persistent vector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    blocks: im::Vector<BlockId>,
}

impl Path {
    /// The path to genesis alone.
    pub(crate) fn genesis() -> Path {
        Path {
            blocks: im::Vector::unit(BlockId::GENESIS),
        }
    }

    /// This path with one block more; the old one is untouched.
    pub(crate) fn extended(&self, block: BlockId) -> Path {
        let mut blocks = self.blocks.clone();
        blocks.push_back(block);
        Path { blocks }
    }

    /// The path as far as `height`.
    pub(crate) fn truncated(&self, height: u32) -> Path {
        Path {
            blocks: self
                .blocks
                .take((height as usize + 1).min(self.blocks.len())),
        }
    }

    /// Height of its last block.
    pub(crate) fn height(&self) -> u32 {
        (self.blocks.len() - 1) as u32
    }

    pub(crate) fn at(&self, height: u32) -> Option<BlockId> {
        self.blocks.get(height as usize).copied()
    }

    /// Whether `block`, which stands at `height`, lies on this path.
    pub(crate) fn holds(&self, height: u32, block: BlockId) -> bool {
        self.blocks.get(height as usize) == Some(&block)
    }

    /// The last height at which both paths have the same block.
    pub(crate) fn fork_height(&self, other: &Path) -> u32 {
        // Once two chains part they never meet again: the shared part is a prefix, found by halving.
        let (mut shared, mut apart) = (0, self.height().min(other.height()) + 1);
        while shared + 1 < apart {
            let middle = shared + (apart - shared) / 2;
            if self.at(middle) == other.at(middle) {
                shared = middle;
            } else {
                apart = middle;
            }
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_share_their_past_and_nothing_else() {
        let mut trunk = Path::genesis();
        for id in 1..=100 {
            trunk = trunk.extended(BlockId(id));
        }
        let mut left = trunk.truncated(60);
        let mut right = trunk.truncated(60);
        for id in 0..50 {
            left = left.extended(BlockId(1000 + id));
            right = right.extended(BlockId(2000 + id));
        }
        assert_eq!(left.fork_height(&right), 60);
        assert_eq!(left.fork_height(&trunk), 60);
        assert_eq!(trunk.fork_height(&trunk), 100);
        assert!(left.holds(61, BlockId(1000)) && !right.holds(61, BlockId(1000)));
        assert_eq!(trunk.height(), 100);
        assert!(!trunk.holds(101, BlockId(101)));
    }
}
