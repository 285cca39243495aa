//! Owns the counts of compact blocks on the page of figures.
//! Promises that they follow the protocol's own. Refuses to count by itself.

use everett_node::meters::{Counter, Described, Meters};

use crate::protocol::CompactFigures;

const BLOCKS: Described = Described {
    name: "everett_compact_blocks_total",
    help: "Compact blocks that were looked through, by whether transactions had to be asked for.",
};
const TRANSACTIONS: Described = Described {
    name: "everett_compact_transactions_total",
    help: "Transactions of compact blocks, by where they came from.",
};

/// The counters, and what they were last set to.
pub(crate) struct CompactMeters {
    counters: [Counter; 6],
    seen: CompactFigures,
}

impl CompactMeters {
    pub(crate) fn new(meters: &Meters) -> CompactMeters {
        let blocks = |complete| meters.counter(BLOCKS, &[("complete", complete)]);
        let transactions = |from| meters.counter(TRANSACTIONS, &[("from", from)]);
        CompactMeters {
            counters: [
                blocks("yes"),
                blocks("no"),
                transactions("block"),
                transactions("mempool"),
                transactions("aside"),
                transactions("peer"),
            ],
            seen: CompactFigures::default(),
        }
    }

    /// Counts what has come since the last time.
    pub(crate) fn update(&mut self, now: CompactFigures) {
        let of = |figures: &CompactFigures| {
            [
                figures.complete,
                figures.blocks - figures.complete,
                figures.prefilled,
                figures.from_mempool,
                figures.from_aside,
                figures.missing,
            ]
        };
        let before = of(&self.seen);
        for ((counter, now), before) in self.counters.iter().zip(of(&now)).zip(before) {
            counter.add(now.saturating_sub(before));
        }
        self.seen = now;
    }
}
