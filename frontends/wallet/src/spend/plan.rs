//! Owns the way from a request to an unsigned transaction.
//! Promises that inputs are outputs and fee to the satoshi, and that the fee is not below the rate.

use bitcoin::absolute::LockTime;
use bitcoin::secp256k1::rand::Rng;
use bitcoin::secp256k1::rand::rngs::OsRng;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Weight};
use everett_ledger::World;
use everett_mempool::FeeRate;

use super::candidates::Candidate;
use super::error::SpendError;
use super::pick::{Needed, Offered, pick};
use super::request::{FeeChoice, Request, Scope};
use crate::view::View;

/// Weight of a transaction that is relayed, at most.
pub(super) const MAX_WEIGHT: u64 = 400_000;
/// Times that the selection is made again because the fee came out higher than it was reckoned.
const MAX_ROUNDS: usize = 8;
/// Weight units of an input that spends a P2WPKH coin: what change is reckoned to cost later.
const CHANGE_SPEND_WEIGHT: u64 = 272;
/// The lowest sequence number that does not say that a transaction may be replaced (BIP125).
const NOT_REPLACEABLE: Sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;

/// What the node's settings say about fees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeeSettings {
    /// What is paid where there is no estimate; zero for not at all: `-fallbackfee`.
    pub fallback: FeeRate,
    /// The least that is paid: `-mintxfee`.
    pub least: FeeRate,
    /// The most that one transaction pays: `-maxtxfee`.
    pub most: Amount,
    /// Change that costs more than this to spend is left to the miner: `-discardfee`.
    pub discard: FeeRate,
}

impl FeeSettings {
    /// Bitcoin Core's defaults; but on regtest, where there is nothing to estimate from, there is a fallback.
    pub fn for_network(network: Network) -> FeeSettings {
        let fallback = match network {
            Network::Regtest => 20_000,
            _ => 0,
        };
        FeeSettings {
            fallback: FeeRate::per_kvb(fallback),
            least: FeeRate::per_kvb(1_000),
            most: Amount::from_sat(10_000_000),
            discard: FeeRate::per_kvb(10_000),
        }
    }
}

/// A payment, all but signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The unsigned transaction.
    pub tx: Transaction,
    /// What its inputs spend, in their order.
    pub spent: Vec<TxOut>,
    /// What it pays to miners.
    pub fee: Amount,
    /// The place of the change among the outputs, if there is some.
    pub change: Option<usize>,
    /// Its weight when it is signed, at most.
    pub weight: u64,
}

impl Plan {
    /// Fee rate of the transaction when it is signed, at least.
    pub fn rate(&self) -> FeeRate {
        FeeRate::paid(self.fee.to_sat() as i64, self.weight.div_ceil(4) as i64)
    }
}

