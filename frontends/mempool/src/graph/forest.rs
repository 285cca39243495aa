//! Owns the search for the best linearisation of a cluster: spanning forests (SFL).
//! Promises a state that is never worse than the one it started from, and where the work does not run out, the optimal
//! one with chunks that cannot be split any further. Refuses to work on without end: see [`MAX_WORK`].
//!
//! Some of the dependencies are active; they form a forest, and each of its trees is a chunk. A dependency whose top
//! part pays more than its bottom part does not pay its way: it is given up, and the parts are merged with others, the
//! top with those it needs, the bottom with those that need it. Where no such dependency is left the chunks are
//! optimal (the forest is the certificate: what each bottom part pays more than its top flows up along the dependency).
//! Sets of a chunk that can stand alone at the same rate are those that no flow enters, so the smallest chunks are the
//! strongly connected parts of "needs" and "is paid for by".

use std::collections::VecDeque;

use super::dep_graph::{DepGraph, MAX_TRANSACTIONS, Set, members};
use crate::fee_rate::FeeSize;

/// Visits of a transaction by all steps of one search: about a millisecond.
pub(crate) const MAX_WORK: usize = 200_000;

/// Transactions that are mined together, and what they pay.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct ChunkSet {
    pub(crate) set: Set,
    pub(crate) rate: FeeSize,
}

/// A dependency that holds a chunk together, and the part of it that it hangs on.
#[derive(Clone, Copy)]
struct Bond {
    parent: usize,
    child: usize,
    top: ChunkSet,
}

/// The state of a search.
pub(crate) struct Forest<'a> {
    graph: &'a DepGraph,
    /// For each transaction those of its parents that it is bound to.
    bound_parents: [Set; MAX_TRANSACTIONS],
    bound_children: [Set; MAX_TRANSACTIONS],
    chunk_of: [u8; MAX_TRANSACTIONS],
    chunks: [ChunkSet; MAX_TRANSACTIONS],
    /// Which of `chunks` there are.
    live: Set,
    random: u64,
    work: usize,
}

impl<'a> Forest<'a> {
    /// The state that gives a linearisation at least as good as `order`, which is topological.
    pub(crate) fn from_order(graph: &'a DepGraph, order: &[u8], seed: u64) -> Forest<'a> {
        let mut forest = Forest {
            graph,
            bound_parents: [0; MAX_TRANSACTIONS],
            bound_children: [0; MAX_TRANSACTIONS],
            chunk_of: [0; MAX_TRANSACTIONS],
            chunks: [ChunkSet::default(); MAX_TRANSACTIONS],
            live: 0,
            random: seed | 1,
            work: 0,
        };
        for one in 0..graph.count() {
            forest.chunk_of[one] = one as u8;
            forest.chunks[one] = ChunkSet {
                set: 1 << one,
                rate: graph.rates[one],
            };
        }
        for one in order {
            let one = usize::from(*one);
            forest.live |= 1 << one;
            forest.merge_up(one);
        }
        forest
    }

    /// Improves until nothing can be improved or the work runs out; whether it is optimal.
    pub(crate) fn optimise(&mut self) -> bool {
        let mut queue: VecDeque<usize> = members(self.live).collect();
        let mut queued = self.live;
        while let Some(chunk) = queue.pop_front() {
            queued &= !(1 << chunk);
            if self.live >> chunk & 1 == 0 {
                continue;
            }
            let Some(bond) = self.bond_to_break(chunk) else {
                continue;
            };
            let bottom = self.split(chunk, bond);
            let top = self.merge_up(chunk);
            // The bottom may have been merged into the top again.
            let bottom = match self.live >> bottom & 1 {
                0 => top,
                _ => self.merge_down(bottom),
            };
            for changed in [top, bottom] {
                if self.live >> changed & 1 == 1 && queued >> changed & 1 == 0 {
                    queued |= 1 << changed;
                    queue.push_back(changed);
                }
            }
            if self.work > MAX_WORK {
                return false;
            }
        }
        true
    }

    /// The chunks as they are.
    pub(crate) fn chunks(&self) -> Vec<ChunkSet> {
        members(self.live).map(|chunk| self.chunks[chunk]).collect()
    }

    /// The chunks of an optimal state, split as far as they can be at the same feerate.
    pub(crate) fn smallest_chunks(&mut self) -> Vec<ChunkSet> {
        let mut found = Vec::new();
        for chunk in members(self.live) {
            let whole = self.chunks[chunk];
            if whole.set.is_power_of_two() {
                found.push(whole);
                continue;
            }
            let mut reach = [0; MAX_TRANSACTIONS];
            for one in members(whole.set) {
                reach[one] = self.graph.parents[one] & whole.set | 1 << one;
            }
            for bond in self.bonds(chunk) {
                if (whole.rate - bond.top.rate).beats(bond.top.rate) {
                    reach[bond.parent] |= 1 << bond.child;
                }
            }
            for through in members(whole.set) {
                for one in members(whole.set) {
                    if reach[one] >> through & 1 == 1 {
                        reach[one] |= reach[through];
                    }
                }
            }
            let mut rest = whole.set;
            while rest != 0 {
                let first = rest.trailing_zeros() as usize;
                let set = members(reach[first] & rest)
                    .filter(|one| reach[*one] >> first & 1 == 1)
                    .fold(0, |set, one| set | 1 << one);
                rest &= !set;
                let rate = self.graph.rate_of(set);
                found.push(ChunkSet { set, rate });
            }
        }
        found
    }

    /// Merges a chunk with the cheapest chunk it needs that pays no more than itself, as often as there is one; the
    /// chunk it is then.
    fn merge_up(&mut self, mut chunk: usize) -> usize {
        loop {
            let own = self.chunks[chunk];
            let mut needed = self.graph.parents_of(own.set);
            self.work += own.set.count_ones() as usize;
            let mut best: Option<usize> = None;
            while needed != 0 {
                let other = usize::from(self.chunk_of[needed.trailing_zeros() as usize]);
                needed &= !self.chunks[other].set;
                let rate = self.chunks[other].rate;
                let better = match best {
                    None => !rate.beats(own.rate),
                    Some(best) => self.preferred(self.chunks[best].rate, rate),
                };
                if better {
                    best = Some(other);
                }
            }
            let Some(other) = best else { return chunk };
            chunk = self.merge(other, chunk);
        }
    }

    /// The same downwards: with the best paying chunk that needs it and pays no less.
    fn merge_down(&mut self, mut chunk: usize) -> usize {
        loop {
            let own = self.chunks[chunk];
            let mut needing = self.graph.children_of(own.set);
            self.work += own.set.count_ones() as usize;
            let mut best: Option<usize> = None;
            while needing != 0 {
                let other = usize::from(self.chunk_of[needing.trailing_zeros() as usize]);
                needing &= !self.chunks[other].set;
                let rate = self.chunks[other].rate;
                let better = match best {
                    None => !own.rate.beats(rate),
                    Some(best) => self.preferred(rate, self.chunks[best].rate),
                };
                if better {
                    best = Some(other);
                }
            }
            let Some(other) = best else { return chunk };
            chunk = self.merge(chunk, other);
        }
    }

    /// Whether `high` is above `low`; where they are equal, by chance.
    fn preferred(&mut self, high: FeeSize, low: FeeSize) -> bool {
        match high.cmp_rate(low) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => self.below(2) == 0,
        }
    }

