//! Owns the consensus rules: what a header, a transaction and a block must be to be valid.
//! Promises Bitcoin Core's verdict and reject reason for each block, in pure functions over what they are given.
//! Refuses to read a disk, a clock or a set of coins by itself.
//!
//! A block walks through them in this order, and what a failure means for its header depends on the place:
//!
//! ```text
//! check_block             context-free, with proof of work: a failure says nothing about the header,
//!                         for other transactions may belong to it
//! check_header            against its parent's chain
//! check_block_in_context  against its parent's chain: from here on a failure condemns the
//!                         header, unless its kind says otherwise (RejectKind::condemns_header)
//! connect                 against the coins at its parent, ending in the scripts
//! ```

pub mod block;
pub mod chain;
pub mod connect;
pub mod difficulty;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod header;
pub mod merkle;
pub mod reject;
pub mod script_check;
pub mod signet;
pub mod transaction;
pub mod witnesses;

pub(crate) use block::check_draft;
pub use block::{check_block, check_block_in_context, check_orphan_witnesses};
pub use chain::{Chain, HeaderFacts, median_time_past};
pub use connect::{CoinSource, ConnectError, Connected, connect};
pub use difficulty::{permitted_difficulty_transition, required_bits};
pub(crate) use header::check_hash;
pub use header::{check_header, check_proof_of_work, has_valid_proof_of_work};
pub use reject::{Reject, RejectKind};
pub use script_check::{BlockScripts, ScriptCheck, ScriptFailure, ScriptsAssumedValid, SpentCoins};
