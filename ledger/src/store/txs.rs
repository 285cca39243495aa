//! Owns the rows of tables `txs` and `tx_blocks`: where transactions lie, in every block that is indexed.
//! Promises that a block is marked as indexed by the same commit that brings its rows.
//! Refuses to say which blocks are to be indexed: that is for the engine.
//!
//! - `txs`: txid 32, BlockId u32 -> index in the block u32 | offset in the block u32 | length u32.
//! - `tx_blocks`: BlockId u32 -> nothing.
//!
//! A row of `txs` is not sealed: who follows it finds the transaction with this id, or that the row is damaged.

use bitcoin::Txid;
use bitcoin::hashes::Hash;

use super::StoreError;
use super::codec::Source;
use super::reader::{Reader, Transaction, Writer};
use crate::id::BlockId;

/// Where a transaction lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxRow {
    /// The block that holds it.
    pub block: BlockId,
    /// Its place in the block; 0 is the coinbase.
    pub index: u32,
    /// Its first byte, counted from the block's.
    pub offset: u32,
    /// Bytes of its whole encoding.
    pub length: u32,
}

fn key(txid: &Txid, block: BlockId) -> [u8; 36] {
    let mut key = [0; 36];
    key[..32].copy_from_slice(txid.as_byte_array());
    key[32..].copy_from_slice(&block.0.to_be_bytes());
    key
}

impl<T: Transaction> Reader<'_, T> {
    /// Every indexed block that holds the transaction, in the order of their ids.
    pub fn transaction_rows(&self, txid: &Txid) -> Result<Vec<TxRow>, StoreError> {
        let prefix = txid.as_byte_array();
        let from = std::ops::Bound::Included(prefix.as_slice());
        let rows = self.rows(&self.store.tables.txs, from, prefix, |key, value| {
            let mut block = Source::new(key);
            block.array::<32>()?;
            let mut source = Source::new(value);
            let row = TxRow {
                block: BlockId(u32::from_be_bytes(block.array()?)),
                index: source.u32_le()?,
                offset: source.u32_le()?,
                length: source.u32_le()?,
            };
            source.end()?;
            Ok(row)
        })?;
        rows.collect()
    }

    /// Whether the block's transactions are indexed.
    pub fn is_indexed(&self, block: BlockId) -> Result<bool, StoreError> {
        let key = block.0.to_be_bytes();
        let found = self.get(&self.store.tables.tx_blocks, &key, |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// How many blocks are indexed.
    pub fn indexed_blocks(&self) -> Result<u64, StoreError> {
        self.count(&self.store.tables.tx_blocks)
    }
}

impl Writer<'_> {
    /// Indexes a block's transactions: each with its row.
    pub fn put_transactions(
        &mut self,
        block: BlockId,
        transactions: impl Iterator<Item = (Txid, TxRow)>,
    ) -> Result<(), StoreError> {
        let tables = self.store.tables;
        for (txid, row) in transactions {
            let mut value = [0; 12];
            value[..4].copy_from_slice(&row.index.to_le_bytes());
            value[4..8].copy_from_slice(&row.offset.to_le_bytes());
            value[8..].copy_from_slice(&row.length.to_le_bytes());
            self.put(&tables.txs, &key(&txid, block), &value)?;
        }
        self.put(&tables.tx_blocks, &block.0.to_be_bytes(), &[])
    }
}
