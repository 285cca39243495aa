//! Owns what a ledger must hold after each operation: tree, tips, worlds, orphans, events; kept the plain way.
//! Promises to follow the rules in the book (most work, first seen, horizon) without an overlay, a base or a disk.
//! Refuses to know about commits: an operation is done or it is not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use everett_ledger::events::{Event, EventKind};
use everett_ledger::{BlockInfo, ChainStatus, Tip};

use super::forest::{Forest, GENESIS};

/// What is done to a ledger; blocks by their index in the forest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Blocks handed in together.
    Submit(Vec<usize>),
    /// A block taken back by hand.
    Invalidate(usize),
    /// The opposite.
    Reconsider(usize),
    /// The base moved as far as it goes.
    Checkpoint,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    Itself,
    Ancestor,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// When it came, 1 for genesis.
    sequence: usize,
    connected: bool,
    failure: Option<Failure>,
    children: Vec<usize>,
}

/// The state of a ledger.
#[derive(Clone, Debug)]
pub struct Model {
    horizon: u32,
    /// The clock's time, which never changes.
    time: u64,
    nodes: BTreeMap<usize, Node>,
    /// Blocks without parents, as they came.
    orphans: Vec<usize>,
    best: usize,
    live: BTreeSet<usize>,
    /// All but those about checkpoints, whose moment is the ledger's own affair.
    events: Vec<Event>,
}

impl Model {
    /// A new ledger.
    pub fn new(horizon: u32, time: u64) -> Model {
        let genesis = Node {
            sequence: 1,
            connected: true,
            ..Node::default()
        };
        Model {
            horizon,
            time,
            nodes: BTreeMap::from([(GENESIS, genesis)]),
            orphans: Vec::new(),
            best: GENESIS,
            live: BTreeSet::from([GENESIS]),
            events: Vec::new(),
        }
    }

    /// The best block.
    pub fn best(&self) -> usize {
        self.best
    }

    /// How far behind the best block a branch may fork off.
    pub fn horizon(&self) -> u32 {
        self.horizon
    }

