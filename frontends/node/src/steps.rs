//! Owns how a change of the best chain divides into steps, each of which ends with a best block that Core tells of.
//! Promises Core's steps: blocks go together until there is more work than before, then one by one.

use bitcoin::{BlockHash, Work};
use everett_ledger::{ChainStatus, Ledger};

/// A change of the best chain, as Core goes through it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Steps {
    /// The block down to which the chain was taken back by hand (`invalidateblock`), if it was: for the time being it is the
    /// best one.
    pub back_to: Option<BlockHash>,
    /// The blocks put on, lowest first, up to each one that is told as a new best block.
    pub applied: Vec<Vec<BlockHash>>,
}

impl Steps {
    /// Those of a change that took back `undone`, highest first, and put on `applied`, lowest first; what the ledger does not
    /// know goes one by one. Some reads of the block tree, in memory, for each block.
    pub fn new(ledger: &Ledger, undone: &[BlockHash], applied: &[BlockHash]) -> Steps {
        let info = |hash: &BlockHash| ledger.block_info(hash);
        let lowest = undone.last().and_then(info);
        let by_hand = lowest.filter(|lowest| lowest.status == ChainStatus::Invalid);
        let highest = undone.first().filter(|_| by_hand.is_none()).and_then(info);
        let before: Option<Work> = highest.map(|highest| highest.chainwork);
        let mut steps: Vec<Vec<BlockHash>> = Vec::new();
        let mut open = false;
        for hash in applied {
            match steps.last_mut().filter(|_| open) {
                Some(step) => step.push(*hash),
                None => steps.push(vec![*hash]),
            }
            let work = info(hash).map(|info| info.chainwork);
            open = before
                .zip(work)
                .is_some_and(|(before, work)| work <= before);
        }
        Steps {
            back_to: by_hand.map(|lowest| lowest.header.prev_blockhash),
            applied: steps,
        }
    }
}
