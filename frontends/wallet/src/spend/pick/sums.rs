//! Owns what a set of coins comes to: what it is worth, what it weighs, what it costs.
//! Promises the weight that the planned transaction has, kept while coins come and go, in whole satoshis and weight units.

use super::{Needed, Offered};

/// Weight units of a transaction's version and lock time.
const FIXED_WEIGHT: u64 = 4 * 8;
/// Weight units of the marker and flag of a transaction with witnesses.
const WITNESS_WEIGHT: u64 = 2;

/// What coins come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sums {
    value: u64,
    bump: u64,
    /// Weight units of the inputs, without the empty witnesses of those that need none.
    weight: u64,
    inputs: u64,
    /// How many inputs have a witness.
    segwit: u64,
}

/// Weight units of a coin's inputs where the transaction has no witnesses, if it needs none itself.
pub(super) fn bare_weight(coin: &Offered) -> u64 {
    let empty = if coin.segwit { 0 } else { coin.inputs as u64 };
    coin.weight.saturating_sub(empty)
}

impl Sums {
    pub(super) fn of<'a>(coins: impl Iterator<Item = &'a Offered>) -> Sums {
        let mut sums = Sums::default();
        coins.for_each(|coin| sums.add(coin));
        sums
    }

    pub(super) fn add(&mut self, coin: &Offered) {
        self.value += coin.value;
        self.bump += coin.bump;
        self.weight += bare_weight(coin);
        self.inputs += coin.inputs as u64;
        self.segwit += if coin.segwit { coin.inputs as u64 } else { 0 };
    }

    /// Takes out what was added.
    pub(super) fn remove(&mut self, coin: &Offered) {
        self.value -= coin.value;
        self.bump -= coin.bump;
        self.weight -= bare_weight(coin);
        self.inputs -= coin.inputs as u64;
        self.segwit -= if coin.segwit { coin.inputs as u64 } else { 0 };
    }

    /// Satoshis that they are worth.
    pub(super) fn value(&self) -> u64 {
        self.value
    }

    /// Satoshis for what waits before them, and before those that are taken in any case.
    pub(super) fn bump(&self, needed: &Needed) -> u64 {
        self.bump + needed.bump
    }

    /// Weight units of the transaction, with change or without.
    pub(super) fn weight(&self, needed: &Needed, change: bool) -> u64 {
        let outputs = needed.outputs as u64 + u64::from(change);
        let counts = 4 * (count_size(self.inputs) + count_size(outputs));
        let witnesses = match self.segwit {
            0 => 0,
            segwit => WITNESS_WEIGHT + self.inputs - segwit,
        };
        let change = if change { needed.change_weight } else { 0 };
        FIXED_WEIGHT + counts + needed.weight + change + self.weight + witnesses
    }

    /// Satoshis that the transaction has to pay, with what is missing before it.
    pub(super) fn fee(&self, needed: &Needed, change: bool) -> u64 {
        let vsize = self.weight(needed, change).div_ceil(4);
        needed.rate.fee(vsize as i64).max(0).unsigned_abs() + self.bump(needed)
    }

    /// Satoshis that are left beside the outputs, and beside the fee unless the payees pay that.
    pub(super) fn over(&self, needed: &Needed, change: bool) -> i64 {
        let fee = match needed.payees_pay {
            true => 0,
            false => self.fee(needed, change),
        };
        // Amounts are below 21 million bitcoins, and a fee is no larger number.
        (self.value as i64)
            .saturating_sub_unsigned(needed.value)
            .saturating_sub_unsigned(fee)
    }

    /// Whether they pay for all that is needed; nothing does so without an input.
    pub(super) fn is_enough(&self, needed: &Needed) -> bool {
        self.inputs > 0 && self.over(needed, false) >= 0
    }

    /// Whether something comes back.
    pub(super) fn has_change(&self, needed: &Needed) -> bool {
        u64::try_from(self.over(needed, true)).is_ok_and(|over| over >= needed.least_change)
    }

    /// Whether the transaction weighs no more than it may.
    pub(super) fn fits(&self, needed: &Needed) -> bool {
        self.weight(needed, self.has_change(needed)) <= needed.most_weight
    }

    /// What a set that is enough costs: the fee; spending the change later, which is no concern of payees who pay; without change what
    /// is left over, which goes to the miner, or to payees who pay.
    pub(super) fn cost(&self, needed: &Needed) -> u64 {
        let change = self.has_change(needed);
        let rest = match (change, needed.payees_pay) {
            (true, true) => 0,
            (true, false) => spend_change(needed),
            (false, _) => self.over(needed, false).max(0).unsigned_abs(),
        };
        self.fee(needed, change) + rest
    }

    /// What taking them now costs more than later, with the change or what is left to the miner: less than nothing where fees are
    /// low now.
    pub(super) fn waste(&self, needed: &Needed) -> i64 {
        let vsize = self.weight.div_ceil(4) as i64;
        let inputs = needed.rate.fee(vsize) - needed.later.fee(vsize);
        let rest = match self.has_change(needed) {
            true => {
                let made = needed.rate.fee(needed.change_weight.div_ceil(4) as i64);
                made.saturating_add_unsigned(spend_change(needed))
            }
            false => self.over(needed, false).max(0),
        };
        inputs
            .saturating_add(rest)
            .saturating_add_unsigned(self.bump)
    }
}

/// Satoshis that spending the change is reckoned to cost.
pub(super) fn spend_change(needed: &Needed) -> u64 {
    let vsize = needed.change_spend_weight.div_ceil(4);
    needed.later.fee(vsize as i64).max(0).unsigned_abs()
}

/// Bytes of a number of inputs or outputs.
fn count_size(count: u64) -> u64 {
    match count {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        _ => 5,
    }
}
