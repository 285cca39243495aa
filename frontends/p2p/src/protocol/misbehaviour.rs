//! Owns the reasons for which a peer is let go, and what follows from each.
//! Promises that nobody is punished without a reason that can be read in the log.
//! Refuses to keep scores: as in Bitcoin Core, what is wrong enough is wrong at once.

use bitcoin::BlockHash;

/// What follows from a [`Reason`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Consequence {
    /// It is written down.
    Noted,
    /// The connection ends; the same address may call again.
    Disconnected,
    /// The connection ends, and the address is not called by itself as long as the node runs; when it calls, it is let in
    /// while there is plenty of room.
    Discouraged,
}

/// Why something follows for a peer, or is only noted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Reason {
    /// A message of a known name does not decode.
    #[error("{0}")]
    Undecodable(String),
    /// More headers, entries or addresses than a message may have.
    #[error("`{command}` with {count} entries; {limit} are allowed")]
    TooMany {
        /// The message's name.
        command: &'static str,
        /// How many it has.
        count: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A header's hash is above its own target.
    #[error("header {0} has no valid proof of work")]
    NoProofOfWork(BlockHash),
    /// Headers of one message that do not follow each other.
    #[error("header {0} does not follow the one before it in its message")]
    HeadersNotContinuous(BlockHash),
    /// A header or block that breaks a rule.
    #[error("{what} {hash} is invalid: {reason}")]
    Invalid {
        /// `header` or `block`.
        what: &'static str,
        /// Its hash.
        hash: BlockHash,
        /// Which rule.
        reason: String,
    },
    /// A block whose transactions are not those that its header commits to.
    #[error("block {hash} is not the one that its header commits to: {reason}")]
    Mutated {
        /// Its hash.
        hash: BlockHash,
        /// Which rule.
        reason: String,
    },
    /// A header on top of a block that is known to be invalid, from a peer that we chose.
    #[error("header {0} builds on an invalid block")]
    BuildsOnInvalid(BlockHash),
    /// Headers of a chain that has too little work to be kept.
    #[error("header {0} ends a chain of too little work")]
    LittleWork(BlockHash),
    /// The low-work headers protocol was not kept to.
    #[error("low-work headers: {0}")]
    Presync(String),
    /// A compact block, or the answer to a request for its transactions, that no block has.
    #[error("compact block {hash}: {what}")]
    CompactBlock {
        /// Its hash.
        hash: BlockHash,
        /// What is wrong.
        what: String,
    },
    /// A message that makes no sense, such as a request for transactions beyond a block's.
    #[error("a message that makes no sense: {0}")]
    Senseless(String),
    /// A message that this connection is not for, such as transactions where none were to be sent.
    #[error("`{0}` on a connection that is not for it")]
    NotWanted(&'static str),
    /// A block came that nobody asked for and that has too little work or is too far ahead.
    #[error("block {0} was not asked for")]
    Unrequested(BlockHash),
    /// It holds up the block download of all.
    #[error("block {hash} was not delivered for {seconds} s while all others waited for it")]
    Stalling {
        /// The block that is missing.
        hash: BlockHash,
        /// How long that was taken.
        seconds: u64,
    },
    /// It does not deliver a block that it offered.
    #[error("block {hash} was not delivered within {seconds} s")]
    BlockTimeout {
        /// The block that is missing.
        hash: BlockHash,
        /// How long that was taken.
        seconds: u64,
    },
    /// It does not deliver headers.
    #[error("headers were not delivered within {seconds} s")]
    HeadersTimeout {
        /// How long that was taken.
        seconds: u64,
    },
    /// Its chain stays behind ours.
    #[error("its chain has less work than ours, and stays so")]
    ChainBehind,
    /// Its chain has less work than any chain of this network worth following.
    #[error("its chain has too little work")]
    ChainTooShort,
    /// It asks for blocks that we said we do not keep.
    #[error("asked for block {0}, which is older than what is kept")]
    AskedTooDeep(BlockHash),
    /// Messages that it asks answers for pile up.
    #[error("more than {0} requests wait for their answers")]
    TooManyRequests(usize),
    /// There is one outgoing connection too many; this one told of new blocks least recently.
    #[error("one outgoing connection too many; this one told of new blocks least recently")]
    Extra,
    /// The call has done what it was for.
    #[error("the call has done what it was for")]
    Done,
    /// It does not offer the blocks that we need.
    #[error("it does not offer blocks")]
    NoBlocks,
}

impl Reason {
    /// What follows from it.
    pub fn consequence(&self) -> Consequence {
        match self {
            Reason::TooMany { .. }
            | Reason::NoProofOfWork(_)
            | Reason::HeadersNotContinuous(_)
            | Reason::Invalid { .. }
            | Reason::Mutated { .. }
            | Reason::BuildsOnInvalid(_)
            | Reason::CompactBlock { .. }
            | Reason::Senseless(_) => Consequence::Discouraged,
            Reason::NotWanted(_)
            | Reason::Stalling { .. }
            | Reason::BlockTimeout { .. }
            | Reason::HeadersTimeout { .. }
            | Reason::ChainBehind
            | Reason::ChainTooShort
            | Reason::AskedTooDeep(_)
            | Reason::TooManyRequests(_)
            | Reason::Extra
            | Reason::Done
            | Reason::NoBlocks => Consequence::Disconnected,
            Reason::Undecodable(_)
            | Reason::LittleWork(_)
            | Reason::Presync(_)
            | Reason::Unrequested(_) => Consequence::Noted,
        }
    }
}