impl View<'_> {
    /// Plans a payment. `change` is the script that change goes to.
    ///
    /// # Errors
    ///
    /// [`SpendError`]: funds, dust, fees, coins that are not there.
    pub fn plan(
        &self,
        request: &Request,
        settings: &FeeSettings,
        change: &Script,
    ) -> Result<Plan, SpendError> {
        if request.payees.is_empty() && request.inputs.is_empty() {
            return Err(SpendError::NoPayees);
        }
        let best = &self.best;
        let rate = self.rate(request.fee, settings)?;
        refuse_dust(request)?;
        let candidates = self.candidates(request, best)?;
        let planned = match request.everything {
            true => spend_all(request, &candidates, rate, best),
            false => self.spend_some(request, &candidates, rate, settings, change, best),
        }?;
        if planned.weight > MAX_WEIGHT {
            return Err(SpendError::TooLarge {
                weight: planned.weight,
                limit: MAX_WEIGHT,
            });
        }
        if planned.fee > settings.most {
            return Err(SpendError::FeeTooHigh {
                fee: planned.fee,
                limit: settings.most,
            });
        }
        match planned.weight > request.max_weight {
            true => Err(SpendError::AboveMaxWeight),
            false => Ok(planned),
        }
    }

    /// What is to be paid.
    pub fn rate(&self, choice: FeeChoice, settings: &FeeSettings) -> Result<FeeRate, SpendError> {
        let minimum = self.mempool.view()?.info().min_fee;
        let least = minimum.max(settings.least);
        match choice {
            FeeChoice::Rate(rate) if rate < minimum => Err(SpendError::FeeRateTooLow {
                rate: rate.sat_per_kvb(),
                minimum: minimum.sat_per_kvb(),
            }),
            FeeChoice::Rate(rate) => Ok(rate),
            FeeChoice::Target {
                blocks,
                conservative,
            } => {
                let estimate = self.mempool.view()?.fee_estimate(blocks, conservative).rate;
                let fallback = Some(settings.fallback).filter(|rate| rate.sat_per_kvb() > 0);
                let rate = estimate.or(fallback).ok_or(SpendError::NoFeeRate)?;
                Ok(rate.max(least))
            }
        }
    }

    fn spend_some(
        &self,
        request: &Request,
        candidates: &[Candidate],
        rate: FeeRate,
        settings: &FeeSettings,
        change: &Script,
        best: &World,
    ) -> Result<Plan, SpendError> {
        let paid = total(request.payees.iter().map(|payee| payee.amount))?;
        let payees_pay_fee = request.payees.iter().any(|payee| payee.pays_fee);
        let change_output = TxOut {
            value: Amount::ZERO,
            script_pubkey: change.to_owned(),
        };
        let least_change = least_change(change, settings.discard);
        let offered: Vec<Offered> = candidates
            .iter()
            .map(|coin| Offered {
                value: coin.output.value.to_sat(),
                weight: coin.weight,
                segwit: coin.segwit,
                wanted: coin.wanted,
            })
            .collect();
        // Without payees the change is the only output.
        let has_payees = !request.payees.is_empty();
        let least = match has_payees {
            true => Amount::ZERO,
            false => least_change + fee_for(rate, change_output.weight().to_wu()),
        };
        let beside = match payees_pay_fee {
            true => Amount::ZERO,
            false => request.extra_fee,
        };
        let mut more = 0;
        for _ in 0..MAX_ROUNDS {
            let needed = Needed {
                value: (paid + beside + least).to_sat() + more,
                weight: request
                    .payees
                    .iter()
                    .map(|payee| payee_output(payee).weight().to_wu())
                    .sum(),
                outputs: request.payees.len(),
                // With the fee out of the payments, coins are only to cover the amounts.
                rate: match payees_pay_fee {
                    true => FeeRate::per_kvb(0),
                    false => rate,
                },
                change_weight: change_output.weight().to_wu(),
                change_spend_weight: CHANGE_SPEND_WEIGHT,
                least_change: least_change.to_sat(),
            };
            let chosen = pick(&offered, &needed)
                .map_err(|error| self.insufficient(request, candidates, error.missing, best))?;
            let coins: Vec<&Candidate> = chosen.iter().map(|index| &candidates[*index]).collect();
            let coming = total(coins.iter().map(|coin| coin.output.value))?;
            let mut outputs: Vec<TxOut> = request.payees.iter().map(payee_output).collect();
            // First with change, then without where that would be too little.
            outputs.push(change_output.clone());
            let weight = weight_of(&coins, &outputs);
            let fee = fee_for(rate, weight) + request.extra_fee;
            let kept = match payees_pay_fee {
                true => coming.checked_sub(paid),
                false => coming.checked_sub(paid + fee),
            };
            if let Some(kept) = kept.filter(|kept| *kept >= least_change) {
                outputs.last_mut().expect("it was pushed").value = kept;
                take_fee(request, &mut outputs, fee)?;
                let change = Some(outputs.len() - 1);
                return Ok(assemble(
                    request, &coins, outputs, change, fee, weight, best,
                ));
            }
            if !has_payees {
                let needed = paid + fee + least_change;
                more += needed.checked_sub(coming).unwrap_or_default().to_sat();
                continue;
            }
            outputs.pop();
            let weight = weight_of(&coins, &outputs);
            let fee = fee_for(rate, weight) + request.extra_fee;
            if payees_pay_fee {
                // What is over goes to the miner beside what the payees pay.
                let over = coming - paid;
                take_fee(
                    request,
                    &mut outputs,
                    fee.checked_sub(over).unwrap_or_default(),
                )?;
                let fee = fee.max(over);
                return Ok(assemble(request, &coins, outputs, None, fee, weight, best));
            }
            match coming.checked_sub(paid) {
                Some(left) if left >= fee => {
                    return Ok(assemble(request, &coins, outputs, None, left, weight, best));
                }
                left => more += (fee - left.unwrap_or_default()).to_sat(),
            }
        }
        Err(self.insufficient(request, candidates, more, best))
    }

    fn insufficient(
        &self,
        request: &Request,
        candidates: &[Candidate],
        missing: u64,
        best: &World,
    ) -> SpendError {
        let available = candidates.iter().map(|coin| coin.output.value).sum();
        let lacking = match request.scope {
            Scope::AllWorlds => self.world_that_lacks(best),
            Scope::Best => None,
        };
        SpendError::InsufficientFunds {
            available,
            missing: Amount::from_sat(missing),
            scope: request.scope,
            lacking,
        }
    }
}

fn total(amounts: impl Iterator<Item = Amount>) -> Result<Amount, SpendError> {
    let mut total = Amount::ZERO;
    for amount in amounts {
        total = total
            .checked_add(amount)
            .filter(|sum| *sum <= Amount::MAX_MONEY)
            .ok_or(SpendError::TooMuch)?;
    }
    Ok(total)
}

