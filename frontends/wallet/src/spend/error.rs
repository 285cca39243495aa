//! Owns why a payment cannot be made.
//! Promises to say which world lacks what, and what would help.

use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use everett_mempool::{FeeRate, MempoolError, Rejection};
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

/// What there is too little for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Short {
    /// The amounts.
    Amounts,
    /// The fee, of which the outputs' part is told; the amounts are covered.
    Fee(Amount),
    /// Of a payment of everything: the fee for taking it.
    Pool {
        /// Whether coins stay that cost more to spend than they are worth.
        economical: bool,
    },
    /// Of a payment of everything: the amounts that were said.
    Assigned,
    /// Of a payment of everything: the fee beside those.
    Fees,
    /// Of a payment of everything: an output for those that share what is left.
    Remainder,
}

/// What is too heavy of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heavy {
    /// The coins.
    Coins,
    /// The coins that were asked for with the others.
    CoinsAskedFor,
    /// The outputs alone.
    Outputs,
    /// The outputs with change.
    Change,
}

/// Why a coin that was asked for is not spent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Unspendable {
    /// It was named before.
    #[error("it is asked for twice; name it once")]
    Twice,
    /// Its owner locked it.
    #[error("its owner locked it; unlock it to spend it")]
    Locked,
    /// Some live world does not have it.
    #[error("some live world does not have it; choose the best world alone as scope to spend it")]
    NotEverywhere,
    /// It is ours, and the best chain has spent it.
    #[error("{by} has spent it in the best world")]
    Spent {
        /// The transaction that did.
        by: Txid,
    },
    /// It is ours, and a coinbase that is too young.
    #[error(
        "it is a coinbase that is too young: the block at height {height} is the first that may spend it"
    )]
    Immature {
        /// The height from which on a block may spend it.
        height: u32,
    },
    /// It is ours, and the best world does not have it: neither its blocks nor what waits there.
    #[error(
        "the best world does not have it: its transaction is in no block there, and does not wait"
    )]
    NotInBest,
    /// Nobody knows it.
    #[error("there is none")]
    Unknown,
    /// It is not known what its input will weigh.
    #[error("it is not known how large its input will be; give its weight or its descriptor")]
    Unsolvable,
    /// It is ours, and it is not known what its input will weigh.
    #[error("it is watched, and not known how it is spent")]
    Opaque,
    /// Another payment of the wallet spends it.
    #[error("{by} spends it, which is a payment of this wallet, too")]
    Taken {
        /// That payment.
        by: Txid,
    },
}

