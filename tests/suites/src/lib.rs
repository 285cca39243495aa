//! What the suites share: where the data lies, block files read frame by frame, Bitcoin Core's answers; and a naive
//! ledger with one map of coins per block, blocks to feed it with, and histories that are lived through side by side.

pub mod answers;
pub mod data;
pub mod flaw;
pub mod history;
pub mod mint;
pub mod naive;
pub mod random;
pub mod walk;
