//! The many-worlds ledger.
pub mod coin;
pub mod delta;
pub mod id;
pub mod store;
