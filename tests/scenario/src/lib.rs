//! What a history is made of: blocks on any parent, people who sign, stories told as files.
//!
//! Owns three things: blocks assembled on any parent world ([`assemble`]), people with
//! deterministic keys who really sign ([`party`]), and histories told as files ([`scenario`]).
//! Promises that the same input makes the same bytes, on every machine.
//! Refuses to mine where a block costs real work; it is for regtest and for easy signets.
//!
//! Tests of your own want the crate `everett-lab`, which stands on this one and hands all of it on.

pub mod party;
pub mod purse;
pub mod scenario;

pub use everett_mining as assemble;
pub use everett_mining::{MineError, mine};
pub use party::{AddressKind, Party};
pub use scenario::{PlayError, Played, PlayedWorld, Scenario, ScenarioError};
