//! Owns the search for the cheapest set of coins: the branches are `bdk_coin_select`'s, what a set costs is reckoned here, with a
//! bound below what any set can cost that a branch leads to.
//! Promises the cheapest there is among few coins, where it gets to its end; no dearer set than the one it is given in any case;
//! and no more work and memory than [`MAX_STEPS`] and [`MAX_COINS`] tell, however many coins there are and however many are alike.

use std::collections::HashSet;

use bdk_coin_select::float::Ordf32;
use bdk_coin_select::{BnbMetric, Candidate, CoinSelector};

use super::sums::{Sums, bare_weight, spend_change};
use super::{Needed, Offered};

/// Coins that are decided on, at most: each branch has an order of them and two sets of them, some six kilobytes.
const MAX_COINS: usize = 256;
/// Of those that would do alone, so many are decided on, at most: those that leave least over.
const MAX_ALONE: usize = 32;
/// Of a set that is known, so many coins are decided on again, those that bring least for what they cost: in a payment of more
/// coins the others would hardly be left out, and each step looks at all that were taken.
const MAX_REOPENED: usize = 100;
/// Steps of the search, at most: of two branches that each leads to one is followed, and one waits.
const MAX_STEPS: usize = 8_000;
/// Looks at coins, at most, for leaving out those that are alike: the library looks for each of them from the first coin on.
const MAX_LOOKS: usize = 20_000_000;
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

/// A set that is enough, fits, and costs less than the one that is known, or that one. `base`: what is taken in any case, which is not
/// enough; `known`: what it comes to with coins that were added until it was enough.
pub(super) fn cheaper_than(
    offered: &[Offered],
    needed: &Needed,
    ranked: &Ranked,
    base: Sums,
    known: Option<(Sums, Vec<usize>)>,
) -> Option<(Sums, Vec<usize>)> {
    let fixed: Vec<usize> = known.as_ref().map_or_else(Vec::new, |(_, added)| {
        added[..added.len().saturating_sub(MAX_REOPENED)].to_vec()
    });
    let mut base = base;
    fixed.iter().for_each(|place| base.add(&offered[*place]));
    let places = open_places(offered, needed, ranked, base, &fixed);
    let search = Search::new(offered, needed, base, places);
    let least = (known.as_ref()).map_or(u64::MAX, |(sums, _)| sums.cost(needed));
    let found = search.run(least);
    let with_fixed = |(sums, added): (Sums, Vec<usize>)| (sums, [fixed, added].concat());
    found.map(with_fixed).or(known)
}

/// The coins that are decided on, as they are ranked.
fn open_places(
    offered: &[Offered],
    needed: &Needed,
    ranked: &Ranked,
    base: Sums,
    fixed: &[usize],
) -> Vec<usize> {
    let fixed: HashSet<usize> = fixed.iter().copied().collect();
    let does_alone = |place: &usize| {
        let mut sums = base;
        sums.add(&offered[*place]);
        sums.is_enough(needed)
    };
    let others = ranked
        .places()
        .iter()
        .copied()
        .filter(|place| !fixed.contains(place));
    let (mut alone, mut places): (Vec<usize>, Vec<usize>) = others.partition(does_alone);
    // Sorting is stable: of those that are worth the same, the ones that are ranked first stay.
    alone.sort_by_key(|place| offered[*place].value);
    alone.truncate(MAX_ALONE);
    places.truncate(MAX_COINS - alone.len());
    let open: HashSet<usize> = alone.into_iter().chain(places).collect();
    let places = ranked.places().iter().copied();
    places.filter(|place| open.contains(place)).collect()
}

/// A search among coins that are ranked; of each list the place is that among them.
struct Search<'a> {
    offered: &'a [Offered],
    needed: &'a Needed,
    /// What is taken in any case.
    base: Sums,
    /// The coins, by their places among those that are offered.
    places: Vec<usize>,
    /// What the coins before each one bring in together, in parts of a satoshi.
    gains: Vec<i128>,
    /// What they cost together at least.
    costs: Vec<i128>,
    /// What the cheapest one from each one on costs.
    cheapest: Vec<i128>,
}

impl<'a> Search<'a> {
    fn new(
        offered: &'a [Offered],
        needed: &'a Needed,
        base: Sums,
        places: Vec<usize>,
    ) -> Search<'a> {
        let mut gains = vec![0];
        let mut costs = vec![0];
        for (index, place) in places.iter().enumerate() {
            let coin = &offered[*place];
            gains.push(gains[index] + gain(coin, needed));
            costs.push(costs[index] + cost(coin, needed));
        }
        let mut cheapest = vec![i128::MAX; places.len() + 1];
        for index in (0..places.len()).rev() {
            let coin = &offered[places[index]];
            cheapest[index] = cheapest[index + 1].min(cost(coin, needed));
        }
        Search {
            offered,
            needed,
            base,
            places,
            gains,
            costs,
            cheapest,
        }
    }

    /// What comes of the cheapest set that is found, with what is added for it; `None` where none costs less than so many satoshis.
    fn run(&self, least: u64) -> Option<(Sums, Vec<usize>)> {
        let candidates: Vec<Candidate> = (self.places.iter())
            .map(|place| {
                let coin = &self.offered[*place];
                Candidate {
                    value: coin.value,
                    weight: coin.weight,
                    input_count: coin.inputs,
                    is_segwit: coin.segwit,
                }
            })
            .collect();
        // Those that are alike stand beside each other.
        let alike =
            candidates.chunk_by(|one, next| (one.value, one.weight) == (next.value, next.weight));
        let most_alike = alike.map(<[Candidate]>::len).max()?;
        let steps = MAX_STEPS.min(MAX_LOOKS / (candidates.len() * most_alike));
        let mut selector = CoinSelector::new(&candidates);
        let cost = Cost {
            search: self,
            least,
        };
        selector.run_bnb(cost, steps).ok()?;
        let added = selector.selected_indices().iter();
        let added = added.map(|index| self.places[*index]).collect();
        Some((self.sums(&selector), added))
    }

    /// What a selection comes to, with what is taken in any case.
    fn sums(&self, selector: &CoinSelector<'_>) -> Sums {
        let mut sums = self.base;
        for index in selector.selected_indices() {
            sums.add(&self.offered[self.places[*index]]);
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
        let more = (!sums.has_change(needed) && next < self.places.len()).then(|| {
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
    /// Satoshis that are to be undercut.
    least: u64,
}

impl BnbMetric for Cost<'_> {
    fn score(&mut self, selector: &CoinSelector<'_>) -> Option<Ordf32> {
        let sums = self.search.sums(selector);
        let needed = self.search.needed;
        if !(sums.is_enough(needed) && sums.fits(needed)) {
            return None;
        }
        let cost = sums.cost(needed);
        // Costs of up to 16 million satoshis are whole numbers still.
        (cost < self.least).then_some(Ordf32(cost as f32))
    }

    fn bound(&mut self, selector: &CoinSelector<'_>) -> Option<Ordf32> {
        let sums = self.search.sums(selector);
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
