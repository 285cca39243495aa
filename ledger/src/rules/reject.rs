//! Owns the answer "no": why a header or block is rejected.
//! Promises Bitcoin Core's reject reasons, letter by letter, and the kinds that say what follows from them.

use std::borrow::Cow;
use std::fmt;

/// What a rejection means for the block and its header.
///
/// The kinds are those of Bitcoin Core's block validation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RejectKind {
    /// The block breaks a consensus rule.
    Consensus,
    /// The block was found invalid before.
    CachedInvalid,
    /// The header has no valid proof of work, or its time or version is wrong.
    InvalidHeader,
    /// The transactions or witnesses are not those that the header commits to: others may be.
    Mutated,
    /// The parent is not known.
    MissingPrevious,
    /// An ancestor is invalid.
    InvalidPrevious,
    /// The header's time is too far in the future: it may be valid later.
    TimeFuture,
    /// The header is on a chain with too little work to be kept.
    HeaderLowWork,
}

impl RejectKind {
    /// Whether the block's hash will never be valid, whatever comes with it and whenever it comes.
    ///
    /// Does not hold for what [`check_block`](super::check_block) finds: it runs before the header is accepted,
    /// and its failures say nothing about the header.
    pub fn condemns_header(self) -> bool {
        match self {
            RejectKind::Consensus
            | RejectKind::CachedInvalid
            | RejectKind::InvalidHeader
            | RejectKind::InvalidPrevious => true,
            RejectKind::Mutated
            | RejectKind::MissingPrevious
            | RejectKind::TimeFuture
            | RejectKind::HeaderLowWork => false,
        }
    }
}

/// Why a header or block is rejected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reject {
    /// What follows from it.
    pub kind: RejectKind,
    /// Bitcoin Core's reject reason, such as `bad-cb-amount` or `bad-version(0x00000001)`.
    pub reason: Cow<'static, str>,
    /// What exactly was wrong, for people; may be empty.
    pub debug: String,
}

impl Reject {
    /// A rejection of any kind.
    pub fn new(
        kind: RejectKind,
        reason: impl Into<Cow<'static, str>>,
        debug: impl Into<String>,
    ) -> Reject {
        Reject {
            kind,
            reason: reason.into(),
            debug: debug.into(),
        }
    }

    /// The block breaks a consensus rule.
    pub fn consensus(reason: impl Into<Cow<'static, str>>, debug: impl Into<String>) -> Reject {
        Reject::new(RejectKind::Consensus, reason, debug)
    }

    /// The header breaks a rule.
    pub fn header(reason: impl Into<Cow<'static, str>>, debug: impl Into<String>) -> Reject {
        Reject::new(RejectKind::InvalidHeader, reason, debug)
    }

    /// The header's parent is not in the tree.
    pub fn parent_unknown(debug: impl Into<String>) -> Reject {
        Reject::new(RejectKind::MissingPrevious, "prev-blk-not-found", debug)
    }

    /// The block's body is not the one that the header commits to.
    pub fn mutated(reason: impl Into<Cow<'static, str>>, debug: impl Into<String>) -> Reject {
        Reject::new(RejectKind::Mutated, reason, debug)
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match self.debug.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.debug),
        }
    }
}

impl std::error::Error for Reject {}
