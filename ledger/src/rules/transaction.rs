//! Owns the rules for transactions that need no coins: their shape, finality and relative lock times.
//! Promises Bitcoin Core's order of checks. Amounts are read as signed, as they are in the bytes.

use std::cell::LazyCell;

use bitcoin::{Amount, OutPoint, Sequence, Transaction};

use super::chain::{Chain, median_time_past};
use super::reject::Reject;
use crate::decode::DecodedTransaction;

#[cfg(test)]
mod tests;

/// All the money there can be, in satoshis.
pub const MAX_MONEY: i64 = 21_000_000 * 100_000_000;

/// The most weight that a block may have (BIP141).
pub const MAX_BLOCK_WEIGHT: usize = 4_000_000;

/// Weight of a byte that is no witness (BIP141).
pub const WITNESS_SCALE_FACTOR: usize = 4;

/// Lock times below it are heights, the others are seconds since 1970.
const LOCKTIME_THRESHOLD: u32 = 500_000_000;

/// Lengths that a coinbase's script may have, in bytes.
const COINBASE_SCRIPT_LENGTHS: std::ops::RangeInclusive<usize> = 2..=100;

/// The amount as the signed number that it is in the bytes, in satoshis.
pub fn signed(amount: Amount) -> i64 {
    amount.to_sat() as i64
}

/// Whether an amount of satoshis is neither negative nor more than all the money.
pub fn in_money_range(sat: i64) -> bool {
    (0..=MAX_MONEY).contains(&sat)
}

/// What the outputs amount to, in satoshis. Exact for transactions that passed [`check_transaction`].
pub fn value_out(tx: &Transaction) -> i64 {
    tx.output.iter().fold(0, |sum: i64, output| {
        sum.saturating_add(signed(output.value))
    })
}

/// Checks what can be said about a transaction by itself. On failure, says why.
///
/// The reject's debug text is for the transaction; who asks about a block adds which one it was.
pub fn check_transaction(transaction: &DecodedTransaction) -> Result<(), Reject> {
    let fail = |reason: &'static str| Err(Reject::consensus(reason, ""));
    let tx = &transaction.tx;
    if tx.input.is_empty() {
        return fail("bad-txns-vin-empty");
    }
    if tx.output.is_empty() {
        return fail("bad-txns-vout-empty");
    }
    if transaction.stripped_size * WITNESS_SCALE_FACTOR > MAX_BLOCK_WEIGHT {
        return fail("bad-txns-oversize");
    }

    let mut total = 0;
    for output in &tx.output {
        let value = signed(output.value);
        if value < 0 {
            return fail("bad-txns-vout-negative");
        }
        if value > MAX_MONEY {
            return fail("bad-txns-vout-toolarge");
        }
        total += value;
        if !in_money_range(total) {
            return fail("bad-txns-txouttotal-toolarge");
        }
    }

    if spends_twice(tx) {
        return fail("bad-txns-inputs-duplicate");
    }

    if transaction.is_coinbase() {
        if !COINBASE_SCRIPT_LENGTHS.contains(&tx.input[0].script_sig.len()) {
            return fail("bad-cb-length");
        }
    } else if tx
        .input
        .iter()
        .any(|input| input.previous_output == OutPoint::null())
    {
        return fail("bad-txns-prevout-null");
    }
    Ok(())
}

/// Whether two inputs spend the same output (CVE-2018-17144).
fn spends_twice(tx: &Transaction) -> bool {
    if tx.input.len() < 2 {
        return false;
    }
    let mut spent: Vec<&OutPoint> = tx
        .input
        .iter()
        .map(|input| &input.previous_output)
        .collect();
    spent.sort_unstable();
    spent.windows(2).any(|pair| pair[0] == pair[1])
}

/// Whether a transaction's lock time allows it in a block at `height`, when the time to compare with is `time`.
///
/// That time is the parent's median time past where BIP113 holds, else the block's own.
pub fn is_final(tx: &Transaction, height: u32, time: u32) -> bool {
    let lock_time = tx.lock_time.to_consensus_u32();
    let limit = if lock_time < LOCKTIME_THRESHOLD {
        height
    } else {
        time
    };
    lock_time == 0
        || lock_time < limit
        || tx.input.iter().all(|input| input.sequence == Sequence::MAX)
}

/// Whether the relative lock times of a transaction allow it in the block after `parent` (BIP68).
///
/// `coin_heights` are those of the spent coins, in the order of the inputs; a coin made in the same block has
/// that block's height.
pub fn sequence_locks_pass(
    tx: &Transaction,
    coin_heights: impl IntoIterator<Item = u32>,
    parent: &impl Chain,
) -> bool {
    const DISABLED: u32 = 1 << 31;
    const IN_SECONDS: u32 = 1 << 22;
    const MASK: u32 = 0xffff;
    const GRANULARITY: u32 = 9;
    const FIRST_VERSION: u32 = 2;

    // Consensus reads the version as unsigned here: a negative one is above 2.
    if (tx.version.0 as u32) < FIRST_VERSION {
        return true;
    }
    let height = i64::from(parent.height()) + 1;
    let now = LazyCell::new(|| i64::from(median_time_past(parent, parent.height())));
    tx.input
        .iter()
        .zip(coin_heights)
        .all(|(input, coin_height)| {
            let sequence = input.sequence.0;
            if sequence & DISABLED != 0 {
                return true;
            }
            let delay = i64::from(sequence & MASK);
            if sequence & IN_SECONDS == 0 {
                return i64::from(coin_height) + delay <= height;
            }
            let coin_time = i64::from(median_time_past(parent, coin_height.saturating_sub(1)));
            coin_time + (delay << GRANULARITY) <= *now
        })
}
