//! Owns what can be asked of the graph. Each answer's cost is that of one cluster at most; the walk over all chunks
//! costs as much as is walked.

use smallvec::SmallVec;

use super::dep_graph::Set;
use super::{ChunkKey, Graph, Slot};
use crate::fee_rate::FeeSize;

impl Graph {
    /// What it spends directly, each once.
    pub(crate) fn parents(&self, slot: Slot) -> &[Slot] {
        &self.node(slot).parents
    }

    /// What spends it directly, each once.
    pub(crate) fn children(&self, slot: Slot) -> &[Slot] {
        &self.node(slot).children
    }

    /// The transaction and all it depends on, in no order.
    pub(crate) fn ancestors(&self, slot: Slot) -> Vec<Slot> {
        self.reached([slot], |slot| self.parents(slot))
    }

    /// The transaction and all that depend on it, in no order.
    pub(crate) fn descendants(&self, slot: Slot) -> Vec<Slot> {
        self.reached([slot], |slot| self.children(slot))
    }

    /// All of one cluster that can be reached.
    fn reached<'a>(
        &'a self,
        from: impl IntoIterator<Item = Slot>,
        beside: impl Fn(Slot) -> &'a [Slot],
    ) -> Vec<Slot> {
        let mut seen: Set = 0;
        let mut found: Vec<Slot> = Vec::new();
        let mut enter = |slot: Slot, found: &mut Vec<Slot>| {
            let bit = 1 << self.node(slot).place;
            if seen & bit == 0 {
                seen |= bit;
                found.push(slot);
            }
        };
        for slot in from {
            enter(slot, &mut found);
        }
        let mut next = 0;
        while let Some(slot) = found.get(next).copied() {
            next += 1;
            for other in beside(slot) {
                enter(*other, &mut found);
            }
        }
        found
    }

    /// The chunks of its cluster, best first: their transactions, fee and weight.
    pub(crate) fn cluster_chunks(&self, slot: Slot) -> Vec<(&[Slot], FeeSize)> {
        let cluster = self.cluster(self.node(slot).cluster);
        let mut start = 0;
        let slots = |chunk: &super::Chunk| {
            let end = usize::from(chunk.end);
            let slots = &cluster.order[start..end];
            start = end;
            (slots, chunk.rate)
        };
        cluster.chunks.iter().map(slots).collect()
    }

    /// What the chunk that it is mined with pays, and weighs.
    pub(crate) fn chunk_rate(&self, slot: Slot) -> FeeSize {
        let node = self.node(slot);
        let chunks = &self.cluster(node.cluster).chunks;
        let chunk = chunks.iter().find(|chunk| node.place < chunk.end);
        chunk.map_or(node.rate, |chunk| chunk.rate)
    }

    /// A number that all transactions of its cluster have, and no other.
    pub(crate) fn cluster_number(&self, slot: Slot) -> u32 {
        self.node(slot).cluster.0
    }

    /// Where it stands in mining order.
    pub(crate) fn mining_place(&self, slot: Slot) -> Option<(ChunkKey, u8)> {
        let node = self.node(slot);
        let cluster = self.cluster(node.cluster);
        let chunk = cluster
            .chunks
            .iter()
            .position(|chunk| node.place < chunk.end)?;
        Some((*self.keys(cluster).get(chunk)?, node.place))
    }

    /// How many clusters these belong to.
    pub(crate) fn distinct_clusters(&self, slots: &[Slot]) -> usize {
        let mut clusters: SmallVec<[_; 4]> =
            slots.iter().map(|slot| self.node(*slot).cluster).collect();
        clusters.sort_unstable();
        clusters.dedup();
        clusters.len()
    }

    /// All chunks in mining order: the best paying first.
    pub(crate) fn chunks(&self) -> impl DoubleEndedIterator<Item = (&[Slot], FeeSize)> {
        self.mining.values().map(|(id, number)| {
            let cluster = self.cluster(*id);
            let number = usize::from(*number);
            let before = number
                .checked_sub(1)
                .and_then(|before| cluster.chunks.get(before));
            let start = before.map_or(0, |before| usize::from(before.end));
            let chunk = cluster.chunks[number];
            (&cluster.order[start..usize::from(chunk.end)], chunk.rate)
        })
    }

    /// Whether every cluster is known to be in its best order.
    pub(crate) fn is_optimal(&self) -> bool {
        self.rough == 0
    }
}
