//! Owns the linking of transactions that came back from undone blocks with those that spend them, and what has to go
//! because clusters grow too large by it.
//! Promises that the best paying stay, as Bitcoin Core chooses them: each cluster as it was keeps its order, and what
//! would exceed the limits goes with all that spends it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{Graph, Slot};
use crate::fee_rate::FeeSize;

/// What can be taken next; the best is the greatest.
struct Candidate {
    rate: FeeSize,
    index: u32,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> Ordering {
        let by_rate = self.rate.cmp_rate(other.rate);
        by_rate
            .then(other.rate.size.cmp(&self.rate.size))
            .then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Candidate) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// Clusters in the making.
struct Growing {
    root: Vec<u32>,
    count: Vec<usize>,
    weight: Vec<i64>,
}

impl Growing {
    fn find(&mut self, mut one: u32) -> u32 {
        while self.root[one as usize] != one {
            let above = self.root[one as usize];
            self.root[one as usize] = self.root[above as usize];
            one = above;
        }
        one
    }
}

impl Graph {
    /// Adds dependencies (parent, child) between transactions that are there, and takes out what makes clusters too
    /// large: these are returned, gone already.
    pub(crate) fn link(&mut self, pairs: &[(Slot, Slot)]) -> Vec<Slot> {
        let mut affected: Vec<_> = Vec::new();
        for (parent, child) in pairs {
            affected.push(self.node(*parent).cluster);
            affected.push(self.node(*child).cluster);
            if !self.node(*parent).children.contains(child) {
                self.node_mut(*parent).children.push(*child);
                self.node_mut(*child).parents.push(*parent);
            }
        }
        affected.sort_unstable();
        affected.dedup();
        let orders: Vec<_> = affected
            .iter()
            .map(|id| {
                let cluster = self.cluster(*id);
                let rates: Vec<FeeSize> = cluster
                    .order
                    .iter()
                    .map(|slot| self.chunk_rate(*slot))
                    .collect();
                (cluster.order.clone(), rates)
            })
            .collect();
        let gone = self.too_many(&orders);
        for id in affected {
            self.drop_cluster(id);
        }
        for slot in &gone {
            self.drop_node(*slot);
        }
        let slots = orders.into_iter().flat_map(|(order, _)| order);
        let left: Vec<Slot> = slots
            .filter(|slot| self.nodes[slot.index()].is_some())
            .collect();
        self.gather(&left);
        gone
    }

    /// Makes clusters of nodes that have none.
    fn gather(&mut self, slots: &[Slot]) {
        let mut done: hashbrown::HashSet<Slot, RandomState> = Default::default();
        for slot in slots {
            if !done.insert(*slot) {
                continue;
            }
            let mut members = vec![*slot];
            let mut next = 0;
            while let Some(one) = members.get(next).copied() {
                next += 1;
                let node = self.node(one);
                for other in node.parents.iter().chain(&node.children) {
                    if done.insert(*other) {
                        members.push(*other);
                    }
                }
            }
            self.enter_connected(&members);
        }
    }

    /// Which of the transactions cannot stay once all dependencies hold.
    fn too_many(&self, orders: &[(SmallVec<[Slot; 1]>, Vec<FeeSize>)]) -> Vec<Slot> {
        let all = || orders.iter().flat_map(|(order, _)| order.iter().copied());
        let slots: Vec<Slot> = all().collect();
        let index: HashMap<Slot, u32, RandomState> =
            (0..).zip(all()).map(|(n, slot)| (slot, n)).collect();
        let rates: Vec<FeeSize> = orders
            .iter()
            .flat_map(|(_, rates)| rates.iter().copied())
            .collect();
        let mut parents: Vec<Vec<u32>> = slots
            .iter()
            .map(|slot| {
                let parents = self.node(*slot).parents.iter();
                parents
                    .filter_map(|slot| index.get(slot).copied())
                    .collect()
            })
            .collect();
        // A cluster's order holds as if each spent the one before it.
        let mut start = 0;
        for (order, _) in orders {
            let later = (start as u32..).zip(&mut parents[start + 1..start + order.len()]);
            later.for_each(|(before, parents)| parents.push(before));
            start += order.len();
        }
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); slots.len()];
        for (child, parents) in (0..).zip(&mut parents) {
            parents.sort_unstable();
            parents.dedup();
            for parent in parents {
                children[*parent as usize].push(child);
            }
        }
        let mut open: Vec<usize> = parents.iter().map(Vec::len).collect();
        let weight = |one: u32| self.node(slots[one as usize]).rate.size;
        let mut growing = Growing {
            root: (0..slots.len() as u32).collect(),
            count: vec![1; slots.len()],
            weight: (0..slots.len() as u32).map(weight).collect(),
        };
        let candidate = |index: u32| Candidate {
            rate: rates[index as usize],
            index,
        };
        let mut heap: BinaryHeap<Candidate> = (0..slots.len() as u32)
            .filter(|one| open[*one as usize] == 0)
            .map(candidate)
            .collect();
        let mut stays = vec![false; slots.len()];
        while let Some(Candidate { index: one, .. }) = heap.pop() {
            let mut roots: SmallVec<[u32; 4]> = parents[one as usize]
                .iter()
                .map(|parent| growing.find(*parent))
                .collect();
            roots.sort_unstable();
            roots.dedup();
            let count = 1 + roots
                .iter()
                .map(|root| growing.count[*root as usize])
                .sum::<usize>();
            let heavy = weight(one)
                + roots
                    .iter()
                    .map(|root| growing.weight[*root as usize])
                    .sum::<i64>();
            if count > self.limits.count || heavy > self.limits.weight {
                continue;
            }
            for root in roots {
                growing.root[root as usize] = one;
            }
            growing.count[one as usize] = count;
            growing.weight[one as usize] = heavy;
            stays[one as usize] = true;
            for child in &children[one as usize] {
                open[*child as usize] -= 1;
                if open[*child as usize] == 0 {
                    heap.push(candidate(*child));
                }
            }
        }
        let gone = slots.iter().zip(stays).filter(|(_, stays)| !stays);
        gone.map(|(slot, _)| *slot).collect()
    }
}
