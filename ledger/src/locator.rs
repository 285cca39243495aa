//! Owns locators: few hashes that tell another node where two chains part, and the answer to one.
//! Promises Bitcoin Core's steps, and answers along any branch, not only the best chain.
//! Refuses to limit what a stranger may ask: who takes messages does that.

use bitcoin::BlockHash;
use bitcoin::block::Header;

use crate::id::BlockId;
use crate::ledger::Ledger;
use crate::tree::BlockTree;

/// Most hashes that a locator has, ours and those that Bitcoin Core takes.
pub const MAX_LOCATOR_HASHES: usize = 101;

/// Hashes of a locator before its steps begin to double.
const SINGLE_STEPS: usize = 10;

impl Ledger {
    /// A locator of the chain that ends at `hash`: that block, the ten before it, then in steps that double, genesis
    /// last; 11 hashes and about one for each doubling, never more than [`MAX_LOCATOR_HASHES`]. Empty for a block that
    /// nobody told us of.
    pub fn locator(&self, hash: &BlockHash) -> Vec<BlockHash> {
        let tree = self.shared.tree.read();
        let Some(mut id) = tree.find_committed(hash) else {
            return Vec::new();
        };
        let mut hashes = Vec::with_capacity(48);
        let mut step = 1u32;
        loop {
            let node = tree.node(id);
            hashes.push(node.hash);
            if node.height == 0 {
                return hashes;
            }
            id = tree.ancestor(id, node.height.saturating_sub(step));
            if hashes.len() > SINGLE_STEPS {
                step = step.saturating_mul(2);
            }
        }
    }

    /// Headers of the chain that ends at `tip`, lowest first: those after the first hash of `locator` that lies on it,
    /// up to `stop` (with it) if that lies on it too, `limit` at most. Where no hash of the locator is on that chain, it
    /// starts after genesis; where one is built on `tip`, there is nothing to tell. Empty if nobody told us of `tip`.
    pub fn headers_after(
        &self,
        locator: &[BlockHash],
        stop: Option<BlockHash>,
        tip: &BlockHash,
        limit: usize,
    ) -> Vec<Header> {
        let tree = self.shared.tree.read();
        let Some(tip) = tree.find_committed(tip) else {
            return Vec::new();
        };
        let start = start_after(&tree, locator, tip);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let mut end = (tree.node(tip).height).min(start.saturating_add(limit));
        let stop = stop.and_then(|stop| tree.find_committed(&stop));
        if let Some(height) = stop.and_then(|stop| height_on(&tree, stop, tip))
            && height > start
        {
            end = end.min(height);
        }
        let mut headers = Vec::with_capacity(end.saturating_sub(start) as usize);
        let mut id = tree.ancestor(tip, end);
        while tree.node(id).height > start {
            let node = tree.node(id);
            headers.push(node.header);
            let Some(parent) = node.parent else { break };
            id = parent;
        }
        headers.reverse();
        headers
    }
}

/// Height on the chain up to `tip` of what the sender of a locator has in common with it.
fn start_after(tree: &BlockTree, locator: &[BlockHash], tip: BlockId) -> u32 {
    for hash in locator {
        let Some(id) = tree.find_committed(hash) else {
            continue;
        };
        if let Some(height) = height_on(tree, id, tip) {
            return height;
        }
        if let Some(height) = height_on(tree, tip, id) {
            return height;
        }
    }
    0
}

/// The height of `id`, if it lies on the chain up to `tip`.
fn height_on(tree: &BlockTree, id: BlockId, tip: BlockId) -> Option<u32> {
    let height = tree.node(id).height;
    (height <= tree.node(tip).height && tree.ancestor(tip, height) == id).then_some(height)
}

#[cfg(test)]
mod tests;
