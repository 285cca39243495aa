//! Owns the estimate of fees: what transactions paid that were confirmed, and how long they had waited.
//! Promises the figures of Bitcoin Core's `CBlockPolicyEstimator` for the same history, and its file of them.
//! Refuses what says nothing of a miner's choice: transactions of packages, with pending parents, given back by undone
//! blocks, or let in while the node was catching up.
//!
//! ```text
//!   entered -> a bucket of its fee rate, in three horizons -> a block has it: after so many blocks -> averages that decay
//!                                                          -> it leaves otherwise: a failure
//! ```

mod file;
mod statistics;

use std::collections::HashMap;

use bitcoin::Txid;

use crate::fee_rate::FeeRate;
pub use file::{FeesKept, MAX_FEE_FILE_AGE};
use statistics::Statistics;
pub use statistics::{Range, Ranges};

/// The buckets of fee rates, in satoshis for 1,000 virtual bytes: from here to there, each this much above the last.
const LEAST_RATE: f64 = 100.0;
const MOST_RATE: f64 = 1e7;
const SPACING: f64 = 1.05;
/// The upper end of the last bucket.
const WITHOUT_END: f64 = 1e99;
/// The part of transactions that has to be confirmed within half the target, the target, and twice the target.
const HALF_SUCCESS: f64 = 0.6;
const SUCCESS: f64 = 0.85;
const DOUBLE_SUCCESS: f64 = 0.95;
/// Transactions that a bucket must have seen in each block on average; other buckets join it until they have.
const ENOUGH: f64 = 0.1;
const ENOUGH_SHORT: f64 = 0.5;
/// Blocks after which what an earlier run saw says nothing any more.
const OLDEST_HISTORY: u32 = 6 * 1_008;

/// How far back an estimate looks, and how far ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Horizon {
    /// Up to 12 blocks ahead; what happened 18 blocks ago counts half.
    Short,
    /// Up to 48 blocks ahead; 144 blocks.
    Medium,
    /// Up to 1,008 blocks ahead; 1,008 blocks.
    Long,
}

impl Horizon {
    /// All, the shortest first.
    pub const ALL: [Horizon; 3] = [Horizon::Short, Horizon::Medium, Horizon::Long];

    /// Bitcoin Core's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Horizon::Short => "short",
            Horizon::Medium => "medium",
            Horizon::Long => "long",
        }
    }

    /// Most blocks ahead that are told of.
    pub const fn most_blocks(self) -> u32 {
        self.scale() * self.periods()
    }

    /// Factor for what is known, with each block.
    pub const fn decay(self) -> f64 {
        match self {
            Horizon::Short => 0.962,
            Horizon::Medium => 0.9952,
            Horizon::Long => 0.99931,
        }
    }

    /// Blocks that are not told apart.
    pub const fn scale(self) -> u32 {
        match self {
            Horizon::Short => 1,
            Horizon::Medium => 2,
            Horizon::Long => 24,
        }
    }

    const fn periods(self) -> u32 {
        match self {
            Horizon::Short => 12,
            Horizon::Medium => 24,
            Horizon::Long => 42,
        }
    }

    const fn enough(self) -> f64 {
        match self {
            Horizon::Short => ENOUGH_SHORT,
            _ => ENOUGH,
        }
    }
}

/// An estimate of what has to be paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeeEstimate {
    /// The rate; nothing where too little is known.
    pub rate: Option<FeeRate>,
    /// The blocks within which it is confirmed: the target, or what can be told instead.
    pub blocks: u32,
    /// Which of the estimates that are made for a target told the rate; nothing where there is none.
    pub basis: Option<EstimateBasis>,
}

/// One of the estimates that are made for a target, of which the highest counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EstimateBasis {
    /// What is confirmed within half of the blocks, in 60 of 100 cases.
    Half,
    /// What is confirmed within the blocks, in 85 of 100 cases.
    Whole,
    /// What is confirmed within twice the blocks, in 95 of 100 cases.
    Double,
    /// The same, looking back farther.
    Cautious,
}

