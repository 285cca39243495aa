//! Owns chaos: a regtest that reorganises itself at random, for people and programs to watch.
//! Promises that the seed decides what is done, and that every rule holds throughout.
//! Refuses to keep time: who calls [`Chaos::step`] decides how often.
//!
//! # What a step does
//!
//! | of 100 steps | what |
//! |---|---|
//! | 58 | the best chain grows by a block with up to three payments |
//! | 14 | a rival branch, if there is one, grows by one or two blocks; it may overtake |
//! | 25 | a fork of depth *d*: half of them overtake at once with *d* + 1 blocks, the others stay behind |
//! | 3 | the best tip is invalidated by hand; the next step takes that back |
//!
//! The depth is geometric: *d* with probability 1/2^*d*, up to [`MAX_DEPTH`]. Of the payments that a fork leaves behind,
//! half are double-spent on it, the others wait for anyone to put them in again.

use std::fmt;

use bitcoin::consensus::deserialize;
use bitcoin::{Amount, Block, BlockHash, Transaction};
use everett_ledger::{ChainStatus, Ledger, World};
use everett_scenario::Party;

use crate::error::LabError;
use crate::lab::Lab;
use crate::paying::fits;
use crate::random::Random;

/// The deepest fork.
pub const MAX_DEPTH: u32 = 12;

/// Who pays whom.
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Coinbases that each of them has to begin with.
const COINBASES: u32 = 4;

/// Most payments in a block.
const MAX_PAYMENTS: usize = 3;

/// The most that is paid at once, in satoshis.
const MAX_SAT: u64 = 100_000_000;

/// Blocks that let the coinbases mature.
const MATURITY: u32 = 100;

/// A regtest that reorganises itself.
pub struct Chaos {
    lab: Lab,
    random: Random,
    people: Vec<Party>,
    /// The block that was invalidated by hand and waits to be taken back.
    invalidated: Option<BlockHash>,
}

/// What a step did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stirred {
    /// What it was.
    pub kind: Stir,
    /// The block that it ended with.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// How many blocks were made.
    pub blocks: u32,
    /// Blocks of the best chain that were undone.
    pub undone: u32,
    /// Payments in the new blocks that nobody made before.
    pub payments: usize,
    /// Payments in them that spend what a payment on another branch spends too.
    pub double_spends: usize,
    /// The best tip's height now.
    pub best_height: u32,
}

/// What a step can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stir {
    /// Blocks that give everyone money.
    Prepared,
    /// The best chain grew.
    Extended,
    /// A rival branch grew.
    RivalExtended,
    /// A branch began so many blocks below the best tip.
    Forked {
        /// How many.
        depth: u32,
    },
    /// A block was invalidated by hand.
    Invalidated,
    /// That was taken back.
    Reconsidered,
}

impl Stir {
    /// Its name: `prepared`, `extended`, `rival-extended`, `forked`, `invalidated`, `reconsidered`.
    pub fn as_str(self) -> &'static str {
        match self {
            Stir::Prepared => "prepared",
            Stir::Extended => "extended",
            Stir::RivalExtended => "rival-extended",
            Stir::Forked { .. } => "forked",
            Stir::Invalidated => "invalidated",
            Stir::Reconsidered => "reconsidered",
        }
    }
}

impl fmt::Display for Stirred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = crate::picture::short(&self.hash);
        match self.kind {
            Stir::Prepared => write!(f, "everyone has money")?,
            Stir::Extended => write!(f, "the best chain grows")?,
            Stir::RivalExtended => write!(f, "a rival grows by {}", self.blocks)?,
            Stir::Forked { depth } => write!(f, "a fork of depth {depth}, {} blocks", self.blocks)?,
            Stir::Invalidated => write!(f, "a block is invalidated by hand")?,
            Stir::Reconsidered => write!(f, "a block is taken back in")?,
        }
        write!(f, ": {short} at {}", self.height)?;
        if self.payments > 0 {
            write!(f, ", {} payments", self.payments)?;
        }
        if self.double_spends > 0 {
            write!(f, ", {} double spends", self.double_spends)?;
        }
        if self.undone > 0 {
            write!(f, "; REORGANISED, {} blocks undone", self.undone)?;
        }
        write!(f, "; best height {}", self.best_height)
    }
}

impl Chaos {
    /// On a regtest ledger that is open already, such as a running node's.
    pub fn new(ledger: Ledger, seed: u64) -> Chaos {
        Chaos::in_lab(Lab::around(ledger, seed))
    }

    /// In a lab.
    pub fn in_lab(lab: Lab) -> Chaos {
        Chaos {
            random: Random::new(lab.seed() ^ 0x63_6861_6f73),
            people: PEOPLE.iter().map(|name| lab.party(name)).collect(),
            invalidated: None,
            lab,
        }
    }

    /// The lab that it happens in.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Those who pay each other.
    pub fn people(&self) -> &[Party] {
        &self.people
    }

