//! Owns the reading of block files into a ledger: `bootstrap.dat`, Bitcoin Core's `blk?????.dat`,
//! Everett's own.
//! Promises that every good block in them reaches the ledger, in whatever order they lie and
//! whatever lies between them, and that what is not good is reported with its file and offset.
//! Refuses to hold more than one group of blocks in memory: the index takes about 200 bytes a block.
//!
//! ```text
//! files ──scan──> frames (hash, parent, file, offset) ──plan──> order ──read by offset──> groups ──> Ledger::submit_blocks
//!          └─> damage                                    └─> strays, last                    └─> outcomes ──> Summary
//! ```
//!
//! A frame is `magic (4 bytes) | length (u32, little endian) | block`. Bytes that are no frame are
//! skipped up to the next magic; so is the inside of a frame that turns out to be no block, for a
//! frame whose length is wrong may have swallowed good ones.

mod error;
mod frames;
mod headers;
mod plan;
mod progress;
mod report;
mod run;
mod source;
mod submission;
mod task;

pub use error::ImportError;
pub use progress::{Phase, Progress};
pub use report::{FileSummary, Problem, ProblemKind, Summary};
pub use run::Import;

/// The longest block that a frame may hold, in bytes: none can weigh more than 4,000,000 units, and
/// no byte weighs less than one.
pub const MAX_FRAME_BYTES: u32 = 4_000_000;
/// The shortest: a header and the count of transactions.
pub const MIN_FRAME_BYTES: u32 = 81;
/// How many frames one import indexes; more files than that have to be imported one after another.
pub const MAX_FRAMES: usize = 16_000_000;
/// How many bytes of blocks go to the ledger in one commit (one block more may start below it).
pub const GROUP_BYTES: usize = 16 << 20;
/// How many blocks go to the ledger in one commit.
pub const GROUP_BLOCKS: usize = 1_000;
/// How many frames that are no blocks are searched for others that they may have swallowed.
pub const MAX_RESCANS: usize = 1_000;
/// How many problems a summary lists; the others are counted.
pub const MAX_PROBLEMS: usize = 10_000;
