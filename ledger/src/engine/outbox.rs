//! Owns the writer's side of the events: what of the outbox is kept, and when cursors go to disk.
//! Promises that what a subscriber still needs is not trimmed before the quota, and then says whose it was.
//! Refuses a commit of its own for an acknowledgement: cursors go along with blocks.

use super::Engine;
use crate::events::{Cursor, Policy, WrittenCursors, cursor_row};
use crate::shared::Worlds;
use crate::store::{StoreError, Writer};

/// What of the outbox goes to disk with a commit.
pub(super) struct OutboxCommit {
    next: u64,
    oldest: u64,
    /// Whether events went.
    trimmed: bool,
    cursors: WrittenCursors,
}

impl OutboxCommit {
    /// Shows readers what was committed.
    pub(super) fn publish(&self, worlds: &mut Worlds) {
        worlds.next_event = self.next;
        worlds.oldest_event = self.oldest;
    }
}

impl Engine {
    /// Writes cursors that moved and trims what nobody needs; the last thing before a commit.
    pub(super) fn write_outbox(&self, writer: &mut Writer<'_>) -> Result<OutboxCommit, StoreError> {
        let next = writer.next_event_seq()?;
        let oldest = self.shared.worlds.read().oldest_event;
        let registry = self.shared.subscribers.lock();
        let cursors = registry.write(writer)?;
        let mut keep_from = self
            .retention
            .keep_from(oldest, next, || registry.slowest());
        drop(registry);
        let surplus = self.retention.surplus_bytes(writer.outbox_bytes()?);
        if surplus > 0 {
            keep_from = keep_from.max(writer.seq_after_bytes(surplus)?);
        }
        if keep_from > oldest {
            writer.trim_outbox(keep_from)?;
        }
        Ok(OutboxCommit {
            next,
            oldest: keep_from,
            trimmed: keep_from > oldest,
            cursors,
        })
    }

    /// The commit came to pass and its worlds are published.
    pub(super) fn outbox_committed(&self, outbox: OutboxCommit) {
        let mut registry = self.shared.subscribers.lock();
        registry.saved(outbox.cursors);
        let passed = match outbox.trimmed {
            true => registry.passed_by(outbox.oldest),
            false => Vec::new(),
        };
        for (name, cursor) in passed {
            let missed = outbox.oldest - cursor.seq;
            tracing::warn!(
                subscriber = name,
                missed,
                oldest = outbox.oldest,
                "the quota of events is full: what a subscriber has not acknowledged is gone"
            );
        }
        drop(registry);
        self.shared.tell_next_event(outbox.next);
    }

    /// Registers a subscriber, or moves the cursor of one, with a commit of its own.
    pub(crate) fn register(
        &mut self,
        name: &str,
        policy: Policy,
        cursor: Cursor,
    ) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let mut writer = shared.store.write()?;
        writer.put_cursor(name, cursor_row(policy, cursor))?;
        writer.commit()?;
        shared.subscribers.lock().insert(name, policy, cursor);
        Ok(())
    }

    /// Forgets a subscriber, with a commit of its own; false if there was none of this name.
    pub(crate) fn unregister(&mut self, name: &str) -> Result<bool, StoreError> {
        let shared = self.shared.clone();
        let mut writer = shared.store.write()?;
        if !writer.delete_cursor(name)? {
            return Ok(false);
        }
        writer.commit()?;
        shared.subscribers.lock().remove(name);
        Ok(true)
    }

    /// Writes the cursors that moved, with a commit of its own.
    pub(crate) fn save_cursors(&mut self) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        if !shared.subscribers.lock().moved() {
            return Ok(());
        }
        let writer = shared.store.write()?;
        self.commit_outbox(writer)
    }

    /// A commit that changes nothing but the outbox and its cursors.
    pub(super) fn commit_outbox(&self, mut writer: Writer<'_>) -> Result<(), StoreError> {
        let outbox = self.write_outbox(&mut writer)?;
        writer.commit()?;
        outbox.publish(&mut self.shared.worlds.write());
        self.outbox_committed(outbox);
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A ledger that is closed in order forgets no acknowledgement.
        if let Err(error) = self.save_cursors() {
            tracing::warn!(%error, "cursors were not saved; what they covered is delivered again");
        }
    }
}