/// What one horizon says by itself.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RawEstimate {
    /// The rate; nothing where too little is known.
    pub rate: Option<FeeRate>,
    /// The ranges of fee rates that it comes from.
    pub ranges: Ranges,
}

/// A transaction that waits and counts.
#[derive(Clone, Copy, Debug)]
struct Tracked {
    height: u32,
    bucket: usize,
}

/// A transaction that a block has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmed {
    pub(crate) txid: Txid,
    /// Height of the best block when it came.
    pub(crate) height: u32,
    pub(crate) rate: FeeRate,
}

/// What is known of fees. There is one entry for each pending transaction at most.
pub(crate) struct Fees {
    buckets: Vec<f64>,
    horizons: [Statistics; 3],
    tracked: HashMap<Txid, Tracked>,
    best_height: u32,
    first_height: u32,
    /// The first and the last height that an earlier run saw; zeros where there was none.
    history: (u32, u32),
}

impl Fees {
    pub(crate) fn new() -> Fees {
        let rates = std::iter::successors(Some(LEAST_RATE), |rate| Some(rate * SPACING));
        let mut buckets: Vec<f64> = rates.take_while(|rate| *rate <= MOST_RATE).collect();
        buckets.push(WITHOUT_END);
        let count = buckets.len();
        Fees {
            buckets,
            horizons: Horizon::ALL.map(|horizon| Statistics::new(horizon, count)),
            tracked: HashMap::new(),
            best_height: 0,
            first_height: 0,
            history: (0, 0),
        }
    }

    /// Blocks that this run has seen since the first one that told something.
    fn seen(&self) -> u32 {
        match self.first_height {
            0 => 0,
            first => self.best_height - first,
        }
    }

    /// Blocks that earlier runs had seen, unless it is too long ago.
    fn seen_before(&self) -> u32 {
        let (first, last) = self.history;
        match first == 0 || self.best_height.saturating_sub(last) > OLDEST_HISTORY {
            true => 0,
            false => last - first,
        }
    }

    /// Counts all that waits as not confirmed: nobody follows it any more.
    pub(crate) fn give_up(&mut self) {
        let waiting: Vec<Txid> = self.tracked.keys().copied().collect();
        for txid in &waiting {
            self.left(txid);
        }
    }

    fn bucket(&self, rate: f64) -> usize {
        self.buckets.partition_point(|bound| *bound < rate)
    }

    /// Notes a transaction that came when the best block had this height; one that does not count is not told of.
    pub(crate) fn entered(&mut self, txid: Txid, height: u32, rate: FeeRate) {
        // Before the first block, and after an undone one, it is not known how long anything waited.
        if height != self.best_height || self.tracked.contains_key(&txid) {
            return;
        }
        let bucket = self.bucket(rate.sat_per_kvb() as f64);
        for horizon in &mut self.horizons {
            horizon.entered(height, bucket);
        }
        self.tracked.insert(txid, Tracked { height, bucket });
    }

    /// Notes that a transaction left without having been confirmed.
    pub(crate) fn left(&mut self, txid: &Txid) {
        self.forget(txid, false);
    }

    fn forget(&mut self, txid: &Txid, in_block: bool) -> bool {
        let Some(tracked) = self.tracked.remove(txid) else {
            return false;
        };
        for horizon in &mut self.horizons {
            horizon.left(tracked.height, self.best_height, tracked.bucket, in_block);
        }
        true
    }

    /// Notes a block and what it had of the pending transactions; one that is not higher than all before is not counted.
    pub(crate) fn block(&mut self, height: u32, confirmed: &[Confirmed]) {
        if height <= self.best_height {
            return;
        }
        self.best_height = height;
        for horizon in &mut self.horizons {
            horizon.block(height);
        }
        let mut counted = false;
        for one in confirmed {
            if !self.forget(&one.txid, true) || height <= one.height {
                continue;
            }
            counted = true;
            let rate = one.rate.sat_per_kvb() as f64;
            let bucket = self.bucket(rate);
            for horizon in &mut self.horizons {
                horizon.confirmed(height - one.height, bucket, rate);
            }
        }
        if counted && self.first_height == 0 {
            self.first_height = height;
        }
    }

