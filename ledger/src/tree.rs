//! Owns the block tree: every header known, on every branch, with its work, its validity and its place on disk.
//! Promises dense stable ids, ancestors in O(log n), and that readers see only what is committed.
//! Refuses to judge: rules live in `rules/`, decisions in the engine.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use bitcoin::block::Header;
use bitcoin::{BlockHash, CompactTarget, Work};
use smallvec::SmallVec;

use self::precious::Precious;
use crate::id::{BlockId, ByHash, ById};
use crate::rules::{Chain, HeaderFacts};
use crate::sha256d::block_hash as hash_of;
use crate::store::{BlockPosition, HeaderRow, StoreError};

mod precious;

/// How far a block has come on the street.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Progress {
    /// Only the header is known.
    Header,
    /// The block is on disk; it was never connected.
    Stored,
    /// Every rule was checked against its parent's world.
    Connected,
}

/// How much of what was wrong with a block is kept, in bytes: a transaction, an input and an error fit well.
pub(crate) const MAX_DEBUG_BYTES: usize = 500;

/// Why a block must not be built on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// It breaks a rule.
    Rule,
    /// Somebody called `invalidate_block` on it.
    ByHand,
    /// One of its ancestors failed.
    Ancestor,
}

/// One header and what is known of its block.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) hash: BlockHash,
    pub(crate) header: Header,
    pub(crate) parent: Option<BlockId>,
    /// An ancestor further back, so that any ancestor is O(log n) steps away.
    skip: BlockId,
    pub(crate) height: u32,
    /// Work of the whole chain up to here.
    pub(crate) chainwork: Work,
    pub(crate) position: Option<BlockPosition>,
    pub(crate) progress: Progress,
    pub(crate) failure: Option<Failure>,
    /// What was wrong with a block that failed, by itself.
    pub(crate) rejection: Option<Box<Rejection>>,
    /// Order in which blocks became complete; the first seen wins a tie of work. 0: not complete.
    pub(crate) sequence: u64,
    /// Unix seconds when the header was first accepted here.
    pub(crate) first_seen: u64,
    /// Transactions in the block; 0 while only the header is known.
    pub(crate) tx_count: u32,
    /// Children known, of any validity; the leaves of the tree have none.
    children: SmallVec<[BlockId; 4]>,
}

/// What was wrong with a block. Few have one: it takes eight bytes of the others.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rejection {
    /// The reject reason.
    pub(crate) reason: String,
    /// What exactly was wrong, of at most [`MAX_DEBUG_BYTES`].
    pub(crate) debug: String,
}

impl Node {
    pub(crate) fn failed(&self) -> bool {
        self.failure.is_some()
    }

    pub(crate) fn children(&self) -> &[BlockId] {
        &self.children
    }

    /// The reject reason; empty if it did not fail by itself.
    pub(crate) fn reason(&self) -> &str {
        self.rejection
            .as_ref()
            .map_or("", |rejection| &rejection.reason)
    }

    /// What exactly was wrong; empty if there is nothing more to say.
    pub(crate) fn debug(&self) -> &str {
        self.rejection
            .as_ref()
            .map_or("", |rejection| &rejection.debug)
    }

    fn state_byte(&self) -> u8 {
        let failure = match self.failure {
            None => 0,
            Some(Failure::Rule) => 1,
            Some(Failure::ByHand) => 2,
            Some(Failure::Ancestor) => 3,
        };
        self.progress as u8 | failure << 4
    }

    pub(crate) fn row(&self, id: BlockId) -> HeaderRow {
        HeaderRow {
            id,
            hash: self.hash,
            header: self.header,
            height: self.height,
            parent: self.parent,
            position: self.position,
            state: self.state_byte(),
            reason: self.reason().to_owned(),
            debug: self.debug().to_owned(),
            sequence: self.sequence,
            first_seen: self.first_seen,
            tx_count: self.tx_count,
        }
    }
}

fn decode_state(byte: u8) -> Option<(Progress, Option<Failure>)> {
    let progress = match byte & 0x0f {
        0 => Progress::Header,
        1 => Progress::Stored,
        2 => Progress::Connected,
        _ => return None,
    };
    let failure = match byte >> 4 {
        0 => None,
        1 => Some(Failure::Rule),
        2 => Some(Failure::ByHand),
        3 => Some(Failure::Ancestor),
        _ => return None,
    };
    Some((progress, failure))
}

