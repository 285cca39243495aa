//! Owns the two places where tables can be: LMDB's file, or memory.
//! Promises that both read and write the same: what a table holds does not depend on where it is.
//! Refuses to know rows: it is bytes to bytes here.

use std::ops::Bound;
use std::sync::Arc;

use heed::types::Bytes;
use heed::{MdbError, PutFlags, RoRange, RoTxn, RwTxn, WithoutTls};

use super::StoreError;
use super::lmdb::Lmdb;
use super::memory::{Maps, MapsRange, Memory};
use super::tables::Table;

/// The tables.
pub(super) enum Database {
    Lmdb(Box<Lmdb>),
    Memory(Memory),
}

impl Database {
    /// The state as of the last commit.
    pub(super) fn read(&self) -> Result<Reading<'_>, StoreError> {
        Ok(match self {
            Database::Lmdb(lmdb) => Reading::Lmdb(lmdb, lmdb.read()?),
            Database::Memory(memory) => Reading::Memory(memory.latest()),
        })
    }

    /// Begins a write transaction; there must be no other.
    pub(super) fn write(&self) -> Result<Writing<'_>, StoreError> {
        Ok(match self {
            Database::Lmdb(lmdb) => Writing::Lmdb(lmdb, lmdb.write()?),
            Database::Memory(memory) => {
                let copy = Maps::clone(&memory.latest());
                Writing::Memory(memory, Box::new(copy))
            }
        })
    }
}

/// One committed state.
pub(super) enum Reading<'d> {
    Lmdb(&'d Lmdb, RoTxn<'d, WithoutTls>),
    Memory(Arc<Maps>),
}

impl Reading<'_> {
    pub(super) fn view(&self) -> View<'_> {
        match self {
            Reading::Lmdb(lmdb, transaction) => View::Lmdb(lmdb, transaction),
            Reading::Memory(maps) => View::Memory(maps),
        }
    }
}

/// That state with changes, which are undone unless it commits.
pub(super) enum Writing<'d> {
    Lmdb(&'d Lmdb, RwTxn<'d>),
    Memory(&'d Memory, Box<Maps>),
}

impl Writing<'_> {
    pub(super) fn view(&self) -> View<'_> {
        match self {
            Writing::Lmdb(lmdb, transaction) => View::Lmdb(lmdb, transaction),
            Writing::Memory(_, maps) => View::Memory(maps),
        }
    }

    pub(super) fn put(
        &mut self,
        table: &Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        match self {
            Writing::Lmdb(lmdb, transaction) => {
                let put = lmdb.rows(table).put(transaction, key, value);
                put.map_err(|error| lmdb.explain(error))
            }
            Writing::Memory(_, maps) => {
                maps.put(table, key, value);
                Ok(())
            }
        }
    }

    /// Puts a row that must be new, and says whether it was. `last`: its key is to come behind all others, or it does
    /// not count as new either.
    pub(super) fn put_new(
        &mut self,
        table: &Table,
        key: &[u8],
        value: &[u8],
        last: bool,
    ) -> Result<bool, StoreError> {
        match self {
            Writing::Lmdb(lmdb, transaction) => {
                let flags = match last {
                    true => PutFlags::APPEND,
                    false => PutFlags::NO_OVERWRITE,
                };
                match lmdb
                    .rows(table)
                    .put_with_flags(transaction, flags, key, value)
                {
                    Ok(()) => Ok(true),
                    Err(heed::Error::Mdb(MdbError::KeyExist)) => Ok(false),
                    Err(error) => Err(lmdb.explain(error)),
                }
            }
            Writing::Memory(_, maps) => Ok(maps.put_new(table, key, value, last)),
        }
    }

    /// Whether there was such a row.
    pub(super) fn delete(&mut self, table: &Table, key: &[u8]) -> Result<bool, StoreError> {
        match self {
            Writing::Lmdb(lmdb, transaction) => {
                let deleted = lmdb.rows(table).delete(transaction, key);
                deleted.map_err(|error| lmdb.explain(error))
            }
            Writing::Memory(_, maps) => Ok(maps.delete(table, key)),
        }
    }

    /// Deletes all rows before `end`; says how many there were.
    pub(super) fn delete_before(&mut self, table: &Table, end: &[u8]) -> Result<usize, StoreError> {
        match self {
            Writing::Lmdb(lmdb, transaction) => {
                let range = (Bound::Unbounded, Bound::Excluded(end));
                let deleted = lmdb.rows(table).delete_range(transaction, &range);
                deleted.map_err(|error| lmdb.explain(error))
            }
            Writing::Memory(_, maps) => Ok(maps.delete_before(table, end)),
        }
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        match self {
            Writing::Lmdb(lmdb, transaction) => {
                transaction.commit().map_err(|error| lmdb.explain(error))
            }
            Writing::Memory(memory, maps) => {
                memory.replace(*maps);
                Ok(())
            }
        }
    }
}

/// What a transaction sees.
#[derive(Clone, Copy)]
pub(super) enum View<'t> {
    Lmdb(&'t Lmdb, &'t RoTxn<'t>),
    Memory(&'t Maps),
}

impl<'t> View<'t> {
    pub(super) fn get(self, table: &Table, key: &[u8]) -> Result<Option<&'t [u8]>, StoreError> {
        match self {
            View::Lmdb(lmdb, transaction) => {
                let value = lmdb.rows(table).get(transaction, key);
                value.map_err(|error| lmdb.explain(error))
            }
            View::Memory(maps) => Ok(maps.get(table, key)),
        }
    }

    /// How many rows a table has.
    pub(super) fn count(self, table: &Table) -> Result<u64, StoreError> {
        match self {
            View::Lmdb(lmdb, transaction) => {
                let count = lmdb.rows(table).len(transaction);
                count.map_err(|error| lmdb.explain(error))
            }
            View::Memory(maps) => Ok(maps.count(table)),
        }
    }

    /// All rows from `from` on, in the order of their keys.
    pub(super) fn rows(self, table: &Table, from: Bound<&[u8]>) -> Result<Rows<'t>, StoreError> {
        match self {
            View::Lmdb(lmdb, transaction) => {
                let rows = lmdb
                    .rows(table)
                    .range(transaction, &(from, Bound::Unbounded));
                Ok(Rows::Lmdb(lmdb, rows.map_err(|error| lmdb.explain(error))?))
            }
            View::Memory(maps) => Ok(Rows::Memory(maps.rows(table, from))),
        }
    }
}

/// Rows in the order of their keys.
pub(super) enum Rows<'t> {
    Lmdb(&'t Lmdb, RoRange<'t, Bytes, Bytes>),
    Memory(MapsRange<'t>),
}

impl<'t> Iterator for Rows<'t> {
    type Item = Result<(&'t [u8], &'t [u8]), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Rows::Lmdb(lmdb, rows) => {
                let row = rows.next()?;
                Some(row.map_err(|error| lmdb.explain(error)))
            }
            Rows::Memory(rows) => {
                let (key, value) = rows.next()?;
                Some(Ok((key.as_slice(), &**value)))
            }
        }
    }
}
