//! Owns which coins of ours there are at each block of every branch.
//! Promises that a fork costs what its own blocks did to the wallet, and that a state is the same whichever way it is reached.
//! Refuses to read blocks by itself: [`scan`] is handed them.
//!
//! ```text
//!   block -> scan::of_block -> Touched (a row in the file) -> Timeline -> State at any world
//! ```

pub(crate) mod scan;
mod state;
mod timeline;
mod touched;

pub use state::{Balance, OwnCoin, Place, State};
pub(crate) use timeline::Timeline;
pub(crate) use touched::Touched;
