//! Owns the block that somebody puts together by hand: these transactions, on this world.
//! Promises that its coinbase takes what they leave. Refuses to judge them: that is for the ledger.

use std::collections::HashMap;

use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, Script, Transaction, Txid};
use everett_ledger::{Ledger, World};

use crate::error::MineError;
use crate::template::Template;

/// Makes a block on `parent` and returns its bytes; the ledger does not get it.
///
/// The coinbase pays subsidy and fees to `payout`. `time` is the header's time in Unix seconds;
/// without one, it is the ledger's clock or the first second the rules allow, whichever is later.
/// Transactions stand in the block in the order given; whether they are valid is for the ledger
/// to say, only their coins must exist, because the fees are counted from them.
///
/// # Errors
///
/// See [`MineError`].
///
/// # Example
///
/// ```no_run
/// # fn f(ledger: &everett_ledger::Ledger, payout: bitcoin::ScriptBuf) -> Result<(), Box<dyn std::error::Error>> {
/// let parent = ledger.best();
/// let block = everett_mining::mine(ledger, &parent, vec![], &payout, None)?;
/// ledger.submit_block(&block)?;
/// # Ok(()) }
/// ```
pub fn mine(
    ledger: &Ledger,
    parent: &World,
    transactions: Vec<Transaction>,
    payout: &Script,
    time: Option<u32>,
) -> Result<Vec<u8>, MineError> {
    let next = ledger.next_block(parent);
    let fees = fees(parent, &transactions)?;
    let reward = next
        .subsidy
        .checked_add(fees)
        .ok_or(MineError::AmountOverflow {
            txid: transactions
                .last()
                .map_or_else(Txid::all_zeros, Transaction::compute_txid),
        })?;
    let template = Template {
        height: next.height,
        parent: parent.hash(),
        time: time.unwrap_or_else(|| at_least(next.min_time, ledger.clock().now())),
        bits: next.bits,
        version: next.version,
        reward,
        witness_active: next.witness_active,
        payout: payout.to_owned(),
        extra_nonce: None,
    };
    Ok(serialize(&template.block(transactions)?))
}

/// What these transactions, in this order on this parent, leave to the miner.
///
/// # Errors
///
/// [`MineError::MissingCoin`], [`MineError::Overspent`], [`MineError::Coinbase`],
/// [`MineError::AmountOverflow`] and [`MineError::Read`].
pub fn fees(parent: &World, transactions: &[Transaction]) -> Result<Amount, MineError> {
    let mut made: HashMap<OutPoint, Amount> = HashMap::new();
    let mut fees = Amount::ZERO;
    for transaction in transactions {
        let txid = transaction.compute_txid();
        if transaction.is_coinbase() {
            return Err(MineError::Coinbase { txid });
        }
        let overflow = || MineError::AmountOverflow { txid };
        let mut taken = Amount::ZERO;
        for input in &transaction.input {
            let outpoint = input.previous_output;
            let amount = match made.get(&outpoint) {
                Some(amount) => *amount,
                None => {
                    parent
                        .coin(&outpoint)?
                        .ok_or(MineError::MissingCoin {
                            txid,
                            outpoint,
                            parent: parent.hash(),
                        })?
                        .amount
                }
            };
            taken = taken.checked_add(amount).ok_or_else(overflow)?;
        }
        let mut paid = Amount::ZERO;
        for (vout, output) in (0..).zip(&transaction.output) {
            paid = paid.checked_add(output.value).ok_or_else(overflow)?;
            made.insert(OutPoint { txid, vout }, output.value);
        }
        let fee = taken
            .checked_sub(paid)
            .ok_or(MineError::Overspent { txid, paid, taken })?;
        fees = fees.checked_add(fee).ok_or_else(overflow)?;
    }
    Ok(fees)
}

/// The clock's second, but not before `earliest`.
pub(crate) fn at_least(earliest: u32, clock: u64) -> u32 {
    u32::try_from(clock).unwrap_or(u32::MAX).max(earliest)
}
