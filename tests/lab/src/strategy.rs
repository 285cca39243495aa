//! Owns random fork histories for property tests (feature `proptest`): what happens, and in which order it arrives.
//! Promises that every history can be lived through, whatever shrinking leaves of it, and that it shrinks towards few
//! blocks on one branch, arriving in order.
//! Refuses to know what is tested: a history is told to a ledger, a server or whatever else takes blocks.
//!
//! ```
//! use everett_lab::strategy::{self, Shape};
//! use everett_lab::Lab;
//! use proptest::prelude::*;
//!
//! proptest! {
//!     #![proptest_config(ProptestConfig::with_cases(8))]
//!     # /*
//!     #[test]
//!     # */
//!     fn every_order_of_arrival_ends_with_the_same_coins(history in strategy::histories(Shape::small())) {
//!         let tale = history.tell();
//!         let other = Lab::new(1);
//!         tale.deliver_to(other.ledger(), other.ledger().clock()).unwrap();
//!         prop_assert_eq!(other.best().chainwork(), tale.lab.best().chainwork());
//!     }
//! }
//! # every_order_of_arrival_ends_with_the_same_coins();
//! ```

use bitcoin::{Amount, BlockHash, Transaction};
use everett_ledger::{Clock, Ledger, StoreError, Submitted, World};
use everett_scenario::Party;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::lab::Lab;
use crate::paying::fits;

/// Names of those who pay each other in a history.
pub const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// Blocks below all that happens: everyone has a coinbase that is mature.
pub const TRUNK: u32 = 103;

/// How far a history may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Most things that happen.
    pub steps: usize,
    /// Most blocks of one step.
    pub blocks: u8,
    /// Most payments of one step.
    pub payments: usize,
    /// Whether blocks are taken back by hand.
    pub invalidations: bool,
    /// Most places by which a block may arrive too early or too late; 0: all arrive in order.
    pub disorder: u8,
}

impl Shape {
    /// Up to 8 steps of up to 4 blocks.
    pub fn small() -> Shape {
        Shape {
            steps: 8,
            blocks: 4,
            payments: 2,
            invalidations: true,
            disorder: 6,
        }
    }

    /// Up to 40 steps of up to 12 blocks.
    pub fn large() -> Shape {
        Shape {
            steps: 40,
            blocks: 12,
            payments: 4,
            disorder: 30,
            ..Shape::small()
        }
    }
}

/// A history: what happens, one thing after the other. Numbers that pick one of several things are taken modulo how many
/// there are, so that every history means something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// The lab's seed.
    pub seed: u64,
    /// What happens.
    pub steps: Vec<Step>,
    /// By how many places each arrival is too late: the first number is the first one's, those that are missing are 0.
    pub delays: Vec<u8>,
}

/// Something that happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Blocks are mined, the first one with payments.
    Mine {
        /// On what.
        on: Pick,
        /// How many; at least one.
        blocks: u8,
        /// The payments, in order.
        payments: Vec<Payment>,
    },
    /// A branch overtakes the best one by a block.
    Overtake {
        /// How many blocks below the best tip it leaves, if there are so many.
        depth: u8,
        /// The payments of its first block.
        payments: Vec<Payment>,
    },
    /// A block is taken back by hand.
    Invalidate(Pick),
    /// The blocks taken back by hand are let in again.
    Reconsider,
}

/// A block of the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pick {
    /// The best tip, or so many blocks below it.
    Best(u8),
    /// One of those above the trunk that can be read.
    Any(u16),
}

/// A payment. Whose coins do not reach pays nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payment {
    /// From one's own coins on that branch.
    Fresh {
        /// Who pays, of [`PEOPLE`].
        from: u8,
        /// Who is paid.
        to: u8,
        /// How much, in satoshis.
        sat: u32,
    },
    /// The coins of an earlier payment are spent again otherwise.
    DoubleSpend {
        /// Which payment.
        of: u16,
        /// Who gets them.
        to: u8,
    },
    /// An earlier payment's very transaction.
    Again {
        /// Which payment.
        of: u16,
    },
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        3 => Just(Pick::Best(0)),
        2 => (0..8u8).prop_map(Pick::Best),
        3 => any::<u16>().prop_map(Pick::Any),
    ]
}

fn payment() -> impl Strategy<Value = Payment> {
    prop_oneof![
        4 => (0..3u8, 0..3u8, 1_000..300_000_000u32)
            .prop_map(|(from, to, sat)| Payment::Fresh { from, to, sat }),
        2 => (any::<u16>(), 0..3u8).prop_map(|(of, to)| Payment::DoubleSpend { of, to }),
        1 => any::<u16>().prop_map(|of| Payment::Again { of }),
    ]
}

