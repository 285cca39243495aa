//! Owns the checks that cost little: all but replacement, clusters, dust spent and scripts.

use std::sync::Arc;

use bitcoin::OutPoint;
use everett_ledger::coin::ScriptPubKey;
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::rules::transaction::{check_transaction, in_money_range, signed, value_out};
use everett_ledger::{COINBASE_MATURITY, Coin, ReadError};
use everett_script::policy::{
    MAX_STANDARD_TX_SIGOPS_COST, MIN_STANDARD_TX_NONWITNESS_SIZE, NonStandardInput,
    is_standard_transaction, is_standard_witness, validate_inputs_standardness,
};
use everett_script::{Flags, SpentOutput, transaction_sigop_cost};

use super::{Around, Beside, Candidate, Failure, Terms, ephemeral, fee_failure, truc};
use crate::entry::Entry;
use crate::fee_rate::money;
use crate::graph::Slot;
use crate::locks::{LockPoints, is_final_at};
use crate::pool::Pool;
use crate::rejection::{Rejection, RejectionKind};
use crate::usage;

/// A coin with the height it was made at; `None` for one that is pending.
struct Found {
    coin: Coin,
    height: Option<u32>,
}

/// Runs the checks.
pub(super) fn check(
    pool: &Pool,
    around: Around<'_>,
    terms: &Terms,
    tx: &Arc<DecodedTransaction>,
    beside: &Beside,
) -> Result<Candidate, Failure> {
    by_itself(pool, tx)?;
    if !is_final_at(&tx.tx, &pool.world) {
        return Err(Rejection::new(RejectionKind::PrematureSpend, "non-final", "").into());
    }
    not_here(pool, tx)?;
    let conflicts = conflicts(pool, terms, tx)?;
    let found = coins(pool, tx, beside)?;
    let heights = found.iter().map(|found| found.height);
    let locks = LockPoints::of(&tx.tx, heights, &pool.world);
    if !locks.pass(&pool.world) {
        return Err(Rejection::new(RejectionKind::PrematureSpend, "non-BIP68-final", "").into());
    }
    let fee = amounts(pool, tx, &found)?;
    let coinbase_height = found
        .iter()
        .filter(|found| found.coin.coinbase)
        .map(|found| found.coin.height)
        .max();
    let spent: Vec<Coin> = found.into_iter().map(|found| found.coin).collect();
    let sigop_cost = inputs(pool, tx, &spent)?;

    let weight = (tx.stripped_size * 3 + tx.size) as i64;
    let counted = sigop_cost.saturating_mul(pool.config.bytes_per_sigop);
    let entry = Entry {
        tx: tx.clone(),
        fee,
        modified_fee: fee.saturating_add(pool.delta(&tx.txid)),
        weight,
        adjusted_weight: weight.max(i64::try_from(counted).unwrap_or(i64::MAX)),
        sigop_cost,
        time: terms.time,
        height: pool.world.height(),
        sequence: match terms.bypass_limits {
            true => 0,
            false => pool.sequence(),
        },
        locks,
        coinbase_height,
        usage: usage::of(tx),
    };
    let mut candidate = Candidate {
        entry,
        spent,
        conflicts,
        evicts_sibling: false,
        parents: parents(pool, tx),
    };
    let by_fee = |why: Rejection, candidate: &Candidate| {
        fee_failure(why.into(), candidate.rate(), vec![tx.wtxid])
    };
    if pool.config.require_standard {
        ephemeral::check_fee(pool, &candidate)?;
    }
    if sigop_cost > MAX_STANDARD_TX_SIGOPS_COST {
        let kind = RejectionKind::NotStandard;
        return Err(
            Rejection::new(kind, "bad-txns-too-many-sigops", sigop_cost.to_string()).into(),
        );
    }
    if !terms.bypass_limits && !terms.package_fees {
        fee_is_enough(
            pool,
            around.now,
            candidate.entry.vsize(),
            candidate.entry.modified_fee,
        )
        .map_err(|why| by_fee(why, &candidate))?;
    }
    if !terms.bypass_limits
        && let Err(violation) = truc::single(pool, &candidate)
    {
        match violation.sibling {
            Some(sibling) if terms.sibling_eviction => {
                if !candidate.conflicts.contains(&sibling) {
                    candidate.conflicts.push(sibling);
                }
                candidate.evicts_sibling = true;
            }
            _ => return Err(Rejection::policy("TRUC-violation", violation.text).into()),
        }
    }
    Ok(candidate)
}

