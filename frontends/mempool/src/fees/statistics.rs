//! Owns what one horizon remembers: for each bucket of fee rates, how many transactions were confirmed how fast.
//! Promises Bitcoin Core's sums, in its order of floating point operations.

use super::Horizon;

/// A range of fee rates and what became of the transactions in it; numbers decay, so they have fractions.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Range {
    /// From this rate, in satoshis for 1,000 virtual bytes; -1 stands for no range.
    pub start: f64,
    /// To this one.
    pub end: f64,
    /// Confirmed within the target.
    pub within: f64,
    /// Confirmed at all.
    pub confirmed: f64,
    /// Pending for as long as the target or longer.
    pub pending: f64,
    /// Left after the target without having been confirmed.
    pub left: f64,
}

impl Default for Range {
    fn default() -> Range {
        Range {
            start: -1.0,
            end: -1.0,
            within: 0.0,
            confirmed: 0.0,
            pending: 0.0,
            left: 0.0,
        }
    }
}

/// The ranges that an estimate comes from.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Ranges {
    /// The lowest one that pays enough.
    pub pass: Range,
    /// The highest one that does not.
    pub fail: Range,
}

/// What one horizon remembers.
pub(super) struct Statistics {
    horizon: Horizon,
    /// Transactions that were confirmed, by bucket.
    pub(super) confirmed: Vec<f64>,
    /// Their fee rates, summed up, by bucket.
    pub(super) rates: Vec<f64>,
    /// Of them those confirmed within so many periods, by period and bucket.
    pub(super) within: Vec<Vec<f64>>,
    /// Transactions that left after so many periods, by period and bucket.
    pub(super) failed: Vec<Vec<f64>>,
    /// Pending ones by the height at which they came (modulo) and bucket.
    pending: Vec<Vec<u32>>,
    /// Pending ones that came before those heights.
    old: Vec<u32>,
}

/// Sums over a range of buckets.
#[derive(Clone, Copy, Default)]
struct Sums {
    within: f64,
    confirmed: f64,
    failed: f64,
    pending: u32,
}

impl Sums {
    fn range(self, buckets: &[f64], near: usize, far: usize) -> Range {
        Range {
            start: lower_end(buckets, near.min(far)),
            end: buckets[near.max(far)],
            within: self.within,
            confirmed: self.confirmed,
            pending: f64::from(self.pending),
            left: self.failed,
        }
    }
}

fn lower_end(buckets: &[f64], bucket: usize) -> f64 {
    bucket.checked_sub(1).map_or(0.0, |below| buckets[below])
}

impl Statistics {
    pub(super) fn new(horizon: Horizon, buckets: usize) -> Statistics {
        let periods = horizon.periods() as usize;
        Statistics {
            horizon,
            confirmed: vec![0.0; buckets],
            rates: vec![0.0; buckets],
            within: vec![vec![0.0; buckets]; periods],
            failed: vec![vec![0.0; buckets]; periods],
            pending: vec![vec![0; buckets]; horizon.most_blocks() as usize],
            old: vec![0; buckets],
        }
    }

    fn place(&self, height: u32) -> usize {
        height as usize % self.pending.len()
    }

    pub(super) fn entered(&mut self, height: u32, bucket: usize) {
        let place = self.place(height);
        self.pending[place][bucket] += 1;
    }

    pub(super) fn left(&mut self, height: u32, best: u32, bucket: usize, in_block: bool) {
        let ago = match best {
            0 => 0,
            _ => match best.checked_sub(height) {
                Some(ago) => ago,
                None => return,
            },
        };
        let count = match (ago as usize) < self.pending.len() {
            true => {
                let place = self.place(height);
                &mut self.pending[place][bucket]
            }
            false => &mut self.old[bucket],
        };
        *count = count.saturating_sub(1);
        if !in_block {
            let periods = (ago / self.horizon.scale()) as usize;
            for failed in self.failed.iter_mut().take(periods) {
                failed[bucket] += 1.0;
            }
        }
    }

