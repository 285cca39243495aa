//! Owns what would be: the clusters after some transactions come and others go, before anything is changed.
//! Promises the limits' verdict and both diagrams, with work that depends on the clusters concerned alone.

use bitcoin::Txid;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::dep_graph::{DepGraph, Set};
use super::diagram::sort_chunks;
use super::linearize::{Chunk, linearize};
use super::{ClusterId, Graph, NodeRef, Slot};
use crate::fee_rate::FeeSize;

/// A transaction that is to come in.
#[derive(Clone, Debug)]
pub(crate) struct Addition {
    /// Its fee as the miner counts it, and its weight.
    pub(crate) rate: FeeSize,
    pub(crate) txid: Txid,
    /// Each once. Among additions, only earlier ones.
    pub(crate) parents: SmallVec<[NodeRef; 2]>,
}

/// A cluster would exceed its limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLarge;

/// A cluster as it would be.
#[derive(Clone, Debug)]
pub(crate) struct PlannedCluster {
    pub(crate) order: SmallVec<[NodeRef; 1]>,
    pub(crate) chunks: SmallVec<[Chunk; 1]>,
    pub(crate) optimal: bool,
}

/// A change that keeps to the limits.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(super) affected: SmallVec<[ClusterId; 2]>,
    pub(super) removed: Vec<Slot>,
    pub(super) additions: SmallVec<[Addition; 1]>,
    pub(super) clusters: SmallVec<[PlannedCluster; 1]>,
}

/// A node of the clusters concerned.
struct Part {
    name: NodeRef,
    rate: FeeSize,
    txid: Txid,
    /// Indices of other parts.
    parents: SmallVec<[u32; 2]>,
}

impl Plan {
    /// What the clusters concerned pay afterwards, best first.
    pub(crate) fn after(&self) -> Vec<FeeSize> {
        let chunks = self.clusters.iter().flat_map(|cluster| &cluster.chunks);
        let mut rates: Vec<FeeSize> = chunks.map(|chunk| chunk.rate).collect();
        sort_chunks(&mut rates);
        rates
    }
}

impl Graph {
    /// What would come of it if `removed` went and `additions` came.
    ///
    /// # Errors
    ///
    /// A cluster would exceed its limits.
    pub(crate) fn plan(
        &self,
        mut additions: SmallVec<[Addition; 1]>,
        removed: &[Slot],
    ) -> Result<Plan, TooLarge> {
        let affected = self.affected(&additions, removed);
        let gone: HashSet<Slot, RandomState> = removed.iter().copied().collect();
        for addition in &mut additions {
            // What goes is nobody's parent any more. Whether a child may stay is for the caller to say.
            addition
                .parents
                .retain(|parent| !matches!(parent, NodeRef::Old(slot) if gone.contains(slot)));
            // Before the clusters of so many parents are looked at.
            if addition.parents.len() >= self.limits.count {
                return Err(TooLarge);
            }
        }
        // Most transactions spend nothing that is pending.
        if let ([addition], true) = (&additions[..], affected.is_empty()) {
            let planned = self.alone(addition)?;
            return Ok(Plan {
                affected,
                removed: Vec::new(),
                additions,
                clusters: SmallVec::from_buf([planned]),
            });
        }
        let parts = self.parts(&affected, &additions, &gone);
        let mut clusters = SmallVec::new();
        for members in components(&parts) {
            clusters.push(self.linearized(&parts, &members)?);
        }
        Ok(Plan {
            affected,
            removed: removed.to_vec(),
            additions,
            clusters,
        })
    }

    /// What the clusters that a plan changes pay now, best first.
    pub(crate) fn before(&self, plan: &Plan) -> Vec<FeeSize> {
        let clusters = plan.affected.iter().map(|id| self.cluster(*id));
        let chunks = clusters.flat_map(|cluster| &cluster.chunks);
        let mut rates: Vec<FeeSize> = chunks.map(|chunk| chunk.rate).collect();
        sort_chunks(&mut rates);
        rates
    }

    fn alone(&self, addition: &Addition) -> Result<PlannedCluster, TooLarge> {
        if addition.rate.size > self.limits.weight {
            return Err(TooLarge);
        }
        Ok(PlannedCluster {
            order: SmallVec::from_buf([NodeRef::New(0)]),
            chunks: SmallVec::from_buf([Chunk {
                end: 1,
                rate: addition.rate,
            }]),
            optimal: true,
        })
    }

    fn affected(&self, additions: &[Addition], removed: &[Slot]) -> SmallVec<[ClusterId; 2]> {
        let parents = additions.iter().flat_map(|addition| &addition.parents);
        let parents = parents.filter_map(|parent| match parent {
            NodeRef::Old(slot) => Some(slot),
            NodeRef::New(_) => None,
        });
        let mut affected: SmallVec<[ClusterId; 2]> = parents
            .chain(removed)
            .map(|slot| self.node(*slot).cluster)
            .collect();
        affected.sort_unstable();
        affected.dedup();
        affected
    }

