//! Owns the lock times of pending transactions: whether the next block may have them (BIP65's absolute ones, BIP68).
//! Promises to read no block again while the blocks that a relative lock counts from stay on the best chain.

use bitcoin::Transaction;
use everett_ledger::World;
use everett_ledger::rules::transaction::is_final;

/// What must have gone by before the next block may have a transaction: both are the last that may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LockPoints {
    height: i64,
    time: i64,
    /// Height of the highest block that a confirmed coin with a lock was made in, or any confirmed coin.
    pub(crate) highest: u32,
}

/// Whether the block after `world` may have the transaction, as far as its own lock time says.
pub(crate) fn is_final_at(tx: &Transaction, world: &World) -> bool {
    is_final(
        tx,
        world.height().saturating_add(1),
        world.median_time_past(),
    )
}

impl LockPoints {
    /// Of a transaction whose inputs spend coins of these heights; `None` is one that is pending and counts as made in
    /// the next block.
    pub(crate) fn of(
        tx: &Transaction,
        heights: impl IntoIterator<Item = Option<u32>>,
        world: &World,
    ) -> LockPoints {
        const DISABLED: u32 = 1 << 31;
        const IN_SECONDS: u32 = 1 << 22;
        const MASK: u32 = 0xffff;
        const GRANULARITY: u32 = 9;
        let mut points = LockPoints {
            height: -1,
            time: -1,
            highest: 0,
        };
        if (tx.version.0 as u32) < 2 {
            return points;
        }
        let next = world.height().saturating_add(1);
        for (input, height) in tx.input.iter().zip(heights) {
            let sequence = input.sequence.0;
            if sequence & DISABLED != 0 {
                continue;
            }
            points.highest = points.highest.max(height.unwrap_or(0));
            let height = height.unwrap_or(next);
            let delay = i64::from(sequence & MASK);
            if sequence & IN_SECONDS == 0 {
                points.height = points.height.max(i64::from(height) + delay - 1);
            } else {
                let from = world
                    .median_time_past_at(height.saturating_sub(1))
                    .unwrap_or(u32::MAX);
                let time = i64::from(from) + (delay << GRANULARITY) - 1;
                points.time = points.time.max(time);
            }
        }
        points
    }

    /// Whether the block after `world` may have it.
    pub(crate) fn pass(&self, world: &World) -> bool {
        self.height < i64::from(world.height()) + 1
            && self.time < i64::from(world.median_time_past())
    }
}
