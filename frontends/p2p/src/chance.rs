//! Owns the protocol's dice: a small generator (SplitMix64) that a seed determines.
//! Promises the same numbers for the same seed. Refuses secrets: nothing that must not be guessed hangs on it but what
//! the driver seeds from the system.

use std::time::Duration;

/// A generator of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0, up to 1.
    fn part(&mut self) -> f64 {
        ((self.number() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// A time of this length on average, exponentially distributed: the wait for the next of events that know nothing of
    /// each other.
    pub(crate) fn wait(&mut self, average: Duration) -> Duration {
        average.mul_f64(-self.part().ln())
    }

    /// A time from nothing to this length.
    pub(crate) fn within(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.part())
    }

    /// Keys for a hash.
    pub(crate) fn keys(&mut self) -> (u64, u64) {
        (self.number(), self.number())
    }
}