/// Nodes in chunks, so that growing never moves a million of them while readers wait.
#[derive(Default)]
struct Nodes {
    chunks: Vec<Vec<Node>>,
    length: usize,
}

impl Nodes {
    const CHUNK: usize = 4096;

    fn get(&self, id: BlockId) -> &Node {
        &self.chunks[id.index() / Self::CHUNK][id.index() % Self::CHUNK]
    }

    fn get_mut(&mut self, id: BlockId) -> &mut Node {
        &mut self.chunks[id.index() / Self::CHUNK][id.index() % Self::CHUNK]
    }

    fn push(&mut self, node: Node) {
        if self.length.is_multiple_of(Self::CHUNK) {
            self.chunks.push(Vec::with_capacity(Self::CHUNK));
        }
        self.chunks
            .last_mut()
            .expect("a chunk was just made")
            .push(node);
        self.length += 1;
    }

    fn pop(&mut self) -> Option<Node> {
        let chunk = self.chunks.last_mut()?;
        let node = chunk.pop()?;
        if chunk.is_empty() {
            self.chunks.pop();
        }
        self.length -= 1;
        Some(node)
    }
}

/// The tree of all headers.
///
/// The writer appends and changes nodes as it goes; [`BlockTree::publish`] makes the appended ones visible to readers
/// and [`BlockTree::rollback`] takes everything back to the last publication.
pub(crate) struct BlockTree {
    nodes: Nodes,
    by_hash: ByHash<BlockId>,
    /// At each height the blocks of all branches, in order of arrival.
    by_height: Vec<SmallVec<[BlockId; 2]>>,
    /// Committed nodes without committed children.
    leaves: BTreeSet<BlockId>,
    /// Nodes below this count are visible to readers.
    committed: usize,
    /// Committed nodes as they were before the writer changed them since the last publication.
    before: ById<Node>,
    /// The header of most work that did not fail, the first seen among equals, published or not.
    best_header: BlockId,
    /// The same at the last publication.
    committed_best_header: BlockId,
    /// Blocks that go before others of the same work. Not kept over restarts.
    precious: Precious,
    /// When a block left the best chain last, counted from the start: what Bitcoin Core's index of transactions shows of
    /// blocks that have the same one. Not kept over restarts; one entry for each block that was undone.
    left_best: ById<u64>,
    departures: u64,
    /// The bits that were asked for last, and their work.
    last_work: Option<(CompactTarget, Work)>,
}

impl BlockTree {
    pub(crate) fn new(genesis: Header, first_seen: u64) -> BlockTree {
        let mut tree = BlockTree {
            nodes: Nodes::default(),
            by_hash: ByHash::default(),
            by_height: Vec::new(),
            leaves: BTreeSet::new(),
            committed: 0,
            before: ById::default(),
            precious: Precious::default(),
            left_best: ById::default(),
            departures: 0,
            best_header: BlockId::GENESIS,
            committed_best_header: BlockId::GENESIS,
            last_work: None,
        };
        tree.push(genesis.block_hash(), genesis, None, first_seen);
        tree
    }

    /// Rebuilds the tree from its rows, in id order.
    pub(crate) fn load(
        rows: impl Iterator<Item = Result<HeaderRow, StoreError>>,
    ) -> Result<BlockTree, StoreError> {
        let corrupt = |detail: String| StoreError::corrupt("headers", detail);
        let mut tree: Option<BlockTree> = None;
        for row in rows {
            let row = row?;
            let id = match &mut tree {
                None if row.parent.is_none() => {
                    tree = Some(BlockTree::new(row.header, row.first_seen));
                    BlockId::GENESIS
                }
                Some(tree) => match row.parent {
                    Some(parent) if parent.index() < tree.nodes.length => tree.push(
                        hash_of(&row.header),
                        row.header,
                        Some(parent),
                        row.first_seen,
                    ),
                    _ => return Err(corrupt(format!("row {} has no parent before it", row.id))),
                },
                None => return Err(corrupt("the first row is not a genesis block".into())),
            };
            let tree = tree.as_mut().expect("made above");
            let (progress, failure) = decode_state(row.state)
                .ok_or_else(|| corrupt(format!("row {} has state {}", row.id, row.state)))?;
            let node = tree.nodes.get_mut(id);
            if id != row.id || node.hash != row.hash || node.height != row.height {
                return Err(corrupt(format!(
                    "row {} does not fit its place in the tree",
                    row.id
                )));
            }
            node.position = row.position;
            node.progress = progress;
            node.failure = failure;
            let (reason, debug) = (row.reason, row.debug);
            node.rejection = (!reason.is_empty() || !debug.is_empty())
                .then(|| Box::new(Rejection { reason, debug }));
            node.sequence = row.sequence;
            node.tx_count = row.tx_count;
        }
        let mut tree = tree.ok_or_else(|| corrupt("the table is empty".into()))?;
        tree.find_best_header();
        tree.publish();
        Ok(tree)
    }