fn step(shape: Shape) -> impl Strategy<Value = Step> {
    let payments = move || vec(payment(), 0..=shape.payments);
    let by_hand = u32::from(shape.invalidations);
    prop_oneof![
        8 => (pick(), 1..=shape.blocks.max(1), payments())
            .prop_map(|(on, blocks, payments)| Step::Mine { on, blocks, payments }),
        3 => (1..=shape.blocks.max(1), payments())
            .prop_map(|(depth, payments)| Step::Overtake { depth, payments }),
        by_hand => pick().prop_map(Step::Invalidate),
        by_hand => Just(Step::Reconsider),
    ]
}

/// Any history of this shape.
pub fn histories(shape: Shape) -> impl Strategy<Value = History> {
    let delays = vec(
        0..=shape.disorder,
        0..=shape.steps * usize::from(shape.blocks.max(1)),
    );
    (
        any::<u8>(),
        vec(step(shape), 1..=shape.steps.max(1)),
        delays,
    )
        .prop_map(|(seed, steps, delays)| History {
            seed: u64::from(seed),
            steps,
            delays,
        })
}

/// A history that has happened.
#[derive(Debug)]
pub struct Tale {
    /// The lab in which it happened, in order.
    pub lab: Lab,
    /// Who took part.
    pub people: Vec<Party>,
    /// What came, in the order in which it arrives elsewhere: the trunk first, in order.
    pub arrivals: Vec<Arrival>,
}

/// Something that arrives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// A block.
    Block(Vec<u8>),
    /// A block is to be invalidated by hand: never before it came.
    Invalidate(BlockHash),
    /// That is to be taken back.
    Reconsider(BlockHash),
}

impl History {
    /// Lets it happen.
    ///
    /// # Panics
    ///
    /// Only where the lab itself is wrong.
    pub fn tell(&self) -> Tale {
        let mut telling = Telling::new(self.seed);
        for step in &self.steps {
            telling.take(step);
        }
        let (trunk, mut rest) = (telling.trunk, telling.arrivals);
        delay(&mut rest, &self.delays);
        let arrivals = trunk.into_iter().map(Arrival::Block).chain(rest).collect();
        Tale {
            lab: telling.lab,
            people: telling.people,
            arrivals,
        }
    }
}

impl Tale {
    /// Hands what arrives to a ledger, one at a time, and moves its clock on so that no block is from the future: the
    /// answer to each block.
    ///
    /// # Errors
    ///
    /// What the disk does. That a block is unknown which is to be invalidated cannot be.
    pub fn deliver_to(
        &self,
        ledger: &Ledger,
        clock: &Clock,
    ) -> Result<Vec<Submitted>, everett_ledger::BlockError> {
        clock.set(self.lab.ledger().clock().now());
        let mut answers = Vec::new();
        for arrival in &self.arrivals {
            match arrival {
                Arrival::Block(block) => {
                    let answer: Result<_, StoreError> = ledger.submit_block(block);
                    answers.push(answer?);
                }
                Arrival::Invalidate(hash) => ledger.invalidate_block(hash)?,
                Arrival::Reconsider(hash) => ledger.reconsider_block(hash)?,
            }
        }
        Ok(answers)
    }

    /// The blocks among what arrives.
    pub fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        self.arrivals.iter().filter_map(|arrival| match arrival {
            Arrival::Block(block) => Some(block.as_slice()),
            _ => None,
        })
    }
}

/// A history that is happening.
struct Telling {
    lab: Lab,
    people: Vec<Party>,
    trunk: Vec<Vec<u8>>,
    /// Blocks above the trunk, in order.
    blocks: Vec<BlockHash>,
    payments: Vec<Transaction>,
    invalidated: Vec<BlockHash>,
    arrivals: Vec<Arrival>,
}

const OWN: &str = "a history that the lab makes keeps the rules";

