//! Owns the growing of test input: transactions, scripts, signed spends, and mutations of all of them.
//! Promises that the same seed, or the same bytes of a fuzzer, always grow the same input.
//! Refuses to judge what it grows: verdicts are for those who compare them.
//!
//! ```text
//! seed or fuzzer's bytes -> Entropy -> grammar (random scripts) ---\
//!                                   -> Lock (spends that hold) ----+-> Case -> mutate -> Case
//! vectors of other implementations ---------------------------------/
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod case;
mod entropy;
mod grammar;
mod growth;
mod keys;
mod lock;
mod mutation;
mod vectors;

pub use case::{Case, CaseError};
pub use entropy::Entropy;
pub use grammar::{random_script, random_stack};
pub use growth::{
    Origin, blank_transaction, case, lock_time, random_spend, sequence, signed_spend,
};
pub use keys::{KEY_COUNT, Keys};
pub use lock::{Care, Lock, Wrapping};
pub use mutation::{mutate, mutate_bytes};
pub use vectors::{directory, load};
