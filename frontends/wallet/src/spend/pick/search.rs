//! Owns the search for the cheapest set of coins: depth first, with a bound below what any set can cost that a branch leads to.
//! Promises the cheapest there is where it gets to its end, no dearer set than the one it is given in any case, and memory of a
//! few numbers for each coin.

use super::sums::{Sums, bare_weight, spend_change};
use super::{Needed, Offered};

/// Steps of the search, at most. Each takes a look or two at lists that are sorted.
pub(super) const MAX_STEPS: usize = 100_000;
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
    /// The next one that is not the same in all that matters.
    next_other: Vec<usize>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        offered: &'a [Offered],
        needed: &'a Needed,
        ranked: &'a Ranked,
    ) -> Search<'a> {
        let ranked = ranked.places();
        let mut gains = vec![0];
        let mut costs = vec![0];
        for (place, index) in ranked.iter().enumerate() {
            let coin = &offered[*index];
            gains.push(gains[place] + gain(coin, needed));
            costs.push(costs[place] + cost(coin, needed));
        }
        let mut cheapest = vec![i128::MAX; ranked.len() + 1];
        let mut next_other = vec![ranked.len(); ranked.len() + 1];
        for place in (0..ranked.len()).rev() {
            let coin = &offered[ranked[place]];
            cheapest[place] = cheapest[place + 1].min(cost(coin, needed));
            let same = ranked
                .get(place + 1)
                .is_some_and(|next| offered[*next] == *coin);
            next_other[place] = match same {
                true => next_other[place + 1],
                false => place + 1,
            };
        }
        Search {
            offered,
            needed,
            ranked,
            gains,
            costs,
            cheapest,
            next_other,
        }
    }

    /// A set that is enough, fits, and costs less than this one, or this one. `base`: what is taken in any case.
    pub(super) fn cheaper_than(&self, base: Sums, known: (Sums, Vec<usize>)) -> (Sums, Vec<usize>) {
        let needed = self.needed;
        let mut best = known;
        let mut least = best.0.cost(needed);
        let mut sums = base;
        // The places in the ranking of those that are taken, and the next one to decide on.
        let mut taken: Vec<usize> = Vec::new();
        let mut next = 0;
        for _ in 0..MAX_STEPS {
            if sums.is_enough(needed) && sums.fits(needed) {
                let cost = sums.cost(needed);
                if cost < least {
                    least = cost;
                    let added = taken.iter().map(|place| self.ranked[*place]);
                    best = (sums, added.collect());
                }
            }
            if self.leads_below(least, &sums, next) {
                sums.add(&self.offered[self.ranked[next]]);
                taken.push(next);
                next += 1;
                continue;
            }
            // What is the same as the one that is left now was tried with it.
            let Some(last) = taken.pop() else {
                break;
            };
            sums.remove(&self.offered[self.ranked[last]]);
            next = self.next_other[last];
        }
        best
    }

    /// Whether some set that has one more of the coins from `next` on at least may cost less than `least`.
    fn leads_below(&self, least: u64, sums: &Sums, next: usize) -> bool {
        let needed = self.needed;
        if next >= self.ranked.len() || sums.weight(needed, false) > needed.most_weight {
            return false;
        }
        let limit = PARTS * i128::from(least);
        let bump = PARTS * i128::from(sums.bump(needed));
        if sums.is_enough(needed) {
            // More of them is of use only where they bring it to change.
            let later = match needed.payees_pay {
                true => 0,
                false => PARTS * i128::from(spend_change(needed)),
            };
            let fee = weight_cost(sums.weight(needed, true), needed) + bump;
            return !sums.has_change(needed) && fee + later + self.cheapest[next] < limit;
        }
        let fee = weight_cost(sums.weight(needed, false), needed) + bump;
        let missing = PARTS * (i128::from(needed.value) - i128::from(sums.value()))
            + if needed.payees_pay { 0 } else { fee };
        match self.least_for(missing, next) {
            // Satoshis are whole.
            Some(more) => fee + more <= limit - PARTS,
            None => false,
        }
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
