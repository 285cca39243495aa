//! The binary log: what the node did and what happened to it, record by record, for machines.
//!
//! It owns the frame of a record, the files and their rotation, the queue that the node writes to, and the reader. It
//! promises that writing never makes the node wait: what does not fit is counted, and the log tells how much that was.
//! It promises a reader every whole record, whatever lies between. It refuses to be the truth: that is the ledger.
//!
//! ```text
//!   tracing ─> LogLayer ─┐
//!   events, health ─> Log (frontend) ─> Queue (bounded) ─> a thread ─> DATADIR/log/everett-000001.log …
//!                                                          read::Follower <─┘ (another process, or a pipe)
//! ```

mod config;
mod files;
mod frame;
mod frontend;
mod layer;
mod queue;
pub mod read;
pub mod record;
pub mod time;
pub mod view;
mod writer;

pub use config::LogConfig;
pub use files::{LOG_DIRECTORY, LogFile, list};
pub use frame::{Decoder, MARKER, MAX_RECORD_BYTES, Piece, encode};
pub use frontend::{Log, LogError};
pub use layer::LogLayer;
pub use queue::Sink;
