//! Owns why events could not be had, or a subscriber not be served.

use bitcoin::BlockHash;

use super::cursor::{Cursor, Policy};
use crate::store::StoreError;

/// Why a call about events failed.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// Events that the subscriber was not told are gone: it fell behind the quota, or nothing kept them for it.
    #[error(
        "the events from {} on are gone, the oldest one left is {oldest}: {} were missed; resume from block {}, which \
         gives one step from there to the best tip, or from the oldest event",
        .cursor.seq, .oldest - .cursor.seq, .cursor.block
    )]
    CursorExpired {
        /// Where the subscriber stands.
        cursor: Cursor,
        /// The sequence of the oldest event that is kept.
        oldest: u64,
    },
    /// The cursor is of another ledger, or of this one before it was made anew.
    #[error(
        "the cursor says {seq}, but the next event here is {next}: it is of another data directory; resume from a block"
    )]
    CursorAhead {
        /// The cursor's sequence.
        seq: u64,
        /// The sequence that the next event gets.
        next: u64,
    },
    /// None of the blocks named is, or was, part of a world here.
    #[error(
        "none of the {asked} blocks that were named was ever part of a world here (the last one: {last}); name genesis at the end"
    )]
    UnknownBlocks {
        /// How many were named.
        asked: usize,
        /// The last of them.
        last: BlockHash,
    },
    /// A locator without blocks.
    #[error("a block locator names at least one block")]
    EmptyLocator,
    /// Nobody of this name is registered.
    #[error("no subscriber `{name}` is registered here")]
    Unregistered {
        /// The name.
        name: String,
    },
    /// The name is taken by a subscriber of the other policy.
    #[error("subscriber `{name}` is registered as {}; unregister it first", .registered.as_str())]
    OtherPolicy {
        /// The name.
        name: String,
        /// What it is registered as.
        registered: Policy,
    },
    /// A name that no subscriber can have.
    #[error("a subscriber's name has 1 to {limit} bytes, not {length}")]
    BadName {
        /// Bytes of the name.
        length: usize,
        /// Most that it may have.
        limit: usize,
    },
    /// As many subscribers are registered as there may be.
    #[error(
        "{limit} subscribers are registered, no more are taken; unregister those that are gone"
    )]
    TooMany {
        /// Most there may be.
        limit: usize,
    },
    /// A subscription without a name has nothing to acknowledge.
    #[error("this subscription has no name: there is no cursor to move")]
    Unnamed,
    /// This process opened the data directory for reading.
    #[error(
        "this process only reads the data directory: it can follow events, but keep no cursors"
    )]
    ReadOnly,
    /// Another process went on writing; this one knows the blocks only as they were when it opened.
    #[error("the data directory moved on since it was opened for reading; open it again")]
    Outdated,
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}
