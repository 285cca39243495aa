//! Owns what can go wrong with a wallet, as its owner is told it.
//! Promises that each variant says what was wrong, where, and what to do about it.

use std::path::{Path, PathBuf};

use bitcoin::{BlockHash, Txid};
use everett_ledger::decode::DecodeError;
use everett_ledger::{BlockError, ReadError, WorldError};
use everett_mempool::MempoolError;
use thiserror::Error;

use crate::keys::KeyError;
use crate::store::FileError;

/// Why something with a wallet was not done. Nothing has changed then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WalletError {
    /// Keys, descriptors, passphrases, labels.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The wallet's file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A block that has to be looked into is not here.
    #[error("a block that the wallet has to look into cannot be read: {0}")]
    BlockRead(#[from] BlockError),
    /// A block of the ledger does not decode.
    #[error("block {hash} does not decode: {error}; the block files are damaged")]
    Block {
        /// The block.
        hash: BlockHash,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A world cannot be read.
    #[error(transparent)]
    World(#[from] ReadError),
    /// A world is none any more.
    #[error(transparent)]
    NoWorld(#[from] WorldError),
    /// The mempool.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// A scan was ended by its owner.
    #[error("the scan was ended at height {height}; what is below it was looked into")]
    ScanAborted {
        /// The first height that was not looked into.
        height: u32,
    },
    /// A scan was left by who had asked for it, or the node stops.
    #[error("the scan was left at height {height}; what is below it was looked into")]
    ScanLeft {
        /// The first height that was not looked into.
        height: u32,
    },
    /// Another scan runs.
    #[error(
        "blocks are being looked into for the wallet \"{name}\"; wait until that is done, or end it"
    )]
    Scanning {
        /// The wallet's name.
        name: String,
    },
    /// Blocks that would have to be looked into are not here.
    #[error(
        "blocks from height {from} on would have to be looked into, but some below height {first} are not here (pruned, or never \
         fetched): begin at height {first}, or fetch them again"
    )]
    BlocksMissing {
        /// The height that was asked for.
        from: u32,
        /// The first one from which all blocks are here.
        first: u32,
    },
    /// There is no such transaction.
    #[error("Invalid or non-wallet transaction id: {txid}")]
    NoSuchTransaction {
        /// What was asked for.
        txid: Txid,
    },
    /// A transaction cannot be given up.
    #[error("{txid} cannot be given up: {why}")]
    NotAbandoned {
        /// The transaction.
        txid: Txid,
        /// Why not.
        why: &'static str,
    },
    /// A transaction that no block has room for.
    #[error("the transaction has {inputs} inputs; at most {limit} are looked at")]
    TooManyInputs {
        /// How many it has.
        inputs: usize,
        /// How many are looked at.
        limit: usize,
    },
    /// A transaction that no block has room for.
    #[error("the transaction weighs {weight} units; no block has more than {limit}")]
    TooHeavy {
        /// Its weight units.
        weight: u64,
        /// What a block has at most.
        limit: u64,
    },
    /// A name that no wallet can have.
    #[error("'{name}' cannot be the name of a wallet: {why}")]
    BadName {
        /// The name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// The wallet is open.
    #[error("Wallet \"{name}\" is already loaded.")]
    AlreadyOpen {
        /// Its name.
        name: String,
    },
    /// Somebody else opens a wallet of that name just now.
    #[error("Wallet already loading. (\"{name}\": try again when that is done)")]
    Opening {
        /// Its name.
        name: String,
    },
    /// The wallet is not open.
    #[error("Requested wallet does not exist or is not loaded: \"{name}\"")]
    NotOpen {
        /// Its name.
        name: String,
    },
    /// Too many wallets are open.
    #[error("{limit} wallets are open; unload one first")]
    TooManyOpen {
        /// How many may be.
        limit: usize,
    },
    /// The directory of wallets.
    #[error("{path}: {error}")]
    Directory {
        /// What was read or written.
        path: PathBuf,
        /// What the disk said.
        error: std::io::Error,
    },
}

impl WalletError {
    /// The same of the backup that the wallet's file is a copy of.
    pub(crate) fn of_backup(self, backup: &Path) -> WalletError {
        match self {
            WalletError::File(error) | WalletError::Keys(KeyError::File(error)) => {
                error.of_backup(backup).into()
            }
            other => other,
        }
    }
}
