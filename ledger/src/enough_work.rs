//! Owns the measure of work below which a stranger's headers are not worth keeping.
//! Promises Bitcoin Core's threshold. Refuses to apply it: `submit_headers` takes whatever it is given.

use bitcoin::Work;

use crate::ledger::Ledger;
use crate::rules::difficulty::times;

/// How many blocks' work a branch may lag behind the best tip before its headers cost too little.
pub const ANTI_DOS_BLOCKS: u32 = 144;

impl Ledger {
    /// The least work that the network's chain is known to have (Bitcoin Core's `-minimumchainwork`).
    pub fn minimum_chain_work(&self) -> Work {
        self.shared.params.minimum_chain_work
    }

    /// The work of the best chain less that of so many blocks like its tip; all of it at most.
    pub fn work_behind(&self, blocks: u32) -> Work {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        let best = tree.node(worlds.best.id);
        best.chainwork - times(best.header.work(), u64::from(blocks)).min(best.chainwork)
    }

    /// Work that a chain must have before a node keeps its headers: [`Ledger::work_behind`] [`ANTI_DOS_BLOCKS`] blocks,
    /// and [`Ledger::minimum_chain_work`] at least. Bitcoin Core calls it the anti-DoS work threshold: headers below it
    /// are free for who makes them, and each takes memory here for ever.
    pub fn anti_dos_work_threshold(&self) -> Work {
        self.minimum_chain_work()
            .max(self.work_behind(ANTI_DOS_BLOCKS))
    }
}

#[cfg(test)]
mod tests;
