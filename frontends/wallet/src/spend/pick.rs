//! Owns which coins are taken for a payment.
//! Promises enough for outputs and fee, or says how much is missing; the same coins for the same question; work that grows no
//! faster than sorting them, but for a search of so many steps.
//! Refuses to decide which coins may be taken: it is handed those that may.

mod search;
mod sums;

use std::cmp::Reverse;

use everett_mempool::FeeRate;

use self::search::{Ranked, cheaper_than};
use self::sums::Sums;

/// Change that is made smaller by taking smaller coins is not made smaller than this, in satoshis: it has to be of use.
const USEFUL_CHANGE: u64 = 50_000;
/// Coins that smaller ones are looked for in place of, at most: those worth most.
const MAX_SWAPS: usize = 100;

/// A coin that may be taken, or several that go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Offered {
    /// Satoshis.
    pub(crate) value: u64,
    /// Satoshis that have to be paid for what waits before it.
    pub(crate) bump: u64,
    /// Weight units of the input that spends it, with its witness or an empty one's byte, and with the parts that every input
    /// has.
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
    /// Whether that comes out of the payments: then the coins have only to cover the amounts.
    pub(crate) payees_pay: bool,
    /// Satoshis that have to be paid for what waits before the coins that are taken in any case.
    pub(crate) bump: u64,
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
    /// It would be, but the transaction would weigh too much, with each set that was looked at.
    TooHeavy,
}

/// The coins to take: as cheap as it goes, and of those that cost the same the ones that leave least over. Where the payees pay,
/// cheap is what is cheap for them: nothing is added so that the payer needs no change.
pub(crate) fn pick(offered: &[Offered], needed: &Needed) -> Result<Picked, NotPicked> {
    let wanted: Vec<usize> = (0..offered.len())
        .filter(|place| offered[*place].wanted)
        .collect();
    let base = Sums::of(wanted.iter().map(|place| &offered[*place]));
    let picked = |sums: &Sums, added: &[usize]| {
        let mut places: Vec<usize> = wanted.iter().chain(added).copied().collect();
        places.sort_unstable();
        let waste = sums.waste(needed);
        Picked { places, waste }
    };
    if !wanted.is_empty() && base.is_enough(needed) {
        return match base.fits(needed) {
            true => Ok(picked(&base, &[])),
            false => Err(NotPicked::TooHeavy),
        };
    }
    let ranked = Ranked::of(offered, needed);
    let mut all = base;
    for place in ranked.places() {
        all.add(&offered[*place]);
    }
    if !all.is_enough(needed) {
        let missing = all.over(needed, false).unsigned_abs();
        return Err(NotPicked::NotEnough { missing });
    }
    // What is worth most for what it costs comes first: hardly any set is lighter. Then the fewest coins that are enough, those worth
    // most. Where both weigh too much, others may do, such as a set without change.
    let known = gather(offered, needed, base, ranked.places()).or_else(|| {
        let mut largest = ranked.places().to_vec();
        largest.sort_by_key(|place| Reverse(offered[*place].value));
        gather(offered, needed, base, &largest)
    });
    let found = cheaper_than(offered, needed, &ranked, base, known);
    let (mut sums, mut added) = found.ok_or(NotPicked::TooHeavy)?;
    take_smaller(offered, needed, &ranked, &mut sums, &mut added);
    Ok(picked(&sums, &added))
}

/// Takes coins in this order until there is enough; `None` where that weighs too much before, or with its change.
fn gather(
    offered: &[Offered],
    needed: &Needed,
    base: Sums,
    order: &[usize],
) -> Option<(Sums, Vec<usize>)> {
    let mut sums = base;
    let mut added = Vec::new();
    let mut order = order.iter();
    while !sums.is_enough(needed) {
        let place = *order.next()?;
        sums.add(&offered[place]);
        added.push(place);
        // With more it only grows heavier.
        if sums.weight(needed, false) > needed.most_weight {
            return None;
        }
    }
    sums.fits(needed).then_some((sums, added))
}

/// Takes smaller coins in place of those that were added, where that costs no more and the change stays of use.
fn take_smaller(
    offered: &[Offered],
    needed: &Needed,
    ranked: &Ranked,
    sums: &mut Sums,
    added: &mut [usize],
) {
    let least = needed.least_change.max(USEFUL_CHANGE);
    let spare = |sums: &Sums| {
        let over = sums.over(needed, true);
        u64::try_from(over.saturating_sub_unsigned(least)).ok()
    };
    if spare(sums).is_none() {
        return;
    }
    let taken: std::collections::HashSet<usize> = added.iter().copied().collect();
    let mut free: Vec<usize> = ranked.places().to_vec();
    free.retain(|place| !taken.contains(place));
    free.sort_by_key(|place| offered[*place].value);
    added.sort_by_key(|place| Reverse(offered[*place].value));
    for place in added.iter_mut().take(MAX_SWAPS) {
        let coin = offered[*place];
        let Some(spare) = spare(sums) else {
            return;
        };
        let smallest = coin.value.saturating_sub(spare);
        let from = free.partition_point(|other| offered[*other].value < smallest);
        let smaller = free.iter().skip(from).position(|other| {
            let other = &offered[*other];
            other.weight <= coin.weight
                && other.bump <= coin.bump
                && other.segwit == coin.segwit
                && other.inputs <= coin.inputs
        });
        let Some(index) = smaller.map(|index| from + index) else {
            continue;
        };
        let other = free[index];
        if offered[other].value >= coin.value {
            continue;
        }
        free.remove(index);
        sums.remove(&coin);
        sums.add(&offered[other]);
        *place = other;
    }
}

#[cfg(test)]
mod tests;
