//! The many-worlds ledger.
pub mod coin;
pub mod decode;
pub mod delta;
pub mod id;
pub mod params;
pub mod rules;
mod sha256d;