    /// Does one thing and says what.
    ///
    /// # Errors
    ///
    /// [`LabError`]: what the disk does, in the main.
    pub fn step(&mut self) -> Result<Stirred, LabError> {
        let before = self.lab.best();
        let stirred = if before.height() < MATURITY {
            self.prepare(&before)?
        } else if let Some(hash) = self.invalidated.take() {
            self.lab.reconsider(hash)?;
            let world = self.lab.world(hash)?;
            done(Stir::Reconsidered, &world, 0)
        } else {
            match self.random.below(100) {
                0..58 => self.extend(&before)?,
                58..72 => self.extend_rival(&before)?,
                72..97 => self.fork(&before)?,
                _ => {
                    self.lab.invalidate(&before)?;
                    self.invalidated = Some(before.hash());
                    done(Stir::Invalidated, &before, 0)
                }
            }
        };
        let best = self.lab.best();
        Ok(Stirred {
            undone: self.lab.ledger().compare(&before, &best).undone.len() as u32,
            best_height: best.height(),
            ..stirred
        })
    }

    fn prepare(&mut self, before: &World) -> Result<Stirred, LabError> {
        let mut tip = before.clone();
        for party in &self.people {
            tip = self.lab.grow_to(party, &tip, COINBASES)?;
        }
        tip = self.lab.grow(&tip, MATURITY)?;
        let blocks = tip.height() - before.height();
        Ok(done(Stir::Prepared, &tip, blocks))
    }

    fn extend(&mut self, best: &World) -> Result<Stirred, LabError> {
        let payments = self.payments(best)?;
        let count = payments.len();
        let miner = self.anyone().clone();
        let tip = self.lab.mine_to(&miner, best, payments)?;
        Ok(Stirred {
            payments: count,
            ..done(Stir::Extended, &tip, 1)
        })
    }

    fn extend_rival(&mut self, best: &World) -> Result<Stirred, LabError> {
        let tips = self.lab.ledger().tips();
        let rivals: Vec<BlockHash> = tips
            .iter()
            .filter(|tip| tip.live && !tip.best && tip.status == ChainStatus::ValidFork)
            // Old branches are left to be retired.
            .filter(|tip| tip.height + 2 * MAX_DEPTH > best.height())
            .map(|tip| tip.hash)
            .collect();
        let Some(rival) = self.random.pick(&rivals).copied() else {
            return self.extend(best);
        };
        let blocks = 1 + self.random.below(2) as u32;
        let tip = self.lab.grow(rival, blocks)?;
        Ok(done(Stir::RivalExtended, &tip, blocks))
    }

    fn fork(&mut self, best: &World) -> Result<Stirred, LabError> {
        let mut depth = 1;
        while depth < MAX_DEPTH && self.random.one_in(2) {
            depth += 1;
        }
        let fork = self.lab.world(best.height() - depth)?;
        let mut double_spends = Vec::new();
        for payment in self.left_behind(best, &fork)? {
            if self.random.one_in(2) {
                let to = self.anyone().clone();
                // One that another lab made, or too long ago, cannot be signed for again.
                let Ok(theft) = self.lab.double_spend(&payment, &to) else {
                    continue;
                };
                if fits(&fork, &double_spends, &theft)? {
                    double_spends.push(theft);
                }
            }
        }
        let more = match self.random.one_in(2) {
            true => depth,
            false => self.random.below(depth as usize) as u32,
        };
        let count = double_spends.len();
        let mut branch = self.lab.fork(&fork)?;
        branch.mine(double_spends)?;
        let tip = branch.grow(more)?.clone();
        Ok(Stirred {
            double_spends: count,
            ..done(Stir::Forked { depth }, &tip, 1 + more)
        })
    }

    fn anyone(&mut self) -> &Party {
        let number = self.random.below(self.people.len());
        &self.people[number]
    }

    /// Payments that fit into the block after `best`.
    fn payments(&mut self, best: &World) -> Result<Vec<Transaction>, LabError> {
        let mut payments = Vec::new();
        for _ in 0..self.random.below(MAX_PAYMENTS + 1) {
            let (from, to) = (self.anyone().clone(), self.anyone().clone());
            let amount = Amount::from_sat(1_000 + self.random.number() % MAX_SAT);
            match self.lab.pay_at(best, &from, &to, amount) {
                Ok(payment) => payments.push(payment),
                // It is chaos: some are broke.
                Err(LabError::Funds { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(payments)
    }

    /// The payments in the blocks above `fork` up to `best`.
    fn left_behind(&self, best: &World, fork: &World) -> Result<Vec<Transaction>, LabError> {
        let mut payments = Vec::new();
        for hash in self.lab.ledger().compare(best, fork).undone {
            let bytes = self.lab.ledger().block_bytes(&hash)?;
            if let Ok(block) = deserialize::<Block>(&bytes) {
                payments.extend(block.txdata.into_iter().skip(1));
            }
        }
        Ok(payments)
    }
}

fn done(kind: Stir, tip: &World, blocks: u32) -> Stirred {
    Stirred {
        kind,
        hash: tip.hash(),
        height: tip.height(),
        blocks,
        undone: 0,
        payments: 0,
        double_spends: 0,
        best_height: tip.height(),
    }
}