    /// Appends a header, whose hash is known, under `parent`; invisible to readers until published.
    pub(crate) fn push(
        &mut self,
        hash: BlockHash,
        header: Header,
        parent: Option<BlockId>,
        first_seen: u64,
    ) -> BlockId {
        let id = BlockId(self.nodes.length as u32);
        let (height, chainwork, skip) = match parent {
            None => (0, header.work(), id),
            Some(parent_id) => {
                let own = self.work(&header);
                let parent = self.nodes.get(parent_id);
                let height = parent.height + 1;
                let chainwork = parent.chainwork + own;
                (
                    height,
                    chainwork,
                    self.ancestor(parent_id, skip_height(height)),
                )
            }
        };
        if let Some(parent) = parent {
            self.note_before(parent);
            self.nodes.get_mut(parent).children.push(id);
        }
        self.by_hash.insert(hash, id);
        if self.by_height.len() <= height as usize {
            self.by_height.push(SmallVec::new());
        }
        self.by_height[height as usize].push(id);
        self.nodes.push(Node {
            hash,
            header,
            parent,
            skip,
            height,
            chainwork,
            position: None,
            progress: Progress::Header,
            failure: None,
            rejection: None,
            sequence: 0,
            first_seen,
            tx_count: 0,
            children: SmallVec::new(),
        });
        if chainwork > self.nodes.get(self.best_header).chainwork {
            self.best_header = id;
        }
        id
    }

    /// A header's own work. It is a division of 256 bits, and most headers have the bits of the one before.
    fn work(&mut self, header: &Header) -> Work {
        match self.last_work {
            Some((bits, work)) if bits == header.bits => work,
            _ => {
                let work = header.work();
                self.last_work = Some((header.bits, work));
                work
            }
        }
    }

    fn note_before(&mut self, id: BlockId) {
        if id.index() < self.committed && !self.before.contains_key(&id) {
            self.before.insert(id, self.nodes.get(id).clone());
        }
    }

    /// Changes a node; a later rollback takes the change back.
    pub(crate) fn update(&mut self, id: BlockId, change: impl FnOnce(&mut Node)) {
        self.note_before(id);
        change(self.nodes.get_mut(id));
    }

