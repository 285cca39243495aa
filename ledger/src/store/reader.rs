//! Owns the transactions: a reader's, and a writer's which reads as well.
//! Promises that a reader sees one committed state, and a writer that state with its own changes.
//! Refuses to commit a block whose bytes are not on disk.

use std::ops::{Bound, Deref};

use parking_lot::MutexGuard;

use super::blocks::Pending;
use super::codec::Malformed;
use super::database::{Reading, View, Writing};
use super::outbox::OutboxEnd;
use super::tables::Table;
use super::{Store, StoreError, failpoint};

mod private {
    use super::View;

    /// Gives the store, and nobody else, a look at the tables.
    pub trait Tables {
        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn view(&self) -> View<'_>;
    }

    #[allow(private_interfaces)]
    impl Tables for super::ReadTransaction<'_> {
        fn view(&self) -> View<'_> {
            self.0.view()
        }
    }

    #[allow(private_interfaces)]
    impl Tables for super::WriteTransaction<'_> {
        fn view(&self) -> View<'_> {
            self.0.view()
        }
    }
}

/// A transaction that can be read from: a reader's or a writer's. Sealed.
pub trait Transaction: private::Tables {}

impl<T: private::Tables> Transaction for T {}

/// What a [`Reader`] of its own holds.
pub struct ReadTransaction<'s>(Reading<'s>);

/// What a [`Writer`] holds.
pub struct WriteTransaction<'s>(Writing<'s>);

/// One consistent state of the store.
///
/// Keep it for milliseconds, not for a session: while it lives, LMDB cannot reuse the pages that
/// writers replace, and the file grows. A thread may hold several. Code that is to read inside a
/// write transaction as well takes `&Reader<'_, T>` with `T: Transaction`; a [`Writer`]
/// dereferences to one.
pub struct Reader<'s, T = ReadTransaction<'s>> {
    transaction: T,
    pub(super) store: &'s Store,
}

impl<'s> Reader<'s> {
    pub(super) fn begin(store: &'s Store) -> Result<Reader<'s>, StoreError> {
        Ok(Reader {
            transaction: ReadTransaction(store.database.read()?),
            store,
        })
    }
}

impl<T: Transaction> Reader<'_, T> {
    /// The value at `key`, turned into an item by `read`.
    pub(super) fn get<'r, I>(
        &'r self,
        table: &Table,
        key: &[u8],
        read: impl FnOnce(&'r [u8]) -> Result<I, Malformed>,
    ) -> Result<Option<I>, StoreError> {
        let value = self.transaction.view().get(table, key)?;
        value
            .map(|value| read(value).map_err(|why| self.store.damaged_row(table.name, key, why)))
            .transpose()
    }

    /// How many rows a table has.
    pub(super) fn count(&self, table: &Table) -> Result<u64, StoreError> {
        self.transaction.view().count(table)
    }

    /// Bytes that a table takes.
    pub(super) fn bytes(&self, table: &Table) -> Result<u64, StoreError> {
        self.transaction.view().bytes(table)
    }

    /// The rows from `from` on whose keys start with `prefix`, in key order, each turned into an
    /// item by `read`. Ends after the first error.
    pub(super) fn rows<'r, I, F>(
        &'r self,
        table: &'r Table,
        from: Bound<&[u8]>,
        prefix: &[u8],
        read: F,
    ) -> Result<impl Iterator<Item = Result<I, StoreError>> + use<'r, I, F, T>, StoreError>
    where
        F: Fn(&'r [u8], &'r [u8]) -> Result<I, Malformed> + 'r,
        I: 'r,
    {
        let store = self.store;
        let prefix = prefix.to_vec();
        let rows = self.transaction.view().rows(table, from)?;
        let mut failed = false;
        let items = rows
            .take_while(move |row| !matches!(row, Ok((key, _)) if !key.starts_with(&prefix)))
            .map(move |row| {
                let (key, value) = row?;
                read(key, value).map_err(|why| store.damaged_row(table.name, key, why))
            })
            .take_while(move |item| !std::mem::replace(&mut failed, item.is_err()));
        Ok(items)
    }

    /// All rows of a table.
    pub(super) fn all_rows<'r, I, F>(
        &'r self,
        table: &'r Table,
        read: F,
    ) -> Result<impl Iterator<Item = Result<I, StoreError>> + use<'r, I, F, T>, StoreError>
    where
        F: Fn(&'r [u8], &'r [u8]) -> Result<I, Malformed> + 'r,
        I: 'r,
    {
        self.rows(table, Bound::Unbounded, &[], read)
    }
}

/// The one write transaction: reads what it wrote, and changes nothing until it commits.
///
/// Dropping it without [`Writer::commit`] undoes all of it, and cuts off the blocks that were
/// appended since the last commit. After an error of one of its methods it must be dropped.
pub struct Writer<'s> {
    reader: Reader<'s, WriteTransaction<'s>>,
    pending: Pending<'s>,
    /// Whether the base moves with this commit: names the failpoints.
    pub(super) moves_base: bool,
    /// Where the outbox ends, once this writer has appended to it or trimmed it.
    pub(super) outbox_end: Option<OutboxEnd>,
    /// One writer at a time; also ties it to its thread, as LMDB's own lock does.
    _turn: MutexGuard<'s, ()>,
}

impl<'s> Deref for Writer<'s> {
    type Target = Reader<'s, WriteTransaction<'s>>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

impl<'s> Writer<'s> {
    pub(super) fn begin(
        store: &'s Store,
        turn: MutexGuard<'s, ()>,
    ) -> Result<Writer<'s>, StoreError> {
        Ok(Writer {
            reader: Reader {
                transaction: WriteTransaction(store.database.write()?),
                store,
            },
            pending: store.blocks.pending(),
            moves_base: false,
            outbox_end: None,
            _turn: turn,
        })
    }

    fn tables(&mut self) -> &mut Writing<'s> {
        &mut self.reader.transaction.0
    }

    pub(super) fn put(
        &mut self,
        table: &Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.tables().put(table, key, value)
    }

    /// Puts a row that must be new, and says whether it was; `last`: behind all that are there.
    pub(super) fn put_new(
        &mut self,
        table: &Table,
        key: &[u8],
        value: &[u8],
        last: bool,
    ) -> Result<bool, StoreError> {
        self.tables().put_new(table, key, value, last)
    }

    /// Whether there was such a row.
    pub(super) fn delete(&mut self, table: &Table, key: &[u8]) -> Result<bool, StoreError> {
        self.tables().delete(table, key)
    }

    /// Deletes all rows before `end`; says how many there were.
    pub(super) fn delete_before(&mut self, table: &Table, end: &[u8]) -> Result<usize, StoreError> {
        self.tables().delete_before(table, end)
    }

    /// Makes all of it durable: first the appended blocks, then the tables, with the block files'
    /// new end among them.
    ///
    /// # Errors
    ///
    /// Nothing is changed and the appended blocks are cut off again; with
    /// [`StoreError::DiskFull`] and [`StoreError::MapFull`] a later attempt may do better.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.put_outbox_end()?;
        failpoint::reach("group-written");
        for (file, length) in self.pending.sync()? {
            self.put_block_file(file, length)?;
        }
        failpoint::reach("block-synced");
        let (before, after) = match self.moves_base {
            true => ("fold-before-commit", "fold-after-commit"),
            false => ("before-commit", "after-commit"),
        };
        failpoint::reach(before);
        let Writer {
            reader,
            pending,
            _turn,
            ..
        } = self;
        reader.transaction.0.commit()?;
        pending.committed();
        failpoint::reach(after);
        Ok(())
    }
}
