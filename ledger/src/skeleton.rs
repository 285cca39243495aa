//! Owns the skeleton of the block tree: tips, fork points, and how many blocks lie between them.
//! Promises to cost O(tips · log blocks), however long the chains are.
//! Refuses to list the single blocks between two of them.
//!
//! ```text
//!   o─o─o─o─o─o─o─o  best          genesis ──3── fork ──4── best
//!         └─o─o─o    tip                           └──3── tip
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bitcoin::BlockHash;

use crate::id::BlockId;
use crate::ledger::{BlockInfo, Ledger};
use crate::tree::{BlockTree, Progress};

/// The shape of the block tree: its tips, and the blocks at which they part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skeleton {
    /// Genesis, every fork point between the tips that are shown, and those tips; each after the one below it.
    pub blocks: Vec<KeyBlock>,
    /// Tips that the whole tree has: leaves, and the best tip. More than are shown, if it has more than were asked for.
    pub tips: usize,
}

/// A block at which the tree parts or ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyBlock {
    /// What the tree knows of it.
    pub info: BlockInfo,
    /// Index in [`Skeleton::blocks`] of the next such block towards genesis; `None` for genesis.
    pub below: Option<usize>,
    /// Whether it is a tip: a leaf of the tree, or the best tip.
    pub tip: bool,
    /// Whether it is the best tip.
    pub best: bool,
}

impl Ledger {
    /// The shape of the tree around at most `max_tips` tips: the best one, then those of the most work, first seen
    /// first. At least the best tip is always in it.
    pub fn skeleton(&self, max_tips: usize) -> Skeleton {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        let best = worlds.best.id;
        let mut tips: Vec<BlockId> = tree.leaves().filter(|id| *id != best).collect();
        let all = tips.len() + 1;
        tips.sort_unstable_by_key(|id| (Reverse(tree.node(*id).chainwork), *id));
        tips.truncate(max_tips.saturating_sub(1));
        let mut bones = Bones::new(&tree, best);
        for tip in tips {
            bones.add(tip);
        }
        let blocks = bones.in_order().into_iter().map(|bone| KeyBlock {
            info: self.info(&tree, &worlds, bone.id),
            below: bone.below,
            tip: bone.tip,
            best: bone.id == best,
        });
        Skeleton {
            blocks: blocks.collect(),
            tips: all,
        }
    }

    /// The worlds whose chains hold a block: the validated end of every branch above it, also of one that goes on with
    /// blocks that are not validated or not valid. The best one first, then by work, then by arrival; at most `limit` of
    /// them, and how many there are in all. `None` for a block that nobody told us of.
    pub fn worlds_above(&self, hash: &BlockHash, limit: usize) -> Option<(Vec<BlockInfo>, usize)> {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        let id = tree.find_committed(hash)?;
        let height = tree.node(id).height;
        let best = worlds.best.id;
        let validated = |id: BlockId| {
            let node = tree.node(id);
            node.progress == Progress::Connected && !node.failed()
        };
        let holds = |tip: BlockId, height: u32, id: BlockId| {
            tree.node(tip).height >= height && tree.ancestor(tip, height) == id
        };
        let mut above = Vec::new();
        let mut cut = BTreeSet::new();
        let leaves = tree.leaves().filter(|leaf| holds(*leaf, height, id));
        for leaf in leaves.filter(|_| validated(id)) {
            if validated(leaf) {
                above.push(leaf);
                continue;
            }
            // Whatever a validated block stands on is validated, too.
            let (mut low, mut high) = (height, tree.node(leaf).height);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                match validated(tree.ancestor(leaf, middle)) {
                    true => low = middle,
                    false => high = middle,
                }
            }
            cut.insert(tree.ancestor(leaf, low));
        }
        if holds(best, height, id) {
            cut.insert(best);
        }
        // Where a branch was cut off it may fork, and go on in another direction.
        for end in &cut {
            let others = above.iter().chain(cut.iter().filter(|other| *other != end));
            let height = tree.node(*end).height;
            if !others.into_iter().any(|other| holds(*other, height, *end)) {
                above.push(*end);
            }
        }
        above.sort_unstable_by_key(|tip| (*tip != best, Reverse(tree.node(*tip).chainwork), *tip));
        let all = above.len();
        above.truncate(limit);
        let infos = above.into_iter().map(|tip| self.info(&tree, &worlds, tip));
        Some((infos.collect(), all))
    }
}