    /// Committed nodes that were changed since the last publication: rows to replace.
    pub(crate) fn changed(&self) -> impl Iterator<Item = BlockId> + '_ {
        self.before.keys().copied()
    }

    /// Nodes appended since the last publication, in id order: rows to add.
    pub(crate) fn appended(&self) -> impl Iterator<Item = BlockId> + use<> {
        (self.committed as u32..self.nodes.length as u32).map(BlockId)
    }

    pub(crate) fn publish(&mut self) {
        for index in self.committed..self.nodes.length {
            let id = BlockId(index as u32);
            if let Some(parent) = self.nodes.get(id).parent {
                self.leaves.remove(&parent);
            }
            self.leaves.insert(id);
        }
        self.committed = self.nodes.length;
        self.committed_best_header = self.best_header;
        self.before.clear();
    }

    pub(crate) fn rollback(&mut self) {
        while self.nodes.length > self.committed {
            if let Some(node) = self.nodes.pop() {
                self.by_hash.remove(&node.hash);
                self.by_height[node.height as usize].pop();
                if self
                    .by_height
                    .last()
                    .is_some_and(|blocks| blocks.is_empty())
                {
                    self.by_height.pop();
                }
            }
        }
        for (id, node) in std::mem::take(&mut self.before) {
            *self.nodes.get_mut(id) = node;
        }
        self.best_header = self.committed_best_header;
    }

    /// The header of most work that did not fail, the first seen among equals, for the writer.
    pub(crate) fn best_header(&self) -> BlockId {
        self.best_header
    }

    /// The same for readers: as it was at the last publication.
    pub(crate) fn committed_best_header(&self) -> BlockId {
        self.committed_best_header
    }

    /// Looks for the best header anew: for whoever marks blocks as failed, or no longer so.
    pub(crate) fn find_best_header(&mut self) {
        let sound = self.all_ids().filter(|id| !self.node(*id).failed());
        let best = sound.max_by_key(|id| (self.node(*id).chainwork, Reverse(*id)));
        self.best_header = best.unwrap_or(BlockId::GENESIS);
    }

    /// The node with this id, which must have come from this tree, as the writer has it: what is committed and what
    /// is about to be.
    pub(crate) fn node(&self, id: BlockId) -> &Node {
        self.nodes.get(id)
    }

    /// A committed node as readers see it: as it was at the last publication.
    pub(crate) fn committed_node(&self, id: BlockId) -> &Node {
        match self.before.get(&id) {
            Some(node) => node,
            None => self.nodes.get(id),
        }
    }

    /// For readers: the block for which a block that failed counts as invalid, itself or an ancestor. That one may have
    /// been reconsidered since. `None` for one that did not fail.
    pub(crate) fn culprit(&self, id: BlockId) -> Option<&Node> {
        let mut node = self.committed_node(id);
        node.failure?;
        while node.failure == Some(Failure::Ancestor) {
            node = self.committed_node(node.parent?);
        }
        Some(node)
    }

    /// For the writer: also what is not published yet.
    pub(crate) fn find(&self, hash: &BlockHash) -> Option<BlockId> {
        self.by_hash.get(hash).copied()
    }

    /// For readers: only what is committed.
    pub(crate) fn find_committed(&self, hash: &BlockHash) -> Option<BlockId> {
        self.find(hash).filter(|id| id.index() < self.committed)
    }

    /// The committed blocks at a height, on all branches, in order of arrival.
    pub(crate) fn at_height(&self, height: u32) -> impl Iterator<Item = BlockId> + '_ {
        let blocks = self.by_height.get(height as usize).into_iter().flatten();
        blocks.copied().filter(|id| id.index() < self.committed)
    }

    /// A committed block's committed children.
    pub(crate) fn committed_children(&self, id: BlockId) -> impl Iterator<Item = BlockId> + '_ {
        let children = self.node(id).children.iter().copied();
        children.filter(|id| id.index() < self.committed)
    }

    /// Every committed id.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = BlockId> + use<> {
        (0..self.committed as u32).map(BlockId)
    }

    /// How many blocks are stored, on all branches. Looks at every block.
    pub(crate) fn stored_blocks(&self) -> u64 {
        let stored = |id: &BlockId| self.committed_node(*id).position.is_some();
        self.ids().filter(stored).count() as u64
    }

    /// Every id, for the writer.
    pub(crate) fn all_ids(&self) -> impl DoubleEndedIterator<Item = BlockId> + use<> {
        (0..self.nodes.length as u32).map(BlockId)
    }

    /// The block that should be the best tip, if all that is not known to be invalid is valid: the one with the most
    /// work that is complete down to genesis, among equals the one preferred by hand, or the first seen. Looks at every
    /// block; for the writer.
    ///
    /// `None` where `passes` lets nothing through.
    pub(crate) fn best_candidate(&self, passes: impl Fn(BlockId) -> bool) -> Option<BlockId> {
        let complete = self.all_ids().filter(|id| {
            let node = self.node(*id);
            node.sequence != 0 && !node.failed() && passes(*id)
        });
        let rank = |id: &BlockId| {
            let node = self.node(*id);
            let precious = self.precious.rank(*id);
            (node.chainwork, precious, Reverse(node.sequence))
        };
        complete.max_by_key(rank)
    }

    /// Lets a block go before others of the same work, while the best tip has work `best`.
    pub(crate) fn prefer(&mut self, id: BlockId, best: Work) {
        self.precious.prefer(id, best);
    }

    /// Remembers that a block left the best chain now.
    pub(crate) fn leaves_best(&mut self, id: BlockId) {
        self.departures += 1;
        self.left_best.insert(id, self.departures);
    }

    /// Tells blocks apart by when they left the best chain: the later one has the greater number; `None` where it did
    /// not leave since the start.
    pub(crate) fn left_best(&self, id: BlockId) -> Option<u64> {
        self.left_best.get(&id).copied()
    }

    pub(crate) fn leaves(&self) -> impl Iterator<Item = BlockId> + '_ {
        self.leaves.iter().copied()
    }

    /// The ancestor of `id` at `height`, which is at most `id`'s own; O(log n).
    pub(crate) fn ancestor(&self, id: BlockId, height: u32) -> BlockId {
        let mut at = id;
        let mut node = self.nodes.get(at);
        while node.height > height {
            let skip = self.nodes.get(node.skip);
            at = match node.parent {
                // The skip pointer, unless the parent's own would come closer to the goal.
                Some(parent)
                    if skip.height < height || better_through_parent(node.height, height) =>
                {
                    parent
                }
                _ => node.skip,
            };
            node = self.nodes.get(at);
        }
        at
    }

    /// The last block that the chains up to `a` and up to `b` share.
    pub(crate) fn fork_point(&self, a: BlockId, b: BlockId) -> BlockId {
        let height = self.node(a).height.min(self.node(b).height);
        let (mut a, mut b) = (self.ancestor(a, height), self.ancestor(b, height));
        while a != b {
            let (node_a, node_b) = (self.node(a), self.node(b));
            (a, b) = match (node_a.parent, node_b.parent) {
                _ if node_a.skip != node_b.skip => (node_a.skip, node_b.skip),
                (Some(a), Some(b)) => (a, b),
                _ => return BlockId::GENESIS,
            };
        }
        a
    }

    /// Every descendant of `id`, itself not, parents before children.
    pub(crate) fn descendants(&self, id: BlockId) -> Vec<BlockId> {
        let mut found = self.node(id).children.to_vec();
        let mut next = 0;
        while let Some(&at) = found.get(next) {
            found.extend_from_slice(&self.node(at).children);
            next += 1;
        }
        found
    }

    /// The chain that ends at `id`, as the rules look at it.
    pub(crate) fn chain(&self, id: BlockId) -> ChainTo<'_> {
        ChainTo {
            tree: self,
            tip: id,
        }
    }

    /// Median time past of the chain that ends at `id` (BIP113), unix seconds.
    pub(crate) fn median_time_past(&self, id: BlockId) -> u32 {
        crate::rules::chain::median_time_past(&self.chain(id), self.node(id).height)
    }
}