    fn of(&self, horizon: Horizon) -> &Statistics {
        &self.horizons[horizon as usize]
    }

    fn of_mut(&mut self, horizon: Horizon) -> &mut Statistics {
        &mut self.horizons[horizon as usize]
    }

    fn median(&self, horizon: Horizon, blocks: u32, success: f64) -> (Option<f64>, Ranges) {
        self.of(horizon)
            .median(&self.buckets, blocks, success, self.best_height)
    }

    /// What one horizon says; nothing of more blocks than it tells of.
    pub(crate) fn raw(&self, horizon: Horizon, blocks: u32, success: f64) -> Option<RawEstimate> {
        if blocks == 0 || blocks > horizon.most_blocks() {
            return None;
        }
        let (median, ranges) = self.median(horizon, blocks, success);
        Some(RawEstimate {
            rate: median.and_then(rate),
            ranges,
        })
    }

    /// What has to be paid to be confirmed within so many blocks; `conservative` looks back farther.
    pub(crate) fn smart(&self, blocks: u32, conservative: bool) -> FeeEstimate {
        let seen = self.seen().max(self.seen_before());
        let usable = (seen / 2).min(Horizon::Long.most_blocks());
        let blocks = blocks.max(2).min(usable);
        if blocks <= 1 {
            return FeeEstimate {
                rate: None,
                blocks,
                basis: None,
            };
        }
        let half = self.combined(blocks / 2, HALF_SUCCESS, true);
        let whole = self.combined(blocks, SUCCESS, true);
        let double = self.combined(blocks * 2, DOUBLE_SUCCESS, !conservative);
        let cautious = match conservative || half.or(whole).or(double).is_none() {
            true => self.cautious(blocks * 2),
            false => None,
        };
        let estimates = [
            (half, EstimateBasis::Half),
            (whole, EstimateBasis::Whole),
            (double, EstimateBasis::Double),
            (cautious, EstimateBasis::Cautious),
        ];
        let known = (estimates.into_iter()).filter_map(|(median, basis)| Some((median?, basis)));
        // Of those that say the same the first counts.
        let most = known.reduce(|one, other| if other.0 > one.0 { other } else { one });
        let told = most.and_then(|(median, basis)| Some((rate(median)?, basis)));
        FeeEstimate {
            rate: told.map(|(rate, _)| rate),
            blocks,
            basis: told.map(|(_, basis)| basis),
        }
    }

    /// By the shortest horizon that tells of so many blocks; of less where a shorter one says so of all that it tells of.
    fn combined(&self, blocks: u32, success: f64, shorter_too: bool) -> Option<f64> {
        let tells = |horizon: &Horizon| blocks <= horizon.most_blocks();
        let own = Horizon::ALL.into_iter().find(tells)?;
        let mut estimate = self.median(own, blocks, success).0;
        if shorter_too {
            for horizon in [Horizon::Medium, Horizon::Short] {
                if tells(&horizon) {
                    continue;
                }
                let other = self.median(horizon, horizon.most_blocks(), success).0;
                let better = |other: &f64| *other > 0.0 && estimate.is_none_or(|own| *other < own);
                estimate = other.filter(better).or(estimate);
            }
        }
        estimate
    }

    /// By longer horizons than need be.
    fn cautious(&self, blocks: u32) -> Option<f64> {
        let by = |horizon: Horizon| self.median(horizon, blocks, DOUBLE_SUCCESS).0;
        let mut estimate = None;
        if blocks <= Horizon::Short.most_blocks() {
            estimate = by(Horizon::Medium);
        }
        if blocks <= Horizon::Medium.most_blocks() {
            estimate = greater(estimate, by(Horizon::Long));
        }
        estimate
    }
}

fn greater(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
}

/// In whole satoshis; none stands for not knowing.
fn rate(median: f64) -> Option<FeeRate> {
    let sat = median.round();
    (sat > 0.0).then(|| FeeRate::per_kvb(sat as i64))
}

#[cfg(test)]
mod tests;