fn payee_output(payee: &super::request::Payee) -> TxOut {
    TxOut {
        value: payee.amount,
        script_pubkey: payee.script_pubkey.clone(),
    }
}

fn refuse_dust(request: &Request) -> Result<(), SpendError> {
    for (index, payee) in request.payees.iter().enumerate() {
        let limit = payee.script_pubkey.minimal_non_dust();
        let shares = request.everything && payee.shares;
        if payee.amount < limit && !shares {
            return Err(SpendError::Dust {
                index,
                amount: payee.amount,
                limit,
            });
        }
    }
    Ok(())
}

/// The least change that is worth an output: neither dust, nor worth less than it costs to spend.
fn least_change(change: &Script, discard: FeeRate) -> Amount {
    let to_spend = discard.fee(CHANGE_SPEND_WEIGHT.div_ceil(4) as i64);
    change
        .minimal_non_dust()
        .max(Amount::from_sat(to_spend.max(0) as u64))
}

fn fee_for(rate: FeeRate, weight: u64) -> Amount {
    let vsize = weight.div_ceil(4);
    Amount::from_sat(rate.fee(vsize as i64).max(0) as u64)
}

/// Weight units of a signed transaction, at most.
fn weight_of(coins: &[&Candidate], outputs: &[TxOut]) -> u64 {
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

/// Takes the fee out of those who pay it: equal parts, the first one what is over.
fn take_fee(request: &Request, outputs: &mut [TxOut], fee: Amount) -> Result<(), SpendError> {
    let paying: Vec<usize> = (request.payees.iter().enumerate())
        .filter(|(_, payee)| payee.pays_fee)
        .map(|(index, _)| index)
        .collect();
    let Some(first) = paying.first().copied() else {
        return Ok(());
    };
    let part = fee / paying.len() as u64;
    for index in paying.iter().copied() {
        let over = match index == first {
            true => fee - part * paying.len() as u64,
            false => Amount::ZERO,
        };
        let left = outputs[index].value.checked_sub(part + over);
        let limit = outputs[index].script_pubkey.minimal_non_dust();
        outputs[index].value = left
            .filter(|left| *left >= limit)
            .ok_or(SpendError::FeeAboveAmount { index, fee })?;
    }
    Ok(())
}

/// Everything goes to the payees: those that share get what the others leave.
fn spend_all(
    request: &Request,
    candidates: &[Candidate],
    rate: FeeRate,
    best: &World,
) -> Result<Plan, SpendError> {
    // A coin that costs more to spend than it is worth stays, unless it was asked for.
    let coins: Vec<&Candidate> = candidates
        .iter()
        .filter(|coin| {
            let dear = coin.output.value <= fee_for(rate, coin.weight);
            coin.wanted || !request.economical || !dear
        })
        .collect();
    let mut outputs: Vec<TxOut> = request.payees.iter().map(payee_output).collect();
    let coming = total(coins.iter().map(|coin| coin.output.value))?;
    let fixed = total(outputs.iter().map(|output| output.value))?;
    let weight = weight_of(&coins, &outputs);
    let fee = fee_for(rate, weight) + request.extra_fee;
    let sharing: Vec<usize> = (request.payees.iter().enumerate())
        .filter(|(_, payee)| payee.shares)
        .map(|(index, _)| index)
        .collect();
    let short = |missing: Amount| SpendError::InsufficientFunds {
        available: coming,
        missing,
        scope: request.scope,
        lacking: None,
    };
    let left = coming
        .checked_sub(fixed + fee)
        .ok_or_else(|| short(fixed + fee - coming))?;
    let part = left
        .checked_div(sharing.len() as u64)
        .ok_or(SpendError::NoPayees)?;
    for (place, index) in sharing.iter().copied().enumerate() {
        let over = match place {
            0 => left - part * sharing.len() as u64,
            _ => Amount::ZERO,
        };
        let (amount, limit) = (part + over, outputs[index].script_pubkey.minimal_non_dust());
        if amount < limit {
            return Err(short(limit - amount));
        }
        outputs[index].value = amount;
    }
    Ok(assemble(request, &coins, outputs, None, fee, weight, best))
}

/// Puts the transaction together, with the change where it was asked for or anywhere.
fn assemble(
    request: &Request,
    coins: &[&Candidate],
    mut outputs: Vec<TxOut>,
    change: Option<usize>,
    fee: Amount,
    weight: u64,
    best: &World,
) -> Plan {
    let change = change.map(|last| {
        let output = outputs.remove(last);
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
    // The tip's height: a miner who replaces the tip gains nothing by taking this along.
    let lock_time = request.lock_time.unwrap_or_else(|| best.height());
    Plan {
        tx: Transaction {
            version: Version(request.version),
            lock_time: LockTime::from_consensus(lock_time),
            input,
            output: outputs,
        },
        spent: coins.iter().map(|coin| coin.output.clone()).collect(),
        fee,
        change,
        weight,
    }
}
