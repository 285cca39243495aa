//! Owns what can go wrong in a lab.
//! Promises that each variant says what was wrong, where, and what to do.

use bitcoin::{Amount, BlockHash, Txid};
use everett_ledger::{BlockError, CompareError, OpenError, ReadError, StoreError, WorldError};
use everett_scenario::MineError;
use everett_scenario::party::SignError;

/// Why a call of a lab failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The ledger could not be opened.
    #[error("the lab's ledger cannot be opened: {0}")]
    Open(#[from] OpenError),
    /// The block to build on or to look at has no world.
    #[error("there is no world there: {0}")]
    World(#[from] WorldError),
    /// The block could not be made.
    #[error("the block cannot be made: {0}")]
    Mine(#[from] MineError),
    /// The ledger did not take a block.
    #[error(
        "the ledger refused block {hash} at height {height}: {answer}; make it with `Lab::block` and hand it in with \
         `Lab::submit` if that was the point"
    )]
    Refused {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// The ledger's answer, in Bitcoin Core's words.
        answer: String,
    },
    /// The party has too little money in that world.
    #[error(
        "{party} needs {needs} in the world at {world} (height {height}) but has {has} that can be spent; coinbases \
         mature after 100 blocks, `Lab::fund` makes one that has"
    )]
    Funds {
        /// The party.
        party: String,
        /// The amount, fee included.
        needs: Amount,
        /// What there is.
        has: Amount,
        /// The world's block.
        world: BlockHash,
        /// Its height.
        height: u32,
    },
    /// A payment that is to be spent again otherwise was not made by this lab.
    #[error(
        "payment {txid} was not made by this lab, or too long ago: {limit} payments are remembered"
    )]
    UnknownPayment {
        /// The payment.
        txid: Txid,
        /// How many are remembered.
        limit: usize,
    },
    /// A payment's coins do not reach for what is to be paid with them.
    #[error("the coins of payment {txid} are worth {worth}, which does not reach for {needs}")]
    Worth {
        /// The payment.
        txid: Txid,
        /// What its coins are worth.
        worth: Amount,
        /// The amount, fee included.
        needs: Amount,
    },
    /// There are fewer blocks than a reorganisation is to undo.
    #[error(
        "a reorganisation of {depth} blocks needs a best chain that is higher than {height}; grow it first"
    )]
    TooDeep {
        /// How many were to be undone.
        depth: u32,
        /// The best tip's height.
        height: u32,
    },
    /// A payment could not be signed.
    #[error("the payment cannot be signed: {0}")]
    Sign(#[from] SignError),
    /// A world could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A block could not be invalidated or reconsidered.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Two worlds could not be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The ledger could not store something.
    #[error(transparent)]
    Store(#[from] StoreError),
}