/// A key block while the skeleton is put together.
#[derive(Clone, Copy)]
struct Bone {
    id: BlockId,
    below: Option<usize>,
    tip: bool,
}

/// The skeleton of some tips, to which more can be added.
struct Bones<'t> {
    tree: &'t BlockTree,
    best: BlockId,
    bones: Vec<Bone>,
    /// Those on the best chain, by height.
    trunk: BTreeMap<u32, usize>,
    /// Off the best chain: the bone that the run from a bone through this first block leads to.
    above: HashMap<(usize, BlockId), usize>,
}

impl<'t> Bones<'t> {
    fn new(tree: &'t BlockTree, best: BlockId) -> Bones<'t> {
        let mut bones = Bones {
            tree,
            best,
            bones: Vec::new(),
            trunk: BTreeMap::new(),
            above: HashMap::new(),
        };
        let root = bones.push(BlockId::GENESIS, None);
        bones.trunk.insert(0, root);
        let height = tree.node(best).height;
        let top = match height {
            0 => root,
            _ => bones.push(best, Some(root)),
        };
        bones.trunk.insert(height, top);
        bones.bones[top].tip = true;
        bones
    }

    fn push(&mut self, id: BlockId, below: Option<usize>) -> usize {
        self.bones.push(Bone {
            id,
            below,
            tip: false,
        });
        self.bones.len() - 1
    }

    fn height(&self, bone: usize) -> u32 {
        self.tree.node(self.bones[bone].id).height
    }

    /// Adds a leaf that is not the best tip.
    fn add(&mut self, tip: BlockId) {
        let mut at = self.on_trunk(self.tree.fork_point(tip, self.best));
        while self.bones[at].id != tip {
            let first = self.tree.ancestor(tip, self.height(at) + 1);
            let Some(&next) = self.above.get(&(at, first)) else {
                let new = self.push(tip, Some(at));
                self.above.insert((at, first), new);
                at = new;
                continue;
            };
            let next_id = self.bones[next].id;
            let fork = self.tree.fork_point(tip, next_id);
            if fork != next_id {
                let middle = self.push(fork, Some(at));
                self.above.insert((at, first), middle);
                let rest = self.tree.ancestor(next_id, self.height(middle) + 1);
                self.above.insert((middle, rest), next);
                self.bones[next].below = Some(middle);
                at = middle;
            } else {
                at = next;
            }
        }
        self.bones[at].tip = true;
    }

    /// The bone at a block of the best chain.
    fn on_trunk(&mut self, id: BlockId) -> usize {
        let height = self.tree.node(id).height;
        if let Some(&bone) = self.trunk.get(&height) {
            return bone;
        }
        let above = self.trunk.range(height..).next().map(|(_, bone)| *bone);
        let below = above.and_then(|bone| self.bones[bone].below);
        let new = self.push(id, below);
        if let Some(above) = above {
            self.bones[above].below = Some(new);
        }
        self.trunk.insert(height, new);
        new
    }

    /// All of them by height, so that each comes after the one below it.
    fn in_order(self) -> Vec<Bone> {
        let mut order: Vec<usize> = (0..self.bones.len()).collect();
        order.sort_by_key(|bone| (self.height(*bone), self.bones[*bone].id));
        let mut place = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            place[*old] = new;
        }
        let moved = |old: &usize| {
            let bone = self.bones[*old];
            Bone {
                below: bone.below.map(|below| place[below]),
                ..bone
            }
        };
        order.iter().map(moved).collect()
    }
}

#[cfg(test)]
mod tests;
