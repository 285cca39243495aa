//! Owns the search for a nonce.
//! Promises to begin where the header stands, as Bitcoin Core does, so that the same header gets the same nonce.
//! Refuses targets that would take real mining hardware, unless it is told how often to try.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::{Hash, HashEngine, sha256};

use crate::error::MineError;

#[cfg(test)]
mod tests;

/// The most hashes a block may be expected to take. Signet's easiest target takes about 2^22.
pub const MAX_EXPECTED_HASHES: f64 = (1u64 << 24) as f64;

/// How often it is asked whether to go on, in hashes.
const ASK_EVERY: u32 = 1 << 16;

/// How a search ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Search {
    /// The header meets its target.
    Found,
    /// It was tried as often as allowed, or there was no reason to go on.
    GivenUp,
    /// No nonce fits.
    NoNonce,
}

/// Counts the nonce up until the header meets its target, and `tries` down with it: Bitcoin Core's loop, which also gives
/// up where the last allowed try was the right one. Stops soon after `go_on` says no.
pub fn search(header: &mut Header, tries: &mut u64, go_on: &dyn Fn() -> bool) -> Search {
    let target = header.target();
    // The nonce stands in the last 16 of 80 bytes: what the hash makes of the first 64 is the same for all of them.
    let bytes = serialize(header);
    let (same, last) = bytes.split_at(sha256::HashEngine::BLOCK_SIZE);
    let (between, _) = last.split_at(last.len() - size_of::<u32>());
    let mut start = sha256::Hash::engine();
    start.input(same);
    start.input(between);
    let is_met = |nonce: u32| {
        let mut engine = start.clone();
        engine.input(&nonce.to_le_bytes());
        let once = sha256::Hash::from_engine(engine);
        let twice = sha256::Hash::hash(once.as_byte_array());
        target.is_met_by(BlockHash::from_byte_array(twice.to_byte_array()))
    };
    while *tries > 0 && header.nonce < u32::MAX && !is_met(header.nonce) {
        header.nonce += 1;
        *tries -= 1;
        if header.nonce.is_multiple_of(ASK_EVERY) && !go_on() {
            return Search::GivenUp;
        }
    }
    match (*tries, header.nonce) {
        (0, _) => Search::GivenUp,
        (_, u32::MAX) => Search::NoNonce,
        _ => Search::Found,
    }
}

/// Counts the nonce up until the header meets its target.
pub(crate) fn solve(header: &mut Header) -> Result<(), MineError> {
    let parent = header.prev_blockhash;
    let expected = header.target().difficulty_float() * 4_295_032_833.0;
    if expected > MAX_EXPECTED_HASHES {
        return Err(MineError::TooHard {
            parent,
            expected,
            limit: MAX_EXPECTED_HASHES,
        });
    }
    match search(header, &mut u64::MAX.clone(), &|| true) {
        Search::Found => Ok(()),
        // With the limit above, running out is a matter of e^-256.
        Search::GivenUp | Search::NoNonce => Err(MineError::NoNonce { parent }),
    }
}
