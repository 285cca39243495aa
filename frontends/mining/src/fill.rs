//! Owns the choice of transactions for a block.
//! Promises Bitcoin Core's choice: chunk by chunk in mining order, what does not fit left out with the rest of its cluster,
//! and the same point at which it gives up.
//! Refuses to look at coins: the mempool has what fits together.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use everett_ledger::decode::DecodedTransaction;
use everett_ledger::rules::block::MAX_BLOCK_SIGOPS_COST;
use everett_ledger::rules::transaction::is_final;
use everett_mempool::{Chunk, FeeRate, FeeSize};

use crate::config::{MiningConfig, RESERVED_SIGOPS};

#[cfg(test)]
mod tests;

/// Chunks in a row that may be found not to fit, where the block is nearly full.
const MAX_FAILURES: u32 = 1_000;
/// Less free weight than this is nearly full.
const NEARLY_FULL: u64 = 4_000;

/// A transaction that was chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The transaction.
    pub tx: Arc<DecodedTransaction>,
    /// What it pays, in satoshis.
    pub fee: i64,
    /// The cost of its signature operations.
    pub sigop_cost: u64,
}

/// Where the block is to stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) height: u32,
    /// Unix seconds that lock times are held against (BIP113).
    pub(crate) lock_time: u32,
}

/// What was chosen.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    pub(crate) chosen: Vec<Chosen>,
    /// With what is reserved.
    pub(crate) weight: u64,
    pub(crate) fees: i64,
}

/// Chooses from chunks, best paying first; of a cluster the earlier ones come first. No chunk pays more than one before it:
/// the first that pays too little ends it.
pub(crate) fn fill<'a>(
    chunks: impl Iterator<Item = Chunk<'a>>,
    config: &MiningConfig,
    place: Place,
) -> Filled {
    let mut filled = Filled {
        chosen: Vec::new(),
        weight: config.reserved_weight,
        fees: 0,
    };
    let mut sigops = RESERVED_SIGOPS;
    let mut left_out: HashSet<u32> = HashSet::new();
    let mut failures = 0;
    for chunk in chunks {
        if left_out.contains(&chunk.cluster) {
            continue;
        }
        if pays_less(chunk.rate, config.min_fee) {
            break;
        }
        let weight = u64::try_from(chunk.rate.size).unwrap_or(u64::MAX);
        let chunk_sigops: u64 = chunk.transactions.iter().map(|tx| tx.sigop_cost).sum();
        let fits = filled.weight.saturating_add(weight) < config.max_weight
            && sigops.saturating_add(chunk_sigops) < MAX_BLOCK_SIGOPS_COST;
        let all_final = |chunk: &Chunk<'_>| {
            let mut all = chunk.transactions.iter();
            all.all(|mined| is_final(&mined.tx.tx, place.height, place.lock_time))
        };
        if !fits || !all_final(&chunk) {
            left_out.insert(chunk.cluster);
            failures += 1;
            if failures > MAX_FAILURES && filled.weight + NEARLY_FULL > config.max_weight {
                break;
            }
            continue;
        }
        failures = 0;
        for mined in chunk.transactions {
            filled.weight += mined.weight;
            filled.fees += mined.fee;
            filled.chosen.push(Chosen {
                tx: mined.tx.clone(),
                fee: mined.fee,
                sigop_cost: mined.sigop_cost,
            });
        }
        sigops += chunk_sigops;
    }
    filled
}

/// Whether a fee for a weight is less than a rate for the virtual bytes that the weight makes, rounded up.
fn pays_less(rate: FeeSize, least: FeeRate) -> bool {
    let vsize = rate.size.saturating_add(3) / 4;
    FeeRate::paid(rate.fee, vsize).cmp(&least) == Ordering::Less
}