impl Telling {
    fn new(seed: u64) -> Telling {
        let lab = Lab::new(seed);
        let people: Vec<Party> = PEOPLE.iter().map(|name| lab.party(name)).collect();
        for party in &people {
            lab.grow_to(party, lab.best(), 1).expect(OWN);
        }
        let tip = lab
            .grow(lab.best(), TRUNK - PEOPLE.len() as u32)
            .expect(OWN);
        let hashes = (1..=tip.height()).filter_map(|height| tip.block_hash_at(height));
        let trunk = hashes.map(|hash| lab.ledger().block_bytes(&hash).expect(OWN));
        let trunk = trunk.collect();
        Telling {
            lab,
            people,
            trunk,
            blocks: Vec::new(),
            payments: Vec::new(),
            invalidated: Vec::new(),
            arrivals: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Mine {
                on,
                blocks,
                payments,
            } => {
                let parent = self.resolve(*on);
                self.mine(&parent, u32::from(*blocks).max(1), payments);
            }
            Step::Overtake { depth, payments } => {
                let best = self.lab.best();
                let depth = u32::from(*depth).min(best.height().saturating_sub(TRUNK));
                let parent = self.lab.world(best.height() - depth).expect(OWN);
                self.mine(&parent, depth + 1, payments);
            }
            Step::Invalidate(pick) => {
                let world = self.resolve(*pick);
                // The trunk stays: everything stands on it.
                if world.height() > TRUNK {
                    self.lab.invalidate(&world).expect(OWN);
                    self.invalidated.push(world.hash());
                    self.arrivals.push(Arrival::Invalidate(world.hash()));
                }
            }
            Step::Reconsider => {
                for hash in std::mem::take(&mut self.invalidated) {
                    self.lab.reconsider(hash).expect(OWN);
                    self.arrivals.push(Arrival::Reconsider(hash));
                }
            }
        }
    }

    fn resolve(&self, pick: Pick) -> World {
        let best = self.lab.best();
        let live: Vec<BlockHash> = match pick {
            Pick::Best(_) => Vec::new(),
            Pick::Any(_) => {
                let blocks = self.blocks.iter().copied();
                blocks.filter(|hash| self.lab.world(hash).is_ok()).collect()
            }
        };
        match pick {
            Pick::Any(number) if !live.is_empty() => self
                .lab
                .world(live[usize::from(number) % live.len()])
                .expect(OWN),
            Pick::Any(_) => best,
            Pick::Best(below) => {
                let height = best.height().saturating_sub(u32::from(below)).max(TRUNK);
                self.lab.world(height).expect(OWN)
            }
        }
    }

    fn mine(&mut self, parent: &World, blocks: u32, payments: &[Payment]) {
        let mut taken: Vec<Transaction> = Vec::new();
        for payment in payments {
            if let Some(transaction) = self.payment(parent, payment, &taken) {
                taken.push(transaction);
            }
        }
        for transaction in &taken {
            if !self.payments.contains(transaction) {
                self.payments.push(transaction.clone());
            }
        }
        let mut tip = parent.clone();
        for _ in 0..blocks {
            tip = self.lab.mine(&tip, std::mem::take(&mut taken)).expect(OWN);
            let bytes = self.lab.ledger().block_bytes(&tip.hash()).expect(OWN);
            self.blocks.push(tip.hash());
            self.arrivals.push(Arrival::Block(bytes));
        }
    }

    /// The transaction, if it can stand in the block after `parent` behind those that were taken.
    fn payment(
        &self,
        parent: &World,
        payment: &Payment,
        taken: &[Transaction],
    ) -> Option<Transaction> {
        let earlier = |of: u16| {
            let count = self.payments.len().max(1);
            self.payments.get(usize::from(of) % count)
        };
        let person = |number: u8| &self.people[usize::from(number) % self.people.len()];
        let transaction = match payment {
            Payment::Fresh { from, to, sat } => {
                let amount = Amount::from_sat(u64::from(*sat));
                let paid = self.lab.pay_at(parent, person(*from), person(*to), amount);
                paid.ok()?
            }
            Payment::DoubleSpend { of, to } => {
                self.lab.double_spend(earlier(*of)?, person(*to)).ok()?
            }
            Payment::Again { of } => earlier(*of)?.clone(),
        };
        let fits = fits(parent, taken, &transaction).expect(OWN);
        fits.then_some(transaction)
    }
}

/// Moves each block back by as many places as its delay says, but never past something that is done by hand: what that
/// is about has come then, with all below it.
fn delay(arrivals: &mut [Arrival], delays: &[u8]) {
    let by_hand = |arrival: &Arrival| !matches!(arrival, Arrival::Block(_));
    let mut delays = delays.iter().copied().chain(std::iter::repeat(0));
    for stretch in arrivals.split_mut(by_hand) {
        let late = (0..stretch.len()).map(|place| place + usize::from(delays.next().unwrap_or(0)));
        let mut order: Vec<(usize, usize)> = late.zip(0..).collect();
        order.sort_unstable();
        let delayed: Vec<Arrival> = order
            .iter()
            .map(|(_, place)| stretch[*place].clone())
            .collect();
        stretch.clone_from_slice(&delayed);
    }
}
