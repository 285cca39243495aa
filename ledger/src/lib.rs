//! The many-worlds ledger.
pub mod coin;
pub mod decode;
pub mod delta;
pub mod id;
pub mod muhash;
pub mod params;
pub mod rules;
pub mod setinfo;
mod sha256d;