/// The chain that ends at one block.
pub(crate) struct ChainTo<'a> {
    tree: &'a BlockTree,
    tip: BlockId,
}

impl Chain for ChainTo<'_> {
    fn height(&self) -> u32 {
        self.tree.node(self.tip).height
    }

    fn header(&self, height: u32) -> HeaderFacts {
        facts(self.tree.node(self.tree.ancestor(self.tip, height)))
    }

    fn headers_down(&self, height: u32) -> impl Iterator<Item = HeaderFacts> {
        let from = self.tree.node(self.tree.ancestor(self.tip, height));
        let parent = |node: &&Node| node.parent.map(|parent| self.tree.node(parent));
        std::iter::successors(Some(from), parent).map(facts)
    }
}

/// What the rules look at.
pub(crate) fn facts(node: &Node) -> HeaderFacts {
    HeaderFacts {
        hash: node.hash,
        version: node.header.version.to_consensus(),
        time: node.header.time,
        bits: node.header.bits.to_consensus(),
    }
}

/// The height that a block's skip pointer goes to: clearing low bits of the height makes jumps of all sizes.
fn skip_height(height: u32) -> u32 {
    let clear_lowest_bit = |n: u32| n & n.wrapping_sub(1);
    match height {
        0 | 1 => 0,
        odd if odd & 1 == 1 => clear_lowest_bit(clear_lowest_bit(odd - 1)) + 1,
        even => clear_lowest_bit(even),
    }
}

/// Whether on the way from `height` down to `goal` the parent's skip pointer gets closer than this block's own.
fn better_through_parent(height: u32, goal: u32) -> bool {
    let own = skip_height(height);
    let parents = skip_height(height.saturating_sub(1));
    own > goal && parents >= goal && parents + 2 < own
}

#[cfg(test)]
mod tests;
