//! Owns what was read of blocks to know which of their transactions spends a coin: for the questions of one view, each block once.
//! Promises no more entries than the wallet's transactions have inputs, for each of at most [`MAX_BLOCKS`] blocks.

use std::cell::RefCell;
use std::collections::HashMap;

use bitcoin::{BlockHash, OutPoint, Txid};

/// Blocks that are remembered, at most; then it begins anew.
const MAX_BLOCKS: usize = 1_000;

/// Who spends what, by the block.
#[derive(Default)]
pub(crate) struct Spenders(RefCell<HashMap<BlockHash, HashMap<OutPoint, Txid>>>);

impl Spenders {
    /// Which transaction of a block spends a coin, if any; `None` for a block that was not read.
    pub(crate) fn of(&self, outpoint: &OutPoint, block: &BlockHash) -> Option<Option<Txid>> {
        let known = self.0.borrow();
        Some(known.get(block)?.get(outpoint).copied())
    }

    /// Notes what a block spends of what is asked for; says who spends a coin there.
    pub(crate) fn note(
        &self,
        outpoint: &OutPoint,
        block: &BlockHash,
        spent: HashMap<OutPoint, Txid>,
    ) -> Option<Txid> {
        let spender = spent.get(outpoint).copied();
        let mut known = self.0.borrow_mut();
        if known.len() >= MAX_BLOCKS {
            known.clear();
        }
        known.insert(*block, spent);
        spender
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;

    use super::*;

    #[test]
    fn a_block_that_was_read_answers_also_for_coins_that_it_does_not_spend() {
        let spenders = Spenders::default();
        let coin = |vout| OutPoint::new(Txid::from_byte_array([1; 32]), vout);
        let block = BlockHash::from_byte_array([2; 32]);
        let by = Txid::from_byte_array([3; 32]);
        assert_eq!(spenders.of(&coin(0), &block), None, "it is to be read");
        let spent = HashMap::from([(coin(0), by)]);
        assert_eq!(spenders.note(&coin(0), &block, spent), Some(by));
        assert_eq!(spenders.of(&coin(0), &block), Some(Some(by)));
        assert_eq!(spenders.of(&coin(1), &block), Some(None));
        for number in 0..=MAX_BLOCKS as u32 {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_le_bytes());
            let other = BlockHash::from_byte_array(hash);
            spenders.note(&coin(0), &other, HashMap::new());
        }
        assert_eq!(spenders.of(&coin(0), &block), None, "it began anew");
    }
}
