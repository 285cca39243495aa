//! Owns who spends whom among the pending transactions: clusters, their linearisations, all chunks in mining order.
//! Promises that no cluster exceeds its limits, that each is linearised as soon as it changes, and work that depends on
//! the clusters that change, never on how many transactions there are. Refuses to know what a transaction is.
//!
//! ```text
//!   additions + removals -> Plan (the clusters as they would be; nothing changed) -> diagrams -> commit or forget
//! ```

pub(crate) mod dep_graph;
pub(crate) mod diagram;
mod forest;
pub(crate) mod linearize;
mod plan;
mod reads;
mod trim;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

use bitcoin::Txid;
use smallvec::SmallVec;

use crate::fee_rate::FeeSize;
use linearize::Chunk;
pub(crate) use plan::{Addition, Plan};

#[cfg(test)]
mod tests;

/// Where a pending transaction is kept. Taken again once it has left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Slot(pub(crate) u32);

impl Slot {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a cluster is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct ClusterId(u32);

/// A parent that is there already, or the so manieth of the additions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NodeRef {
    /// In the graph.
    Old(Slot),
    /// Among the additions.
    New(u32),
}

/// What clusters may grow to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClusterLimits {
    /// Transactions, at most [`dep_graph::MAX_TRANSACTIONS`].
    pub(crate) count: usize,
    /// Weight units, adjusted for signature operations.
    pub(crate) weight: i64,
}

#[derive(Clone, Debug)]
struct Node {
    /// Fee as the miner counts it, and weight.
    rate: FeeSize,
    txid: Txid,
    parents: SmallVec<[Slot; 2]>,
    children: SmallVec<[Slot; 2]>,
    cluster: ClusterId,
    /// Its place in the cluster's order.
    place: u8,
}

#[derive(Clone, Debug)]
struct Cluster {
    order: SmallVec<[Slot; 1]>,
    chunks: SmallVec<[Chunk; 1]>,
    optimal: bool,
}

/// Where a chunk stands among all: by feerate, then by how much of its cluster pays this feerate up to it, then by its
/// greatest txid. As Bitcoin Core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ChunkKey {
    rate: FeeSize,
    prefix: i64,
    last: Txid,
}

impl Ord for ChunkKey {
    fn cmp(&self, other: &ChunkKey) -> Ordering {
        let by_rate = other.rate.cmp_rate(self.rate);
        by_rate
            .then(self.prefix.cmp(&other.prefix))
            .then_with(|| self.last.cmp(&other.last))
    }
}

