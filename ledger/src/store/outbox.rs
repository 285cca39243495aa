//! Owns the rows of tables `outbox` and `cursors`: events, and how far each subscriber is.
//! Promises that sequences are dense, start at 0 and are never given twice, whatever is trimmed.
//! Refuses to know what an event is: it is bytes here.
//!
//! - `outbox`: sequence (u64 big-endian) -> sealed: the event's bytes.
//! - `cursors`: subscriber's name (UTF-8) -> sealed: version u8 (1) | policy u8 | sequence u64 | block hash 32.

use std::ops::Bound;

use bitcoin::BlockHash;

use super::StoreError;
use super::codec::{Malformed, Source, seal, start_unsealed, unseal, unsealed};
use super::reader::{Reader, Transaction, Writer};

/// Longest name of a subscriber, in bytes; LMDB's keys end at 511.
pub const MAX_SUBSCRIBER_NAME: usize = 400;

/// The version of the rows of `cursors` that are written.
const CURSOR_VERSION: u8 = 1;

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
    /// What it is told; a byte here.
    pub policy: u8,
    /// The sequence of the first event that it has not acknowledged.
    pub seq: u64,
    /// The block at which it stands.
    pub block: BlockHash,
}

/// The end of the outbox while a writer appends to it.
pub(super) struct OutboxEnd {
    /// The sequence that the next event gets.
    next: u64,
    /// Bytes of all rows, with their keys.
    bytes: u64,
    /// Where rows are made.
    buffer: Vec<u8>,
}

impl CursorRow {
    fn read(key: &[u8], sealed: &[u8]) -> Result<CursorRow, Malformed> {
        let mut source = unseal(key, sealed)?;
        if source.u8()? != CURSOR_VERSION {
            return Err(Malformed("this program does not know its version"));
        }
        let policy = source.u8()?;
        let seq = source.u64_le()?;
        let block = source.block_hash()?;
        source.end()?;
        Ok(CursorRow { policy, seq, block })
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

    /// The sequence of each event that is kept, in order, and the bytes of its row with its key.
    fn outbox_lengths(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, u64), StoreError>>, StoreError> {
        self.all_rows(&self.store.tables.outbox, |key, value| {
            let seq = u64::from_be_bytes(Source::new(key).array()?);
            Ok((seq, (key.len() + value.len()) as u64))
        })
    }

    /// Bytes of the outbox's rows, with their keys.
    pub fn outbox_bytes(&self) -> Result<u64, StoreError> {
        match self.counted_outbox_bytes()? {
            Some(bytes) => Ok(bytes),
            // A ledger of the first schema: they are counted when the next event is appended.
            None => self.outbox_lengths()?.map(|row| Ok(row?.1)).sum(),
        }
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
        self.append_event_by(|row| row.extend_from_slice(event))
    }

    /// Appends an event, whose bytes `write` puts behind what there is, and returns its sequence.
    pub fn append_event_by(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<u64, StoreError> {
        let store = self.store;
        let mut end = self.outbox_end()?;
        let (seq, mut row) = (end.next, std::mem::take(&mut end.buffer));
        start_unsealed(&mut row);
        write(&mut row);
        let key = seq.to_be_bytes();
        let row = seal(&key, row);
        self.put(&store.tables.outbox, &key, &row)?;
        end.next += 1;
        end.bytes += (key.len() + row.len()) as u64;
        end.buffer = row;
        self.outbox_end = Some(end);
        Ok(seq)
    }

    /// The sequence that the next event gets, with those that this writer appended.
    pub fn next_event_seq(&self) -> Result<u64, StoreError> {
        match &self.outbox_end {
            Some(end) => Ok(end.next),
            None => (**self).next_event_seq(),
        }
    }

    /// Bytes of the outbox's rows, with those that this writer appended.
    pub fn outbox_bytes(&self) -> Result<u64, StoreError> {
        match &self.outbox_end {
            Some(end) => Ok(end.bytes),
            None => (**self).outbox_bytes(),
        }
    }

    /// Takes the end of the outbox out of where the writer keeps it.
    fn outbox_end(&mut self) -> Result<OutboxEnd, StoreError> {
        match self.outbox_end.take() {
            Some(end) => Ok(end),
            None => Ok(OutboxEnd {
                next: self.next_event_seq()?,
                bytes: self.outbox_bytes()?,
                buffer: Vec::new(),
            }),
        }
    }

    /// Writes the end of the outbox, once for all events of a commit.
    pub(super) fn put_outbox_end(&mut self) -> Result<(), StoreError> {
        if let Some(end) = self.outbox_end.take() {
            self.put_next_event_seq(end.next)?;
            self.put_outbox_bytes(end.bytes)?;
        }
        Ok(())
    }

    /// The sequence from which the rows have at most `surplus` bytes fewer than all of them, or a little less; never
    /// beyond the last event.
    pub fn seq_after_bytes(&self, surplus: u64) -> Result<u64, StoreError> {
        let (last, mut seen) = (self.next_event_seq()?.saturating_sub(1), 0);
        for row in self.outbox_lengths()? {
            let (seq, length) = row?;
            if seen >= surplus || seq >= last {
                return Ok(seq);
            }
            seen += length;
        }
        Ok(last)
    }

    /// Forgets all events before sequence `keep_from`; returns how many there were.
    pub fn trim_outbox(&mut self, keep_from: u64) -> Result<usize, StoreError> {
        let store = self.store;
        let mut trimmed = 0;
        for row in self.outbox_lengths()? {
            match row? {
                (seq, length) if seq < keep_from => trimmed += length,
                _ => break,
            }
        }
        let mut outbox_end = self.outbox_end()?;
        outbox_end.bytes = outbox_end.bytes.saturating_sub(trimmed);
        self.outbox_end = Some(outbox_end);
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
        row.extend_from_slice(&[CURSOR_VERSION, cursor.policy]);
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