    /// Binds two chunks by one of the dependencies of `lower` on `upper`; the chunk they are then.
    fn merge(&mut self, upper: usize, lower: usize) -> usize {
        let (above, below) = (self.chunks[upper], self.chunks[lower]);
        let ties = |child: usize| self.graph.parents[child] & above.set;
        let count: u32 = members(below.set)
            .map(|child| ties(child).count_ones())
            .sum();
        let mut pick = self.below(count.max(1) as usize);
        'bind: for child in members(below.set) {
            for parent in members(ties(child)) {
                if pick == 0 {
                    self.bound_parents[child] |= 1 << parent;
                    self.bound_children[parent] |= 1 << child;
                    break 'bind;
                }
                pick -= 1;
            }
        }
        for one in members(below.set) {
            self.chunk_of[one] = upper as u8;
        }
        self.work += below.set.count_ones() as usize;
        self.chunks[upper] = ChunkSet {
            set: above.set | below.set,
            rate: above.rate + below.rate,
        };
        self.live &= !(1 << lower);
        upper
    }

    /// Gives up a bond: `chunk` is its top part from then on, the bottom part is returned.
    fn split(&mut self, chunk: usize, bond: Bond) -> usize {
        self.bound_parents[bond.child] &= !(1 << bond.parent);
        self.bound_children[bond.parent] &= !(1 << bond.child);
        let whole = self.chunks[chunk];
        let bottom = (!self.live).trailing_zeros() as usize;
        let below = ChunkSet {
            set: whole.set & !bond.top.set,
            rate: whole.rate - bond.top.rate,
        };
        for one in members(below.set) {
            self.chunk_of[one] = bottom as u8;
        }
        self.chunks[chunk] = bond.top;
        self.chunks[bottom] = below;
        self.live |= 1 << bottom;
        bottom
    }

    /// One of the bonds whose top part pays more than the bottom part, by chance.
    fn bond_to_break(&mut self, chunk: usize) -> Option<Bond> {
        let whole = self.chunks[chunk];
        let mut bonds = self.bonds(chunk);
        bonds.retain(|bond| bond.top.rate.beats(whole.rate - bond.top.rate));
        match bonds.len() {
            0 => None,
            count => {
                let pick = self.below(count);
                Some(bonds[pick])
            }
        }
    }

    /// All bonds of a chunk, with what hangs above each.
    fn bonds(&mut self, chunk: usize) -> Vec<Bond> {
        let whole = self.chunks[chunk];
        let count = whole.set.count_ones() as usize;
        self.work += 2 * count;
        // The tree in an order in which each comes after the one it was reached from.
        let root = whole.set.trailing_zeros() as usize;
        let mut order = Vec::with_capacity(count);
        order.push((root, root));
        let mut seen: Set = 1 << root;
        let mut next = 0;
        while let Some((one, _)) = order.get(next).copied() {
            next += 1;
            let beside = (self.bound_parents[one] | self.bound_children[one]) & !seen;
            seen |= beside;
            order.extend(members(beside).map(|other| (other, one)));
        }
        let mut hanging: [ChunkSet; MAX_TRANSACTIONS] = [ChunkSet::default(); MAX_TRANSACTIONS];
        let mut bonds = Vec::with_capacity(count);
        for (one, from) in order.into_iter().rev() {
            let own = &mut hanging[one];
            own.set |= 1 << one;
            own.rate += self.graph.rates[one];
            let own = *own;
            if one == from {
                continue;
            }
            hanging[from].set |= own.set;
            hanging[from].rate += own.rate;
            let bond = match self.bound_children[one] >> from & 1 {
                1 => Bond {
                    parent: one,
                    child: from,
                    top: own,
                },
                _ => Bond {
                    parent: from,
                    child: one,
                    top: ChunkSet {
                        set: whole.set & !own.set,
                        rate: whole.rate - own.rate,
                    },
                },
            };
            bonds.push(bond);
        }
        bonds
    }

    /// A number below `bound`, by chance: nobody outside can foresee which clusters take long.
    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((u128::from(self.random) * bound as u128) >> 64) as usize
    }
}
