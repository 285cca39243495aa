//! Owns the way from a request to an unsigned transaction.
//! Promises that inputs are outputs and fee to the satoshi, and that the fee is not below the rate.

use std::collections::HashSet;

use bitcoin::{Amount, Script, Transaction, TxOut};
use everett_mempool::FeeRate;
use tracing::info;

use super::ancestry::Ancestry;
use super::candidates::Candidate;
use super::choose::{NotChosen, Terms, choose};
use super::error::{Heavy, Short, SpendError};
use super::everything::spend_all;
use super::pick::Needed;
use super::rate::RateReason;
use super::request::{Request, Scope};
use super::settings::FeeSettings;
use super::shape::{
    CHANGE_SPEND_WEIGHT, assemble, dust_limit, fee_for, least_change, lock_time, payee_output,
    take_fee, total, weight_of,
};
use super::versions::most_weight;
use crate::view::View;

/// Weight units of a transaction that is relayed, at most.
pub const MAX_WEIGHT: u64 = 400_000;
/// The least weight that a transaction may be limited to: that of one that is relayed.
pub(super) const MIN_WEIGHT: u64 = 260;
/// Times that the selection is made again because the fee came out higher than it was reckoned.
const MAX_ROUNDS: usize = 8;

/// What is the same for all that is tried for one payment.
pub(super) struct Moment<'a> {
    /// What is paid to miners.
    pub(super) rate: FeeRate,
    /// Why so much.
    pub(super) reason: RateReason,
    pub(super) settings: &'a FeeSettings,
    /// Change that costs more than this to spend is left to the miner.
    discard: FeeRate,
    /// The rate that defines dust, in satoshis for 1,000 virtual bytes.
    pub(super) dust_rate: u64,
    /// The lock time where nobody asked for one.
    pub(super) lock_time: u32,
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
    /// Why it pays the rate that it pays.
    pub reason: RateReason,
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
        if !(MIN_WEIGHT..=MAX_WEIGHT).contains(&request.max_weight) {
            return Err(SpendError::WeightLimit {
                least: MIN_WEIGHT,
                most: MAX_WEIGHT,
            });
        }
        let best = &self.best;
        let dust_rate = self.mempool.config().standard.dust_relay_fee;
        let (rate, reason) = self.rate(request.fee, request.replaceable, settings)?;
        let moment = Moment {
            rate,
            reason,
            settings,
            discard: self.discard_rate(settings, dust_rate)?,
            dust_rate,
            lock_time: lock_time(best, self.ledger.clock().now()),
        };
        let mut ancestry = Ancestry::new(self.mempool, moment.rate, request.replaces);
        if !request.everything {
            refuse_dust(request, moment.dust_rate)?;
        }
        let candidates = self.candidates(request, best, &mut ancestry)?;
        let planned = match request.everything {
            true => spend_all(request, &candidates, &mut ancestry, &moment),
            false => self.spend_some(request, &candidates, change, &mut ancestry, &moment),
        };
        let planned = planned.or_else(|error| Err(self.explained(error, request)?))?;
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
            true => Err(SpendError::AboveMaxWeight { why: Heavy::Coins }),
            false => Ok(planned),
        }
    }

    /// Pays, with the coins of an address together where that costs little more.
    fn spend_some(
        &self,
        request: &Request,
        candidates: &[Candidate],
        change: &Script,
        ancestry: &mut Ancestry<'_>,
        moment: &Moment<'_>,
    ) -> Result<Plan, SpendError> {
        // Who leaves a part of what an address has, and does not pay from it again, loses that part.
        let avoids_reuse = self.keyring().flags().avoid_reuse && !request.use_reused;
        let group = moment.settings.group || request.group || avoids_reuse;
        let plan = self.spend_grouped(request, candidates, change, ancestry, moment, group)?;
        let Some(most) = moment.settings.most_to_group.filter(|_| !group) else {
            return Ok(plan);
        };
        let mut scripts = HashSet::new();
        let others = candidates.iter().filter(|coin| !coin.wanted);
        let mut addresses = others.map(|coin| &coin.output.script_pubkey);
        if addresses.all(|script| scripts.insert(script)) {
            return Ok(plan);
        }
        match self.spend_grouped(request, candidates, change, ancestry, moment, true) {
            Ok(grouped) => {
                let takes = grouped.fee <= plan.fee + most;
                info!(
                    "Fee non-grouped = {}, grouped = {}, using {}",
                    plan.fee.to_sat(),
                    grouped.fee.to_sat(),
                    if takes { "grouped" } else { "non-grouped" }
                );
                Ok(if takes { grouped } else { plan })
            }
            Err(_) => Ok(plan),
        }
    }

    fn spend_grouped(
        &self,
        request: &Request,
        candidates: &[Candidate],
        change: &Script,
        ancestry: &mut Ancestry<'_>,
        moment: &Moment<'_>,
        group: bool,
    ) -> Result<Plan, SpendError> {
        let Moment {
            rate,
            settings,
            discard,
            dust_rate,
            ..
        } = *moment;
        let paid = total(request.payees.iter().map(|payee| payee.amount))?;
        let payees_pay_fee = request.payees.iter().any(|payee| payee.pays_fee);
        let change_output = TxOut {
            value: Amount::ZERO,
            script_pubkey: change.to_owned(),
        };
        let least_change = least_change(change, discard);
        let terms = Terms {
            group,
            include_unsafe: request.include_unsafe,
            limits: (settings.most_ancestors, settings.most_together),
            long_chains: settings.long_chains,
            add: request.add_inputs,
            version: request.version,
        };
        // Without payees the change is the only output.
        let has_payees = !request.payees.is_empty();
        let least = match has_payees {
            true => Amount::ZERO,
            false => least_change + fee_for(rate, change_output.weight().to_wu()),
        };
        let wanted: Vec<&Candidate> = candidates.iter().filter(|coin| coin.wanted).collect();
        let waits = wanted.iter().any(|coin| coin.confirmations == 0);
        // What several of them are built on is paid for once.
        let bump = ancestry.together(&wanted)?.to_sat();
        let mut more = 0;
        for _ in 0..MAX_ROUNDS {
            let needed = Needed {
                value: (paid + least).to_sat() + more,
                weight: request
                    .payees
                    .iter()
                    .map(|payee| payee_output(payee).weight().to_wu())
                    .sum(),
                outputs: request.payees.len(),
                rate,
                payees_pay: payees_pay_fee,
                bump,
                change_weight: change_output.weight().to_wu(),
                change_spend_weight: CHANGE_SPEND_WEIGHT,
                least_change: least_change.to_sat(),
                later: settings.later,
                most_weight: most_weight(request, waits),
            };
            let chosen = choose(candidates, &needed, &terms)
                .map_err(|why| not_chosen(why, request, &needed))?;
            let coins: Vec<&Candidate> = chosen.iter().map(|index| &candidates[*index]).collect();
            let extra = ancestry.together(&coins)?;
            let coming = total(coins.iter().map(|coin| coin.output.value))?;
            let mut outputs: Vec<TxOut> = request.payees.iter().map(payee_output).collect();
            // First with change, then without where that would be too little.
            outputs.push(change_output.clone());
            let weight = weight_of(&coins, &outputs);
            let fee = fee_for(rate, weight) + extra;
            let kept = match payees_pay_fee {
                true => coming.checked_sub(paid),
                false => coming.checked_sub(paid + fee),
            };
            if let Some(kept) = kept.filter(|kept| *kept >= least_change) {
                outputs.last_mut().expect("it was pushed").value = kept;
                take_fee(request, &mut outputs, fee, Amount::ZERO, dust_rate)?;
                let change = Some(outputs.len() - 1);
                return Ok(assemble(
                    request, &coins, outputs, change, fee, weight, moment,
                ));
            }
            if !has_payees {
                let needed = paid + fee + least_change;
                more += needed.checked_sub(coming).unwrap_or_default().to_sat();
                continue;
            }
            outputs.pop();
            let weight = weight_of(&coins, &outputs);
            let fee = fee_for(rate, weight) + extra;
            if payees_pay_fee {
                // What is over is paid by nobody else, or goes to the payees.
                take_fee(request, &mut outputs, fee, coming - paid, dust_rate)?;
                return Ok(assemble(
                    request, &coins, outputs, None, fee, weight, moment,
                ));
            }
            match coming.checked_sub(paid) {
                Some(left) if left >= fee => {
                    return Ok(assemble(
                        request, &coins, outputs, None, left, weight, moment,
                    ));
                }
                left => more += (fee - left.unwrap_or_default()).to_sat(),
            }
        }
        let available = total(candidates.iter().map(|coin| coin.output.value))?;
        Err(insufficient(request, available, more, Short::Amounts))
    }

    /// Where there is not enough: what else there would be, were it known how it is spent, were it not locked, were it there in every
    /// live world.
    fn explained(&self, error: SpendError, request: &Request) -> Result<SpendError, SpendError> {
        let SpendError::InsufficientFunds {
            why,
            available,
            missing,
            scope,
            ..
        } = error
        else {
            return Ok(error);
        };
        let (mut locked, mut reused) = (Amount::ZERO, Amount::ZERO);
        if request.add_inputs {
            let beside = self.beside(request)?;
            let opaque = beside.opaque;
            if opaque > Amount::ZERO && (missing <= opaque || request.everything) {
                return Ok(SpendError::Opaque);
            }
            (locked, reused) = (beside.locked, beside.reused);
        }
        let lacking = match scope {
            Scope::AllWorlds => self.world_that_lacks(request.use_reused)?,
            Scope::Best => None,
        };
        Ok(SpendError::InsufficientFunds {
            why,
            available,
            missing,
            scope,
            locked,
            reused,
            lacking,
        })
    }
}

