//! Owns which coins are taken for a payment.
//! Promises enough for outputs and fee, or says how much is missing; the same coins for the same question.
//! Refuses to decide which coins may be taken: it is handed those that may.

use bdk_coin_select::float::Ordf32;
use bdk_coin_select::metrics::LowestFee;
use bdk_coin_select::{
    BnbMetric, Candidate, ChangePolicy, CoinSelector, DrainWeights, FeeRate as SelectRate, Target,
    TargetFee, TargetOutputs,
};
use everett_mempool::FeeRate;

/// Coins that the search for the cheapest set looks at: those worth most. With more of them it takes the largest until
/// there is enough.
const MAX_CANDIDATES: usize = 2_000;
/// Steps of the search.
const MAX_ROUNDS: usize = 20_000;
/// What spending the change later is reckoned to cost, in satoshis per virtual byte, as in Bitcoin Core.
const LONG_TERM_RATE: f32 = 10.0;

/// A coin that may be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Offered {
    /// Satoshis.
    pub(crate) value: u64,
    /// Weight units of the input that spends it, with its witness, and with the parts that every input has.
    pub(crate) weight: u64,
    /// Whether that has a witness.
    pub(crate) segwit: bool,
    /// Whether it is taken in any case.
    pub(crate) wanted: bool,
}

/// What has to be paid for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Needed {
    /// Satoshis of all outputs.
    pub(crate) value: u64,
    /// Weight units of all outputs.
    pub(crate) weight: u64,
    /// How many they are.
    pub(crate) outputs: usize,
    /// What the transaction has to pay.
    pub(crate) rate: FeeRate,
    /// Weight units of a change output.
    pub(crate) change_weight: u64,
    /// Weight units of an input that spends the change.
    pub(crate) change_spend_weight: u64,
    /// Change of less than so many satoshis is left to the miner.
    pub(crate) least_change: u64,
}

/// What was offered is not enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NotEnough {
    /// Satoshis that are missing, with the fee for all that was offered.
    pub(crate) missing: u64,
}

/// The places of the coins to take, rising.
pub(crate) fn pick(offered: &[Offered], needed: &Needed) -> Result<Vec<usize>, NotEnough> {
    let candidates: Vec<Candidate> = offered
        .iter()
        .map(|coin| Candidate {
            value: coin.value,
            weight: coin.weight,
            input_count: 1,
            is_segwit: coin.segwit,
        })
        .collect();
    let rate = SelectRate::from_sat_per_vb(needed.rate.sat_per_kvb() as f32 / 1000.0);
    let target = Target {
        fee: TargetFee::from_feerate(rate),
        outputs: TargetOutputs {
            value_sum: needed.value,
            weight_sum: needed.weight,
            n_outputs: needed.outputs,
        },
    };
    let mut selector = CoinSelector::new(&candidates);
    for (index, coin) in offered.iter().enumerate() {
        if coin.wanted {
            selector.select(index);
        }
    }
    if selector.is_target_met(target) && offered.iter().any(|coin| coin.wanted) {
        return Ok(chosen(&selector));
    }
    selector.sort_candidates_by_descending_value_pwu();
    let mut all = selector.clone();
    all.select_all_effective(rate);
    if !all.is_target_met(target) {
        return Err(NotEnough {
            missing: all.missing(target),
        });
    }
    if candidates.len() <= MAX_CANDIDATES {
        let drain = DrainWeights {
            output_weight: needed.change_weight,
            spend_weight: needed.change_spend_weight,
            n_outputs: 1,
        };
        let long_term_feerate = SelectRate::from_sat_per_vb(LONG_TERM_RATE);
        let metric = Cheapest(LowestFee {
            target,
            long_term_feerate,
            change_policy: ChangePolicy::min_value_and_waste(
                drain,
                needed.least_change,
                rate,
                long_term_feerate,
            ),
        });
        let mut search = selector.clone();
        if search.run_bnb(metric, MAX_ROUNDS).is_ok() {
            return Ok(chosen(&search));
        }
    }
    // What is worth most for its weight comes first.
    match selector.select_until_target_met(target) {
        Ok(()) => Ok(chosen(&selector)),
        Err(error) => Err(NotEnough {
            missing: error.missing,
        }),
    }
}

/// The search for the cheapest set. Where coins are still missing it asks less of them than the library's own bound, which
/// reckons amounts of many bitcoins in too few digits and stops the program where they come out below nothing.
struct Cheapest(LowestFee);

impl BnbMetric for Cheapest {
    fn score(&mut self, selector: &CoinSelector<'_>) -> Option<Ordf32> {
        self.0.score(selector)
    }

    fn bound(&mut self, selector: &CoinSelector<'_>) -> Option<Ordf32> {
        let target = self.0.target;
        if selector.is_target_met(target) {
            return self.0.bound(selector);
        }
        // Coins come by what they are worth for their weight: no set without those before the last one is lighter.
        let mut rounds = selector.clone().select_iter();
        let (mut before, last, _) = rounds.find(|(round, _, _)| round.is_target_met(target))?;
        before.deselect(last);
        Some(Ordf32(before.implied_fee(target, DrainWeights::NONE) as f32))
    }

    fn requires_ordering_by_descending_value_pwu(&self) -> bool {
        true
    }
}

fn chosen(selector: &CoinSelector<'_>) -> Vec<usize> {
    selector.selected_indices().iter().copied().collect()
}

#[cfg(test)]
mod tests;