    /// Blocks in the tree, as they came first in the forest.
    pub fn known(&self) -> impl Iterator<Item = usize> + '_ {
        self.nodes.keys().copied()
    }

    /// Whether a block is in the tree.
    pub fn knows(&self, block: usize) -> bool {
        self.nodes.contains_key(&block)
    }

    /// Whether a block failed, or one below it.
    pub fn failed(&self, block: usize) -> bool {
        self.nodes[&block].failure.is_some()
    }

    /// Whether a block was ever validated.
    pub fn connected(&self, block: usize) -> bool {
        self.nodes[&block].connected
    }

    /// Blocks that a world can be read at.
    pub fn worlds(&self) -> impl Iterator<Item = usize> + '_ {
        self.live
            .iter()
            .copied()
            .filter(|block| !self.failed(*block))
    }

    /// Blocks that wait for their parents.
    pub fn orphans(&self) -> &[usize] {
        &self.orphans
    }

    /// The events so far, without checkpoints; retirements of one commit are sorted by tip.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Blocks without children, of any validity.
    pub fn leaves(&self) -> impl Iterator<Item = usize> + '_ {
        let leaf = |(block, node): (&usize, &Node)| node.children.is_empty().then_some(*block);
        self.nodes.iter().filter_map(leaf)
    }

    /// `getchaintips`' word for a block.
    pub fn status(&self, forest: &Forest, block: usize) -> ChainStatus {
        let node = &self.nodes[&block];
        if forest.is_on_chain(block, self.best) {
            ChainStatus::Active
        } else if node.failure.is_some() {
            ChainStatus::Invalid
        } else if node.connected {
            ChainStatus::ValidFork
        } else {
            ChainStatus::ValidHeaders
        }
    }

    /// The tips as [`everett_ledger::Ledger::tips`] has them, without order, work and time.
    pub fn tips(&self, forest: &Forest) -> BTreeSet<TipFacts> {
        let tip = |block| {
            let fork = forest.block(forest.fork(block, self.best));
            TipFacts {
                hash: forest.block(block).hash.to_string(),
                height: forest.block(block).height,
                status: self.status(forest, block).as_str(),
                best: block == self.best,
                live: self.live.contains(&block) && !self.failed(block),
                fork: fork.hash.to_string(),
            }
        };
        let best = std::iter::once(self.best);
        self.leaves().chain(best).map(tip).collect()
    }

    /// Whether a ledger's facts about a block are right.
    pub fn agrees(&self, forest: &Forest, block: usize, info: &BlockInfo) -> bool {
        let mined = forest.block(block);
        let node = &self.nodes[&block];
        info.height == mined.height
            && info.header.prev_blockhash == self.previous(forest, block)
            && info.status == self.status(forest, block)
            && info.live == (self.live.contains(&block) && node.failure.is_none())
            && info.tx_count == mined.tx_count
            && info.size as usize == mined.bytes.len()
            && info.reject_reason.is_some() == node.failure.is_some()
    }

    fn previous(&self, forest: &Forest, block: usize) -> bitcoin::BlockHash {
        match block {
            GENESIS => forest.params().genesis.header.prev_blockhash,
            _ => forest.block(forest.block(block).parent).hash,
        }
    }

    /// Does an operation.
    pub fn apply(&mut self, forest: &Forest, operation: &Operation) {
        let old_best = self.best;
        match operation {
            Operation::Submit(blocks) => {
                for block in blocks {
                    self.accept(forest, *block);
                    self.join(forest, *block);
                }
            }
            Operation::Invalidate(block) if self.nodes.contains_key(block) => {
                self.condemn(forest, *block);
                self.choose_best(forest);
            }
            Operation::Reconsider(block) if self.nodes.contains_key(block) => {
                self.reconsider(forest, *block);
                self.choose_best(forest);
            }
            Operation::Invalidate(_) | Operation::Reconsider(_) | Operation::Checkpoint => return,
        }
        self.uncover(forest, old_best);
        self.retire(forest);
    }

    /// Opens the ledger anew with another horizon.
    pub fn reopen(&mut self, forest: &Forest, horizon: u32) {
        self.horizon = horizon;
        self.retire(forest);
    }

    fn floor(&self, forest: &Forest) -> u32 {
        let best = forest.block(self.best).height;
        best.saturating_sub(self.horizon)
    }

    fn fill_window(&mut self, forest: &Forest) {
        let floor = self.floor(forest);
        let mut block = self.best;
        while forest.block(block).height > floor {
            block = forest.block(block).parent;
            self.live.insert(block);
        }
    }

    fn node(&mut self, block: usize) -> &mut Node {
        self.nodes.entry(block).or_default()
    }

    fn accept(&mut self, forest: &Forest, block: usize) {
        let parent = forest.block(block).parent;
        if self.nodes.contains_key(&block) {
            return;
        }
        if !self.nodes.contains_key(&parent) {
            if !self.orphans.contains(&block) {
                self.orphans.push(block);
            }
            return;
        }
        if self.failed(parent) {
            return;
        }
        let sequence = self.nodes.len() + 1;
        self.node(block).sequence = sequence;
        self.node(parent).children.push(block);
        if self.live.contains(&parent) {
            if !self.connect(forest, block) {
                self.condemn(forest, block);
            }
        } else if forest.block(block).height > forest.block(self.best).height {
            self.activate(forest, block);
            if self.failed(block) {
                self.choose_best(forest);
            }
        }
    }

    /// Orphans get their answer once their parent is in the tree, whatever is thought of it.
    fn join(&mut self, forest: &Forest, parent: usize) {
        let mut parents = std::collections::VecDeque::from([parent]);
        while let Some(parent) = parents.pop_front() {
            if !self.nodes.contains_key(&parent) {
                continue;
            }
            let waits = |block: &usize| forest.block(*block).parent == parent;
            let waiting: Vec<usize> = self.orphans.iter().copied().filter(waits).collect();
            for block in waiting {
                self.orphans.retain(|orphan| *orphan != block);
                self.accept(forest, block);
                parents.push_back(block);
            }
        }
    }

    /// Gives a block a world; false if it breaks a rule.
    fn connect(&mut self, forest: &Forest, block: usize) -> bool {
        let mined = forest.block(block);
        if !mined.valid {
            return false;
        }
        let siblings = &self.nodes[&mined.parent].children;
        let alone = !siblings
            .iter()
            .any(|sibling| *sibling != block && self.nodes[sibling].connected);
        let kind = match alone {
            true => EventKind::TipExtended,
            false => EventKind::TipAdded,
        };
        self.event(forest, kind, mined.parent, block);
        self.node(block).connected = true;
        self.live.insert(block);
        if mined.height > forest.block(self.best).height {
            self.make_best(forest, block);
        }
        true
    }

    /// Validates a branch from behind the horizon, as far as it goes.
    fn activate(&mut self, forest: &Forest, target: usize) {
        let mut missing = Vec::new();
        let mut block = target;
        while !self.live.contains(&block) && !forest.is_on_chain(block, self.best) {
            missing.push(block);
            block = forest.block(block).parent;
        }
        for block in missing.into_iter().rev() {
            if !self.connect(forest, block) {
                return self.condemn(forest, block);
            }
        }
        self.live.insert(target);
    }

    fn condemn(&mut self, forest: &Forest, block: usize) {
        self.node(block).failure = Some(Failure::Itself);
        for descendant in self.descendants(block) {
            let node = self.node(descendant);
            node.failure = node.failure.or(Some(Failure::Ancestor));
        }
        let parent = forest.block(block).parent;
        self.event(forest, EventKind::BlockInvalid, parent, block);
    }

    /// Parents before children.
    fn descendants(&self, block: usize) -> Vec<usize> {
        let mut found = self.nodes[&block].children.clone();
        let mut next = 0;
        while let Some(block) = found.get(next) {
            found.extend_from_slice(&self.nodes[block].children);
            next += 1;
        }
        found
    }

    fn reconsider(&mut self, forest: &Forest, block: usize) {
        let mut family = vec![block];
        let mut ancestor = block;
        while ancestor != GENESIS {
            ancestor = forest.block(ancestor).parent;
            if self.failed(ancestor) {
                family.insert(0, ancestor);
            }
        }
        family.extend(self.descendants(block));
        for member in &family {
            self.node(*member).failure = None;
        }
        for member in family {
            let node = &self.nodes[&member];
            let parent = forest.block(member).parent;
            if !node.connected
                && node.failure.is_none()
                && self.live.contains(&parent)
                && !self.connect(forest, member)
            {
                self.condemn(forest, member);
            }
        }
    }

    fn choose_best(&mut self, forest: &Forest) {
        loop {
            let rank = |block: &usize| {
                let node = &self.nodes[block];
                (forest.block(*block).height, Reverse(node.sequence))
            };
            let good = self
                .nodes
                .keys()
                .copied()
                .filter(|block| !self.failed(*block));
            let candidate = good.max_by_key(rank).unwrap_or(GENESIS);
            if candidate == self.best {
                return;
            }
            if !self.live.contains(&candidate) {
                self.activate(forest, candidate);
                if self.failed(candidate) {
                    continue;
                }
            }
            return self.make_best(forest, candidate);
        }
    }

    fn make_best(&mut self, forest: &Forest, block: usize) {
        let old = std::mem::replace(&mut self.best, block);
        if old == block {
            return;
        }
        let fork = forest.fork(old, block);
        let down_to_fork = |mut at: usize| {
            let mut hashes = Vec::new();
            while at != fork {
                hashes.push(forest.block(at).hash);
                at = forest.block(at).parent;
            }
            hashes
        };
        let mut applied = down_to_fork(block);
        applied.reverse();
        self.events.push(Event {
            kind: EventKind::BestChanged,
            from: forest.block(old).hash,
            to: forest.block(block).hash,
            fork: forest.block(fork).hash,
            undone: down_to_fork(old),
            applied,
            time: self.time,
            conflicts: vec![],
            unlisted: 0,
        });
    }

    /// What the old best chain had behind its window is a branch like any other once another chain is best.
    fn uncover(&mut self, forest: &Forest, old_best: usize) {
        let fork = forest.fork(old_best, self.best);
        let mut block = old_best;
        while block != fork {
            self.live.insert(block);
            block = forest.block(block).parent;
        }
    }

    /// Lets go of what fell behind the horizon, and takes the best chain's window back.
    fn retire(&mut self, forest: &Forest) {
        let (floor, best) = (self.floor(forest), self.best);
        let leaves = |block: &usize| {
            let on_chain = forest.is_on_chain(*block, best);
            match on_chain {
                true => forest.block(*block).height < floor,
                false => forest.block(forest.fork(*block, best)).height < floor,
            }
        };
        let gone: Vec<usize> = self.live.iter().copied().filter(leaves).collect();
        let mut retired = Vec::new();
        for block in &gone {
            let children = &self.nodes[block].children;
            let tip = !children.iter().any(|child| self.live.contains(child));
            if tip && !forest.is_on_chain(*block, best) {
                let fork = forest.block(forest.fork(*block, best)).hash;
                retired.push((forest.block(*block).hash, fork));
            }
        }
        retired.sort();
        for (tip, fork) in retired {
            self.events.push(Event {
                kind: EventKind::TipRetired,
                from: fork,
                to: tip,
                fork,
                undone: vec![],
                applied: vec![],
                time: self.time,
                conflicts: vec![],
                unlisted: 0,
            });
        }
        self.live.retain(|block| !gone.contains(block));
        self.fill_window(forest);
    }

    fn event(&mut self, forest: &Forest, kind: EventKind, from: usize, to: usize) {
        let from = forest.block(from).hash;
        self.events.push(Event {
            kind,
            from,
            to: forest.block(to).hash,
            fork: from,
            undone: vec![],
            applied: vec![],
            time: self.time,
            conflicts: vec![],
            unlisted: 0,
        });
    }
}

/// A tip, as far as the model knows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TipFacts {
    /// Its hash.
    pub hash: String,
    /// Its height.
    pub height: u32,
    /// `getchaintips`' word for it.
    pub status: &'static str,
    /// Whether it is the best one.
    pub best: bool,
    /// Whether a world can be read there.
    pub live: bool,
    /// Where it left the best chain.
    pub fork: String,
}

impl From<Tip> for TipFacts {
    fn from(tip: Tip) -> TipFacts {
        TipFacts {
            hash: tip.hash.to_string(),
            height: tip.height,
            status: tip.status.as_str(),
            best: tip.best,
            live: tip.live,
            fork: tip.fork_hash.to_string(),
        }
    }
}
