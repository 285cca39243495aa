//! Owns the histories: what is done to a ledger, drawn by lot from a seed.
//! Promises forks, reorganisations, blocks taken back and reconsidered, orphans, blocks that break rules, groups,
//! checkpoints, and in each history one reorganisation from below the base.

use everett_ledger::{BlockError, Clock, Ledger, LedgerConfig, OpenError, StoreError};

use super::forest::{Filling, Forest, GENESIS};
use super::model::{Model, Operation};
use crate::random::Random;

/// Blocks before the first fork: the first coinbases are mature then.
const TRUNK: u32 = 104;

/// Blocks that a deep reorganisation hands in at once.
const DEEP_GROUP: usize = 24;

/// Seconds after genesis at which the clock stands.
const CLOCK: u64 = 100_000_000;

/// The size of a history.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Operations drawn by lot, behind the trunk and beside those of the deep reorganisation.
    pub operations: usize,
    /// Most bytes that a block carries for nothing.
    pub padding: u64,
}

/// What is done to a ledger, and how that is set up.
pub struct History {
    /// The blocks.
    pub forest: Forest,
    /// What is done, in order.
    pub operations: Vec<Operation>,
    /// How far behind the best block a branch may fork off.
    pub horizon: u32,
    /// Blocks between two checkpoints.
    pub checkpoint_interval: u32,
    /// Size at which a new block file is begun.
    pub block_file_size: u64,
}

impl History {
    /// The history of `seed`.
    pub fn new(seed: u64, shape: Shape) -> History {
        let mut chance = Random::new(seed);
        let horizon = chance.between(5, 30) as u32;
        let mut writer = Author {
            model: Model::new(horizon, 0),
            forest: Forest::new(),
            operations: Vec::new(),
            withheld: Vec::new(),
            invalidated: Vec::new(),
            shape,
            chance,
        };
        writer.trunk();
        let deep =
            shape.operations / 2 + writer.chance.number_below(shape.operations as u64 / 4) as usize;
        for operation in 0..shape.operations {
            if operation == deep {
                writer.deep_reorganisation();
            }
            writer.something();
        }
        let mut chance = writer.chance;
        History {
            horizon,
            checkpoint_interval: chance.between(1, 4) as u32,
            block_file_size: [8_000, 60_000, 1 << 27][chance.number_below(3) as usize]
                + shape.padding,
            forest: writer.forest,
            operations: writer.operations,
        }
    }

    /// A model of the ledger before the first operation.
    pub fn model(&self) -> Model {
        Model::new(self.horizon, self.time())
    }

    fn time(&self) -> u64 {
        u64::from(self.forest.params().genesis.header.time) + CLOCK
    }

    /// How to open its ledger, with the horizon that the directory remembers.
    pub fn config(&self, directory: &std::path::Path) -> LedgerConfig {
        LedgerConfig {
            checkpoint_interval: self.checkpoint_interval,
            block_file_size: self.block_file_size,
            clock: Clock::fixed(self.time()),
            ..LedgerConfig::new(self.forest.params().clone(), directory)
        }
    }

    /// Opens its ledger as the writer, with its horizon.
    pub fn open(&self, directory: &std::path::Path) -> Result<Ledger, OpenError> {
        Ledger::open(LedgerConfig {
            horizon: Some(self.horizon),
            ..self.config(directory)
        })
    }

