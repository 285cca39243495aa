//! Owns what is counted of compact blocks: where their transactions came from.
//! Promises sums since the start. Refuses to know the blocks.

use std::sync::Arc;

use bitcoin::Wtxid;
use everett_ledger::decode::DecodedTransaction;

use crate::compact::{Candidate, PartialBlock};
use crate::recent_transactions::RecentTransaction;

/// A transaction that a block may have, and where it lies.
pub(super) enum AtHand<'a> {
    /// In the mempool.
    Pending(&'a Arc<DecodedTransaction>),
    /// Beside it.
    Aside(&'a RecentTransaction),
}

impl Candidate for AtHand<'_> {
    fn wtxid(&self) -> Wtxid {
        match self {
            AtHand::Pending(tx) => tx.wtxid,
            AtHand::Aside(tx) => tx.wtxid,
        }
    }

    fn transaction(&self) -> RecentTransaction {
        match self {
            AtHand::Pending(tx) => RecentTransaction::from(&***tx),
            AtHand::Aside(tx) => (*tx).clone(),
        }
    }
}

/// Where the transactions of compact blocks came from, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CompactFigures {
    /// Compact blocks that were looked through.
    pub blocks: u64,
    /// Of these, those that had to have no transaction asked for.
    pub complete: u64,
    /// Transactions that came with them.
    pub prefilled: u64,
    /// Transactions that the mempool had.
    pub from_mempool: u64,
    /// Transactions that had been refused, replaced, or seen in a rival block.
    pub from_aside: u64,
    /// Transactions that were missing.
    pub missing: u64,
}

impl CompactFigures {
    /// A block was looked through.
    pub(super) fn began(
        &mut self,
        partial: &PartialBlock,
        prefilled: usize,
        pending: impl Fn(&Wtxid) -> bool,
    ) {
        let missing = partial.missing().count() as u64;
        let found = partial.found().filter(|tx| pending(&tx.wtxid)).count() as u64;
        self.blocks += 1;
        self.complete += u64::from(missing == 0);
        self.prefilled += prefilled as u64;
        self.from_mempool += found;
        self.from_aside +=
            (partial.transactions() as u64).saturating_sub(missing + found + prefilled as u64);
        self.missing += missing;
    }
}
