//! Owns where a subscriber stands, where it may begin, and what it wants to be told.

use bitcoin::BlockHash;

/// Up to where a subscriber is done. A sink that stores it in the same transaction as an event's effects has each
/// effect exactly once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cursor {
    /// The sequence of the first event that is not done.
    pub seq: u64,
    /// The block that the subscriber takes for the best tip: where the next step starts.
    pub block: BlockHash,
}

/// What a subscriber is told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Policy {
    /// Every event, in order. What it has not acknowledged is kept for it, up to the quota.
    Lossless,
    /// One net step from where it stands to where the best world is now. Nothing is kept for it.
    Conflating,
}

impl Policy {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Lossless => "lossless",
            Policy::Conflating => "conflating",
        }
    }

    pub(crate) fn byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Policy> {
        [Policy::Lossless, Policy::Conflating]
            .into_iter()
            .find(|policy| policy.byte() == byte)
    }
}

/// Where a subscription begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// Where the subscriber of this name last acknowledged; a new one begins now.
    Stored,
    /// At a cursor that the subscriber stored itself. If its events are gone, the first batch says so
    /// ([`EventsError::CursorExpired`](super::EventsError)); [`Start::After`] its block goes on all the same.
    At(Cursor),
    /// At the first of these blocks that was ever part of a world here: a block locator, the latest block first. The
    /// way from there to the best tip is one step made from the block tree, so it works whatever was trimmed.
    After(Vec<BlockHash>),
    /// At the oldest event that is kept.
    Oldest,
    /// With what happens from now on.
    Now,
}