    /// Does an operation to a ledger. Only the disk can fail it.
    pub fn perform(&self, ledger: &Ledger, operation: &Operation) -> Result<(), StoreError> {
        let done = match operation {
            Operation::Submit(blocks) => {
                let bytes: Vec<&[u8]> = blocks
                    .iter()
                    .map(|block| &*self.forest.block(*block).bytes)
                    .collect();
                return ledger.submit_blocks(&bytes).map(drop);
            }
            Operation::Checkpoint => return ledger.checkpoint(),
            Operation::Invalidate(block) => {
                ledger.invalidate_block(&self.forest.block(*block).hash)
            }
            Operation::Reconsider(block) => {
                ledger.reconsider_block(&self.forest.block(*block).hash)
            }
        };
        match done {
            Err(BlockError::Store(error)) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Draws operations, with a model beside it to know what is worth drawing.
struct Author {
    chance: Random,
    shape: Shape,
    forest: Forest,
    model: Model,
    operations: Vec<Operation>,
    /// Blocks mined and not handed in yet.
    withheld: Vec<usize>,
    invalidated: Vec<usize>,
}

impl Author {
    fn do_it(&mut self, operation: Operation) {
        self.model.apply(&self.forest, &operation);
        self.operations.push(operation);
    }

    fn mine(&mut self, parent: usize, broken: bool) -> usize {
        let filling = Filling {
            transactions: 5,
            padding: self.chance.number_below(self.shape.padding + 1) as usize,
            broken,
        };
        self.forest.mine(parent, &mut self.chance, filling)
    }

    /// Mines `count` blocks on top of each other.
    fn chain(&mut self, mut parent: usize, count: u64) -> Vec<usize> {
        let mut blocks = Vec::new();
        for _ in 0..count {
            parent = self.mine(parent, false);
            blocks.push(parent);
        }
        blocks
    }

    fn submit(&mut self, blocks: Vec<usize>) {
        self.do_it(Operation::Submit(blocks));
    }

    fn trunk(&mut self) {
        while self.height() < TRUNK {
            let count = self.chance.between(10, 30);
            let blocks = self.chain(self.model.best(), count);
            self.submit(blocks);
        }
    }

    fn height(&self) -> u32 {
        self.forest.block(self.model.best()).height
    }

    /// A block of the best chain, `back` blocks behind its end.
    fn behind(&self, back: u64) -> usize {
        let height = u64::from(self.height()).saturating_sub(back);
        self.forest.ancestor(self.model.best(), height as u32)
    }

    /// The end of a branch that could still be extended, if there is one.
    fn rival(&mut self) -> Option<usize> {
        let model = &self.model;
        let good = |tip: &usize| *tip != model.best() && !model.failed(*tip);
        let rivals: Vec<usize> = model.leaves().filter(good).collect();
        // The later ones are the live ones, mostly.
        let late = &rivals[rivals.len().saturating_sub(6)..];
        self.chance.pick(late).copied()
    }

    fn something(&mut self) {
        let horizon = u64::from(self.model.horizon());
        match self.chance.number_below(100) {
            0..=34 => {
                let count = self.chance.between(1, 3);
                let blocks = self.chain(self.model.best(), count);
                self.submit(blocks);
            }
            35..=52 => {
                // A fork, mostly inside the horizon.
                let back = self.chance.number_below(horizon + 3);
                let parent = self.behind(back);
                let count = self.chance.between(1, 4);
                let blocks = self.chain(parent, count);
                self.submit(blocks);
            }
            53..=66 => self.overtake(),
            67..=71 => {
                let back = self.chance.number_below(4);
                let parent = self.behind(back);
                let broken = self.mine(parent, true);
                let mut blocks = vec![broken];
                blocks.extend(self.chain(broken, 1));
                blocks.extend(self.chain(parent, 1));
                self.submit(blocks);
            }
            72..=78 => self.orphans(),
            79..=85 => {
                let back = match self.chance.percent(15) {
                    true => self.chance.number_below(3 * horizon),
                    false => self.chance.number_below(6),
                };
                let block = self.behind(back);
                if block != GENESIS {
                    self.invalidated.push(block);
                    self.do_it(Operation::Invalidate(block));
                }
            }
            86..=92 => {
                let last = self.invalidated.pop();
                let block = last.or_else(|| self.rival());
                self.do_it(block.map_or(Operation::Checkpoint, Operation::Reconsider));
            }
            93..=96 => self.do_it(Operation::Checkpoint),
            _ => {
                // Known ones, again.
                let blocks = vec![self.model.best(), self.behind(2), GENESIS];
                self.submit(blocks);
            }
        }
    }

    /// A branch becomes the best one.
    fn overtake(&mut self) {
        let Some(rival) = self.rival() else { return };
        let behind = self
            .height()
            .saturating_sub(self.forest.block(rival).height);
        if behind > 2 * self.model.horizon() {
            return;
        }
        let blocks = self.chain(rival, u64::from(behind) + 1);
        match self.chance.percent(50) {
            true => self.submit(blocks),
            false => {
                let (first, last) = blocks.split_at(blocks.len() / 2);
                self.submit(first.to_vec());
                self.submit(last.to_vec());
            }
        }
    }

    /// Blocks come in the wrong order, some of them much later.
    fn orphans(&mut self) {
        if let Some(block) = self.withheld.pop() {
            return self.submit(vec![block]);
        }
        let back = self.chance.number_below(4);
        let parent = self.behind(back);
        let first = self.mine(parent, false);
        self.withheld.push(first);
        let count = self.chance.between(1, 3);
        let mut blocks = self.chain(first, count);
        // Twins: which of them was seen first decides.
        blocks.extend(self.chain(first, count));
        for index in (1..blocks.len()).rev() {
            let other = self.chance.number_below(index as u64 + 1) as usize;
            blocks.swap(index, other);
        }
        self.submit(blocks);
    }

    /// A branch that left the best chain below the base becomes the best one; the first try may fail.
    fn deep_reorganisation(&mut self) {
        let back = u64::from(self.model.horizon()) + 104;
        let parent = self.behind(back);
        let behind = self.height() - self.forest.block(parent).height;
        let mut blocks = self.chain(parent, u64::from(behind) + 1);
        if self.chance.percent(40) {
            let at = self.chance.number_below(blocks.len() as u64) as usize;
            let mut broken = self.mine(self.forest.block(blocks[at]).parent, true);
            let mut branch = blocks[..at].to_vec();
            branch.push(broken);
            while self.forest.block(broken).height < self.height() + 1 {
                broken = self.mine(broken, false);
                branch.push(broken);
            }
            branch
                .chunks(DEEP_GROUP)
                .for_each(|group| self.submit(group.to_vec()));
            blocks.drain(..at);
            let last = self.mine(blocks[blocks.len() - 1], false);
            blocks.push(last);
        }
        blocks
            .chunks(DEEP_GROUP)
            .for_each(|group| self.submit(group.to_vec()));
    }
}

#[cfg(test)]
mod tests;
