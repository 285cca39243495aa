//! Owns which lane each branch of the picture runs in.
//! Promises that no two branches share a piece of a lane, and that the best chain has the first one.
//! Refuses more lanes than [`MAX_LANES`] as long as another one is free: lines cross then.

use everett_ledger::Skeleton;

use super::axis::Axis;

/// Beyond this many lanes a branch takes any that is free, also where its line then crosses others.
const MAX_LANES: usize = 24;

/// A piece of a lane that a branch takes: from a row down to another.
struct Taken {
    lane: usize,
    top: usize,
    bottom: usize,
}

impl Taken {
    fn meets(&self, top: usize, bottom: usize) -> bool {
        self.top <= bottom && top <= self.bottom
    }
}

/// The lane of every key block.
pub(super) struct Lanes {
    lanes: Vec<usize>,
    count: usize,
}

impl Lanes {
    pub(super) fn new(skeleton: &Skeleton, axis: &Axis) -> Lanes {
        let mut branches = Branch::all(skeleton, axis);
        // Branches that begin higher up lie further in: what begins below then passes outside of them.
        branches.sort_by_key(|branch| (!branch.trunk, branch.foot, std::cmp::Reverse(branch.top)));
        let mut lanes = vec![0; skeleton.blocks.len()];
        let mut taken: Vec<Taken> = Vec::with_capacity(branches.len());
        for branch in &branches {
            let lane = match branch.trunk {
                true => 0,
                false => {
                    let near: Vec<&Taken> = taken
                        .iter()
                        .filter(|taken| taken.meets(branch.top, branch.foot.saturating_sub(1)))
                        .collect();
                    let outside = near.iter().map(|taken| taken.lane + 1).max();
                    let outside = outside.unwrap_or(1).max(1);
                    let free =
                        || (1..=outside).find(|lane| near.iter().all(|taken| taken.lane != *lane));
                    match outside < MAX_LANES {
                        true => outside,
                        false => free().unwrap_or(outside),
                    }
                }
            };
            for block in &branch.blocks {
                lanes[*block] = lane;
            }
            taken.push(Taken {
                lane,
                top: branch.top,
                bottom: branch.foot.saturating_sub(1),
            });
        }
        let count = lanes.iter().max().map_or(0, |lane| lane + 1);
        Lanes { lanes, count }
    }

    pub(super) fn of(&self, block: usize) -> usize {
        self.lanes[block]
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// A tip and the key blocks below it, down to where it leaves a branch that goes on further.
struct Branch {
    /// From the tip down, without the block at which it forks off.
    blocks: Vec<usize>,
    /// Row of the tip.
    top: usize,
    /// Row of the block at which it forks off.
    foot: usize,
    /// Whether it holds genesis and the best tip.
    trunk: bool,
}

impl Branch {
    /// All branches: at each fork point the best chain goes straight on, or else the child whose tip has most work.
    fn all(skeleton: &Skeleton, axis: &Axis) -> Vec<Branch> {
        let blocks = &skeleton.blocks;
        // Of each key block the tip that its line leads to; children come after their parents.
        let mut leads: Vec<usize> = (0..blocks.len()).collect();
        let mut leads_to_best: Vec<bool> = blocks.iter().map(|key| key.best).collect();
        let mut has_child = vec![false; blocks.len()];
        for block in (0..blocks.len()).rev() {
            let Some(below) = blocks[block].below else {
                continue;
            };
            let (mine, other) = (leads[block], leads[below]);
            let rank = |tip: usize, best| (best, blocks[tip].info.chainwork);
            // A block that is itself the best tip goes on to what lies above it.
            let better = !has_child[below]
                || rank(mine, leads_to_best[block])
                    > rank(other, leads_to_best[below] && !blocks[below].best);
            if better {
                leads[below] = mine;
                leads_to_best[below] = leads_to_best[block] || blocks[below].best;
            }
            has_child[below] = true;
        }
        let mut branches = Vec::new();
        let ends = has_child.iter().enumerate().filter(|(_, has)| !**has);
        for tip in ends.map(|(tip, _)| tip) {
            let mut line = vec![tip];
            let mut at = tip;
            let mut foot = axis.row(tip);
            while let Some(below) = blocks[at].below {
                foot = axis.row(below);
                if leads[below] != tip {
                    break;
                }
                line.push(below);
                at = below;
            }
            branches.push(Branch {
                trunk: blocks[at].below.is_none(),
                blocks: line,
                top: axis.row(tip),
                foot,
            });
        }
        branches
    }
}
