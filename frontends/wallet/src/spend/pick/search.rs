//! Owns the search for the cheapest set of coins: branch by branch, first the one that may lead to the cheapest, by a bound below what
//! any set can cost that it leads to.
//! Promises the cheapest there is where it gets to its end, no dearer set than the one it is given in any case, and no more work and
//! memory than [`MAX_STEPS`] tells, however many coins there are and however many of them are alike.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::sums::{Sums, bare_weight, spend_change};
use super::{Needed, Offered};

/// Steps of the search, at most. Each leaves two branches at most that wait, of a hundred bytes each, and looks at its bounds by
/// bisection.
const MAX_STEPS: usize = 20_000;
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
    /// The first one behind each that is another kind of coin.
    unlike: Vec<usize>,
}

/// What was decided of the coins before one in the ranking.
#[derive(Clone, Copy)]
struct Branch {
    /// What a set costs at least that it leads to and that has more coins, in satoshis.
    bound: u64,
    /// The first coin that is open.
    next: usize,
    /// What comes of those that were taken, with what is taken in any case.
    sums: Sums,
    /// The last one that was taken, by its place in the list of all that were taken anywhere.
    last: Option<usize>,
}

impl Ord for Branch {
    /// What may be cheapest is the greatest, and of such what has decided most: it gets to an end soonest.
    fn cmp(&self, other: &Branch) -> Ordering {
        let key = |branch: &Branch| (Reverse(branch.bound), branch.next);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Branch {
    fn partial_cmp(&self, other: &Branch) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Branch {
    fn eq(&self, other: &Branch) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Branch {}

/// The coins that were taken in all branches: each one's place in the ranking, and the one that its branch took before it.
#[derive(Default)]
struct Taken(Vec<(usize, Option<usize>)>);

impl Taken {
    fn add(&mut self, place: usize, before: Option<usize>) -> usize {
        self.0.push((place, before));
        self.0.len() - 1
    }

    /// All that one branch took.
    fn up_to(&self, last: usize) -> impl Iterator<Item = usize> + '_ {
        let mut next = Some(last);
        std::iter::from_fn(move || {
            let (place, before) = self.0[next?];
            next = before;
            Some(place)
        })
    }
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
        let mut unlike = vec![ranked.len(); ranked.len()];
        for place in (0..ranked.len()).rev() {
            let coin = &offered[ranked[place]];
            cheapest[place] = cheapest[place + 1].min(cost(coin, needed));
            let behind = ranked.get(place + 1).map(|index| &offered[*index]);
            unlike[place] = match behind == Some(coin) {
                true => unlike[place + 1],
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
            unlike,
        }
    }

    /// A set that is enough, fits, and costs less than the one that is known, or that one. `base`: what is taken in any case, which
    /// is not enough.
    pub(super) fn cheaper_than(
        &self,
        base: Sums,
        known: Option<(Sums, Vec<usize>)>,
    ) -> Option<(Sums, Vec<usize>)> {
        let needed = self.needed;
        let mut least = known
            .as_ref()
            .map_or(u64::MAX, |(sums, _)| sums.cost(needed));
        let mut found: Option<(Sums, usize)> = None;
        let mut taken = Taken::default();
        let mut open = BinaryHeap::new();
        let with_bound = |branch: Branch, least: u64| {
            let bound = self.bound(&branch.sums, branch.next)?;
            (bound < least).then_some(Branch { bound, ..branch })
        };
        let root = Branch {
            bound: 0,
            next: 0,
            sums: base,
            last: None,
        };
        open.extend(with_bound(root, least));
        for _ in 0..MAX_STEPS {
            let Some(branch) = open.pop().filter(|branch| branch.bound < least) else {
                break;
            };
            let mut sums = branch.sums;
            sums.add(&self.offered[self.ranked[branch.next]]);
            let last = taken.add(branch.next, branch.last);
            if sums.is_enough(needed) && sums.fits(needed) && sums.cost(needed) < least {
                least = sums.cost(needed);
                found = Some((sums, last));
            }
            let with = Branch {
                next: branch.next + 1,
                sums,
                last: Some(last),
                ..branch
            };
            // Without it, its likes are left as well: they would be taken in its place.
            let without = Branch {
                next: self.unlike[branch.next],
                ..branch
            };
            open.extend(with_bound(with, least));
            open.extend(with_bound(without, least));
        }
        match found {
            Some((sums, last)) => {
                let places = taken.up_to(last).map(|place| self.ranked[place]);
                Some((sums, places.collect()))
            }
            None => known,
        }
    }

    /// What these with some of the coins from `next` on cost at least, in satoshis; `None` where none of those sets is enough, fits and
    /// is of use.
    fn bound(&self, sums: &Sums, next: usize) -> Option<u64> {
        let needed = self.needed;
        let bare = sums.weight(needed, false);
        if next >= self.ranked.len() || bare > needed.most_weight {
            return None;
        }
        let bump = PARTS * i128::from(sums.bump(needed));
        let bound = if !sums.is_enough(needed) {
            let fee = weight_cost(bare, needed) + bump;
            let missing = PARTS * (i128::from(needed.value) - i128::from(sums.value()))
                + if needed.payees_pay { 0 } else { fee };
            fee + self.least_for(missing, next)?
        } else if !sums.has_change(needed) {
            // More of them is of use only where they bring it to change.
            let later = match needed.payees_pay {
                true => 0,
                false => PARTS * i128::from(spend_change(needed)),
            };
            weight_cost(sums.weight(needed, true), needed) + bump + later + self.cheapest[next]
        } else {
            return None;
        };
        // What a set costs is a whole number.
        Some(u64::try_from((bound + PARTS - 1) / PARTS).unwrap_or(u64::MAX))
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
