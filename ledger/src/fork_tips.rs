//! Owns the list of the ends of all branches that could have a world: what a node that keeps every branch still wants to
//! fetch, and what it can tell others of.
//! Promises every branch that leaves the best chain inside the horizon, whether its blocks are here or not.
//! Refuses branches that are known to be invalid, from the first invalid block on.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use bitcoin::BlockHash;

use crate::header_info::HeaderInfo;
use crate::id::BlockId;
use crate::ledger::Ledger;
use crate::tree::{BlockTree, Progress};

/// The end of a branch that may be valid and leaves the best chain inside the horizon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ForkTip {
    /// Its last header. [`HeaderInfo::chainwork`] is the branch's work.
    pub tip: HeaderInfo,
    /// The last block that it shares with the best chain: the best tip, where it goes on from that.
    pub fork_hash: BlockHash,
    /// Height of that block.
    pub fork_height: u32,
    /// Whether the bytes of all its blocks came.
    pub stored: bool,
    /// Whether all its blocks were validated.
    pub validated: bool,
}

impl Ledger {
    /// The ends of all branches of headers that are not known to be invalid and leave the best chain inside the horizon,
    /// the best chain's own among them: most work first, then first seen. Where a branch ends with invalid blocks, its
    /// last other one is its end. At the cost of a few look-ups for each leaf of the tree.
    pub fn fork_tips(&self) -> Vec<ForkTip> {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        let best = worlds.best.id;
        let floor = self.shared.window_floor(worlds.best.height());
        let ends: BTreeSet<BlockId> = tree
            .leaves()
            .filter_map(|leaf| sound_end(&tree, leaf))
            .collect();
        let inside = ends.into_iter().filter_map(|id| {
            let fork = tree.node(tree.fork_point(id, best));
            if fork.height < floor {
                return None;
            }
            let node = tree.committed_node(id);
            Some(ForkTip {
                tip: HeaderInfo::of(&tree, &worlds, id),
                fork_hash: fork.hash,
                fork_height: fork.height,
                stored: node.sequence != 0,
                validated: node.progress == Progress::Connected,
            })
        });
        // From the set they come in the order in which their headers came, and the sort keeps that among equals.
        let mut tips: Vec<ForkTip> = inside.collect();
        tips.sort_by_key(|tip| Reverse(tip.tip.chainwork));
        tips
    }
}

/// The last block up to a leaf that is not known to be invalid, if no such block stands on it.
fn sound_end(tree: &BlockTree, leaf: BlockId) -> Option<BlockId> {
    let failed = |id: BlockId| tree.committed_node(id).failed();
    if !failed(leaf) {
        return Some(leaf);
    }
    // What stands on an invalid block is invalid, and genesis is not.
    let (mut sound, mut invalid) = (0, tree.node(leaf).height);
    while invalid - sound > 1 {
        let middle = sound + (invalid - sound) / 2;
        match failed(tree.ancestor(leaf, middle)) {
            true => invalid = middle,
            false => sound = middle,
        }
    }
    let end = tree.ancestor(leaf, sound);
    let goes_on = tree.committed_children(end).any(|child| !failed(child));
    (!goes_on).then_some(end)
}

#[cfg(test)]
mod tests;