    /// Makes room for those that come at this height, and lets what is known fade.
    pub(super) fn block(&mut self, height: u32) {
        let place = self.place(height);
        for (old, came) in self.old.iter_mut().zip(&mut self.pending[place]) {
            *old += std::mem::take(came);
        }
        let decay = self.horizon.decay();
        let averages = self.within.iter_mut().chain(&mut self.failed);
        for averages in averages.chain([&mut self.rates, &mut self.confirmed]) {
            for average in averages.iter_mut() {
                *average *= decay;
            }
        }
    }

    pub(super) fn confirmed(&mut self, blocks: u32, bucket: usize, rate: f64) {
        let periods = blocks.div_ceil(self.horizon.scale()) as usize;
        for within in self.within.iter_mut().skip(periods.saturating_sub(1)) {
            within[bucket] += 1.0;
        }
        self.confirmed[bucket] += 1.0;
        self.rates[bucket] += rate;
    }

    /// The median of what was paid in the lowest range of buckets of which enough was confirmed in time. Ranges are as
    /// wide as they must be to tell; it is looked at them from the highest rate down.
    pub(super) fn median(
        &self,
        buckets: &[f64],
        blocks: u32,
        success: f64,
        height: u32,
    ) -> (Option<f64>, Ranges) {
        let period = blocks.div_ceil(self.horizon.scale()) as usize - 1;
        let enough = self.horizon.enough() / (1.0 - self.horizon.decay());
        let last = buckets.len() - 1;
        let mut ranges = Ranges::default();
        let mut best: Option<(usize, usize)> = None;
        let mut sums = Sums::default();
        let mut partial = 0.0;
        let mut near = last;
        let mut begins = true;
        let mut passing = true;
        for bucket in (0..buckets.len()).rev() {
            if begins {
                near = bucket;
                begins = false;
            }
            sums.within += self.within[period][bucket];
            partial += self.confirmed[bucket];
            sums.confirmed += self.confirmed[bucket];
            sums.failed += self.failed[period][bucket];
            sums.pending += self.waiting(blocks, bucket, height);
            if partial < enough {
                continue;
            }
            partial = 0.0;
            let part = sums.within / (sums.confirmed + sums.failed + f64::from(sums.pending));
            if part < success {
                if passing {
                    ranges.fail = sums.range(buckets, near, bucket);
                    passing = false;
                }
                continue;
            }
            ranges.fail = Range::default();
            ranges.pass = Range {
                start: -1.0,
                end: -1.0,
                ..sums.range(buckets, near, bucket)
            };
            passing = true;
            sums = Sums::default();
            best = Some((bucket, near));
            begins = true;
        }
        let median = best.and_then(|(low, high)| self.median_of(low, high));
        if let (Some((low, high)), Some(_)) = (best, median) {
            ranges.pass.start = lower_end(buckets, low);
            ranges.pass.end = buckets[high];
        }
        if passing && !begins {
            ranges.fail = sums.range(buckets, near, 0);
        }
        (median, ranges)
    }

    /// How many wait that came as long ago as the target, or longer.
    fn waiting(&self, blocks: u32, bucket: usize, height: u32) -> u32 {
        // Before there were so many blocks, the heights wrap around as Bitcoin Core's do.
        let came = (blocks..self.horizon.most_blocks())
            .map(|ago| self.pending[self.place(height.wrapping_sub(ago))][bucket]);
        came.sum::<u32>() + self.old[bucket]
    }

    /// The average rate of the bucket that holds the median transaction.
    fn median_of(&self, low: usize, high: usize) -> Option<f64> {
        let total: f64 = self.confirmed[low..=high].iter().sum();
        if total == 0.0 {
            return None;
        }
        let mut half = total / 2.0;
        for bucket in low..=high {
            if self.confirmed[bucket] >= half {
                return Some(self.rates[bucket] / self.confirmed[bucket]);
            }
            half -= self.confirmed[bucket];
        }
        None
    }
}
