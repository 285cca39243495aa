//! Owns why a block cannot be made.

use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use everett_ledger::{ReadError, Reject, StoreError};
use everett_mempool::MempoolError;

/// Why a block could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    /// A transaction spends a coin that is neither in the parent's world nor made earlier in the block.
    #[error(
        "transaction {txid} spends {outpoint}, which is no coin at block {parent} nor made by an \
         earlier transaction of the list; put its parents first, or mine on a branch that has it"
    )]
    MissingCoin {
        /// The spending transaction.
        txid: Txid,
        /// The coin it asks for.
        outpoint: OutPoint,
        /// The parent block.
        parent: BlockHash,
    },
    /// A transaction pays out more than it takes in.
    #[error("transaction {txid} pays out {paid} but takes in only {taken}")]
    Overspent {
        /// The transaction.
        txid: Txid,
        /// The sum of its outputs.
        paid: Amount,
        /// The sum of the coins it spends.
        taken: Amount,
    },
    /// A transaction of the list is a coinbase.
    #[error("transaction {txid} is a coinbase; leave it out, the block gets its own")]
    Coinbase {
        /// The transaction.
        txid: Txid,
    },
    /// Amounts add up to more than fits.
    #[error("the amounts of transaction {txid} add up to more than a 64-bit number holds")]
    AmountOverflow {
        /// The transaction at which they did.
        txid: Txid,
    },
    /// The target is too hard for a processor.
    #[error(
        "a block on {parent} takes about {expected:.0} hashes, more than the {limit:.0} that are \
         spent on one; mine on regtest"
    )]
    TooHard {
        /// The parent block.
        parent: BlockHash,
        /// How many hashes it takes on average.
        expected: f64,
        /// The limit.
        limit: f64,
    },
    /// No nonce fitted.
    #[error("no nonce makes a block on {parent} meet its target; mine it with another time")]
    NoNonce {
        /// The parent block.
        parent: BlockHash,
    },
    /// The parent's coins could not be read.
    #[error("the parent's coins cannot be read: {0}")]
    Read(#[from] ReadError),
}

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The mempool could not be read.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// Coins could not be read.
    #[error("the parent's coins cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The block breaks a rule: a clock that was set far from the chain's times, or a fault of this program.
    #[error(
        "the template breaks a rule of consensus, so nobody should work on it: {0}; check the clock"
    )]
    Invalid(Reject),
}

/// Why blocks were not generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// There is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The block could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger refuses what its own check let pass: the chain moved meanwhile.
    #[error("block {hash} was mined and then refused: {reason}")]
    Refused {
        /// The block.
        hash: BlockHash,
        /// Why, in Bitcoin Core's words.
        reason: String,
    },
    /// The world that was mined on is gone.
    #[error("the branch that was mined on is gone: {0}")]
    World(#[from] everett_ledger::WorldError),
}
