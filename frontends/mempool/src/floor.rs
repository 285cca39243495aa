//! Owns the minimum fee rate that rises when transactions are evicted and decays once blocks come again.
//! Promises Bitcoin Core's curve: half of it every twelve hours, faster while the mempool is rather empty.

use crate::fee_rate::FeeRate;

/// Seconds in which the minimum halves.
const HALF_LIFE: f64 = 12.0 * 3_600.0;
/// Seconds that must go by before it is computed anew.
const UPDATE_EVERY: u64 = 10;

/// The minimum that eviction leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    /// Satoshis for 1,000 virtual bytes.
    rate: f64,
    updated: u64,
    /// Without a block since the last eviction it does not decay.
    block_since: bool,
}

/// How full the mempool is, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    pub(crate) used: u64,
    pub(crate) limit: u64,
}

impl Floor {
    pub(crate) fn new(now: u64) -> Floor {
        Floor {
            rate: 0.0,
            updated: now,
            block_since: false,
        }
    }

    /// The minimum now.
    pub(crate) fn current(&mut self, now: u64, fill: Fill, incremental: FeeRate) -> FeeRate {
        if !self.block_since || self.rate == 0.0 {
            return FeeRate::per_kvb(self.rate.round() as i64);
        }
        if now > self.updated.saturating_add(UPDATE_EVERY) {
            let half_life = if fill.used < fill.limit / 4 {
                HALF_LIFE / 4.0
            } else if fill.used < fill.limit / 2 {
                HALF_LIFE / 2.0
            } else {
                HALF_LIFE
            };
            let passed = (now - self.updated) as f64;
            self.rate /= (passed / half_life).exp2();
            self.updated = now;
            if self.rate < incremental.sat_per_kvb() as f64 / 2.0 {
                self.rate = 0.0;
                return FeeRate::ZERO;
            }
        }
        FeeRate::per_kvb(self.rate.round() as i64).max(incremental)
    }

    /// Something that paid so much was evicted.
    pub(crate) fn evicted(&mut self, rate: FeeRate) {
        let rate = rate.sat_per_kvb() as f64;
        if rate > self.rate {
            self.rate = rate;
            self.block_since = false;
        }
    }

    /// A block came.
    pub(crate) fn block(&mut self, now: u64) {
        self.updated = now;
        self.block_since = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INCREMENTAL: FeeRate = FeeRate::per_kvb(100);

    fn fill(part: u64) -> Fill {
        Fill {
            used: part,
            limit: 1_000,
        }
    }

    #[test]
    fn the_minimum_halves_in_twelve_hours_after_a_block_and_faster_in_an_emptier_mempool() {
        let mut floor = Floor::new(0);
        floor.evicted(FeeRate::per_kvb(8_000));
        let hours = 3_600;
        assert_eq!(
            floor
                .current(1_000 * hours, fill(999), INCREMENTAL)
                .sat_per_kvb(),
            8_000
        );
        floor.block(1_000 * hours);
        let at = |floor: &mut Floor, hour: u64, part| {
            floor
                .current((1_000 + hour) * hours, fill(part), INCREMENTAL)
                .sat_per_kvb()
        };
        assert_eq!(at(&mut floor, 12, 999), 4_000);
        assert_eq!(at(&mut floor, 18, 499), 2_000);
        assert_eq!(at(&mut floor, 21, 249), 1_000);
        assert_eq!(at(&mut floor, 30, 249), 125);
        assert_eq!(at(&mut floor, 33, 249), 100, "never below the increment");
        assert_eq!(
            at(&mut floor, 36, 249),
            0,
            "below half of it nothing is left"
        );
    }

    #[test]
    fn only_what_paid_more_raises_it() {
        let mut floor = Floor::new(0);
        floor.evicted(FeeRate::per_kvb(500));
        floor.evicted(FeeRate::per_kvb(300));
        assert_eq!(floor.current(0, fill(0), INCREMENTAL).sat_per_kvb(), 500);
    }
}