fn by_itself(pool: &Pool, tx: &DecodedTransaction) -> Result<(), Rejection> {
    check_transaction(tx).map_err(Rejection::consensus)?;
    if tx.is_coinbase() {
        return Err(Rejection::new(RejectionKind::Consensus, "coinbase", ""));
    }
    if pool.config.require_standard {
        is_standard_transaction(&tx.tx, &pool.config.standard)
            .map_err(|why| Rejection::not_standard(why.to_string()))?;
    }
    // What is as short as two hashes could pass for a node of the merkle tree (CVE-2017-12842).
    if tx.stripped_size < MIN_STANDARD_TX_NONWITNESS_SIZE {
        return Err(Rejection::not_standard("tx-size-small"));
    }
    Ok(())
}

fn not_here(pool: &Pool, tx: &DecodedTransaction) -> Result<(), Rejection> {
    let known = |reason: &'static str| Err(Rejection::new(RejectionKind::Conflict, reason, ""));
    if pool.find_wtxid(&tx.wtxid).is_some() {
        return known("txn-already-in-mempool");
    }
    if pool.find(&tx.txid).is_some() {
        return known("txn-same-nonwitness-data-in-mempool");
    }
    Ok(())
}

/// The pending transactions that spend the same, each once.
fn conflicts(pool: &Pool, terms: &Terms, tx: &DecodedTransaction) -> Result<Vec<Slot>, Rejection> {
    let mut found: Vec<Slot> = Vec::new();
    for input in &tx.tx.input {
        let Some(spender) = pool.spender(&input.previous_output) else {
            continue;
        };
        if !terms.replacement {
            return Err(Rejection::policy("bip125-replacement-disallowed", ""));
        }
        found.push(spender);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// What the inputs spend: of the package, pending or confirmed. Whether something pending spends it already is another
/// question.
fn coins(pool: &Pool, tx: &DecodedTransaction, beside: &Beside) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::with_capacity(tx.tx.input.len());
    for input in &tx.tx.input {
        match coin(pool, &input.previous_output, beside)? {
            Some(coin) => found.push(coin),
            None => return Err(missing(pool, tx)?.into()),
        }
    }
    Ok(found)
}

fn coin(pool: &Pool, outpoint: &OutPoint, beside: &Beside) -> Result<Option<Found>, ReadError> {
    let pending = |output: &bitcoin::TxOut| Found {
        coin: Coin {
            amount: output.value,
            script_pubkey: ScriptPubKey::new(output.script_pubkey.as_bytes()),
            height: pool.world.height().saturating_add(1),
            coinbase: false,
        },
        height: None,
    };
    if let Some(output) = beside.get(outpoint) {
        return Ok(Some(pending(output)));
    }
    if let Some(slot) = pool.find(&outpoint.txid) {
        let outputs = &pool.entry(slot).tx.tx.output;
        return Ok(outputs.get(outpoint.vout as usize).map(pending));
    }
    let confirmed = pool.world.coin(outpoint)?;
    Ok(confirmed.map(|coin| Found {
        height: Some(coin.height),
        coin,
    }))
}

/// Something it spends is not there: because it is confirmed itself, perhaps.
fn missing(pool: &Pool, tx: &DecodedTransaction) -> Result<Rejection, ReadError> {
    for vout in 0..tx.tx.output.len() as u32 {
        if pool.world.coin(&OutPoint::new(tx.txid, vout))?.is_some() {
            return Ok(Rejection::new(
                RejectionKind::Conflict,
                "txn-already-known",
                "",
            ));
        }
    }
    let reason = "bad-txns-inputs-missingorspent";
    Ok(Rejection::new(RejectionKind::MissingInputs, reason, ""))
}

/// Maturity and amounts; the fee.
fn amounts(pool: &Pool, tx: &DecodedTransaction, found: &[Found]) -> Result<i64, Rejection> {
    let next = pool.world.height().saturating_add(1);
    let mut value_in: i64 = 0;
    for found in found {
        let depth = next.saturating_sub(found.coin.height);
        if found.coin.coinbase && depth < COINBASE_MATURITY {
            return Err(Rejection::new(
                RejectionKind::PrematureSpend,
                "bad-txns-premature-spend-of-coinbase",
                format!("tried to spend coinbase at depth {depth}"),
            ));
        }
        let value = signed(found.coin.amount);
        value_in = value_in.saturating_add(value);
        if !in_money_range(value) || !in_money_range(value_in) {
            let kind = RejectionKind::Consensus;
            return Err(Rejection::new(kind, "bad-txns-inputvalues-outofrange", ""));
        }
    }
    let value_out = value_out(&tx.tx);
    if value_in < value_out {
        let debug = format!(
            "value in ({}) < value out ({})",
            money(value_in),
            money(value_out)
        );
        return Err(Rejection::new(
            RejectionKind::Consensus,
            "bad-txns-in-belowout",
            debug,
        ));
    }
    Ok(value_in - value_out)
}

/// Whether what is spent is spent in a standard way; the cost of the signature operations.
fn inputs(pool: &Pool, tx: &DecodedTransaction, spent: &[Coin]) -> Result<u64, Rejection> {
    let outputs = outputs(spent);
    if pool.config.require_standard {
        validate_inputs_standardness(&tx.tx, &outputs).map_err(|why| {
            let kind = RejectionKind::InputsNotStandard;
            Rejection::new(kind, NonStandardInput::REASON, why.to_string())
        })?;
        if tx.has_witness() && !is_standard_witness(&tx.tx, &outputs) {
            let kind = RejectionKind::WitnessMutated;
            return Err(Rejection::new(kind, "bad-witness-nonstandard", ""));
        }
    }
    Ok(transaction_sigop_cost(&tx.tx, &outputs, Flags::STANDARD))
}

pub(super) fn outputs(spent: &[Coin]) -> Vec<SpentOutput<'_>> {
    let outputs = spent.iter().map(|coin| SpentOutput {
        amount: coin.amount,
        script_pubkey: &coin.script_pubkey,
    });
    outputs.collect()
}

/// Whether a fee meets the minimum that eviction left, and the one for relay.
pub(super) fn fee_is_enough(pool: &Pool, now: u64, vsize: i64, fee: i64) -> Result<(), Rejection> {
    let least = pool.min_fee(now).fee(vsize);
    if least > 0 && fee < least {
        return Err(Rejection::fee(
            "mempool min fee not met",
            format!("{fee} < {least}"),
        ));
    }
    let least = pool.config.min_relay_fee.fee(vsize);
    if fee < least {
        return Err(Rejection::fee(
            "min relay fee not met",
            format!("{fee} < {least}"),
        ));
    }
    Ok(())
}

/// The pending transactions that a transaction spends, by txid.
fn parents(pool: &Pool, tx: &DecodedTransaction) -> Vec<Slot> {
    let inputs = tx.tx.input.iter();
    let mut found: Vec<(bitcoin::Txid, Slot)> = inputs
        .filter_map(|input| {
            let txid = input.previous_output.txid;
            Some((txid, pool.find(&txid)?))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(_, slot)| slot).collect()
}
