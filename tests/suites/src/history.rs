//! Owns random histories: lists of steps that mean something whatever came before them, so that they can be shrunk.
//! Promises short horizons and quotas, so that retirement, moves of the base and lost snapshots happen all the time.

use proptest::collection::vec;
use proptest::option::{self, weighted};
use proptest::prelude::*;

use crate::flaw::{Flaw, Mutation};

/// How a ledger is opened, and what it lives through.
#[derive(Clone, Debug)]
pub struct History {
    /// The settings it begins with.
    pub settings: Settings,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// What a ledger is opened with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Blocks behind the best tip at which a branch may leave and stay live.
    pub horizon: u32,
    /// Blocks between checkpoints.
    pub interval: u32,
    /// Worlds that may be held after they were retired.
    pub quota: usize,
}

/// Something that happens to a ledger. Numbers that pick one of several things are taken modulo how many there are.
#[derive(Clone, Debug)]
pub enum Step {
    /// New blocks come.
    Grow(Growth),
    /// As many new blocks as it takes for a branch to overtake the best one, by `lead` blocks more than the best has.
    Overtake {
        /// How the branch comes; `growth.blocks` is how far below the best tip it leaves, if it can.
        growth: Growth,
        /// By how much; 0 makes it a tie.
        lead: u8,
    },
    /// A block that was made comes, perhaps again.
    Resubmit {
        /// Which.
        pick: u16,
        /// What is wrong with its bytes.
        mutation: Option<Mutation>,
    },
    /// The blocks that were held back come, the last one first.
    Deliver,
    /// Somebody takes a block back.
    Invalidate(Pick),
    /// Somebody wants a block looked at again.
    Reconsider(Pick),
    /// The base moves as far as it can.
    Checkpoint,
    /// Every handle is dropped and the directory opened again.
    Restart(Settings),
    /// Somebody takes a snapshot.
    Hold(Pick),
    /// Somebody lets a snapshot go.
    Release(u16),
}

/// New blocks, one on the other.
#[derive(Clone, Debug)]
pub struct Growth {
    /// What the first is built on.
    pub on: Pick,
    /// How many.
    pub blocks: u8,
    /// Most payments in each.
    pub spends: u8,
    /// Which of them has, beside the next one, another child with as many blocks on it, if one has.
    pub prong: Option<u8>,
    /// Which of them has a flaw, if one has.
    pub flaw: Option<(u8, Flaw)>,
    /// In which order they come.
    pub order: Order,
    /// Whether their headers come first.
    pub headers_first: bool,
    /// Which of them does not come yet.
    pub held_back: Option<u8>,
    /// Whether one commit takes them all.
    pub grouped: bool,
    /// What chance makes of them.
    pub seed: u64,
}

/// The order in which blocks come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Parents first.
    Straight,
    /// Children first.
    Reversed,
    /// Any.
    Shuffled,
}

/// A block of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pick {
    /// The best tip, or so many blocks below it.
    Best(u16),
    /// One that can be read.
    Live(u16),
    /// Any.
    Any(u16),
    /// An invalid one, if there is one; else any.
    Invalid(u16),
    /// One that is retired or was never validated, if there is one; else any.
    Hidden(u16),
    /// One whose block or that of an ancestor has not come, if there is one; else any.
    Waiting(u16),
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        4 => (0u16..6).prop_map(Pick::Best),
        4 => any::<u16>().prop_map(Pick::Live),
        1 => any::<u16>().prop_map(Pick::Any),
        1 => any::<u16>().prop_map(Pick::Invalid),
        2 => any::<u16>().prop_map(Pick::Hidden),
        1 => any::<u16>().prop_map(Pick::Waiting),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    (3u32..=40, 1u32..=8, 0usize..4).prop_map(|(horizon, interval, quota)| Settings {
        horizon,
        interval,
        quota,
    })
}

prop_compose! {
    fn growth(blocks: std::ops::Range<u8>)(
        on in pick(),
        blocks in blocks,
        spends in 0u8..4,
        flaw in weighted(0.15, (any::<u8>(), (0..Flaw::ALL.len()).prop_map(|at| Flaw::ALL[at]))),
        order in prop_oneof![
            4 => Just(Order::Straight),
            1 => Just(Order::Reversed),
            1 => Just(Order::Shuffled),
        ],
        headers_first in weighted(0.2, Just(())).prop_map(|some| some.is_some()),
        held_back in weighted(0.15, prop_oneof![Just(0), any::<u8>()]),
        prong in weighted(0.2, any::<u8>()),
        grouped in any::<bool>(),
        seed in any::<u64>().no_shrink(),
    ) -> Growth {
        Growth { on, blocks, spends, prong, flaw, order, headers_first, held_back, grouped, seed }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let mutation = (0..Mutation::ALL.len()).prop_map(|at| Mutation::ALL[at]);
    prop_oneof![
        8 => growth(1..8).prop_map(Step::Grow),
        2 => growth(8..30).prop_map(Step::Grow),
        3 => (growth(1..60), 0u8..4).prop_map(|(growth, lead)| Step::Overtake { growth, lead }),
        1 => (growth(60..190), 0u8..4).prop_map(|(growth, lead)| Step::Overtake { growth, lead }),
        1 => (any::<u16>(), option::of(mutation))
            .prop_map(|(pick, mutation)| Step::Resubmit { pick, mutation }),
        1 => Just(Step::Deliver),
        2 => pick().prop_map(Step::Invalidate),
        1 => (1u16..200).prop_map(|below| Step::Invalidate(Pick::Best(below))),
        2 => prop_oneof![
            3 => any::<u16>().prop_map(Pick::Invalid),
            1 => pick(),
        ].prop_map(Step::Reconsider),
        1 => Just(Step::Checkpoint),
        1 => settings().prop_map(Step::Restart),
        4 => pick().prop_map(Step::Hold),
        2 => any::<u16>().prop_map(Step::Release),
    ]
}

/// Any history of up to `steps` steps.
pub fn histories(steps: usize) -> impl Strategy<Value = History> {
    (settings(), vec(step(), 1..=steps)).prop_map(|(settings, steps)| History { settings, steps })
}
