//! Owns from when on a block may have a transaction, as far as its lock times say: its own (BIP65, BIP113) and those of its inputs
//! (BIP68).
//! Promises the first block and the first time that will do, in the world that is asked.

use bitcoin::{Sequence, Transaction};
use everett_ledger::World;

/// Lock times below this are heights, those from it on unix seconds.
const TIME_THRESHOLD: u32 = 500_000_000;
/// An input's lock time in seconds counts in steps of two to this power.
const GRANULARITY: u32 = 9;

/// What a block must be to have something. Both have to hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimeLock {
    /// The least height of the block; `None` for any.
    pub height: Option<u32>,
    /// The least median time past of the block before it, in unix seconds; `None` for any.
    pub time: Option<u32>,
}

impl TimeLock {
    /// Of a transaction as a whole.
    pub(crate) fn of_transaction(tx: &Transaction) -> TimeLock {
        let lock_time = tx.lock_time.to_consensus_u32();
        let counts = tx.input.iter().any(|input| input.sequence != Sequence::MAX);
        // The lock time itself is the last that may not: the first is the next one.
        let first = Some(lock_time.saturating_add(1)).filter(|_| counts && lock_time > 0);
        match lock_time < TIME_THRESHOLD {
            true => TimeLock {
                height: first,
                time: None,
            },
            false => TimeLock {
                height: None,
                time: first,
            },
        }
    }

    /// Of an input whose coin a block of this height made in a world; a coin that waits counts as made by the next one.
    pub(crate) fn of_input(
        tx: &Transaction,
        sequence: Sequence,
        made: u32,
        world: &World,
    ) -> TimeLock {
        const DISABLED: u32 = 1 << 31;
        const IN_SECONDS: u32 = 1 << 22;
        const MASK: u32 = 0xffff;
        let sequence = sequence.to_consensus_u32();
        // The version is compared as an unsigned number.
        if (tx.version.0 as u32) < 2 || sequence & DISABLED != 0 || sequence & MASK == 0 {
            return TimeLock::default();
        }
        let delay = sequence & MASK;
        if sequence & IN_SECONDS == 0 {
            return TimeLock {
                height: Some(made.saturating_add(delay)),
                time: None,
            };
        }
        let before = world.median_time_past_at(made.saturating_sub(1));
        TimeLock {
            height: None,
            // What is above the world has no time yet.
            time: Some(
                before
                    .unwrap_or(u32::MAX)
                    .saturating_add(delay << GRANULARITY),
            ),
        }
    }

    /// Both.
    pub(crate) fn and(self, other: TimeLock) -> TimeLock {
        TimeLock {
            height: self.height.max(other.height),
            time: self.time.max(other.time),
        }
    }

    /// Whether the block after a world may have it.
    pub(crate) fn has_passed(self, world: &World) -> bool {
        let next = world.height().saturating_add(1);
        self.height.is_none_or(|height| next >= height)
            && (self.time).is_none_or(|time| world.median_time_past() >= time)
    }
}
