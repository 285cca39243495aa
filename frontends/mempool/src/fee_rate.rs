//! Owns fee rates: a fee over a size, compared without rounding, and Bitcoin Core's roundings where it rounds.
//! Promises a total order by ratio and sums that cannot overflow for what a mempool holds.
//! Refuses floating point.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// A fee in satoshis for a size in weight units or virtual bytes: who uses it knows which.
///
/// Equal as a pair; [`FeeSize::cmp_rate`] compares the ratio.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FeeSize {
    /// Satoshis; negative where somebody prioritised downwards.
    pub fee: i64,
    /// Weight units or virtual bytes; 0 only where the fee is 0 too.
    pub size: i64,
}

impl FeeSize {
    /// A fee for a size.
    pub const fn new(fee: i64, size: i64) -> FeeSize {
        FeeSize { fee, size }
    }

    /// Compares fee per size. Two empty ones are equal to everything.
    #[inline]
    pub fn cmp_rate(self, other: FeeSize) -> Ordering {
        let left = i128::from(self.fee) * i128::from(other.size);
        let right = i128::from(other.fee) * i128::from(self.size);
        left.cmp(&right)
    }

    /// Whether the fee per size is strictly higher.
    #[inline]
    pub fn beats(self, other: FeeSize) -> bool {
        self.cmp_rate(other) == Ordering::Greater
    }
}

impl Add for FeeSize {
    type Output = FeeSize;

    fn add(self, other: FeeSize) -> FeeSize {
        FeeSize {
            fee: self.fee.saturating_add(other.fee),
            size: self.size.saturating_add(other.size),
        }
    }
}

impl AddAssign for FeeSize {
    fn add_assign(&mut self, other: FeeSize) {
        *self = *self + other;
    }
}

impl Sub for FeeSize {
    type Output = FeeSize;

    fn sub(self, other: FeeSize) -> FeeSize {
        FeeSize {
            fee: self.fee.saturating_sub(other.fee),
            size: self.size.saturating_sub(other.size),
        }
    }
}

impl SubAssign for FeeSize {
    fn sub_assign(&mut self, other: FeeSize) {
        *self = *self - other;
    }
}

/// A fee rate per virtual byte, as Bitcoin Core's `CFeeRate`: kept as the fraction it came from.
#[derive(Clone, Copy, Default, Debug)]
pub struct FeeRate(FeeSize);

impl FeeRate {
    /// No fee at all.
    pub const ZERO: FeeRate = FeeRate(FeeSize::new(0, 0));

    /// So many satoshis for 1,000 virtual bytes.
    pub const fn per_kvb(sat: i64) -> FeeRate {
        FeeRate(FeeSize::new(sat, 1_000))
    }

    /// A fee paid for a size in virtual bytes; zero where there is no size.
    pub const fn paid(fee: i64, vsize: i64) -> FeeRate {
        match vsize > 0 {
            true => FeeRate(FeeSize::new(fee, vsize)),
            false => FeeRate::ZERO,
        }
    }

    /// What so many virtual bytes cost, in satoshis, rounded up.
    pub fn fee(self, vsize: i64) -> i64 {
        if self.0.size == 0 {
            return 0;
        }
        let product = i128::from(self.0.fee) * i128::from(vsize);
        let size = i128::from(self.0.size);
        // Division that rounds up, also for negative fees.
        let up = product.div_euclid(size) + i128::from(product.rem_euclid(size) != 0);
        match up {
            0 if vsize != 0 && self.0.fee < 0 => -1,
            up => clamped(up),
        }
    }

    /// Satoshis for 1,000 virtual bytes, rounded down: how Bitcoin Core shows a rate.
    pub fn sat_per_kvb(self) -> i64 {
        if self.0.size == 0 {
            return 0;
        }
        clamped((i128::from(self.0.fee) * 1_000).div_euclid(i128::from(self.0.size)))
    }

    /// The sum of two rates, each rounded to satoshis for 1,000 virtual bytes.
    #[must_use]
    pub fn plus(self, other: FeeRate) -> FeeRate {
        FeeRate::per_kvb(self.sat_per_kvb().saturating_add(other.sat_per_kvb()))
    }
}

fn clamped(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

impl PartialEq for FeeRate {
    fn eq(&self, other: &FeeRate) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for FeeRate {}

impl PartialOrd for FeeRate {
    fn partial_cmp(&self, other: &FeeRate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FeeRate {
    fn cmp(&self, other: &FeeRate) -> Ordering {
        let whole = |rate: FeeSize| match rate.size {
            0 => FeeSize::new(0, 1),
            _ => rate,
        };
        whole(self.0).cmp_rate(whole(other.0))
    }
}

impl fmt::Display for FeeRate {
    /// As Bitcoin Core writes it: `0.00001000 BTC/kvB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const COIN: i64 = 100_000_000;
        let sat = self.sat_per_kvb();
        write!(f, "{}.{:08} BTC/kvB", sat / COIN, sat % COIN)
    }
}

/// An amount as Bitcoin Core's `FormatMoney` writes it: bitcoins with at least two decimals.
pub(crate) fn money(sat: i64) -> String {
    const COIN: u64 = 100_000_000;
    let sign = if sat < 0 { "-" } else { "" };
    let sat = sat.unsigned_abs();
    let mut decimals = format!("{:08}", sat % COIN);
    while decimals.len() > 2 && decimals.ends_with('0') {
        decimals.pop();
    }
    format!("{sign}{}.{decimals}", sat / COIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_round_as_core_rounds_them() {
        let rate = FeeRate::per_kvb(100);
        assert_eq!(rate.fee(110), 11);
        assert_eq!(rate.fee(111), 12, "up");
        assert_eq!(rate.fee(0), 0);
        assert_eq!(FeeRate::per_kvb(-100).fee(1), -1);
        assert_eq!(FeeRate::paid(1_000, 141).sat_per_kvb(), 7_092);
        assert_eq!(FeeRate::paid(-1, 3).sat_per_kvb(), -334, "down");
        assert_eq!(FeeRate::paid(5, 0), FeeRate::ZERO);
        assert!(FeeRate::paid(1_001, 141) > FeeRate::paid(1_000, 141));
        assert_eq!(FeeRate::per_kvb(1_000).to_string(), "0.00001000 BTC/kvB");
    }

    #[test]
    fn money_has_at_least_two_decimals() {
        assert_eq!(money(0), "0.00");
        assert_eq!(money(100_000_000), "1.00");
        assert_eq!(money(123), "0.00000123");
        assert_eq!(money(120), "0.0000012");
        assert_eq!(money(-150_000_000), "-1.50");
    }

    #[test]
    fn fractions_compare_by_ratio() {
        assert!(FeeSize::new(2, 3).beats(FeeSize::new(1, 2)));
        assert!(!FeeSize::new(2, 4).beats(FeeSize::new(1, 2)));
        let huge = FeeSize::new(i64::MAX, 1);
        assert!(huge.beats(FeeSize::new(i64::MAX, 2)));
        assert_eq!((huge + huge).fee, i64::MAX);
    }
}
