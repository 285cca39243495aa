//! Owns what is kept of a pending transaction.

use std::sync::Arc;

use everett_ledger::decode::DecodedTransaction;

use crate::fee_rate::FeeSize;
use crate::locks::LockPoints;

/// Modified fees count for no more than this, up and down: sums of a cluster's cannot overflow.
const MAX_MINING_FEE: i64 = 1 << 56;

/// A transaction that was checked and what the checks found out.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) tx: Arc<DecodedTransaction>,
    /// What it pays, in satoshis.
    pub(crate) fee: i64,
    /// The same with what was added by hand.
    pub(crate) modified_fee: i64,
    pub(crate) weight: i64,
    /// Weight, or what its signature operations count for.
    pub(crate) adjusted_weight: i64,
    pub(crate) sigop_cost: u64,
    /// Unix seconds when it came.
    pub(crate) time: u64,
    /// Height of the best block then.
    pub(crate) height: u32,
    /// The mempool's sequence when it came; 0 for what an undone block gave back.
    pub(crate) sequence: u64,
    pub(crate) locks: LockPoints,
    /// Height of the youngest coinbase it spends.
    pub(crate) coinbase_height: Option<u32>,
    pub(crate) usage: u64,
}

impl Entry {
    /// Virtual bytes, as fees count them.
    pub(crate) fn vsize(&self) -> i64 {
        vsize_of(self.adjusted_weight)
    }

    /// What the miner sees.
    pub(crate) fn mining_rate(&self) -> FeeSize {
        FeeSize::new(mining_fee(self.modified_fee), self.adjusted_weight)
    }
}

pub(crate) fn vsize_of(weight: i64) -> i64 {
    weight.saturating_add(3) / 4
}

pub(crate) fn mining_fee(modified: i64) -> i64 {
    modified.clamp(-MAX_MINING_FEE, MAX_MINING_FEE)
}
