//! Owns the question what a block spent, at any depth, and which block of a world spent a coin.
//! Promises the coins as they were, from the journal above the base and from the undo rows below it.
//! Refuses to guess for a block that was never connected, and to read chains for who spent what.

use bitcoin::{BlockHash, OutPoint};

use crate::coin::Coin;
use crate::error::BlockError;
use crate::ledger::Ledger;
use crate::overlay::OtherSpend;
use crate::world::World;

impl World {
    /// The block of this world's chain that spent the coin `outpoint`. `None` if none did, and where it lies at the base or
    /// below it: only blocks above the base are known by what they spent.
    pub fn spent_in(&self, outpoint: &OutPoint) -> Option<BlockHash> {
        let mut spends: Vec<OtherSpend> = Vec::new();
        self.shared.overlay.coins.spends(outpoint, &mut spends);
        let on_chain = |spend: &&OtherSpend| self.state.path.holds(spend.height, spend.block);
        // The same coin may be made twice (BIP30's exceptions): the last spend is meant.
        let last = spends
            .iter()
            .filter(on_chain)
            .max_by_key(|spend| spend.height)?;
        Some(self.shared.hash(last.block))
    }
}

impl Ledger {
    /// The coins of earlier blocks that a block spent, in the order of its inputs; what it spends of its own outputs is
    /// not among them. `None` if the block was never connected to its parent's world, or its branch was dropped.
    ///
    /// # Errors
    ///
    /// [`BlockError::Unknown`], and what the disk does.
    pub fn coins_spent_by(
        &self,
        hash: &BlockHash,
    ) -> Result<Option<Vec<(OutPoint, Coin)>>, BlockError> {
        let (id, height) = {
            let tree = self.shared.tree.read();
            let id = tree
                .find_committed(hash)
                .ok_or(BlockError::Unknown { hash: *hash })?;
            (id, tree.committed_node(id).height)
        };
        // One transaction for both tables: a checkpoint moves rows from one to the other.
        let reader = self.shared.store.read()?;
        if let Some(delta) = reader.delta(height, id)? {
            return Ok(Some(delta.spent));
        }
        Ok(reader.undo(id)?)
    }
}

#[cfg(test)]
mod tests;
