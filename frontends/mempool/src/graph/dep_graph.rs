//! Owns the small graph that a linearisation works on: one cluster, its transactions by number, sets as 64 bits.
//! Promises closed ancestor and descendant sets; refuses clusters of more than [`MAX_TRANSACTIONS`].

use crate::fee_rate::FeeSize;

/// Most transactions of a cluster: sets of them are the bits of one word.
pub(crate) const MAX_TRANSACTIONS: usize = 64;

/// A set of a cluster's transactions.
pub(crate) type Set = u64;

/// The numbers in a set, from low to high.
pub(crate) fn members(mut set: Set) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (first < MAX_TRANSACTIONS).then_some(first)
    })
}

/// Transactions with their fees and weights, and who spends whom.
#[derive(Clone, Debug)]
pub(crate) struct DepGraph {
    pub(crate) rates: Vec<FeeSize>,
    pub(crate) parents: Vec<Set>,
    pub(crate) children: Vec<Set>,
    /// With the transaction itself.
    pub(crate) ancestors: Vec<Set>,
    /// With the transaction itself.
    pub(crate) descendants: Vec<Set>,
}

impl DepGraph {
    /// A graph of `rates.len()` transactions, at most [`MAX_TRANSACTIONS`], in an order in which each comes after its
    /// parents: `parents[n]` has only numbers below `n`.
    pub(crate) fn new(rates: Vec<FeeSize>, parents: Vec<Set>) -> DepGraph {
        let count = rates.len();
        debug_assert!(count <= MAX_TRANSACTIONS);
        let mut children = vec![0; count];
        let mut ancestors = vec![0; count];
        for child in 0..count {
            debug_assert_eq!(parents[child] >> child, 0);
            let mut above = 1 << child;
            for parent in members(parents[child]) {
                above |= ancestors[parent];
                children[parent] |= 1 << child;
            }
            ancestors[child] = above;
        }
        let mut descendants: Vec<Set> = vec![0; count];
        for parent in (0..count).rev() {
            let below = members(children[parent]).fold(0, |set, child| set | descendants[child]);
            descendants[parent] = below | 1 << parent;
        }
        DepGraph {
            rates,
            parents,
            children,
            ancestors,
            descendants,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.rates.len()
    }

    /// What a set pays together.
    pub(crate) fn rate_of(&self, set: Set) -> FeeSize {
        members(set).fold(FeeSize::default(), |sum, one| sum + self.rates[one])
    }

    /// The parents of a set that are not in it.
    pub(crate) fn parents_of(&self, set: Set) -> Set {
        members(set).fold(0, |all, one| all | self.parents[one]) & !set
    }

    /// The children of a set that are not in it.
    pub(crate) fn children_of(&self, set: Set) -> Set {
        members(set).fold(0, |all, one| all | self.children[one]) & !set
    }
}

/// Whether each transaction comes after its parents, and each comes once.
#[cfg(test)]
pub(crate) fn is_topological(graph: &DepGraph, order: &[u8]) -> bool {
    let mut seen: Set = 0;
    for one in order {
        let one = usize::from(*one);
        if graph.parents[one] & !seen != 0 || seen >> one & 1 != 0 {
            return false;
        }
        seen |= 1 << one;
    }
    order.len() == graph.count()
}