    /// The nodes of some clusters in mining order, without those that go, then the additions.
    fn parts(
        &self,
        affected: &[ClusterId],
        additions: &[Addition],
        gone: &HashSet<Slot, RandomState>,
    ) -> Vec<Part> {
        let mut old: Vec<_> = Vec::new();
        for id in affected {
            let cluster = self.cluster(*id);
            let mut start = 0;
            for (chunk, key) in cluster.chunks.iter().zip(self.keys(cluster)) {
                let end = usize::from(chunk.end);
                let slots = cluster.order[start..end].iter();
                old.extend(
                    slots
                        .filter(|slot| !gone.contains(*slot))
                        .map(|slot| (key, *slot)),
                );
                start = end;
            }
        }
        // Stable: within a chunk the order stays.
        old.sort_by_key(|(key, _)| *key);
        let index: HashMap<Slot, u32, RandomState> = (0..)
            .zip(&old)
            .map(|(index, (_, slot))| (*slot, index))
            .collect();
        let first_new = old.len() as u32;
        let mut parts: Vec<Part> = Vec::with_capacity(old.len() + additions.len());
        parts.extend(old.iter().map(|(_, slot)| self.part(*slot, &index)));
        for (number, addition) in (0..).zip(additions) {
            let parents = addition.parents.iter().filter_map(|parent| match parent {
                NodeRef::Old(slot) => index.get(slot).copied(),
                NodeRef::New(number) => Some(first_new + number),
            });
            parts.push(Part {
                name: NodeRef::New(number),
                rate: addition.rate,
                txid: addition.txid,
                parents: parents.collect(),
            });
        }
        parts
    }

    /// Linearises one connected set of parts, given in an order that need not be topological.
    fn linearized(&self, parts: &[Part], members: &[u32]) -> Result<PlannedCluster, TooLarge> {
        let weight: i64 = members
            .iter()
            .map(|one| parts[*one as usize].rate.size)
            .sum();
        if members.len() > self.limits.count || weight > self.limits.weight {
            return Err(TooLarge);
        }
        let order = topological(parts, members);
        let place = |part: u32| order.iter().position(|one| *one == part);
        let rates = order.iter().map(|one| parts[*one as usize].rate).collect();
        let parents = order.iter().map(|one| {
            let parents = parts[*one as usize].parents.iter();
            parents
                .filter_map(|parent| place(*parent))
                .fold(0, |set: Set, parent| set | 1 << parent)
        });
        let graph = DepGraph::new(rates, parents.collect());
        let txids: Vec<Txid> = order.iter().map(|one| parts[*one as usize].txid).collect();
        let found = linearize(&graph, &ranks(&txids), self.seed);
        let names = found.order.iter();
        Ok(PlannedCluster {
            order: names
                .map(|one| parts[order[usize::from(*one)] as usize].name)
                .collect(),
            chunks: SmallVec::from_vec(found.chunks),
            optimal: found.optimal,
        })
    }

    /// A node as a part, with those of its parents that `index` has.
    fn part(&self, slot: Slot, index: &HashMap<Slot, u32, RandomState>) -> Part {
        let node = self.node(slot);
        let parents = node.parents.iter();
        Part {
            name: NodeRef::Old(slot),
            rate: node.rate,
            txid: node.txid,
            parents: parents
                .filter_map(|slot| index.get(slot).copied())
                .collect(),
        }
    }

    /// Linearises connected nodes of this graph, from the order in which they are given.
    pub(super) fn plan_cluster(&self, order: &[Slot]) -> Result<PlannedCluster, TooLarge> {
        let index: HashMap<Slot, u32, RandomState> = (0..)
            .zip(order)
            .map(|(index, slot)| (*slot, index))
            .collect();
        let parts: Vec<Part> = (order.iter())
            .map(|slot| self.part(*slot, &index))
            .collect();
        let members: Vec<u32> = (0..order.len() as u32).collect();
        self.linearized(&parts, &members)
    }
}

/// The connected sets of parts, each in the parts' order.
fn components(parts: &[Part]) -> Vec<Vec<u32>> {
    let mut root: Vec<u32> = (0..parts.len() as u32).collect();
    fn find(root: &mut [u32], mut one: u32) -> u32 {
        while root[one as usize] != one {
            root[one as usize] = root[root[one as usize] as usize];
            one = root[one as usize];
        }
        one
    }
    for (child, part) in (0..).zip(parts) {
        for parent in &part.parents {
            let (a, b) = (find(&mut root, child), find(&mut root, *parent));
            root[a.max(b) as usize] = a.min(b);
        }
    }
    let mut found: Vec<Vec<u32>> = Vec::new();
    let mut number: HashMap<u32, usize, RandomState> = HashMap::default();
    for one in 0..parts.len() as u32 {
        let at = *number.entry(find(&mut root, one)).or_insert_with(|| {
            found.push(Vec::new());
            found.len() - 1
        });
        found[at].push(one);
    }
    found
}

/// The members so that each comes after its parents, else in the given order.
fn topological(parts: &[Part], members: &[u32]) -> Vec<u32> {
    let mut order: Vec<u32> = Vec::with_capacity(members.len());
    let mut open: Vec<u32> = Vec::new();
    for one in members {
        open.push(*one);
        while let Some(top) = open.last().copied() {
            if order.contains(&top) {
                open.pop();
                continue;
            }
            let missing = |parent: &&u32| !order.contains(*parent);
            match parts[top as usize].parents.iter().find(missing) {
                Some(parent) => open.push(*parent),
                None => {
                    order.push(top);
                    open.pop();
                }
            }
        }
    }
    order
}

/// The place of each txid among them all.
fn ranks(txids: &[Txid]) -> Vec<u8> {
    let mut by_txid: Vec<u8> = (0..txids.len() as u8).collect();
    by_txid.sort_unstable_by_key(|one| txids[usize::from(*one)]);
    let mut rank = vec![0; txids.len()];
    for (place, one) in (0..).zip(by_txid) {
        rank[usize::from(one)] = place;
    }
    rank
}
