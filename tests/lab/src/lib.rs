//! Everett's lab kit: build, fork and replay chains on a ledger.
//!
//! Owns three things: blocks assembled on any parent world ([`assemble`]), people with
//! deterministic keys who really sign ([`party`]), and histories told as files ([`scenario`]).
//! Promises that the same input makes the same bytes, on every machine.
//! Refuses to mine where a block costs real work; it is for regtest and for easy signets.

pub mod assemble;
pub mod party;
pub mod scenario;

pub use assemble::{MineError, mine};
pub use party::{AddressKind, Party};
pub use scenario::{PlayError, Played, PlayedWorld, Scenario, ScenarioError};
