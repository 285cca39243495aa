//! What the suites share: where the data lies, block files read frame by frame, Bitcoin Core's answers, and random
//! histories with a naive model of what a ledger makes of them.

pub mod data;
pub mod durability;
