//! Owns transactions of a wallet's file: reading, and the one step that writes.
//! Promises that a step is on the disk whole or not at all, and that a row which was changed behind our back is found out.
//! Refuses to know what rows mean.
//!
//! In the file a value is `value | CRC-32 of (table's name, key, value) u32`.

use std::path::Path;

use heed::{RoTxn, RwTxn, WithoutTls};
use zeroize::Zeroizing;

use super::environment::{AllRows, explain};
use super::error::FileError;
use super::tables::Table;

const CHECKSUM_LENGTH: usize = 4;

/// A value with its checksum. It may be a secret that no passphrase seals, so its copy does not outlast its use.
pub(super) fn seal(table: Table, key: &[u8], value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut sealed = Zeroizing::new(Vec::with_capacity(value.len() + CHECKSUM_LENGTH));
    sealed.extend_from_slice(value);
    sealed.extend_from_slice(&checksum(table, key, value).to_le_bytes());
    sealed
}

fn checksum(table: Table, key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(table.name().as_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

fn unseal<'v>(
    directory: &Path,
    table: Table,
    key: &[u8],
    sealed: &'v [u8],
) -> Result<&'v [u8], FileError> {
    let split = sealed.split_last_chunk::<CHECKSUM_LENGTH>();
    match split {
        Some((value, sum)) if u32::from_le_bytes(*sum) == checksum(table, key, value) => Ok(value),
        _ => Err(FileError::damaged_row(
            directory,
            table,
            key,
            "its checksum does not match",
        )),
    }
}

fn get<'t>(
    directory: &Path,
    rows: &AllRows,
    transaction: &'t RoTxn<'_>,
    table: Table,
    key: &[u8],
) -> Result<Option<&'t [u8]>, FileError> {
    rows[table as usize]
        .get(transaction, key)
        .map_err(|error| explain(directory, error))?
        .map(|sealed| unseal(directory, table, key, sealed))
        .transpose()
}

/// What the file has at one moment.
pub struct Reading<'f> {
    pub(super) directory: &'f Path,
    pub(super) rows: &'f AllRows,
    pub(super) transaction: RoTxn<'f, WithoutTls>,
}

impl Reading<'_> {
    /// The value at a key.
    ///
    /// # Errors
    ///
    /// [`FileError::DamagedRow`] where its checksum does not match; errors of LMDB.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, FileError> {
        get(self.directory, self.rows, &self.transaction, table, key)
    }

    /// Hands out every row of a table, in the order of the keys' bytes.
    ///
    /// # Errors
    ///
    /// As [`Reading::get`], and what `each` returns.
    pub fn each<E: From<FileError>>(
        &self,
        table: Table,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error| E::from(explain(self.directory, error));
        let rows = self.rows[table as usize]
            .iter(&self.transaction)
            .map_err(failed)?;
        for row in rows {
            let (key, sealed) = row.map_err(failed)?;
            each(key, unseal(self.directory, table, key, sealed)?)?;
        }
        Ok(())
    }

    /// How many rows a table has.
    pub fn count(&self, table: Table) -> Result<u64, FileError> {
        self.rows[table as usize]
            .len(&self.transaction)
            .map_err(|error| explain(self.directory, error))
    }

    /// The error for a row of this file that is not what it should be.
    pub fn damaged(&self, table: Table, key: &[u8], detail: impl Into<String>) -> FileError {
        FileError::damaged_row(self.directory, table, key, detail)
    }
}

/// All effects of one step, until it is committed; see [`WalletFile::write`](super::WalletFile::write).
pub struct Step<'f> {
    pub(super) directory: &'f Path,
    pub(super) rows: &'f AllRows,
    pub(super) transaction: RwTxn<'f>,
}

impl Step<'_> {
    /// Puts a row, in place of one with the same key. Keys have 1 to 511 bytes.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), FileError> {
        let sealed = seal(table, key, value);
        self.rows[table as usize]
            .put(&mut self.transaction, key, &sealed)
            .map_err(|error| explain(self.directory, error))
    }

    /// Deletes a row; says whether there was one.
    pub fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, FileError> {
        self.rows[table as usize]
            .delete(&mut self.transaction, key)
            .map_err(|error| explain(self.directory, error))
    }

    /// Deletes every row of a table.
    pub fn clear(&mut self, table: Table) -> Result<(), FileError> {
        self.rows[table as usize]
            .clear(&mut self.transaction)
            .map_err(|error| explain(self.directory, error))
    }

    /// The value at a key, as this step left it.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, FileError> {
        get(self.directory, self.rows, &self.transaction, table, key)
    }
}
