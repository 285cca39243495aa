//! Owns the answer "no": why a header or block is rejected.
//! Promises Bitcoin Core's reject reasons, letter by letter, and the kinds that say what follows from them.

use std::borrow::Cow;
use std::fmt;

/// What a rejection means for the block and its header.
///
/// The kinds are those of Bitcoin Core's `BlockValidationResult`. Beside each stands what Core does with a peer that sent
/// such a block or header by itself; whoever fills in a compact block cannot know that it is `Consensus` or `Mutated`, and
/// is not blamed for these two or `CachedInvalid`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RejectKind {
    /// `BLOCK_CONSENSUS`: the block breaks a consensus rule. The peer is discouraged.
    Consensus,
    /// `BLOCK_CACHED_INVALID`: the block was found invalid before. A peer that we chose to connect to is discouraged; one
    /// that came to us may not know better.
    CachedInvalid,
    /// `BLOCK_INVALID_HEADER`: the header has no valid proof of work, or its time or version is wrong. The peer is
    /// discouraged.
    InvalidHeader,
    /// `BLOCK_MUTATED`: the transactions or witnesses are not those that the header commits to: others may be, and are to
    /// be fetched elsewhere. The peer is discouraged.
    Mutated,
    /// `BLOCK_MISSING_PREV`: the parent is not known. The peer is discouraged; one that sends what it was not asked for
    /// brings that about, not one that answers.
    MissingPrevious,
    /// `BLOCK_INVALID_PREV`: an ancestor is invalid. The peer is discouraged.
    InvalidPrevious,
    /// `BLOCK_TIME_FUTURE`: the header's time is too far in the future: it may be valid later. Nobody is to blame.
    TimeFuture,
    /// `BLOCK_HEADER_LOW_WORK`: the header is on a chain with too little work to be kept. Nobody is to blame. The ledger
    /// itself never says so: see [`Ledger::anti_dos_work_threshold`](crate::Ledger::anti_dos_work_threshold).
    HeaderLowWork,
}

impl RejectKind {
    /// Whether the block's hash will never be valid, whatever comes with it and whenever it comes.
    ///
    /// Does not hold for what [`check_block`](super::check_block) finds: it runs before the header is accepted,
    /// and its failures say nothing about the header. [`Reject::condemns_block`] knows the difference.
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
    /// Whether a check of the block by itself found it.
    by_itself: bool,
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
            by_itself: false,
        }
    }

    /// The same, found by [`check_block`](super::check_block).
    pub(crate) fn found_by_itself(self) -> Reject {
        Reject {
            by_itself: true,
            ..self
        }
    }

    /// Whether the block with this hash will never be valid, whoever sends it and whenever: it need not be fetched again,
    /// and the ledger refuses what is built on it.
    ///
    /// Not so where only what was sent is bad and the header stays good, as in Bitcoin Core: mutated transactions or
    /// witnesses, and whatever [`check_block`](super::check_block) finds beside a lack of proof of work, for two lists of
    /// transactions can have one merkle root. Then the block is to be fetched from somebody else. Nor where there is
    /// nothing to say yet: an unknown parent, a time in the future, too little work.
    pub fn condemns_block(&self) -> bool {
        let forgiven = self.by_itself && self.kind == RejectKind::Consensus;
        self.kind.condemns_header() && !forgiven
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

    /// The block stands on another parent than the one it is judged on: nothing follows from it.
    pub(crate) fn parent_other(debug: impl Into<String>) -> Reject {
        Reject::new(
            RejectKind::MissingPrevious,
            "inconclusive-not-best-prevblk",
            debug,
        )
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
            false => write!(f, ", {}", self.debug),
        }
    }
}

impl std::error::Error for Reject {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_of_the_block_by_itself_finds_leaves_the_header_good_unless_it_lacks_work() {
        let bad = Reject::consensus("bad-cb-missing", "");
        assert!(bad.condemns_block());
        assert!(!bad.found_by_itself().condemns_block());
        let weak = Reject::header("high-hash", "");
        assert!(weak.found_by_itself().condemns_block());
        for kind in [
            RejectKind::Mutated,
            RejectKind::MissingPrevious,
            RejectKind::TimeFuture,
            RejectKind::HeaderLowWork,
        ] {
            assert!(!Reject::new(kind, "", "").condemns_block());
        }
        for kind in [RejectKind::CachedInvalid, RejectKind::InvalidPrevious] {
            assert!(Reject::new(kind, "", "").condemns_block());
        }
    }
}
