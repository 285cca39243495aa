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

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;
    use bitcoin::{OutPoint, ScriptBuf, Sequence, TxIn, Txid, Witness, absolute, transaction};
    use everett_lab::Lab;

    use super::*;

    fn with_sequences(version: i32, sequences: &[u32]) -> Transaction {
        let input = |sequence: &u32| TxIn {
            previous_output: OutPoint::new(Txid::all_zeros(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence(*sequence),
            witness: Witness::new(),
        };
        Transaction {
            version: transaction::Version(version),
            lock_time: absolute::LockTime::ZERO,
            input: sequences.iter().map(input).collect(),
            output: Vec::new(),
        }
    }

    #[test]
    fn relative_locks_count_from_the_block_of_each_coin() {
        let lab = Lab::new(1);
        let world = lab.grow(0, 20).unwrap();
        let passes = |version, sequences: &[u32], heights: &[Option<u32>]| {
            let tx = with_sequences(version, sequences);
            LockPoints::of(&tx, heights.iter().copied(), &world).pass(&world)
        };
        // The next block is 21: a coin of block 18 is three blocks old in it.
        assert!(passes(2, &[3], &[Some(18)]));
        assert!(!passes(2, &[4], &[Some(18)]));
        assert!(passes(1, &[4], &[Some(18)]), "version 1 has no such locks");
        assert!(
            passes(2, &[1 << 31 | 4], &[Some(18)]),
            "nor has a sequence that says so"
        );
        assert!(
            passes(2, &[0], &[None]),
            "what is pending counts as in the next block"
        );
        assert!(!passes(2, &[1], &[None]));
        assert!(!passes(2, &[0, 4], &[None, Some(18)]), "each input counts");
        assert!(passes(2, &[1 << 22], &[Some(18)]));
        assert!(!passes(2, &[1 << 22 | 0xffff], &[Some(18)]));
        let tx = with_sequences(2, &[0, 1 << 31, 0]);
        let points = LockPoints::of(&tx, [Some(5), Some(19), None], &world);
        assert_eq!(points.highest, 5, "what has no lock does not matter");
    }
}
