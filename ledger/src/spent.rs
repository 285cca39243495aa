//! Owns the question what a block spent, at any depth.
//! Promises the coins as they were, from the journal above the base and from the undo rows below it.
//! Refuses to guess for a block that was never connected.

use bitcoin::{BlockHash, OutPoint};

use crate::coin::Coin;
use crate::error::BlockError;
use crate::ledger::Ledger;

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