/// Why a transaction cannot be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Irreplaceable {
    /// The wallet does not know it.
    #[error("it is not a transaction of this wallet")]
    Unknown,
    /// The best world has it, or has something that stands against it.
    #[error("Transaction has been mined, or is conflicted with a mined transaction")]
    Confirmed,
    /// It was replaced.
    #[error("it was replaced already by {by}")]
    Replaced {
        /// By this one.
        by: Txid,
    },
    /// What it pays is spent by another transaction of the wallet.
    #[error("Transaction has descendants in the wallet")]
    SpentByWallet,
    /// What it pays is spent in the mempool.
    #[error("Transaction has descendants in the mempool")]
    SpentInMempool,
    /// It spends coins of others.
    #[error("Transaction contains inputs that don't belong to this wallet")]
    ForeignCoins,
    /// What it spends is not known: another transaction has spent it.
    #[error("{outpoint} is already spent")]
    Spent {
        /// The coin.
        outpoint: OutPoint,
    },
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
    #[error("{}", insufficient(.why, .available, .missing, .scope, [.locked, .reused], .lacking))]
    InsufficientFunds {
        /// What for.
        why: Short,
        /// What may be spent.
        available: Amount,
        /// What is missing, with the fee for all that may be spent.
        missing: Amount,
        /// In which worlds coins had to exist.
        scope: Scope,
        /// What could be spent in the best world besides, were it not locked.
        locked: Amount,
        /// What could be spent in the best world besides, were its addresses not paid from before.
        reused: Amount,
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
    #[error(
        "The transaction amount is too small to pay the fee: {fee} is more than output {index} can pay for its part"
    )]
    FeeAboveAmount {
        /// Its place among the payees.
        index: usize,
        /// The whole fee.
        fee: Amount,
    },
    /// The fee would leave less of an output than it costs to spend it.
    #[error(
        "The transaction amount is too small to send after the fee has been deducted: {left} are left of output {index}, it has to \
         be {limit} at least"
    )]
    FeeLeavesDust {
        /// Its place among the payees.
        index: usize,
        /// What would be left.
        left: Amount,
        /// The least that it may be worth.
        limit: Amount,
    },
    /// The coins that were asked for are too few, and no others may be added.
    #[error(
        "The preselected coins total amount does not cover the transaction target. Please allow other inputs to be automatically \
         selected or include more coins manually"
    )]
    InputsTooFew,
    /// There would be enough only with coins that are watched without knowing how they are spent.
    #[error("Missing solving data for estimating transaction size")]
    Opaque,
    /// There would be enough only with coins that wait behind many others.
    #[error(
        "Unconfirmed UTXOs are available, but spending them creates a chain of transactions that will be rejected by the mempool"
    )]
    LongChain,
    /// A coin that waits is of a version that does not go with the transaction's (BIP431).
    #[error("Can't spend unconfirmed version {theirs} pre-selected input with a version {ours} tx")]
    Version {
        /// The version of the transaction that made it.
        theirs: i32,
        /// The version that was asked for.
        ours: i32,
    },
    /// The limit on the weight cannot be one.
    #[error("Maximum transaction weight must be between {least} and {most}")]
    WeightLimit {
        /// The least that it may be.
        least: u64,
        /// The most.
        most: u64,
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
        why: Unspendable,
    },
    /// No estimate, and no fallback.
    #[error(
        "Fee estimation failed. Fallbackfee is disabled. Wait a few blocks or enable -fallbackfee."
    )]
    NoFeeRate,
    /// What was asked for is less than is ever paid or relayed.
    #[error(
        "Fee rate ({} sat/vB) is lower than the minimum fee rate setting ({} sat/vB).\nConsider modifying -mintxfee ({} sat/vB) or \
         -minrelaytxfee ({} sat/vB).",
        per_vbyte(*.rate), per_vbyte(*.required), per_vbyte(*.wallet), per_vbyte(*.relay)
    )]
    FeeRateTooLow {
        /// What was asked for.
        rate: FeeRate,
        /// The least that it may be.
        required: FeeRate,
        /// What this wallet pays at least.
        wallet: FeeRate,
        /// What the node relays at least.
        relay: FeeRate,
    },
    /// More than the limit on fees.
    #[error(
        "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate): {fee} is more than {limit}"
    )]
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
    #[error("{}", above_weight(*.why))]
    AboveMaxWeight {
        /// What of it.
        why: Heavy,
    },
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
    /// Another payment was asked for by this name before.
    #[error(
        "the request id was given to another payment, {txid}, which pays otherwise; give each payment an id of its own"
    )]
    OtherPayment {
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
        "Insufficient total fee {}, must be at least {} (oldFee {} + incrementalFee {})",
        coins(*.fee), coins(*.old + *.increment), coins(*.old), coins(*.increment)
    )]
    BumpTooLow {
        /// What it would pay.
        fee: Amount,
        /// What the old one pays.
        old: Amount,
        /// What it has to pay above that, for being relayed.
        increment: Amount,
    },
    /// A replacement would pay more than the limit on fees.
    #[error(
        "Specified or calculated fee {} is too high (cannot be higher than -maxtxfee {})",
        coins(*.fee), coins(*.limit)
    )]
    BumpTooHigh {
        /// What it would pay.
        fee: Amount,
        /// The limit.
        limit: Amount,
    },
    /// A replacement is to pay less than the mempool takes now.
    #[error(
        "New fee rate ({}) is lower than the minimum fee rate ({}) to get into the mempool",
        coins(per_kvbyte(*.rate)), coins(per_kvbyte(*.minimum))
    )]
    BumpBelowMempool {
        /// What was asked for.
        rate: FeeRate,
        /// The least that is let in.
        minimum: FeeRate,
    },
    /// A replacement would pay less than is ever paid or relayed.
    #[error("Insufficient total fee (cannot be less than required fee {})", coins(*.required))]
    BumpBelowRequired {
        /// The least for a transaction of its size.
        required: Amount,
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

/// Bitcoins with two decimals at least.
fn coins(amount: Amount) -> String {
    let text = format!("{:.8}", amount.display_in(bitcoin::Denomination::Bitcoin));
    let keep = text.len() - 6;
    let shown = text.trim_end_matches('0').len().max(keep);
    text[..shown].to_owned()
}

/// What 1,000 virtual bytes pay.
fn per_kvbyte(rate: FeeRate) -> Amount {
    Amount::from_sat(rate.sat_per_kvb().max(0).unsigned_abs())
}

/// Satoshis for a virtual byte.
fn per_vbyte(rate: FeeRate) -> String {
    let rate = rate.sat_per_kvb();
    format!("{}.{:03}", rate / 1_000, rate % 1_000)
}

fn above_weight(why: Heavy) -> String {
    let coins = match why {
        Heavy::Outputs => {
            return "Maximum transaction weight is less than transaction weight without inputs"
                .to_owned();
        }
        Heavy::Change => {
            return "Maximum transaction weight is too low, can not accommodate change output"
                .to_owned();
        }
        Heavy::Coins => "The inputs size exceeds the maximum weight.",
        Heavy::CoinsAskedFor => {
            "The combination of the pre-selected inputs and the wallet automatic inputs selection exceeds the transaction maximum weight."
        }
    };
    format!(
        "{coins} Please try sending a smaller amount or manually consolidating your wallet's UTXOs"
    )
}

fn insufficient(
    why: &Short,
    available: &Amount,
    missing: &Amount,
    scope: &Scope,
    [locked, reused]: [&Amount; 2],
    lacking: &Option<Lacking>,
) -> String {
    let of = match scope {
        Scope::AllWorlds => "in all live worlds",
        Scope::Best => "in the best world",
    };
    let why = match why {
        Short::Amounts => "Insufficient funds:".to_owned(),
        Short::Fee(fee) => format!(
            "The total exceeds your balance when the {} transaction fee is included.",
            coins(*fee)
        ),
        Short::Pool { economical: true } => {
            "Total value of UTXO pool too low to pay for transaction, try using lower feerate.".to_owned()
        }
        Short::Pool { economical: false } => {
            "Total value of UTXO pool too low to pay for transaction. Try using lower feerate or excluding uneconomic UTXOs with \
             'send_max' option."
                .to_owned()
        }
        Short::Assigned => "Assigned more value to outputs than available funds.".to_owned(),
        Short::Fees => "Insufficient funds for fees after creating specified outputs.".to_owned(),
        Short::Remainder => "Dynamically assigned remainder results in dust output.".to_owned(),
    };
    let mut text = format!("{why} {available} can be spent {of}, {missing} more are needed");
    if *locked > Amount::ZERO {
        text += &format!("; {locked} more are in coins that are locked: unlock those");
    }
    if *reused > Amount::ZERO {
        text += &format!(
            "; {reused} more are at addresses that were paid from before, which this wallet avoids: let those be used"
        );
    }
    if let Some(lacking) = lacking {
        text += &format!(
            "; the world at {} (height {}) lacks {} that the best one has: let it be paid from the best world alone (in: best), or wait \
             until that branch is retired",
            lacking.tip, lacking.height, lacking.amount
        );
    }
    text
}
