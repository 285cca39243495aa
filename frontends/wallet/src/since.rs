//! Owns the question from which block on a key of some age can have been paid.
//! Promises an answer that holds in every live world.

use everett_ledger::{Ledger, World};

/// Seconds that a block's time may be wrong by: blocks so much older than a key are looked into too, as in Bitcoin Core.
const TIMESTAMP_WINDOW: u64 = 2 * 60 * 60;

/// The first height from which a key of this time, in seconds since 1970, could have been paid, over all live worlds; the one
/// behind the tips if it is younger than all blocks. Costs a look at the header of each block below that.
pub fn first_block_since(ledger: &Ledger, timestamp: u64) -> u32 {
    let time = timestamp.saturating_sub(TIMESTAMP_WINDOW);
    let best = ledger.best();
    let mut first = first_in(ledger, &best, 0, time);
    for tip in ledger.validated_tips() {
        let Ok(world) = ledger.world(&tip.hash) else {
            continue;
        };
        let fork = ledger.compare(&best, &world).fork_height;
        if first > fork {
            first = first.min(first_in(ledger, &world, fork + 1, time));
        }
    }
    first
}

/// The first block of a world, from a height on, that is not older than a time; the one behind the tip if all are.
fn first_in(ledger: &Ledger, world: &World, from: u32, time: u64) -> u32 {
    let young = |height: &u32| {
        let hash = world.block_hash_at(*height);
        let info = hash.and_then(|hash| ledger.block_info(&hash));
        info.is_none_or(|info| u64::from(info.header.time) >= time)
    };
    let mut heights = from..=world.height();
    heights.find(young).unwrap_or(world.height() + 1)
}
