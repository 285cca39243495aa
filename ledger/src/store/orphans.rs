//! Owns the rows of table `orphans`: blocks whose parent is not known.
//! Promises that they outlive a restart.
//! Refuses nothing: how many are kept is for the engine to say.
//!
//! Key: block hash 32. Value, sealed: previous block's hash 32 | position 12.

use bitcoin::BlockHash;

use super::StoreError;
use super::blocks::BlockPosition;
use super::codec::{Malformed, Source, seal, unseal, unsealed};
use super::reader::{Reader, Transaction, Writer};

/// A block whose parent is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrphanRow {
    /// Its hash.
    pub hash: BlockHash,
    /// The parent that it waits for.
    pub previous: BlockHash,
    /// Where its bytes are.
    pub position: BlockPosition,
}

impl OrphanRow {
    fn write(&self) -> Vec<u8> {
        let mut row = unsealed();
        row.extend_from_slice(self.previous.as_ref());
        self.position.write(&mut row);
        seal(self.hash.as_ref(), row)
    }

    fn read(key: &[u8], sealed: &[u8]) -> Result<OrphanRow, Malformed> {
        let mut source = unseal(key, sealed)?;
        let hash = Source::new(key).block_hash()?;
        let previous = source.block_hash()?;
        let position = BlockPosition::read(&mut source)?;
        source.end()?;
        Ok(OrphanRow {
            hash,
            previous,
            position,
        })
    }
}

impl<T: Transaction> Reader<'_, T> {
    /// All orphans, in the order of their hashes' bytes.
    pub fn orphans(
        &self,
    ) -> Result<impl Iterator<Item = Result<OrphanRow, StoreError>>, StoreError> {
        self.all_rows(&self.store.tables.orphans, OrphanRow::read)
    }
}

impl Writer<'_> {
    /// Puts or replaces an orphan.
    pub fn put_orphan(&mut self, orphan: &OrphanRow) -> Result<(), StoreError> {
        let store = self.store;
        self.put(&store.tables.orphans, orphan.hash.as_ref(), &orphan.write())
    }

    /// Forgets an orphan; returns whether it was there.
    pub fn delete_orphan(&mut self, hash: &BlockHash) -> Result<bool, StoreError> {
        let store = self.store;
        self.delete(&store.tables.orphans, hash.as_ref())
    }
}
