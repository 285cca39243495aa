//! Owns the questions to the transaction index: which blocks hold a transaction, on any branch.
//! Promises an answer from one short read, also while the index is being built, and says how far that is.
//! Refuses to guess: without an index there is none.

use std::sync::atomic::Ordering;

use bitcoin::{BlockHash, Transaction, Txid};

use crate::chain_status::ChainStatus;
use crate::decode::decode_transaction;
use crate::error::BlockError;
use crate::id::BlockId;
use crate::ledger::Ledger;
use crate::store::{StoreError, TxRow};
use crate::transaction::FoundTransaction;
use crate::urgency::Urgency;
use crate::world::World;

/// A block that holds a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransactionPlace {
    /// The block.
    pub block: BlockHash,
    /// Its height.
    pub height: u32,
    /// The transaction's place in it; 0 is the coinbase.
    pub index: u32,
    /// What is known of the block: the transaction is confirmed there only where that is a valid one.
    pub status: ChainStatus,
}

/// How far the transaction index is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxIndexProgress {
    /// Blocks that are indexed.
    pub indexed: u64,
    /// Blocks that are stored.
    pub stored: u64,
    /// Whether every stored block is indexed, and every new one will be.
    pub complete: bool,
}

impl Ledger {
    /// How far the transaction index is; `None` if the ledger was opened without
    /// ([`LedgerConfig::tx_index`](crate::LedgerConfig::tx_index)). Counts all blocks: for people, not for loops.
    pub fn tx_index(&self) -> Result<Option<TxIndexProgress>, StoreError> {
        let Some(complete) = self.tx_index_complete() else {
            return Ok(None);
        };
        let indexed = self.shared.store.read()?.indexed_blocks()?;
        let stored = self.shared.tree.read().stored_blocks();
        Ok(Some(TxIndexProgress {
            indexed,
            stored: stored.max(indexed),
            complete,
        }))
    }

    /// Whether every stored block is in the transaction index, and every new one will be; `None` if the ledger was opened
    /// without.
    pub fn tx_index_complete(&self) -> Option<bool> {
        let complete = self.shared.tx_index.as_ref()?;
        Some(complete.load(Ordering::Acquire))
    }

    /// Indexes some of the blocks that were stored while there was no index, in one commit; says whether none is left.
    /// Waits behind blocks. Whoever opened the ledger calls it until it says so.
    pub fn build_tx_index(&self) -> Result<bool, StoreError> {
        self.engine.wait(|| Urgency::Side).index_some()
    }

    /// Every block that holds the transaction, on any branch, as far as the index is built; in the order in which
    /// their headers came. `None` without an index.
    pub fn transaction_places(
        &self,
        txid: &Txid,
    ) -> Result<Option<Vec<TransactionPlace>>, StoreError> {
        Ok(self.places(txid)?.map(|places| {
            let of = |(place, _): (TransactionPlace, TxRow)| place;
            places.into_iter().map(of).collect()
        }))
    }

    /// The blocks that hold the transaction, as far as the index is built: the one of the best chain last, before it the
    /// one that left that chain last since the ledger was opened, and first those that did not, in the order in which
    /// their headers came. Bitcoin Core's index keeps the last of these.
    pub(crate) fn holders(&self, txid: &Txid) -> Result<Vec<BlockHash>, StoreError> {
        let places = self.places(txid)?.unwrap_or_default();
        let tree = self.shared.tree.read();
        let when = |(place, row): &(TransactionPlace, TxRow)| {
            let best = place.status == ChainStatus::Active;
            (best, tree.left_best(row.block))
        };
        let mut holders: Vec<_> = places
            .iter()
            .map(|held| (when(held), held.0.block))
            .collect();
        // A stable sort keeps the order of arrival among equals.
        holders.sort_by_key(|(when, _)| *when);
        Ok(holders.into_iter().map(|(_, block)| block).collect())
    }

    fn places(&self, txid: &Txid) -> Result<Option<Vec<(TransactionPlace, TxRow)>>, StoreError> {
        if self.shared.tx_index.is_none() {
            return Ok(None);
        }
        let rows = self.shared.store.read()?.transaction_rows(txid)?;
        let best = self.shared.best();
        let tree = self.shared.tree.read();
        // A commit can be there before the tree shows its blocks.
        let known = tree.ids().len();
        let rows = rows
            .into_iter()
            .filter(|row| (row.block.0 as usize) < known);
        let place = |row: TxRow| {
            let node = tree.committed_node(row.block);
            let place = TransactionPlace {
                block: node.hash,
                height: node.height,
                index: row.index,
                status: ChainStatus::of(node, row.block, &best.path),
            };
            (place, row)
        };
        Ok(Some(rows.map(place).collect()))
    }

    /// The transaction as the index has it on `world`'s chain. `None` without an index, or if the world's chain does
    /// not hold it as far as the index knows.
    pub(crate) fn indexed_transaction(
        &self,
        world: &World,
        txid: &Txid,
    ) -> Result<Option<FoundTransaction>, BlockError> {
        let places = self.places(txid)?.unwrap_or_default();
        let held = |(place, row): &&(TransactionPlace, TxRow)| {
            world.state.path.holds(place.height, row.block)
        };
        let Some((place, row)) = places.iter().find(held) else {
            return Ok(None);
        };
        Ok(Some(FoundTransaction {
            transaction: self.read_transaction(txid, row)?,
            block: place.block,
            height: place.height,
            index: place.index as usize,
        }))
    }

    /// Reads one transaction, without the rest of its block.
    fn read_transaction(&self, txid: &Txid, row: &TxRow) -> Result<Transaction, BlockError> {
        let (_, position) = self.position(row.block);
        let position = position.ok_or_else(|| self.no_bytes(row.block))?;
        let store = &self.shared.store;
        let bytes = store.read_part(position, row.offset, row.length)?;
        match decode_transaction(&bytes) {
            Ok((found, _)) if found.txid == *txid => Ok(found.tx),
            _ => {
                let (at, index) = (row.offset, row.index);
                let detail = format!("transaction {txid} ({index}) is not {at} bytes into it");
                Err(store.damaged_block(position, detail).into())
            }
        }
    }

    pub(crate) fn position(&self, id: BlockId) -> (BlockHash, Option<crate::store::BlockPosition>) {
        let tree = self.shared.tree.read();
        let node = tree.committed_node(id);
        (node.hash, node.position)
    }
}

#[cfg(test)]
mod tests;
