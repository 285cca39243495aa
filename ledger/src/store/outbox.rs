//! Owns the rows of tables `outbox` and `cursors`: events, and how far each subscriber is.
//! Promises that sequences are dense, start at 0 and are never given twice, whatever is trimmed.
//! Refuses to know what an event is: it is bytes here.
//!
//! - `outbox`: sequence (u64 big-endian) -> sealed: the event's bytes.
//! - `cursors`: subscriber's name (UTF-8) -> sealed: sequence u64 | block hash 32.

use std::ops::Bound;

use bitcoin::BlockHash;

use super::StoreError;
use super::codec::{Malformed, Source, seal, unseal, unsealed};
use super::reader::{Reader, Transaction, Writer};

/// Longest name of a subscriber, in bytes; LMDB's keys end at 511.
pub const MAX_SUBSCRIBER_NAME: usize = 400;

/// An event of the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventRow {
    /// Its sequence.
    pub seq: u64,
    /// Its bytes, as they were appended.
    pub event: Vec<u8>,
}

/// Up to where a subscriber is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CursorRow {
    /// The sequence of the first event that it has not acknowledged.
    pub seq: u64,
    /// The block at which it stands.
    pub block: BlockHash,
}

impl CursorRow {
    fn read(key: &[u8], sealed: &[u8]) -> Result<CursorRow, Malformed> {
        let mut source = unseal(key, sealed)?;
        let seq = source.u64_le()?;
        let block = source.block_hash()?;
        source.end()?;
        Ok(CursorRow { seq, block })
    }
}

impl<T: Transaction> Reader<'_, T> {
    /// The events from sequence `from` on, in order. Events that were trimmed are left out.
    pub fn outbox(
        &self,
        from: u64,
    ) -> Result<impl Iterator<Item = Result<EventRow, StoreError>> + use<'_, T>, StoreError> {
        let from = from.to_be_bytes();
        let read = |key, value| {
            let event = unseal(key, value)?.rest().to_vec();
            let seq = u64::from_be_bytes(Source::new(key).array()?);
            Ok(EventRow { seq, event })
        };
        self.rows(&self.store.tables.outbox, Bound::Included(&from), &[], read)
    }

    /// The sequence of the oldest event that is still kept.
    pub fn oldest_event_seq(&self) -> Result<Option<u64>, StoreError> {
        let oldest = self.outbox(0)?.next().transpose()?;
        Ok(oldest.map(|row| row.seq))
    }

    /// Where a subscriber stands.
    pub fn cursor(&self, subscriber: &str) -> Result<Option<CursorRow>, StoreError> {
        let key = subscriber.as_bytes();
        if key.is_empty() || key.len() > MAX_SUBSCRIBER_NAME {
            return Ok(None);
        }
        let read = |value| CursorRow::read(key, value);
        self.get(&self.store.tables.cursors, key, read)
    }

    /// All subscribers with their cursors, in the order of their names' bytes.
    pub fn cursors(
        &self,
    ) -> Result<impl Iterator<Item = Result<(String, CursorRow), StoreError>>, StoreError> {
        self.all_rows(&self.store.tables.cursors, |key, value| {
            let cursor = CursorRow::read(key, value)?;
            let name = String::from_utf8(key.to_vec())
                .map_err(|_| Malformed("the subscriber's name is not UTF-8"))?;
            Ok((name, cursor))
        })
    }
}

impl Writer<'_> {
    /// Appends an event and returns its sequence.
    pub fn append_event(&mut self, event: &[u8]) -> Result<u64, StoreError> {
        let store = self.store;
        let seq = self.next_event_seq()?;
        let key = seq.to_be_bytes();
        let mut row = unsealed();
        row.extend_from_slice(event);
        self.put(&store.tables.outbox, &key, &seal(&key, row))?;
        self.put_next_event_seq(seq + 1)?;
        Ok(seq)
    }

    /// Forgets all events before sequence `keep_from`; returns how many there were.
    pub fn trim_outbox(&mut self, keep_from: u64) -> Result<usize, StoreError> {
        let store = self.store;
        let end = keep_from.to_be_bytes();
        self.delete_before(&store.tables.outbox, &end)
    }

    /// Puts or moves a subscriber's cursor.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] if the name is empty or longer than [`MAX_SUBSCRIBER_NAME`].
    pub fn put_cursor(&mut self, subscriber: &str, cursor: CursorRow) -> Result<(), StoreError> {
        let store = self.store;
        let key = subscriber.as_bytes();
        if key.is_empty() || key.len() > MAX_SUBSCRIBER_NAME {
            return Err(store.misuse(format!(
                "a subscriber's name has 1 to {MAX_SUBSCRIBER_NAME} bytes, not {}",
                key.len()
            )));
        }
        let mut row = unsealed();
        row.extend_from_slice(&cursor.seq.to_le_bytes());
        row.extend_from_slice(cursor.block.as_ref());
        self.put(&store.tables.cursors, key, &seal(key, row))
    }

    /// Forgets a subscriber; returns whether it was there.
    pub fn delete_cursor(&mut self, subscriber: &str) -> Result<bool, StoreError> {
        let store = self.store;
        if self.cursor(subscriber)?.is_none() {
            return Ok(false);
        }
        self.delete(&store.tables.cursors, subscriber.as_bytes())
    }
}
