//! Owns recordings: one file with the blocks of a fork, in the order and at the times at which they came.
//! Promises that what was written whole is read back the same, that a tail which was cut off costs nothing before it,
//! and that damage is an error with its offset.
//! Refuses to judge: what came is kept, good or bad, and a replay hands it to a ledger as it is.
//!
//! # The format, version 1
//!
//! Numbers are little-endian, hashes in the byte order in which they are hashed.
//!
//! ```text
//! file     "EVRTREC" 0x0a | version u32 | frame (head) | frame (entry) … | frame (end)
//! frame    length u32 | CRC-32 u32 | kind u8 | payload        length counts kind and payload, at most 32 MiB + 64;
//!                                                             the CRC is over length, kind and payload
//! kind 1   head: network magic 4 (zeros: not known) | genesis hash 32 | begun u64 | where from (UTF-8)
//! kind 2   block: at u64 | the block in consensus encoding
//! kind 3   a block was invalidated by hand: at u64 | hash 32
//! kind 4   that was taken back: at u64 | hash 32
//! kind 5   end: how many entries there were u64; nothing follows
//! ```
//!
//! `begun` and `at` are microseconds since 1970; `at` never falls. A file without its end frame was cut off while it was
//! written: everything up to the last whole frame holds ([`Ending::Torn`]). A frame whose checksum is wrong is damage
//! ([`RecordingError::Damaged`]), wherever it stands; so is one that is longer than the file where an end frame stands
//! at the end of that.

mod follow;
mod reader;
mod replay;
mod take;
mod writer;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitcoin::BlockHash;
use everett_ledger::{BlockError, Params, StoreError};

pub use follow::{FollowError, follow_server};
pub use reader::RecordingReader;
pub use replay::{Pace, Replay, ReplayError, ReplayProgress, Replayed};
pub use take::record_ledger;
pub use writer::RecordingWriter;

/// The first bytes of a recording.
pub const MAGIC: [u8; 8] = *b"EVRTREC\n";

/// The version that this program writes, and the only one it reads.
pub const VERSION: u32 = 1;

/// Most bytes of a frame behind its checksum: the longest block, and what stands before it.
pub const MAX_FRAME: u32 = everett_ledger::store::MAX_BLOCK_LENGTH + 64;

/// Longest description of where a recording is from, in bytes; longer ones are cut.
pub const MAX_SOURCE: usize = 1_000;

/// The magic of a network that is not known: signets of one's own share a genesis block.
pub const UNKNOWN_MAGIC: [u8; 4] = [0; 4];

/// Kinds of frames.
const HEAD: u8 = 1;
const BLOCK: u8 = 2;
const INVALIDATED: u8 = 3;
const RECONSIDERED: u8 = 4;
const END: u8 = 5;

/// A moment: microseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// Now, by the machine's clock.
    pub fn now() -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Moment(since.map_or(0, |since| since.as_micros() as u64))
    }

    /// The beginning of a second.
    pub fn of_second(unix_seconds: u64) -> Moment {
        Moment(unix_seconds.saturating_mul(1_000_000))
    }

    /// The second that it lies in.
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` it is; nothing if it is not.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// What a recording is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The network's magic.
    pub magic: [u8; 4],
    /// The network's genesis block.
    pub genesis: BlockHash,
    /// When the recording was begun.
    pub begun: Moment,
    /// Where it is from, for people.
    pub source: String,
}

impl Head {
    /// A recording of this network, begun now.
    pub fn new(params: &Params, source: impl Into<String>) -> Head {
        Head {
            magic: params.magic,
            genesis: params.genesis_hash(),
            begun: Moment::now(),
            source: source.into(),
        }
    }
}

/// Something that came, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// What.
    pub what: Happening,
}

/// What can come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// A block, in consensus encoding.
    Block(Vec<u8>),
    /// Somebody invalidated this block by hand.
    Invalidated(BlockHash),
    /// Somebody took that back.
    Reconsidered(BlockHash),
}

/// How a recording ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// As it should.
    Whole,
    /// It was cut off: behind `offset` there are `bytes` bytes of a frame that is not all there, or nothing where the end
    /// should be.
    Torn {
        /// Where the last whole frame ends, in bytes from the start of the file.
        offset: u64,
        /// How many bytes follow.
        bytes: u64,
    },
}

/// Why a recording could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file could not be opened, written or read.
    #[error("{path}: {doing} failed at offset {offset}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Where in it.
        offset: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// There is something where the recording was to be written.
    #[error("{path} is there already and is not written over; name another file, or take it away")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It does not begin as recordings do.
    #[error(
        "{path} is no recording: it does not begin with EVRTREC; make one with `everett lab record`"
    )]
    NotARecording {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program wrote it.
    #[error(
        "{path}: version {found} of the format, this program reads {VERSION}; use a newer version of it"
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Bytes are not what was written.
    #[error("{path} is damaged at offset {offset}: {detail}; record it again, or cut it off there")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the frame starts that is damaged.
        offset: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// A block is longer than a frame may be.
    #[error("a block of {length} bytes is longer than the {MAX_FRAME} bytes that a frame may have")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A block of the ledger could not be read.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The ledger could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The checksum of a frame's parts.
fn checksum(length: u32, kind: u8, parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&[kind]);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests;
