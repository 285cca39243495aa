//! Owns the rows of tables `journal` and `undo`: what each block did to the UTXO set.
//! Promises that a delta comes back coin for coin in the order in which it was put.
//! Refuses, as damaged, a row whose checksum is wrong: no world is ever built on it.
//!
//! - `journal`, the blocks above the base, every branch: height (u32 big-endian) | BlockId (u32
//!   big-endian) -> sealed: spent coins | created coins.
//! - `undo`, the blocks at or below the base: BlockId (u32 big-endian) -> sealed: spent coins. What
//!   they created is in their bytes.

use bitcoin::OutPoint;
use rayon::prelude::*;

use super::StoreError;
use super::codec::{Malformed, Source, put_coins, read_coins, seal, unseal, unsealed};
use super::reader::{Reader, Transaction, Writer};
use crate::coin::Coin;
use crate::delta::Delta;
use crate::id::BlockId;

/// A row of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalRow {
    /// The block's height.
    pub height: u32,
    /// The block.
    pub block: BlockId,
    /// What it did.
    pub delta: Delta,
}

fn journal_key(height: u32, block: BlockId) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&height.to_be_bytes());
    key[4..].copy_from_slice(&block.0.to_be_bytes());
    key
}

fn undo_key(block: BlockId) -> [u8; 4] {
    block.0.to_be_bytes()
}

fn write_delta(key: &[u8], delta: &Delta) -> Vec<u8> {
    let mut row = unsealed();
    put_coins(&mut row, &delta.spent);
    put_coins(&mut row, &delta.created);
    seal(key, row)
}

fn read_delta(key: &[u8], sealed: &[u8]) -> Result<Delta, Malformed> {
    let mut source = unseal(key, sealed)?;
    let spent = read_coins(&mut source)?;
    let created = read_coins(&mut source)?;
    source.end()?;
    Ok(Delta { spent, created })
}

fn read_undo(key: &[u8], sealed: &[u8]) -> Result<Vec<(OutPoint, Coin)>, Malformed> {
    let mut source = unseal(key, sealed)?;
    let spent = read_coins(&mut source)?;
    source.end()?;
    Ok(spent)
}

impl<T: Transaction> Reader<'_, T> {
    /// The deltas of all blocks above the base, lowest height first, then by id.
    pub fn journal(
        &self,
    ) -> Result<impl Iterator<Item = Result<JournalRow, StoreError>>, StoreError> {
        self.all_rows(&self.store.tables.journal, |key, value| {
            let delta = read_delta(key, value)?;
            let mut source = Source::new(key);
            let height = u32::from_be_bytes(source.array()?);
            let block = BlockId(u32::from_be_bytes(source.array()?));
            Ok(JournalRow {
                height,
                block,
                delta,
            })
        })
    }

    /// Bytes that the journal takes.
    pub fn journal_bytes(&self) -> Result<u64, StoreError> {
        self.bytes(&self.store.tables.journal)
    }

    /// One block's delta, if it is in the journal.
    pub fn delta(&self, height: u32, block: BlockId) -> Result<Option<Delta>, StoreError> {
        let key = journal_key(height, block);
        let read = |value| read_delta(&key, value);
        self.get(&self.store.tables.journal, &key, read)
    }

    /// The deltas of many blocks, each with its height, in their order; `None` for one that is not in the journal. Read
    /// on all threads.
    pub fn deltas(&self, blocks: &[(u32, BlockId)]) -> Result<Vec<Option<Delta>>, StoreError> {
        let table = &self.store.tables.journal;
        let mut rows = Vec::with_capacity(blocks.len());
        for (height, block) in blocks {
            let key = journal_key(*height, *block);
            let row = self.get(table, &key, Ok::<&[u8], Malformed>)?;
            rows.push(row.map(|row| (key, row)));
        }
        let store = self.store;
        let read = |(key, row): ([u8; 8], &[u8])| {
            read_delta(&key, row).map_err(|why| store.damaged_row(table.name, &key, why))
        };
        rows.into_par_iter()
            .map(|row| row.map(read).transpose())
            .collect()
    }

    /// The coins that a block at or below the base spent, in the order in which they were put.
    pub fn undo(&self, block: BlockId) -> Result<Option<Vec<(OutPoint, Coin)>>, StoreError> {
        let key = undo_key(block);
        let read = |value| read_undo(&key, value);
        self.get(&self.store.tables.undo, &key, read)
    }
}

impl Writer<'_> {
    /// Puts a block's delta into the journal.
    pub fn put_delta(
        &mut self,
        height: u32,
        block: BlockId,
        delta: &Delta,
    ) -> Result<(), StoreError> {
        let store = self.store;
        let key = journal_key(height, block);
        self.put(&store.tables.journal, &key, &write_delta(&key, delta))
    }

    /// Takes a block's delta out of the journal; returns whether it was there.
    pub fn delete_delta(&mut self, height: u32, block: BlockId) -> Result<bool, StoreError> {
        let store = self.store;
        self.delete(&store.tables.journal, &journal_key(height, block))
    }

    /// Keeps the coins that a block spent, for when the base moves above it.
    pub fn put_undo(
        &mut self,
        block: BlockId,
        spent: &[(OutPoint, Coin)],
    ) -> Result<(), StoreError> {
        let store = self.store;
        let key = undo_key(block);
        let mut row = unsealed();
        put_coins(&mut row, spent);
        self.put(&store.tables.undo, &key, &seal(&key, row))
    }

    /// Forgets the coins that a block spent; returns whether they were there.
    pub fn delete_undo(&mut self, block: BlockId) -> Result<bool, StoreError> {
        let store = self.store;
        self.delete(&store.tables.undo, &undo_key(block))
    }
}

#[cfg(test)]
mod tests;
