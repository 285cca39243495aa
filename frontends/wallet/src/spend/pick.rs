//! Owns which coins are taken for a payment.
//! Promises enough for outputs and fee, or says how much is missing; the same coins for the same question.
//! Refuses to decide which coins may be taken: it is handed those that may.

use bdk_coin_select::float::Ordf32;
use bdk_coin_select::metrics::LowestFee;
use bdk_coin_select::{
    BnbMetric, Candidate, ChangePolicy, CoinSelector, Drain, DrainWeights, FeeRate as SelectRate,
    Target, TargetFee, TargetOutputs,
};
use everett_mempool::FeeRate;

/// Coins that the search for the cheapest set looks at: those worth most. With more of them it takes the largest until
/// there is enough.
const MAX_CANDIDATES: usize = 2_000;
/// Steps of the search.
const MAX_ROUNDS: usize = 20_000;
/// Change that is made smaller by taking smaller coins is not made smaller than this, in satoshis: it has to be of use.
const USEFUL_CHANGE: u64 = 50_000;

/// A coin that may be taken, or several that go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Offered {
    /// Satoshis.
    pub(crate) value: u64,
    /// Weight units of the input that spends it, with its witness, and with the parts that every input has.
    pub(crate) weight: u64,
    /// How many inputs that is.
    pub(crate) inputs: usize,
    /// Whether there is a witness.
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
    /// What a coin is reckoned to cost that is spent later.
    pub(crate) later: FeeRate,
    /// Most weight units of the transaction.
    pub(crate) most_weight: u64,
}

/// What was picked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Picked {
    /// The places of the coins to take, rising.
    pub(crate) places: Vec<usize>,
    /// What taking them now costs more than taking them later, with the change or what is left to the miner, in satoshis.
    pub(crate) waste: i64,
}

/// Nothing was picked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotPicked {
    /// What was offered is not enough.
    NotEnough {
        /// Satoshis that are missing, with the fee for all that was offered.
        missing: u64,
    },
    /// It would be, but the transaction would weigh too much.
    TooHeavy,
}

/// The coins to take: as cheap as it goes, and of those that cost the same the ones that leave least over.
pub(crate) fn pick(offered: &[Offered], needed: &Needed) -> Result<Picked, NotPicked> {
    let candidates: Vec<Candidate> = offered
        .iter()
        .map(|coin| Candidate {
            value: coin.value,
            weight: coin.weight,
            input_count: coin.inputs,
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
    let drain = DrainWeights {
        output_weight: needed.change_weight,
        spend_weight: needed.change_spend_weight,
        n_outputs: 1,
    };
    let search = Search {
        offered,
        needed,
        target,
        drain,
    };
    let mut selector = CoinSelector::new(&candidates);
    for (index, coin) in offered.iter().enumerate() {
        if coin.wanted {
            selector.select(index);
        }
    }
    if selector.is_target_met(target) && offered.iter().any(|coin| coin.wanted) {
        return search.found(&selector);
    }
    selector.sort_candidates_by_descending_value_pwu();
    let mut all = selector.clone();
    all.select_all_effective(rate);
    if !all.is_target_met(target) {
        return Err(NotPicked::NotEnough {
            missing: all.missing(target),
        });
    }
    // What is worth most for its weight comes first: hardly any set is lighter.
    let mut lightest = selector.clone();
    let light = lightest.select_until_target_met(target);
    let light = light.ok().and_then(|()| search.found(&lightest).ok());
    if light.is_none() {
        // The fewest coins that are enough: those worth most.
        selector.sort_candidates_by_key(|(_, coin)| std::cmp::Reverse(coin.value));
        return match selector.select_until_target_met(target) {
            Ok(()) => search.found(&selector),
            Err(error) => Err(NotPicked::NotEnough {
                missing: error.missing,
            }),
        };
    }
    if candidates.len() <= MAX_CANDIDATES {
        let later = needed.later.sat_per_kvb() as f32 / 1000.0;
        let long_term_feerate = SelectRate::from_sat_per_vb(later);
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
        let mut cheapest = selector.clone();
        if cheapest.run_bnb(metric, MAX_ROUNDS).is_ok() {
            search.take_smaller(&mut cheapest);
            if let Ok(found) = search.found(&cheapest) {
                return Ok(found);
            }
        }
    }
    light.ok_or(NotPicked::TooHeavy)
}

/// What is looked for.
struct Search<'a> {
    offered: &'a [Offered],
    needed: &'a Needed,
    target: Target,
    drain: DrainWeights,
}

impl Search<'_> {
    /// What is left beside the outputs and the fee, also for a change output.
    fn over(&self, selector: &CoinSelector<'_>) -> i64 {
        let drain = Drain {
            weights: self.drain,
            value: 0,
        };
        selector.excess(self.target, drain)
    }

    /// Takes smaller coins in place of those that were taken, where that costs no more and the change stays of use.
    fn take_smaller(&self, selector: &mut CoinSelector<'_>) {
        let least = self.needed.least_change.max(USEFUL_CHANGE);
        let mut over = self.over(selector);
        let mut free: Vec<usize> = selector.unselected_indices().collect();
        free.sort_by_key(|place| self.offered[*place].value);
        let mut taken: Vec<usize> = selector.selected_indices().iter().copied().collect();
        taken.retain(|place| !self.offered[*place].wanted);
        taken.sort_by_key(|place| std::cmp::Reverse(self.offered[*place].value));
        for place in taken {
            let coin = self.offered[place];
            let Ok(spare) = u64::try_from(over.saturating_sub_unsigned(least)) else {
                return;
            };
            let smallest = coin.value.saturating_sub(spare);
            let from = free.partition_point(|other| self.offered[*other].value < smallest);
            let smaller = free.iter().skip(from).position(|other| {
                let other = &self.offered[*other];
                other.weight <= coin.weight
                    && other.segwit == coin.segwit
                    && other.inputs <= coin.inputs
            });
            let Some(index) = smaller.map(|index| from + index) else {
                continue;
            };
            let other = free[index];
            if self.offered[other].value >= coin.value {
                continue;
            }
            free.remove(index);
            selector.deselect(place);
            selector.select(other);
            over = self.over(selector);
        }
    }

    /// What was selected, unless it weighs too much.
    fn found(&self, selector: &CoinSelector<'_>) -> Result<Picked, NotPicked> {
        let over = self.over(selector);
        let change = over >= 0 && over.unsigned_abs() >= self.needed.least_change;
        let drain = match change {
            true => self.drain,
            false => DrainWeights::NONE,
        };
        let weight = selector.weight(self.target.outputs, drain);
        if weight > self.needed.most_weight {
            return Err(NotPicked::TooHeavy);
        }
        let fee = |rate: FeeRate, weight: u64| rate.fee(weight.div_ceil(4) as i64);
        let places: Vec<usize> = selector.selected_indices().iter().copied().collect();
        let inputs: u64 = places.iter().map(|place| self.offered[*place].weight).sum();
        let cost = match change {
            true => {
                fee(self.needed.rate, self.needed.change_weight)
                    + fee(self.needed.later, self.needed.change_spend_weight)
            }
            false => selector.excess(self.target, Drain::NONE).max(0),
        };
        let waste = fee(self.needed.rate, inputs) - fee(self.needed.later, inputs) + cost;
        Ok(Picked { places, waste })
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

#[cfg(test)]
mod tests;
