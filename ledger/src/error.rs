//! Owns the errors of the ledger's operations, one enum each: what was wrong, where, and what the caller can do.

use bitcoin::{BlockHash, Txid};

use crate::chain_status::ChainStatus;
use crate::decode::DecodeError;
use crate::id::ScriptHash;
use crate::store::StoreError;

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or what lies in it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The settings contradict each other.
    #[error("{0}")]
    Settings(String),
}

/// Why there is no world to read at a block.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorldError {
    /// Nobody told us of this block.
    #[error("no block {hash} is known here; `worlds` lists the tips")]
    Unknown {
        /// What was asked for.
        hash: BlockHash,
    },
    /// The best chain is not that long.
    #[error("the best chain ends at height {best}, below {height}")]
    HeightUnknown {
        /// What was asked for.
        height: u32,
        /// Height of the best tip.
        best: u32,
    },
    /// It lies behind the horizon.
    #[error(
        "the world at {hash} (height {height}) is retired: it lies more than {horizon} blocks behind the best tip or \
         forks off there; its block can still be read, its balances cannot (a larger --horizon keeps worlds longer)"
    )]
    Retired {
        /// What was asked for.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// The horizon in force.
        horizon: u32,
    },
    /// A rule or a person rejected its block or one below it.
    #[error("the block {hash} is invalid: {reason}")]
    Invalidated {
        /// What was asked for.
        hash: BlockHash,
        /// Why it is invalid.
        reason: String,
    },
    /// Its block was never connected.
    #[error("the block {hash} is not validated ({}): it has no world yet", .status.as_str())]
    NotValidated {
        /// What was asked for.
        hash: BlockHash,
        /// How far it came.
        status: ChainStatus,
    },
}

/// Why a read at a world gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// More worlds were held than the quota allows, and this one was the oldest.
    #[error(
        "the world at {hash} was held beyond the quota of held worlds and is gone; ask for it again"
    )]
    Expired {
        /// The block it stood at.
        hash: BlockHash,
    },
    /// Another process moved the base past what this one loaded.
    #[error("the data directory moved on while the world at {hash} was read; open it again")]
    Outdated {
        /// The block it stood at.
        hash: BlockHash,
    },
    /// The caller asked to stop.
    #[error("the read was cancelled")]
    Cancelled,
    /// Overlay and base do not add up: the index is damaged.
    #[error(
        "the index of script {script} does not add up at {hash}; import the block files into a new data directory"
    )]
    Inconsistent {
        /// The block the world stands at.
        hash: BlockHash,
        /// The script asked for.
        script: ScriptHash,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReadError {
    pub(crate) fn inconsistent(hash: BlockHash, script: ScriptHash) -> ReadError {
        ReadError::Inconsistent { hash, script }
    }
}

/// Why something could not be done with a block.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// Nobody told us of this block.
    #[error("no block {hash} is known here")]
    Unknown {
        /// What was asked for.
        hash: BlockHash,
    },
    /// Only its header is known.
    #[error("of block {hash} only the header is known")]
    HeaderOnly {
        /// What was asked for.
        hash: BlockHash,
    },
    /// Its bytes were deleted to save room.
    #[error(
        "the block {hash} (height {height}) is pruned: it was validated, and its bytes were deleted to save room; ask \
         a node that keeps all blocks"
    )]
    Pruned {
        /// What was asked for.
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// It cannot be taken back: the coins at its parent cannot be had without blocks that are pruned.
    #[error(
        "the block {hash} (height {height}) cannot be invalidated: blocks below height {pruned_below} are pruned, and \
         the coins below it cannot be had without them; import into a new data directory"
    )]
    PrunedAbove {
        /// What was asked for.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// Blocks below this height are pruned.
        pruned_below: u32,
    },
    /// The genesis block cannot be taken back.
    #[error("the genesis block is part of every chain and cannot be invalidated")]
    Genesis,
    /// What lies on disk is not what was written.
    #[error("the stored block {hash} does not decode: {source}")]
    Undecodable {
        /// What was asked for.
        hash: BlockHash,
        /// Where and why.
        source: DecodeError,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why two worlds could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A read at one of them.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A block of one of the branches.
    #[error(transparent)]
    Block(#[from] BlockError),
}

impl From<StoreError> for CompareError {
    fn from(error: StoreError) -> CompareError {
        CompareError::Read(ReadError::Store(error))
    }
}

/// Why a transaction was not found.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// It is not in the block that was named.
    #[error("transaction {txid} is not in block {block}")]
    NotInBlock {
        /// What was asked for.
        txid: Txid,
        /// Where it was looked for.
        block: BlockHash,
    },
    /// No block of the world's chain holds it.
    #[error("transaction {txid} is not confirmed at {world}{}", elsewhere_text(.elsewhere.as_deref()))]
    NotInWorld {
        /// What was asked for.
        txid: Txid,
        /// The world it was looked for in.
        world: BlockHash,
        /// Blocks of other branches that hold it, last the one of the best chain or else the one that left that chain
        /// last since the ledger was opened; `None` without a transaction index.
        elsewhere: Option<Vec<BlockHash>>,
    },
    /// Without an index only transactions with an unspent output and those of recent blocks can be found.
    #[error(
        "transaction {txid} has no unspent output at {world} and is not in its last {searched} blocks; \
         name the block that holds it"
    )]
    NotIndexed {
        /// What was asked for.
        txid: Txid,
        /// The world it was looked for in.
        world: BlockHash,
        /// How many blocks were searched.
        searched: u32,
    },
    /// A read at the world.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A block of its chain.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// Names the other blocks, as far as a message has room for them.
fn elsewhere_text(blocks: Option<&[BlockHash]>) -> String {
    match blocks {
        None => String::new(),
        Some([]) => ", nor in any block here".to_owned(),
        Some([block]) => format!("; block {block} of another branch holds it"),
        Some([block, others @ ..]) => {
            let others = others.len();
            format!("; block {block} of another branch holds it, and {others} more")
        }
    }
}

impl From<StoreError> for TransactionError {
    fn from(error: StoreError) -> TransactionError {
        TransactionError::Read(ReadError::Store(error))
    }
}
