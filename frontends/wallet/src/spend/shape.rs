//! Owns the form of a transaction that is planned: what it weighs, who pays its fee, where its change is, when it is final.
//! Promises that the place of the change among the outputs tells nothing unless it was asked for, nor those of the payees where their
//! order is left to chance.

use bitcoin::absolute::LockTime;
use bitcoin::secp256k1::rand::Rng;
use bitcoin::secp256k1::rand::rngs::OsRng;
use bitcoin::secp256k1::rand::seq::SliceRandom;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Weight};
use everett_ledger::World;
use everett_mempool::FeeRate;
use everett_script::policy::dust_threshold;

use super::candidates::Candidate;
use super::error::SpendError;
use super::plan::{Moment, Plan};
use super::request::{Payee, Request};

/// Weight units of an input that spends a P2WPKH coin: what change is reckoned to cost later.
pub(super) const CHANGE_SPEND_WEIGHT: u64 = 272;
/// The lowest sequence number that does not say that a transaction may be replaced (BIP125).
const NOT_REPLACEABLE: Sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
/// A tip older than so many seconds is not the newest: its height as lock time would only tell who is behind.
const MAX_TIP_AGE: u64 = 8 * 60 * 60;
/// One payment in so many has a lock time further back, so that one that was delayed does not stand out.
const BACKDATED: u32 = 10;
/// How many blocks further back, less one, at most.
const MAX_BACKDATE: u32 = 100;

pub(super) fn total(amounts: impl Iterator<Item = Amount>) -> Result<Amount, SpendError> {
    let mut total = Amount::ZERO;
    for amount in amounts {
        total = total
            .checked_add(amount)
            .filter(|sum| *sum <= Amount::MAX_MONEY)
            .ok_or(SpendError::TooMuch)?;
    }
    Ok(total)
}

pub(super) fn payee_output(payee: &Payee) -> TxOut {
    TxOut {
        value: payee.amount,
        script_pubkey: payee.script_pubkey.clone(),
    }
}

/// The least that an output may be worth to be relayed.
pub(super) fn dust_limit(output: &TxOut, dust_rate: u64) -> Amount {
    Amount::from_sat(dust_threshold(output, dust_rate))
}

/// The least change that is worth an output: neither dust at the rate at which change is given up, nor worth what it costs to
/// spend.
pub(super) fn least_change(change: &Script, discard: FeeRate) -> Amount {
    let to_spend = discard.fee(CHANGE_SPEND_WEIGHT.div_ceil(4) as i64) + 1;
    let output = TxOut {
        value: Amount::ZERO,
        script_pubkey: change.to_owned(),
    };
    dust_limit(&output, discard.sat_per_kvb().unsigned_abs())
        .max(Amount::from_sat(to_spend.max(0).unsigned_abs()))
}

pub(super) fn fee_for(rate: FeeRate, weight: u64) -> Amount {
    let vsize = weight.div_ceil(4);
    Amount::from_sat(rate.fee(vsize as i64).max(0) as u64)
}

/// Weight units of a signed transaction, at most.
pub(super) fn weight_of(coins: &[&Candidate], outputs: &[TxOut]) -> u64 {
    let count = |count: usize| match count {
        0..=252 => 1,
        253..=0xffff => 3,
        _ => 5,
    };
    let segwit = coins.iter().any(|coin| coin.segwit);
    let base = 4 * (8 + count(coins.len()) + count(outputs.len()));
    let outputs: Weight = outputs.iter().map(TxOut::weight).sum();
    let inputs: u64 = coins.iter().map(|coin| coin.weight).sum();
    // Each input was reckoned with an empty witness's byte, which a transaction without any does not have.
    let without = if segwit { 0 } else { coins.len() as u64 };
    base + outputs.to_wu() + inputs - without + if segwit { 2 } else { 0 }
}

