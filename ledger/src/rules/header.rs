//! Owns the rules for headers: proof of work by themselves, the rest against their parent's chain.
//! Promises Bitcoin Core's order of checks. Refuses to look at a clock: the caller says what time it is.

use bitcoin::BlockHash;
use bitcoin::block::Header;

use super::chain::{Chain, median_time_past};
use super::difficulty::{is_met, required_bits};
use super::reject::{Reject, RejectKind};
use crate::params::Params;
use crate::sha256d::block_hash;

#[cfg(test)]
mod tests;

/// How far a block's time may be ahead of the clock, in seconds.
pub const MAX_FUTURE_BLOCK_TIME: u64 = 2 * 60 * 60;

/// How far the first block of a difficulty period may lie before its parent, in seconds (BIP94).
pub const MAX_TIMEWARP: u32 = 600;

/// Checks that the header's hash meets the target that it claims: `high-hash`.
pub fn check_proof_of_work(header: &Header, params: &Params) -> Result<(), Reject> {
    check_hash(&block_hash(header), header, params)
}

/// Whether a header's hash meets the target that it claims, and that target is within the network's limit: all that can be
/// said of a header by itself, and what a stranger's headers must pass before anything else is looked at.
pub fn has_valid_proof_of_work(header: &Header, params: &Params) -> bool {
    is_met(&block_hash(header), header.bits.to_consensus(), params)
}

/// The same as [`check_proof_of_work`], for a header whose hash is known.
pub(crate) fn check_hash(hash: &BlockHash, header: &Header, params: &Params) -> Result<(), Reject> {
    match is_met(hash, header.bits.to_consensus(), params) {
        true => Ok(()),
        false => Err(Reject::header("high-hash", "proof of work failed")),
    }
}

/// Checks a header against the chain that ends at its parent; `now` is in seconds since 1970.
///
/// Reasons: `bad-diffbits`, `time-too-old`, `time-timewarp-attack`, `time-too-new` (the only one that may
/// pass later), `bad-version(0x…)`. Proof of work is not looked at.
pub fn check_header(
    header: &Header,
    parent: &impl Chain,
    params: &Params,
    now: u64,
) -> Result<(), Reject> {
    let height = parent.height() + 1;
    let required = required_bits(parent, header.time, params);
    if header.bits.to_consensus() != required {
        let debug = format!(
            "bits are {:08x}, should be {required:08x}",
            header.bits.to_consensus()
        );
        return Err(Reject::header("bad-diffbits", debug));
    }

    let median = median_time_past(parent, parent.height());
    if header.time <= median {
        let debug = format!(
            "time {} is not after the median time past {median}",
            header.time
        );
        return Err(Reject::header("time-too-old", debug));
    }

    if params.enforce_bip94 && height.is_multiple_of(params.difficulty_interval()) {
        let earliest = i64::from(parent.header(parent.height()).time) - i64::from(MAX_TIMEWARP);
        if i64::from(header.time) < earliest {
            let debug = format!(
                "time {} of a period's first block is before {earliest}",
                header.time
            );
            return Err(Reject::header("time-timewarp-attack", debug));
        }
    }

    let latest = now.saturating_add(MAX_FUTURE_BLOCK_TIME);
    if u64::from(header.time) > latest {
        let debug = format!("time {} is after {latest}", header.time);
        return Err(Reject::new(RejectKind::TimeFuture, "time-too-new", debug));
    }

    let version = header.version.to_consensus();
    let outdated = (version < 2 && height >= params.bip34_height)
        || (version < 3 && height >= params.bip66_height)
        || (version < 4 && height >= params.bip65_height);
    if outdated {
        let debug = format!("rejected nVersion=0x{version:08x} block");
        return Err(Reject::header(
            format!("bad-version(0x{version:08x})"),
            debug,
        ));
    }
    Ok(())
}
