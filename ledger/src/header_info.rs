//! Owns what the tree says of a header, as those who talk with other nodes ask for it: on every message.
//! Promises committed facts only, at the cost of a look-up and a walk of eleven headers, waiting for no block.
//! Refuses the reasons and the branches that [`block_info`](Ledger::block_info) has: that one is heavier.

use bitcoin::block::Header;
use bitcoin::{BlockHash, Work};

use crate::id::BlockId;
use crate::ledger::Ledger;
use crate::shared::Worlds;
use crate::tree::{BlockTree, Failure, Node, Progress};

/// How far the block of a header has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HeaderStatus {
    /// Its bytes have not come yet.
    HeaderOnly,
    /// Its bytes came; it was not validated against its parent's coins.
    Stored,
    /// Every rule holds.
    Validated,
    /// It or an ancestor breaks a rule or was invalidated by hand: its bytes are not wanted.
    Invalid,
}

impl HeaderStatus {
    fn of(node: &Node) -> HeaderStatus {
        match node.progress {
            _ if node.failed() => HeaderStatus::Invalid,
            Progress::Header => HeaderStatus::HeaderOnly,
            Progress::Stored => HeaderStatus::Stored,
            Progress::Connected => HeaderStatus::Validated,
        }
    }
}

/// A header and its place in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeaderInfo {
    /// Its hash.
    pub hash: BlockHash,
    /// The header itself, whose `prev_blockhash` is the parent.
    pub header: Header,
    /// Its height.
    pub height: u32,
    /// Work of the chain up to it.
    pub chainwork: Work,
    /// Median time past at it (BIP113), unix seconds.
    pub median_time_past: u32,
    /// How far its block has come.
    pub status: HeaderStatus,
    /// Whether it lies on the chain of the best world.
    pub on_best_chain: bool,
    /// Its parent; `None` for the genesis block.
    pub parent: Option<BlockHash>,
}

impl HeaderInfo {
    pub(crate) fn of(tree: &BlockTree, worlds: &Worlds, id: BlockId) -> HeaderInfo {
        let node = tree.committed_node(id);
        HeaderInfo {
            hash: node.hash,
            header: node.header,
            height: node.height,
            chainwork: node.chainwork,
            median_time_past: tree.median_time_past(id),
            status: HeaderStatus::of(node),
            on_best_chain: worlds.best.path.holds(node.height, id),
            parent: node.parent.map(|_| node.header.prev_blockhash),
        }
    }
}

impl Ledger {
    /// The header of most work that is not known to be invalid, the first seen among equals: where the chain goes if all
    /// its blocks hold what their headers promise.
    pub fn best_header(&self) -> HeaderInfo {
        let tree = self.shared.tree.read();
        let best = tree.committed_best_header();
        HeaderInfo::of(&tree, &self.shared.worlds.read(), best)
    }

    /// The header with this hash, on any branch; `None` if nobody told us of it.
    pub fn header(&self, hash: &BlockHash) -> Option<HeaderInfo> {
        let tree = self.shared.tree.read();
        let id = tree.find_committed(hash)?;
        Some(HeaderInfo::of(&tree, &self.shared.worlds.read(), id))
    }

    /// Whether the block, or the ancestor for which it counts as invalid, was invalidated by hand: it breaks no rule that
    /// others know of.
    pub fn is_invalidated_by_hand(&self, hash: &BlockHash) -> bool {
        let tree = self.shared.tree.read();
        let culprit = tree.find_committed(hash).and_then(|id| tree.culprit(id));
        culprit.is_some_and(|node| node.failure == Some(Failure::ByHand))
    }

    /// The block at `height` of the chain that ends at `hash`, itself at its own height. `None` above that, and for a
    /// block that nobody told us of. Takes a number of steps that is logarithmic in the height.
    pub fn ancestor(&self, hash: &BlockHash, height: u32) -> Option<HeaderInfo> {
        let tree = self.shared.tree.read();
        let id = tree.find_committed(hash)?;
        if height > tree.node(id).height {
            return None;
        }
        let ancestor = tree.ancestor(id, height);
        Some(HeaderInfo::of(&tree, &self.shared.worlds.read(), ancestor))
    }

    /// The last block that the chains up to `a` and up to `b` share: `a` itself if `b` is built on it. `None` if nobody
    /// told us of one of them. Takes a number of steps that is logarithmic in the height.
    pub fn fork_point(&self, a: &BlockHash, b: &BlockHash) -> Option<HeaderInfo> {
        let tree = self.shared.tree.read();
        let (a, b) = (tree.find_committed(a)?, tree.find_committed(b)?);
        let fork = tree.fork_point(a, b);
        Some(HeaderInfo::of(&tree, &self.shared.worlds.read(), fork))
    }
}

#[cfg(test)]
mod tests;