/// Takes the fee out of those who pay it, as far as it is more than what the coins bring beside the amounts and the change (`over`);
/// where it is less they get what is left. Equal parts, and one of them what cannot be divided: the first one, or any where the order
/// is left to chance.
pub(super) fn take_fee(
    request: &Request,
    outputs: &mut [TxOut],
    fee: Amount,
    over: Amount,
    dust_rate: u64,
) -> Result<(), SpendError> {
    let paying: Vec<usize> = (request.payees.iter().enumerate())
        .filter(|(_, payee)| payee.pays_fee)
        .map(|(index, _)| index)
        .collect();
    let one = match request.any_order {
        true => paying.choose(&mut OsRng),
        false => paying.first(),
    };
    let Some(one) = one.copied() else {
        return Ok(());
    };
    let gains = over > fee;
    let whole = if gains { over - fee } else { fee - over };
    let part = whole / paying.len() as u64;
    for index in paying.iter().copied() {
        let part = match index == one {
            true => whole - part * (paying.len() as u64 - 1),
            false => part,
        };
        let value = outputs[index].value;
        let left = match gains {
            true => value.checked_add(part),
            false => value.checked_sub(part),
        };
        let left = left.ok_or(SpendError::FeeAboveAmount { index, fee })?;
        outputs[index].value = left;
        let limit = dust_limit(&outputs[index], dust_rate);
        if left < limit {
            return Err(SpendError::FeeLeavesDust { index, left, limit });
        }
    }
    Ok(())
}

/// The lock time of a payment that nobody asked one for: the tip's height, or a little less. A miner who replaces the tip gains
/// nothing by taking it along.
pub(super) fn lock_time(best: &World, now: u64) -> u32 {
    if u64::from(best.header().time) + MAX_TIP_AGE < now {
        return 0;
    }
    let back = match OsRng.gen_range(0..BACKDATED) {
        0 => OsRng.gen_range(0..MAX_BACKDATE),
        _ => 0,
    };
    best.height().saturating_sub(back)
}

/// Puts the transaction together: the coins that were asked for first, in their order, the payees in theirs unless it is left to chance,
/// the change, which is the last output, where it was asked for or anywhere.
pub(super) fn assemble(
    request: &Request,
    coins: &[&Candidate],
    mut outputs: Vec<TxOut>,
    change: Option<usize>,
    fee: Amount,
    weight: u64,
    moment: &Moment<'_>,
) -> Plan {
    let asked = coins.iter().take_while(|coin| coin.wanted).count();
    let mut coins = coins.to_vec();
    coins[asked..].shuffle(&mut OsRng);
    let change = change.map(|last| outputs.remove(last));
    if request.any_order {
        outputs.shuffle(&mut OsRng);
    }
    let change = change.map(|output| {
        let place = match request.change_position {
            Some(place) => place.min(outputs.len()),
            None => OsRng.gen_range(0..=outputs.len()),
        };
        outputs.insert(place, output);
        place
    });
    let sequence = match request.replaceable {
        true => Sequence::ENABLE_RBF_NO_LOCKTIME,
        false => NOT_REPLACEABLE,
    };
    let input = coins
        .iter()
        .map(|coin| TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: coin.sequence.map_or(sequence, Sequence::from_consensus),
            witness: bitcoin::Witness::new(),
        })
        .collect();
    // Numbers of one's own go with a lock time of one's own.
    let usual = [Sequence::ENABLE_RBF_NO_LOCKTIME, NOT_REPLACEABLE].map(|usual| usual.0);
    let own = |coin: &&Candidate| coin.sequence.is_some_and(|one| !usual.contains(&one));
    let lock_time = match request.lock_time {
        Some(lock_time) => lock_time,
        None if coins.iter().any(own) => 0,
        None => moment.lock_time,
    };
    Plan {
        tx: Transaction {
            version: Version(request.version),
            lock_time: LockTime::from_consensus(lock_time),
            input,
            output: outputs,
        },
        spent: coins.iter().map(|coin| coin.output.clone()).collect(),
        fee,
        reason: moment.reason,
        change,
        weight,
    }
}
