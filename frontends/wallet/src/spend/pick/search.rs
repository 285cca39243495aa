//! Owns the search for the cheapest set of coins: the branches are `bdk_coin_select`'s, what a set costs is reckoned here, with a
//! bound below what any set can cost that a branch leads to.
//! Promises the cheapest there is where it gets to its end, no dearer set than the one it is given in any case, and no more memory
//! than [`MAX_HELD`] tells.

use bdk_coin_select::float::Ordf32;
use bdk_coin_select::{BnbMetric, Candidate, CoinSelector};

use super::sums::{Sums, bare_weight, spend_change};
use super::{Needed, Offered};

/// Coins that are looked at, at most: those that bring most for what they cost.
const MAX_COINS: usize = 2_000;
/// Steps of the search, at most.
const MAX_STEPS: usize = 20_000;
/// Places of coins that its branches hold together, at most: each has the order of all coins, of eight bytes each.
const MAX_HELD: usize = 8_000_000;
/// Amounts are compared in such parts of a satoshi: rates are satoshis for 1,000 virtual bytes, of four weight units each.
const PARTS: i128 = 4_000;

/// The coins that bring in more than they cost and are not taken anyway, the one that brings most for what it costs first.
pub(super) struct Ranked(Vec<usize>);

impl Ranked {
    pub(super) fn of(offered: &[Offered], needed: &Needed) -> Ranked {
        let useful = (0..offered.len()).filter(|place| {
            let coin = &offered[*place];
            !coin.wanted && gain(coin, needed) > 0
        });
        let value = |place: usize| i128::from(offered[place].value);
        let mut ranked: Vec<(i128, i128, usize)> = useful
            .map(|place| (value(place), cost(&offered[place], needed), place))
            .collect();
        ranked.sort_unstable_by(|(value, cost, place), (other, theirs, behind)| {
            let brings = (other * cost).cmp(&(value * theirs));
            brings.then(other.cmp(value)).then(place.cmp(behind))
        });
        let places = ranked.into_iter().map(|(_, _, place)| place).collect();
        Ranked(places)
    }

    pub(super) fn places(&self) -> &[usize] {
        &self.0
    }
}

/// What a coin costs at least, in parts of a satoshi.
fn cost(coin: &Offered, needed: &Needed) -> i128 {
    weight_cost(bare_weight(coin), needed) + PARTS * i128::from(coin.bump)
}

fn weight_cost(weight: u64, needed: &Needed) -> i128 {
    // Rounded down: what is said to be the least stays below.
    i128::from(needed.rate.sat_per_kvb().max(0)) * i128::from(weight)
}

/// What a coin brings in at most, in parts of a satoshi: what it is worth, and unless the payees pay that without what it costs.
fn gain(coin: &Offered, needed: &Needed) -> i128 {
    let cost = match needed.payees_pay {
        true => 0,
        false => cost(coin, needed),
    };
    PARTS * i128::from(coin.value) - cost
}

