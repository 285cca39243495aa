//! Owns scenarios: histories of a chain, written as a TOML file, read here and played on a ledger.
//! Promises that a scenario makes the same blocks wherever it is played, and that every error
//! names the step and its line; refuses what it does not know: a misspelt key is an error.
//!
//! # The format
//!
//! A scenario reads from top to bottom. It says who takes part and then tells, step by step, what
//! happens. Each step does **one** thing: it mines, invalidates, reconsiders or expects.
//!
//! ```toml
//! title = "A payment, taken back"           # one line, required
//! about = "What it shows, as long as need be."
//! seed = "anything"                         # the keys follow from it; the title if left out
//! spacing = 600                             # seconds from block to block
//!
//! [parties]                                 # name = kind of address (p2wpkh, p2tr, p2pkh, p2sh-p2wpkh)
//! alice = "p2wpkh"
//! bob = "p2tr"
//!
//! [[step]]
//! say = "Alice mines a coin, and a hundred blocks let it mature."
//! mine = 101                                # how many blocks
//! by = "alice"                              # who is paid for them
//! on = "genesis"                            # the first one's parent
//! as = "ready"                              # what the last of them is called from here on
//!
//! [[step]]
//! say = "She pays Bob, and a block confirms it."
//! mine = 1
//! as = "payment"
//! pay = [{ from = "alice", to = "bob", amount = "20 BTC", as = "coffee" }]
//!
//! [[step]]
//! say = "On another branch she spends the same coins back to herself."
//! mine = 2
//! on = "ready"
//! as = "theft"
//! pay = [{ instead_of = "coffee", to = "alice" }]
//!
//! [[step]]
//! say = "The longer branch is the best one; in the other world Bob still has his money."
//! expect.best = "theft"
//! expect.tips = 2
//! expect.status = { payment = "valid-fork" }
//! expect.balances.payment = { bob = "20 BTC" }
//! expect.balances.theft = { bob = "0 BTC" }
//! expect.conflicts = [{ between = ["payment", "theft"], coins = 1, kind = "double-spend" }]
//!
//! [[step]]
//! say = "The node's owner declares the theft invalid."
//! invalidate = "theft"                      # `reconsider = "theft"` takes it back
//! ```
//!
//! **Blocks.** `on` is the label of any earlier block, `genesis`, or `best` (the tip of the best
//! world at that moment); left out, it is the block that the last `mine` ended with. Payments of a
//! step stand in its *first* block; further blocks bury them. Without `by`, the reward goes to an
//! unnamed miner. Each block's time is its parent's plus `spacing`, or a second more where the same
//! block would come out twice, so two empty siblings are two blocks.
//!
//! **Payments.** Three kinds:
//! - `{ from, to, amount, fee, as }`: `from` spends her oldest coins on that branch, `to` gets
//!   `amount`, `from` the change. `fee` is 1,000 satoshis if left out.
//! - `{ instead_of, to, amount, fee, as }`: the same party spends the same coins as the payment of
//!   that name, otherwise; without `amount`, all of it but the fee goes to `to`.
//! - `{ again }`: the very transaction of that name, confirmed on this branch too.
//!
//! Amounts are texts with a unit (`"20 BTC"`, `"1500 sat"`) or whole numbers of satoshis.
//!
//! **Expectations.** `best` (a label), `tips` (how many leaves the tree has), `status` (label to
//! `active`, `valid-fork`, `valid-headers`, `headers-only`, `invalid`), `balances` (label to party
//! to amount, coinbases that are not yet mature included), `conflicts` (between two labels: how
//! many coins are spent by different transactions, and as what: `same-recipients`, `fee-bump`,
//! `double-spend`). What does not hold is collected in [`Played::unmet`]; the play goes on.

mod amount;
mod expect;
mod file;
mod play;
mod played;
mod raw;
mod story;

pub use expect::Unmet;
pub use file::ScenarioError;
pub use play::{PlayCause, PlayError};
pub use played::{Played, PlayedBlock, PlayedParty, PlayedPayment, PlayedWorld};
pub use story::{Scenario, Step};

/// The scenario that the lab plays when it is given none: a payment confirmed on one branch and
/// double-spent on another, and a third branch that is behind.
pub const DOUBLE_SPEND: &str = include_str!("../scenarios/double-spend.toml");

/// A reorganisation of a hundred blocks that undoes a payment and confirms it again elsewhere.
pub const DEEP_REORGANISATION: &str = include_str!("../scenarios/deep-reorganisation.toml");

/// Two branches of equal work: the first seen is the best one, until its owner invalidates it.
pub const TIE: &str = include_str!("../scenarios/tie.toml");

/// The scenarios that ship with the lab, by file name.
pub const SHIPPED: [(&str, &str); 3] = [
    ("double-spend.toml", DOUBLE_SPEND),
    ("deep-reorganisation.toml", DEEP_REORGANISATION),
    ("tie.toml", TIE),
];
