//! Owns the subscribers with a name: how far each has acknowledged, and how much of that is on disk.
//! Promises that cursors only move forward, and that one which holds events back is on disk before those are trimmed.

use std::collections::BTreeMap;

use super::cursor::{Cursor, Policy};
use crate::store::{CursorRow, Reader, StoreError, Writer};

/// A subscriber with a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscriber {
    pub(super) policy: Policy,
    /// What it has acknowledged.
    pub(super) cursor: Cursor,
    /// What of that is on disk.
    saved: Cursor,
    /// Whether events that it needed are known to be gone.
    passed: bool,
}

impl Subscriber {
    pub(super) fn new(policy: Policy, cursor: Cursor) -> Subscriber {
        Subscriber {
            policy,
            cursor,
            saved: cursor,
            passed: false,
        }
    }
}

/// The row of a cursor.
pub(crate) fn cursor_row(policy: Policy, cursor: Cursor) -> CursorRow {
    CursorRow {
        policy: policy.byte(),
        seq: cursor.seq,
        block: cursor.block,
    }
}

/// The subscribers with a name.
#[derive(Default)]
pub(crate) struct Registry {
    pub(super) by_name: BTreeMap<String, Subscriber>,
    /// Whether a cursor moved since cursors were last written.
    moved: bool,
}

/// Cursors that go to disk with a commit.
#[derive(Default)]
pub(crate) struct WrittenCursors(Vec<(String, Cursor)>);

impl Registry {
    pub(crate) fn load(reader: &Reader<'_>) -> Result<Registry, StoreError> {
        let mut by_name = BTreeMap::new();
        for row in reader.cursors()? {
            let (name, row) = row?;
            let policy = Policy::from_byte(row.policy).ok_or_else(|| {
                let detail = format!("subscriber {name} has policy {}", row.policy);
                StoreError::corrupt("cursors", detail)
            })?;
            let cursor = Cursor {
                seq: row.seq,
                block: row.block,
            };
            by_name.insert(name, Subscriber::new(policy, cursor));
        }
        Ok(Registry {
            by_name,
            moved: false,
        })
    }

    /// Moves a cursor forward; an older one changes nothing. False if nobody has this name.
    pub(super) fn acknowledge(&mut self, name: &str, cursor: Cursor) -> bool {
        let Some(subscriber) = self.by_name.get_mut(name) else {
            return false;
        };
        if cursor.seq >= subscriber.cursor.seq && cursor != subscriber.cursor {
            subscriber.cursor = cursor;
            self.moved = true;
        }
        true
    }

    /// What the slowest of the lossless subscribers needs, going by what is on disk.
    pub(crate) fn slowest(&self) -> Option<u64> {
        let lossless = self
            .by_name
            .values()
            .filter(|subscriber| subscriber.policy == Policy::Lossless);
        lossless.map(|subscriber| subscriber.saved.seq).min()
    }

    /// Whether there is something to write.
    pub(crate) fn moved(&self) -> bool {
        self.moved
    }

    /// Writes the cursors that moved since they were last written.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<WrittenCursors, StoreError> {
        let mut written = WrittenCursors::default();
        if !self.moved {
            return Ok(written);
        }
        for (name, subscriber) in &self.by_name {
            if subscriber.cursor != subscriber.saved {
                writer.put_cursor(name, cursor_row(subscriber.policy, subscriber.cursor))?;
                written.0.push((name.clone(), subscriber.cursor));
            }
        }
        Ok(written)
    }

    /// The commit with these came to pass.
    pub(crate) fn saved(&mut self, written: WrittenCursors) {
        if written.0.is_empty() {
            return;
        }
        for (name, cursor) in written.0 {
            if let Some(subscriber) = self.by_name.get_mut(&name) {
                subscriber.saved = cursor;
            }
        }
        self.moved = self
            .by_name
            .values()
            .any(|subscriber| subscriber.cursor != subscriber.saved);
    }

    /// The lossless subscribers that have not acknowledged what lies before `oldest`, each told once for every cursor.
    pub(crate) fn passed_by(&mut self, oldest: u64) -> Vec<(String, Cursor)> {
        let mut passed = Vec::new();
        for (name, subscriber) in &mut self.by_name {
            let late = subscriber.policy == Policy::Lossless && subscriber.cursor.seq < oldest;
            if late && !subscriber.passed {
                passed.push((name.clone(), subscriber.cursor));
            }
            subscriber.passed = late;
        }
        passed
    }

    pub(crate) fn insert(&mut self, name: &str, policy: Policy, cursor: Cursor) {
        self.by_name
            .insert(name.to_owned(), Subscriber::new(policy, cursor));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }
}
