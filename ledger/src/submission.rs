//! Owns what became of a block that somebody handed in.

use bitcoin::BlockHash;

use crate::chain_status::ChainStatus;
use crate::decode::DecodeError;
use crate::rules::reject::Reject;

/// The answer to one submitted block.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// What became of the block itself.
    pub outcome: Outcome,
    /// What became of blocks that had waited for it, in the order in which they were tried.
    pub joined: Vec<(BlockHash, Outcome)>,
    /// What became of blocks whose headers were known and whose bytes had come before those of an ancestor, which is
    /// this block or one of `joined`: each after its parent. Those on an invalid one among them are left out.
    pub completed: Vec<(BlockHash, Outcome)>,
}

/// What became of a block.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is part of the tree now.
    Accepted {
        /// Its hash.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// `valid-headers` when it lies on a branch behind the horizon, which is stored but not validated.
        status: ChainStatus,
        /// Whether it was the best tip when it was accepted.
        best: bool,
    },
    /// It was here before.
    Known {
        /// Its hash.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// What is known of it.
        status: ChainStatus,
    },
    /// Its parent is unknown; it is kept until the parent comes.
    Orphan {
        /// Its hash.
        hash: BlockHash,
        /// The parent it waits for.
        previous: BlockHash,
    },
    /// It breaks a rule.
    Rejected {
        /// Its hash.
        hash: BlockHash,
        /// Its height, where its parent is known.
        height: Option<u32>,
        /// Which rule.
        reject: Reject,
    },
    /// The bytes are no block.
    Undecodable(DecodeError),
}

impl Outcome {
    /// What Bitcoin Core's `submitblock` answers (BIP22); `None` for an accepted block.
    pub fn bip22(&self) -> Option<String> {
        match self {
            Outcome::Accepted { .. } => None,
            Outcome::Known {
                status: ChainStatus::Invalid,
                ..
            } => Some("duplicate-invalid".into()),
            Outcome::Known { .. } => Some("duplicate".into()),
            Outcome::Orphan { .. } => Some("prev-blk-not-found".into()),
            Outcome::Rejected { reject, .. } => Some(reject.reason.to_string()),
            Outcome::Undecodable(_) => Some("Block decode failed".into()),
        }
    }
}
