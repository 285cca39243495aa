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
use crate::shared::Worlds;
use crate::tree::{BlockTree, Node, Progress};

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
        let sound = |id: BlockId| !tree.committed_node(id).failed();
        let inside = ends(&tree, sound).into_iter().filter_map(|id| {
            let fork = self.fork_inside(&tree, &worlds, id)?;
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

    /// The validated blocks inside the horizon on which no validated one stands, the best tip among them: most work first,
    /// then first seen. What is known by its header alone hides none of them.
    pub fn validated_tips(&self) -> Vec<HeaderInfo> {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        let validated = |id: BlockId| {
            let node = tree.committed_node(id);
            node.progress == Progress::Connected && !node.failed()
        };
        let mut tips: Vec<HeaderInfo> = ends(&tree, validated)
            .into_iter()
            .filter(|id| self.fork_inside(&tree, &worlds, *id).is_some())
            .map(|id| HeaderInfo::of(&tree, &worlds, id))
            .collect();
        tips.sort_by_key(|tip| Reverse(tip.chainwork));
        tips
    }

    /// The last block that a chain shares with the best one, if that is inside the horizon.
    fn fork_inside<'t>(
        &self,
        tree: &'t BlockTree,
        worlds: &Worlds,
        id: BlockId,
    ) -> Option<&'t Node> {
        let floor = self.shared.window_floor(worlds.best.height());
        let fork = tree.node(tree.fork_point(id, worlds.best.id));
        (fork.height >= floor).then_some(fork)
    }
}

/// The last blocks of all chains that `holds` is true of, in the order in which their headers came. It is true of genesis,
/// and of a block only if it is of all below it.
fn ends(tree: &BlockTree, holds: impl Fn(BlockId) -> bool) -> BTreeSet<BlockId> {
    let end = |leaf| end(tree, leaf, &holds);
    tree.leaves().filter_map(end).collect()
}

/// The last block up to a leaf that `holds` is true of, if no such block stands on it.
fn end(tree: &BlockTree, leaf: BlockId, holds: &impl Fn(BlockId) -> bool) -> Option<BlockId> {
    if holds(leaf) {
        return Some(leaf);
    }
    let (mut within, mut beyond) = (0, tree.node(leaf).height);
    while beyond - within > 1 {
        let middle = within + (beyond - within) / 2;
        match holds(tree.ancestor(leaf, middle)) {
            true => within = middle,
            false => beyond = middle,
        }
    }
    let end = tree.ancestor(leaf, within);
    let goes_on = tree.committed_children(end).any(holds);
    (!goes_on).then_some(end)
}

#[cfg(test)]
mod tests;