/// Why there are no coins for a payment.
fn not_chosen(why: NotChosen, request: &Request, needed: &Needed) -> SpendError {
    let rate = needed.rate;
    let change_weight = needed.change_weight;
    let paid: Amount = request.payees.iter().map(|payee| payee.amount).sum();
    match why {
        NotChosen::NotEnough { available, missing } => {
            let available = Amount::from_sat(available);
            let outputs: Vec<TxOut> = request.payees.iter().map(payee_output).collect();
            let why = match available >= paid {
                true => Short::Fee(fee_for(rate, weight_of(&[], &outputs) + 4)),
                false => Short::Amounts,
            };
            insufficient(request, available, missing, why)
        }
        NotChosen::TooHeavy { asked } => {
            let outputs: Vec<TxOut> = request.payees.iter().map(payee_output).collect();
            // With the marker of a witness.
            let bare = weight_of(&[], &outputs) + 4;
            let why = match request.max_weight {
                limit if limit <= bare => Heavy::Outputs,
                limit if limit < bare + change_weight => Heavy::Change,
                _ if asked => Heavy::CoinsAskedFor,
                _ => Heavy::Coins,
            };
            SpendError::AboveMaxWeight { why }
        }
        NotChosen::AskedTooFew => SpendError::InputsTooFew,
        NotChosen::LongChain => SpendError::LongChain,
    }
}

/// There is not enough; the rest is added by [`View::explained`].
fn insufficient(request: &Request, available: Amount, missing: u64, why: Short) -> SpendError {
    SpendError::InsufficientFunds {
        why,
        available,
        missing: Amount::from_sat(missing),
        scope: request.scope,
        locked: Amount::ZERO,
        reused: Amount::ZERO,
        lacking: None,
    }
}

fn refuse_dust(request: &Request, dust_rate: u64) -> Result<(), SpendError> {
    for (index, payee) in request.payees.iter().enumerate() {
        let limit = dust_limit(&payee_output(payee), dust_rate);
        if payee.amount < limit {
            return Err(SpendError::Dust {
                index,
                amount: payee.amount,
                limit,
            });
        }
    }
    Ok(())
}
