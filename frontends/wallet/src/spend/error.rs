//! Owns why a payment cannot be made.
//! Promises to say which world lacks what, and what would help.

use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use everett_mempool::{MempoolError, Rejection};
use thiserror::Error;

use super::request::Scope;
use crate::error::WalletError;
use crate::keys::KeyError;

/// A live world that lacks coins of the best one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lacking {
    /// Its tip.
    pub tip: BlockHash,
    /// Its height.
    pub height: u32,
    /// What the coins are worth.
    pub amount: Amount,
}

/// Why a transaction cannot be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Irreplaceable {
    /// The wallet does not know it.
    #[error("it is not a transaction of this wallet")]
    Unknown,
    /// The best world has it.
    #[error("it is confirmed")]
    Confirmed,
    /// It was replaced.
    #[error("it was replaced already")]
    Replaced,
    /// What it pays is spent by another transaction of the wallet.
    #[error("Transaction has descendants in the wallet")]
    SpentByWallet,
    /// What it pays is spent in the mempool.
    #[error("Transaction has descendants in the mempool")]
    SpentInMempool,
    /// It spends coins of others.
    #[error("it spends coins that are not of this wallet")]
    ForeignCoins,
    /// What it spends is not known.
    #[error("it is not known what it pays")]
    UnknownFee,
}

/// Why no child can pay for a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Childless {
    /// The wallet does not know it.
    #[error("it is not a transaction of this wallet")]
    Unknown,
    /// The best world has it.
    #[error("it is confirmed")]
    Confirmed,
    /// The mempool does not have it.
    #[error("it does not wait in the mempool; send it again first")]
    NotWaiting,
    /// Nothing that it pays us can be spent.
    #[error("it pays this wallet nothing that is neither spent nor locked")]
    NothingOfOurs,
    /// A miner takes it at that rate as it is.
    #[error("it pays that rate already")]
    PaysEnough,
}

/// Why a payment cannot be made. Nothing was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpendError {
    /// Not enough coins.
    #[error("{}", insufficient(.available, .missing, .scope, .lacking))]
    InsufficientFunds {
        /// What may be spent.
        available: Amount,
        /// What is missing, with the fee for all that may be spent.
        missing: Amount,
        /// In which worlds coins had to exist.
        scope: Scope,
        /// With [`Scope::AllWorlds`]: the live world that lacks most of what the best one has.
        lacking: Option<Lacking>,
    },
    /// An output is worth less than it costs to spend it.
    #[error("output {index} of {amount} is dust: it has to be {limit} at least")]
    Dust {
        /// Its place among the payees.
        index: usize,
        /// What it was to be worth.
        amount: Amount,
        /// The least that it may be worth.
        limit: Amount,
    },
    /// The fee would take more than an output has.
    #[error("the fee of {fee} is more than output {index} can pay for its part")]
    FeeAboveAmount {
        /// Its place among the payees.
        index: usize,
        /// The whole fee.
        fee: Amount,
    },
    /// Nobody is paid.
    #[error("Transaction must have at least one recipient")]
    NoPayees,
    /// Amounts together are more than there will ever be.
    #[error("the amounts add up to more than 21 million bitcoin")]
    TooMuch,
    /// A coin that was asked for is not there to be spent.
    #[error("coin {outpoint} cannot be spent: {why}")]
    Coin {
        /// The coin.
        outpoint: OutPoint,
        /// Why not.
        why: &'static str,
    },
    /// No estimate, and no fallback.
    #[error(
        "Fee estimation failed. Fallbackfee is disabled. Wait a few blocks or enable -fallbackfee."
    )]
    NoFeeRate,
    /// What was asked for is less than the mempool takes.
    #[error("fee rate of {rate} sat/kvB is lower than the minimum of {minimum} sat/kvB")]
    FeeRateTooLow {
        /// What was asked for.
        rate: i64,
        /// What the mempool takes.
        minimum: i64,
    },
    /// More than the limit on fees.
    #[error("Fee exceeds maximum configured by user (maxtxfee): {fee} is more than {limit}")]
    FeeTooHigh {
        /// What it would pay.
        fee: Amount,
        /// The limit.
        limit: Amount,
    },
    /// A transaction would be too large to be relayed.
    #[error("Transaction too large: {weight} weight units, at most {limit} are relayed")]
    TooLarge {
        /// Its weight.
        weight: u64,
        /// The limit.
        limit: u64,
    },
    /// A transaction would be larger than was asked for.
    #[error(
        "The inputs size exceeds the maximum weight. Please try sending a smaller amount or manually consolidating your wallet's \
         UTXOs"
    )]
    AboveMaxWeight,
    /// A transaction cannot be replaced.
    #[error("{txid} cannot be replaced: {why}")]
    NotReplaceable {
        /// The transaction.
        txid: Txid,
        /// Why not.
        why: Irreplaceable,
    },
    /// A payment was asked for by this name before: it is made already, and nothing more is.
    #[error("the payment with this request id was made before: {txid}")]
    Repeated {
        /// The transaction.
        txid: Txid,
    },
    /// No child can pay for a transaction.
    #[error("a child cannot pay for {txid}: {why}")]
    NoChild {
        /// The transaction.
        txid: Txid,
        /// Why not.
        why: Childless,
    },
    /// Something comes back, and there is no address for it.
    #[error("Transaction needs a change address, but we can't generate it. {0}")]
    NoChange(KeyError),
    /// A replacement would pay too little for being sent on in place of the other.
    #[error(
        "Insufficient total fee {fee}, must be at least {least} (the old fee, and the relay of the new one)"
    )]
    BumpTooLow {
        /// What it would pay.
        fee: Amount,
        /// What it has to pay.
        least: Amount,
    },
    /// Some input is not fully signed.
    #[error("not all inputs are signed: private keys for input {input} are missing")]
    Unsigned {
        /// The first such input.
        input: usize,
    },
    /// The mempool refuses it.
    #[error("the mempool refuses it: {0}")]
    Refused(Rejection),
    /// The mempool.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

fn insufficient(
    available: &Amount,
    missing: &Amount,
    scope: &Scope,
    lacking: &Option<Lacking>,
) -> String {
    let of = match scope {
        Scope::AllWorlds => "in all live worlds",
        Scope::Best => "in the best world",
    };
    let mut text =
        format!("Insufficient funds: {available} can be spent {of}, {missing} more are needed");
    if let Some(lacking) = lacking {
        text += &format!(
            "; the world at {} (height {}) lacks {} that the best one has: spend those with the best world alone as scope, or wait \
             until that branch is retired",
            lacking.tip, lacking.height, lacking.amount
        );
    }
    text
}