impl PartialOrd for ChunkKey {
    fn partial_cmp(&self, other: &ChunkKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The graph.
#[derive(Clone)]
pub(crate) struct Graph {
    limits: ClusterLimits,
    nodes: Vec<Option<Node>>,
    free_nodes: Vec<Slot>,
    clusters: Vec<Option<Cluster>>,
    free_clusters: Vec<ClusterId>,
    /// Every chunk: its cluster, and which of its chunks it is.
    mining: BTreeMap<ChunkKey, (ClusterId, u8)>,
    /// Clusters whose order may not be the best.
    rough: usize,
    seed: u64,
}

impl Graph {
    pub(crate) fn new(limits: ClusterLimits) -> Graph {
        let limits = ClusterLimits {
            count: limits.count.clamp(1, dep_graph::MAX_TRANSACTIONS),
            ..limits
        };
        Graph {
            limits,
            nodes: Vec::new(),
            free_nodes: Vec::new(),
            clusters: Vec::new(),
            free_clusters: Vec::new(),
            mining: BTreeMap::new(),
            rough: 0,
            seed: foldhash::fast::RandomState::default().hash_one(0u8),
        }
    }

    fn node(&self, slot: Slot) -> &Node {
        self.nodes[slot.index()]
            .as_ref()
            .expect("slots are given out for nodes that are there, and taken back with them")
    }

    fn node_mut(&mut self, slot: Slot) -> &mut Node {
        self.nodes[slot.index()]
            .as_mut()
            .expect("slots are given out for nodes that are there, and taken back with them")
    }

    fn cluster(&self, id: ClusterId) -> &Cluster {
        self.clusters[id.0 as usize]
            .as_ref()
            .expect("nodes name clusters that are there")
    }

    /// Makes a plan true. The slots of its additions, in their order.
    pub(crate) fn commit(&mut self, plan: Plan) -> SmallVec<[Slot; 2]> {
        for cluster in &plan.affected {
            self.drop_cluster(*cluster);
        }
        for slot in &plan.removed {
            self.drop_node(*slot);
        }
        let mut slots: SmallVec<[Slot; 2]> = SmallVec::new();
        for addition in &plan.additions {
            let slot = self.free_nodes.pop().unwrap_or_else(|| {
                self.nodes.push(None);
                Slot((self.nodes.len() - 1) as u32)
            });
            let parents: SmallVec<[Slot; 2]> = addition
                .parents
                .iter()
                .map(|parent| match parent {
                    NodeRef::Old(slot) => *slot,
                    NodeRef::New(index) => slots[*index as usize],
                })
                .collect();
            for parent in &parents {
                self.node_mut(*parent).children.push(slot);
            }
            self.nodes[slot.index()] = Some(Node {
                rate: addition.rate,
                txid: addition.txid,
                parents,
                children: SmallVec::new(),
                cluster: ClusterId(u32::MAX),
                place: 0,
            });
            slots.push(slot);
        }
        for planned in plan.clusters {
            let order = planned.order.into_iter().map(|node| match node {
                NodeRef::Old(slot) => slot,
                NodeRef::New(index) => slots[index as usize],
            });
            self.enter_cluster(Cluster {
                order: order.collect(),
                chunks: planned.chunks,
                optimal: planned.optimal,
            });
        }
        slots
    }

    /// Takes transactions out. The others of their clusters are linearised anew.
    pub(crate) fn remove(&mut self, slots: &[Slot]) {
        // What is left of a cluster within its limits is within them.
        if let Ok(plan) = self.plan(SmallVec::new(), slots) {
            self.commit(plan);
        }
    }

    /// Changes what a transaction pays.
    pub(crate) fn set_fee(&mut self, slot: Slot, fee: i64) {
        self.node_mut(slot).rate.fee = fee;
        self.relinearize(self.node(slot).cluster);
    }

    /// Linearises a cluster whose fees have changed since its chunks were entered: these are found by its chunks, which
    /// are as they were.
    fn relinearize(&mut self, id: ClusterId) {
        let order = self.drop_cluster(id);
        self.enter_connected(&order);
    }

    /// Makes a cluster of connected nodes that have none and keep to the limits.
    fn enter_connected(&mut self, members: &[Slot]) {
        let Ok(planned) = self.plan_cluster(members) else {
            return;
        };
        let order = planned.order.iter().filter_map(|name| match name {
            NodeRef::Old(slot) => Some(*slot),
            NodeRef::New(_) => None,
        });
        self.enter_cluster(Cluster {
            order: order.collect(),
            chunks: planned.chunks,
            optimal: planned.optimal,
        });
    }

    fn enter_cluster(&mut self, cluster: Cluster) {
        let id = self.free_clusters.pop().unwrap_or_else(|| {
            self.clusters.push(None);
            ClusterId((self.clusters.len() - 1) as u32)
        });
        for (place, slot) in cluster.order.iter().enumerate() {
            let node = self.node_mut(*slot);
            node.cluster = id;
            node.place = place as u8;
        }
        self.rough += usize::from(!cluster.optimal);
        for (number, key) in self.keys(&cluster).into_iter().enumerate() {
            self.mining.insert(key, (id, number as u8));
        }
        self.clusters[id.0 as usize] = Some(cluster);
    }

    /// Takes a cluster out of the mining order; its nodes stay, without a cluster.
    fn drop_cluster(&mut self, id: ClusterId) -> SmallVec<[Slot; 1]> {
        let Some(cluster) = self.clusters[id.0 as usize].take() else {
            return SmallVec::new();
        };
        for key in self.keys(&cluster) {
            self.mining.remove(&key);
        }
        self.rough -= usize::from(!cluster.optimal);
        self.free_clusters.push(id);
        cluster.order
    }

    fn drop_node(&mut self, slot: Slot) {
        let Some(node) = self.nodes[slot.index()].take() else {
            return;
        };
        for parent in node.parents {
            if let Some(parent) = &mut self.nodes[parent.index()] {
                parent.children.retain(|child| *child != slot);
            }
        }
        for child in node.children {
            if let Some(child) = &mut self.nodes[child.index()] {
                child.parents.retain(|parent| *parent != slot);
            }
        }
        self.free_nodes.push(slot);
    }

    /// Where a cluster's chunks stand among all chunks.
    fn keys(&self, cluster: &Cluster) -> SmallVec<[ChunkKey; 1]> {
        let mut start = 0;
        let mut prefix = FeeSize::default();
        let mut keys = SmallVec::with_capacity(cluster.chunks.len());
        for chunk in &cluster.chunks {
            let end = usize::from(chunk.end);
            prefix = match start > 0 && !prefix.beats(chunk.rate) {
                true => prefix + chunk.rate,
                false => chunk.rate,
            };
            let last = cluster.order[start..end]
                .iter()
                .map(|slot| self.node(*slot).txid)
                .max();
            let Some(last) = last else { continue };
            keys.push(ChunkKey {
                rate: chunk.rate,
                prefix: prefix.size,
                last,
            });
            start = end;
        }
        keys
    }
}
