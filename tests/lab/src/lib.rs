//! Everett's lab kit: make, fork, record and replay chains in tests of your own.
//!
//! Owns [`Lab`], a ledger in memory with the means to make history on it: blocks on any parent, payments that are
//! really signed, forks, reorganisations, and expectations about each world.
//! Promises that the same seed and the same calls give the same hashes on every machine, that a lab opens in
//! microseconds and leaves nothing behind, and that every block takes the way that any block takes, past every rule.
//! Refuses networks where a block costs real work: a lab is regtest.
//!
//! ```
//! use bitcoin::Amount;
//! use everett_lab::Lab;
//!
//! # fn main() -> Result<(), everett_lab::LabError> {
//! let lab = Lab::new(7);
//! let (alice, bob) = (lab.party("alice"), lab.party("bob"));
//! let ready = lab.fund(&alice)?; // a coinbase, and the hundred blocks that let it mature
//!
//! let payment = lab.pay(&alice, &bob, Amount::ONE_BTC)?;
//! let paid = lab.mine(&ready, [payment])?;
//! lab.expect(&paid).balance(&bob, Amount::ONE_BTC).best();
//!
//! // A longer branch without the payment: Bob has nothing in the best world, and still everything in the other one.
//! let theft = lab.grow(&ready, 2)?;
//! lab.expect(&theft).balance(&bob, Amount::ZERO).best();
//! lab.expect(&paid).balance(&bob, Amount::ONE_BTC).not_best();
//! # Ok(())
//! # }
//! ```

mod at;
mod branch;
mod builder;
pub mod chaos;
mod error;
mod expect;
mod lab;
mod mining;
mod paying;
mod picture;
pub mod random;
pub mod recording;
mod server;
#[cfg(feature = "proptest")]
pub mod strategy;

pub use at::At;
pub use branch::{Branch, Reorg};
pub use builder::LabBuilder;
pub use chaos::Chaos;
pub use error::LabError;
pub use everett_scenario::{
    AddressKind, MineError, Party, PlayError, Played, PlayedWorld, Scenario, ScenarioError,
    assemble, mine, party, purse, scenario,
};
pub use expect::{Expect, Unmet};
pub use lab::Lab;
pub use mining::MAX_BLOCKS_A_COMMIT;
pub use paying::FEE;
pub use picture::Picture;
pub use random::Random;
pub use server::{LabServer, ServeError};
