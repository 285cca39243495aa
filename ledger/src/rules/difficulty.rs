//! Owns the difficulty: how much work the next block must show.
//! Promises Bitcoin Core's 256-bit arithmetic to the last bit, truncation and all.
//! Refuses the `bitcoin` crate's retargeting, which knows neither the testnets' rules nor the truncation.

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Target, Work};

use super::chain::Chain;
use crate::params::Params;
use number::Number;

mod number;
#[cfg(test)]
mod tests;

/// The target that `bits` stand for; `None` when they are negative, zero, too large, or easier than the limit.
pub fn target(bits: u32, params: &Params) -> Option<Target> {
    let (number, fault) = Number::from_compact(bits);
    let target = Target::from_le_bytes(number.to_le_bytes());
    let valid = !fault && number != Number::ZERO && target <= params.pow_limit;
    valid.then_some(target)
}

/// Whether `hash` is at most the target that `bits` stand for.
pub fn is_met(hash: &BlockHash, bits: u32, params: &Params) -> bool {
    target(bits, params).is_some_and(|target| Target::from_le_bytes(hash.to_byte_array()) <= target)
}

/// The work that a header with these bits proves; none for bits that stand for no target.
pub fn work(bits: u32) -> Work {
    let (number, fault) = Number::from_compact(bits);
    match fault || number == Number::ZERO {
        true => Work::from_be_bytes([0; 32]),
        false => Target::from_le_bytes(number.to_le_bytes()).to_work(),
    }
}

/// Several times this work; at most 256 bits of it, as in Bitcoin Core's arithmetic.
pub(crate) fn times(work: Work, factor: u64) -> Work {
    let product = Number::from_le_bytes(work.to_le_bytes()).wrapping_mul(factor);
    Work::from_le_bytes(product.to_le_bytes())
}

/// Whether a header at `height` may have `new_bits` where its parent has `old_bits`, as far as that can be said without
/// looking at any time: Bitcoin Core's `PermittedDifficultyTransition`.
///
/// For headers that are not worth keeping yet, so that a chain of them cannot be made cheaply. Within a period the bits
/// stay; between two the target changes by at most a factor of four. Where blocks of minimum difficulty are allowed
/// (the testnets, regtest), anything goes. What passes may still break the real rule, [`required_bits`].
pub fn permitted_difficulty_transition(
    params: &Params,
    height: u32,
    old_bits: u32,
    new_bits: u32,
) -> bool {
    if params.allow_min_difficulty_blocks {
        return true;
    }
    if !height.is_multiple_of(params.difficulty_interval()) {
        return old_bits == new_bits;
    }
    let timespan = u64::from(params.target_timespan);
    let (old, _) = Number::from_compact(old_bits);
    let (new, _) = Number::from_compact(new_bits);
    let limit = Number::from_le_bytes(params.pow_limit.to_le_bytes());
    // The real new target went through the compact form, so the bounds must do so too.
    let bound = |actual: u64| {
        let target = old.wrapping_mul(actual).div(timespan).min(limit);
        Number::from_compact(target.to_compact()).0
    };
    bound(timespan / 4) <= new && new <= bound(timespan * 4)
}

/// The bits that the block after `chain` must have, if its time is `time`.
pub fn required_bits(chain: &impl Chain, time: u32, params: &Params) -> u32 {
    let interval = params.difficulty_interval();
    let parent = chain.header(chain.height());
    if params.no_retargeting {
        // Regtest. Its genesis block has the limit's bits, and each rule below gives those again: no walk is needed.
        return parent.bits;
    }
    if !(chain.height() + 1).is_multiple_of(interval) {
        if !params.allow_min_difficulty_blocks {
            return parent.bits;
        }
        let late = i64::from(parent.time) + 2 * i64::from(params.target_spacing);
        if i64::from(time) > late {
            return params.pow_limit_bits;
        }
        return last_regular_bits(chain, params);
    }

    let first = chain.header(chain.height() + 1 - interval);
    let timespan = i64::from(params.target_timespan);
    let actual = i64::from(parent.time) - i64::from(first.time);
    let actual = actual.clamp(timespan / 4, timespan * 4);
    // BIP94: the period's first block cannot have used the minimum-difficulty rule, so its bits are real.
    let old_bits = if params.enforce_bip94 {
        first.bits
    } else {
        parent.bits
    };
    let (old, _) = Number::from_compact(old_bits);
    let new = old.wrapping_mul(actual as u64).div(timespan as u64);
    let limit = Number::from_le_bytes(params.pow_limit.to_le_bytes());
    new.min(limit).to_compact()
}

/// The bits of the last block that did not use the testnets' minimum-difficulty rule, within the period.
fn last_regular_bits(chain: &impl Chain, params: &Params) -> u32 {
    let mut bits = params.pow_limit_bits;
    for (header, height) in chain
        .headers_down(chain.height())
        .zip((0..=chain.height()).rev())
    {
        bits = header.bits;
        let period_start = height.is_multiple_of(params.difficulty_interval());
        if period_start || bits != params.pow_limit_bits {
            break;
        }
    }
    bits
}