/// A search among coins that were ranked; of each list the place is that in the ranking.
pub(super) struct Search<'a> {
    offered: &'a [Offered],
    needed: &'a Needed,
    ranked: &'a [usize],
    /// What the coins before each one bring in together, in parts of a satoshi.
    gains: Vec<i128>,
    /// What they cost together at least.
    costs: Vec<i128>,
    /// What the cheapest one from each one on costs.
    cheapest: Vec<i128>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        offered: &'a [Offered],
        needed: &'a Needed,
        ranked: &'a Ranked,
    ) -> Search<'a> {
        let ranked = ranked.places();
        let ranked = &ranked[..ranked.len().min(MAX_COINS)];
        let mut gains = vec![0];
        let mut costs = vec![0];
        for (place, index) in ranked.iter().enumerate() {
            let coin = &offered[*index];
            gains.push(gains[place] + gain(coin, needed));
            costs.push(costs[place] + cost(coin, needed));
        }
        let mut cheapest = vec![i128::MAX; ranked.len() + 1];
        for place in (0..ranked.len()).rev() {
            let coin = &offered[ranked[place]];
            cheapest[place] = cheapest[place + 1].min(cost(coin, needed));
        }
        Search {
            offered,
            needed,
            ranked,
            gains,
            costs,
            cheapest,
        }
    }

    /// A set that is enough, fits, and costs less than this one, or this one. `base`: what is taken in any case.
    pub(super) fn cheaper_than(&self, base: Sums, known: (Sums, Vec<usize>)) -> (Sums, Vec<usize>) {
        let candidate = |place: &usize| {
            let coin = &self.offered[*place];
            Candidate {
                value: coin.value,
                weight: coin.weight,
                input_count: coin.inputs,
                is_segwit: coin.segwit,
            }
        };
        let candidates: Vec<Candidate> = self.ranked.iter().map(candidate).collect();
        let mut selector = CoinSelector::new(&candidates);
        let least = known.0.cost(self.needed);
        let cost = Cost {
            search: self,
            base,
            least,
        };
        let steps = MAX_STEPS.min(MAX_HELD / candidates.len().max(1));
        if selector.run_bnb(cost, steps).is_err() {
            return known;
        }
        let added = selector.selected_indices().iter();
        let added = added.map(|place| self.ranked[*place]).collect();
        (self.sums(base, &selector), added)
    }

    /// What a selection comes to, with what is taken in any case.
    fn sums(&self, base: Sums, selector: &CoinSelector<'_>) -> Sums {
        let mut sums = base;
        for place in selector.selected_indices() {
            sums.add(&self.offered[self.ranked[*place]]);
        }
        sums
    }

    /// What these, or these with some of the coins from `next` on, cost at least, in parts of a satoshi; `None` where none of those
    /// sets is enough and fits.
    fn bound(&self, sums: &Sums, next: usize) -> Option<i128> {
        let needed = self.needed;
        if sums.weight(needed, false) > needed.most_weight {
            return None;
        }
        let bump = PARTS * i128::from(sums.bump(needed));
        if !sums.is_enough(needed) {
            let fee = weight_cost(sums.weight(needed, false), needed) + bump;
            let missing = PARTS * (i128::from(needed.value) - i128::from(sums.value()))
                + if needed.payees_pay { 0 } else { fee };
            return Some(fee + self.least_for(missing, next)?);
        }
        let own = sums
            .fits(needed)
            .then(|| PARTS * i128::from(sums.cost(needed)));
        // More of them is of use only where they bring it to change.
        let more = (!sums.has_change(needed) && next < self.ranked.len()).then(|| {
            let later = match needed.payees_pay {
                true => 0,
                false => PARTS * i128::from(spend_change(needed)),
            };
            weight_cost(sums.weight(needed, true), needed) + bump + later + self.cheapest[next]
        });
        own.into_iter().chain(more).min()
    }

    /// The least that coins cost from `next` on that bring in so much, were parts of a coin to be had; `None` where all of them are
    /// too little.
    fn least_for(&self, missing: i128, next: usize) -> Option<i128> {
        let before = self.gains[next];
        let enough = self.gains[next..].partition_point(|gain| gain - before < missing) + next;
        if enough >= self.gains.len() {
            return None;
        }
        if enough == next {
            return Some(0);
        }
        // All before the last one, and of that one the part that is missing.
        let last = enough - 1;
        let part = missing - (self.gains[last] - before);
        let gain = self.gains[enough] - self.gains[last];
        let cost = self.costs[enough] - self.costs[last];
        Some(self.costs[last] - self.costs[next] + part * cost / gain)
    }
}

/// What selections cost, as the library asks for it. Those that are no cheaper than what is known are none.
struct Cost<'a> {
    search: &'a Search<'a>,
    base: Sums,
    /// Satoshis that are to be undercut.
    least: u64,
}

impl BnbMetric for Cost<'_> {
    fn score(&mut self, selector: &CoinSelector<'_>) -> Option<Ordf32> {
        let sums = self.search.sums(self.base, selector);
        let needed = self.search.needed;
        if !(sums.is_enough(needed) && sums.fits(needed)) {
            return None;
        }
        let cost = sums.cost(needed);
        // Costs of up to 16 million satoshis are whole numbers still.
        (cost < self.least).then_some(Ordf32(cost as f32))
    }

    fn bound(&mut self, selector: &CoinSelector<'_>) -> Option<Ordf32> {
        let sums = self.search.sums(self.base, selector);
        // It is decided on one after the other.
        let decided = [selector.selected_indices().last(), selector.banned().last()];
        let next = decided
            .into_iter()
            .flatten()
            .max()
            .map_or(0, |last| last + 1);
        let bound = self.search.bound(&sums, next)?;
        (bound < PARTS * i128::from(self.least)).then_some(Ordf32((bound / PARTS) as f32))
    }
}
