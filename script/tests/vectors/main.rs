//! Other people's vectors: Bitcoin Core's, those of the BIPs, and real blocks.
//! Promises to run each of them, or to say that it was skipped.
//! Refuses to hold any data: it is looked for at `$EVERETT_VECTORS`, then at `../shared` beside the repository.

mod bip340;
mod bip341;
mod blocks;
mod data;
mod script_assets;
mod script_tests;
mod sighash;
mod transactions;
