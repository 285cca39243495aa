//! Owns what a scenario says, once it has been read: parties, steps, payments, expectations.
//! Promises that every name in it was defined before it was used; plain data otherwise.

use std::collections::BTreeMap;

use bitcoin::Amount;
use everett_ledger::{ChainStatus, ConflictKind};

use crate::party::AddressKind;

/// A history, read from a file and checked; [`Scenario::play`] makes it happen on a ledger.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    pub(super) title: String,
    pub(super) about: String,
    pub(super) seed: String,
    pub(super) spacing: u32,
    pub(super) parties: Vec<(String, AddressKind)>,
    pub(super) steps: Vec<Step>,
}

impl Scenario {
    /// Its title, one line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it shows; may be empty or many lines.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Its steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// One step of a scenario.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    pub(super) number: usize,
    pub(super) line: usize,
    pub(super) say: String,
    pub(super) action: Action,
}

impl Step {
    /// Its place in the scenario, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The line of the file where it starts, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What the scenario says about it; may be empty.
    pub fn say(&self) -> &str {
        &self.say
    }
}

/// What a step does.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Action {
    Mine(Mining),
    Invalidate(Place),
    Reconsider(Place),
    Expect(Expectations),
}

/// A block that a scenario speaks of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
    /// The block that the last `mine` ended with; genesis before any.
    Last,
    /// The network's first block.
    Genesis,
    /// The best world's tip, whatever it is at that moment.
    Best,
    /// The block that a step before called so.
    Label(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Place::Last => "the last block",
            Place::Genesis => "genesis",
            Place::Best => "best",
            Place::Label(label) => label,
        })
    }
}

/// Blocks, one on top of the other.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Mining {
    pub(super) blocks: u32,
    pub(super) on: Place,
    /// The party that the coinbases pay; nobody in particular if `None`.
    pub(super) by: Option<String>,
    /// What the last of the blocks is called.
    pub(super) label: Option<String>,
    /// What the first of the blocks confirms.
    pub(super) payments: Vec<Payment>,
}

/// One transaction.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Payment {
    pub(super) line: usize,
    pub(super) name: Option<String>,
    pub(super) kind: PaymentKind,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum PaymentKind {
    /// From the party's own coins.
    Fresh {
        from: String,
        to: String,
        amount: Amount,
        fee: Amount,
    },
    /// Spends the coins of an earlier payment otherwise.
    InsteadOf {
        payment: String,
        to: String,
        /// All that the fee leaves, if `None`.
        amount: Option<Amount>,
        fee: Amount,
    },
    /// An earlier payment's very transaction.
    Again { payment: String },
}

/// What has to be true at a point of the play.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Expectations {
    pub(super) best: Option<Place>,
    pub(super) tips: Option<usize>,
    pub(super) status: BTreeMap<Place, ChainStatusName>,
    pub(super) balances: BTreeMap<Place, BTreeMap<String, Amount>>,
    pub(super) conflicts: Vec<ExpectedConflicts>,
}

/// A status by getchaintips' name for it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct ChainStatusName(pub(super) ChainStatus);

/// How two branches are expected to disagree.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct ExpectedConflicts {
    pub(super) between: [Place; 2],
    pub(super) coins: usize,
    pub(super) kind: Option<ConflictKind>,
}
