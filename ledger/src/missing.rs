//! Owns the question which blocks of a chain have still to be fetched.
//! Promises not to look at what the best chain has already: the cost is that of the answer, and of the blocks that came
//! out of order above the best chain.

use bitcoin::BlockHash;

use crate::ledger::Ledger;
use crate::tree::Progress;

/// Headers looked at before the chain is walked anew from its tip.
const STRIDE: u32 = 1024;

impl Ledger {
    /// Blocks of the chain that ends at `tip` whose bytes never came, with their heights: above height `above`, lowest
    /// first, `limit` at most. A block that was pruned came once, so it is not among them; nor is one that is known to be
    /// invalid or stands on such a one. Empty if nobody told us of `tip`.
    pub fn missing_blocks(
        &self,
        tip: &BlockHash,
        above: u32,
        limit: usize,
    ) -> Vec<(u32, BlockHash)> {
        let tree = self.shared.tree.read();
        let Some(tip) = tree.find_committed(tip) else {
            return Vec::new();
        };
        let best = self.shared.worlds.read().best.id;
        // All blocks of the best chain came.
        let shared = tree.node(tree.fork_point(tip, best)).height;
        let top = tree.node(tip).height;
        let mut below = above.max(shared);
        let mut missing = Vec::new();
        let mut line = Vec::new();
        while below < top && missing.len() < limit {
            let mut id = tree.ancestor(tip, top.min(below.saturating_add(STRIDE)));
            let reached = tree.node(id).height;
            line.clear();
            while tree.node(id).height > below {
                line.push(id);
                let Some(parent) = tree.node(id).parent else {
                    break;
                };
                id = parent;
            }
            for id in line.iter().rev() {
                let node = tree.committed_node(*id);
                if node.failed() || missing.len() == limit {
                    return missing;
                }
                if node.progress == Progress::Header {
                    missing.push((node.height, node.hash));
                }
            }
            below = reached;
        }
        missing
    }
}

#[cfg(test)]
mod tests;
