//! Owns what a block's place in the tree is called: the five words of Bitcoin Core's `getchaintips`.

use crate::id::BlockId;
use crate::path::Path;
use crate::tree::{Node, Progress};

/// What [`BlockInfo::reject_reason`](crate::BlockInfo::reject_reason) says of a block that was invalidated by hand.
pub const INVALIDATED_BY_HAND: &str = "invalidated by hand";

/// How far a block was validated and whether the best chain holds it.
/// Ordered by how much speaks for a block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ChainStatus {
    /// On the best chain.
    Active,
    /// Fully validated, on another branch.
    ValidFork,
    /// All blocks down to genesis are here, but this one was never fully validated.
    ValidHeaders,
    /// This block or one below it is missing; the headers are valid.
    HeadersOnly,
    /// This block or one below it breaks a rule or was invalidated by hand.
    Invalid,
}

impl ChainStatus {
    /// What a block of the tree is, seen from the best chain.
    pub(crate) fn of(node: &Node, id: BlockId, best: &Path) -> ChainStatus {
        if best.holds(node.height, id) {
            ChainStatus::Active
        } else if node.failed() {
            ChainStatus::Invalid
        } else if node.progress == Progress::Connected {
            ChainStatus::ValidFork
        } else if node.sequence == 0 {
            // Its data or that of an ancestor is missing.
            ChainStatus::HeadersOnly
        } else {
            ChainStatus::ValidHeaders
        }
    }

    /// The word of `getchaintips`.
    pub fn as_str(self) -> &'static str {
        match self {
            ChainStatus::Active => "active",
            ChainStatus::ValidFork => "valid-fork",
            ChainStatus::ValidHeaders => "valid-headers",
            ChainStatus::HeadersOnly => "headers-only",
            ChainStatus::Invalid => "invalid",
        }
    }
}

impl std::fmt::Display for ChainStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
