//! Owns the calls about events: subscribe, follow, acknowledge, unregister, and how far behind everyone is.
//! Promises that a registration is on disk when the call returns; an acknowledgement soon after (at least once).

use bitcoin::BlockHash;

use super::cursor::{Cursor, Policy, Start};
use super::error::EventsError;
use super::event::{Event, EventKind};
use super::subscription::{Present, Subscription};
use crate::id::BlockId;
use crate::ledger::Ledger;
use crate::store::{Access, MAX_SUBSCRIBER_NAME, StoreError};
use crate::tree::Progress;
use crate::urgency::Urgency;

/// Most subscribers that may be registered.
pub const MAX_SUBSCRIBERS: usize = if cfg!(test) { 20 } else { 10_000 };

/// Events that are looked through for the next change of the best tip.
const MAX_SEARCHED: usize = 100_000;

/// How far a subscriber is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriberStatus {
    /// Its name.
    pub name: String,
    /// What it is told.
    pub policy: Policy,
    /// What it has acknowledged.
    pub cursor: Cursor,
    /// Events since then.
    pub lag_events: u64,
    /// Seconds since the first of them; 0 if there is none.
    pub lag_seconds: u64,
    /// How many of them are gone already: its next batch says [`EventsError::CursorExpired`]. Always 0 for a
    /// conflating subscriber, which needs none of them.
    pub missed: u64,
}

/// What the outbox holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventLog {
    /// The sequence of the oldest event that is kept; that of the next one if none is.
    pub oldest: u64,
    /// The sequence that the next event gets.
    pub next: u64,
    /// Bytes of the events kept.
    pub bytes: u64,
}

impl Ledger {
    /// Registers a subscriber under a name, or finds the one that is registered, and begins at `start`: for a
    /// subscriber known already, anything but [`Start::Stored`] moves its cursor there.
    ///
    /// A new registration is a commit of its own, and waits for a block that is being validated.
    ///
    /// # Errors
    ///
    /// [`EventsError`]: a bad name, too many subscribers, the other policy, blocks that are unknown, a process that
    /// only reads.
    pub fn subscribe(
        &self,
        name: &str,
        policy: Policy,
        start: Start,
    ) -> Result<Subscription, EventsError> {
        self.must_keep_cursors()?;
        if name.is_empty() || name.len() > MAX_SUBSCRIBER_NAME {
            return Err(EventsError::BadName {
                length: name.len(),
                limit: MAX_SUBSCRIBER_NAME,
            });
        }
        if let (Some(cursor), Start::Stored) = (self.registered(name, policy)?, &start) {
            return Ok(Subscription::new(self, Some(name), policy, cursor));
        }
        // Nothing happens meanwhile that a new subscriber would miss or be told twice.
        let mut engine = self.engine.wait(|| Urgency::Best);
        let stored = self.registered(name, policy)?;
        let registered = self.shared.subscribers.lock().by_name.len();
        if stored.is_none() && registered >= MAX_SUBSCRIBERS {
            return Err(EventsError::TooMany {
                limit: MAX_SUBSCRIBERS,
            });
        }
        let cursor = match (stored, &start) {
            (Some(cursor), Start::Stored) => cursor,
            _ => {
                let cursor = self.resolve(policy, &start)?;
                engine.register(name, policy, cursor)?;
                cursor
            }
        };
        Ok(Subscription::new(self, Some(name), policy, cursor))
    }

    /// Follows events without a name: nothing is kept for it, nothing is acknowledged. Also in a process that opened
    /// the ledger for reading; there, blocks that came after it opened have no worlds.
    ///
    /// # Errors
    ///
    /// [`EventsError::Unregistered`] for [`Start::Stored`], [`EventsError::UnknownBlocks`], the disk's.
    pub fn follow(&self, policy: Policy, start: Start) -> Result<Subscription, EventsError> {
        if start == Start::Stored {
            return Err(EventsError::Unregistered {
                name: String::new(),
            });
        }
        let cursor = self.resolve(policy, &start)?;
        Ok(Subscription::new(self, None, policy, cursor))
    }

    /// Says that a subscriber is done with everything up to `cursor`: what lies before need not be kept for it. An
    /// older cursor than the one that is known changes nothing.
    ///
    /// It waits for nobody and for no disk. The cursor goes to disk with the next commit of a block, with
    /// [`Ledger::save_cursors`], or when the ledger is closed; a crash before that forgets it, and what it covered is
    /// delivered again.
    ///
    /// # Errors
    ///
    /// [`EventsError::Unregistered`], [`EventsError::CursorAhead`], [`EventsError::UnknownBlocks`],
    /// [`EventsError::ReadOnly`].
    pub fn acknowledge(&self, name: &str, cursor: Cursor) -> Result<(), EventsError> {
        self.must_keep_cursors()?;
        let next = self.shared.worlds.read().next_event;
        if cursor.seq > next {
            return Err(EventsError::CursorAhead {
                seq: cursor.seq,
                next,
            });
        }
        self.must_know(cursor.block)?;
        match self.shared.subscribers.lock().acknowledge(name, cursor) {
            true => Ok(()),
            false => Err(unregistered(name)),
        }
    }

    /// Writes acknowledged cursors that are not on disk yet, with a commit of its own; nothing if there are none. Waits
    /// for a block that is being validated. For a timer: blocks take them along anyway.
    pub fn save_cursors(&self) -> Result<(), StoreError> {
        if !self.has_unsaved_cursors() {
            return Ok(());
        }
        self.engine.wait(|| Urgency::Best).save_cursors()
    }

    /// Whether [`Ledger::save_cursors`] has something to do.
    pub fn has_unsaved_cursors(&self) -> bool {
        self.shared.subscribers.lock().moved()
    }

    /// Forgets a subscriber: nothing is kept for it any more. False if there was none of this name.
    ///
    /// # Errors
    ///
    /// [`EventsError::ReadOnly`] and the disk's.
    pub fn unregister(&self, name: &str) -> Result<bool, EventsError> {
        self.must_keep_cursors()?;
        Ok(self.engine.wait(|| Urgency::Best).unregister(name)?)
    }

    /// Everyone with a name, and how far behind each is. In a process that opened the ledger for reading: as it was
    /// then.
    pub fn subscribers(&self) -> Result<Vec<SubscriberStatus>, StoreError> {
        let present = Present::of(self)?;
        let known: Vec<_> = {
            let registry = self.shared.subscribers.lock();
            let each = registry.by_name.iter();
            each.map(|(name, subscriber)| (name.clone(), subscriber.policy, subscriber.cursor))
                .collect()
        };
        let status = |(name, policy, cursor): (String, Policy, Cursor)| {
            let (lag_events, lag_seconds) = self.events_since(cursor.seq)?;
            let missed = match policy {
                Policy::Lossless => present.oldest.saturating_sub(cursor.seq),
                Policy::Conflating => 0,
            };
            Ok(SubscriberStatus {
                name,
                policy,
                cursor,
                lag_events,
                lag_seconds,
                missed,
            })
        };
        known.into_iter().map(status).collect()
    }

    /// How many events there were from sequence `seq` on, and how many seconds ago the first of them was that is still
    /// kept; 0 if there is none.
    pub fn events_since(&self, seq: u64) -> Result<(u64, u64), StoreError> {
        let present = Present::of(self)?;
        let events = present.next.saturating_sub(seq);
        let first = match events {
            0 => None,
            _ => self.shared.store.read()?.outbox(seq)?.next().transpose()?,
        };
        let seconds = match first {
            None => 0,
            Some(row) => {
                let then = Event::decode(&row.event)?.time;
                self.shared.clock.now().saturating_sub(then)
            }
        };
        Ok((events, seconds))
    }

    /// What the outbox holds.
    pub fn event_log(&self) -> Result<EventLog, StoreError> {
        let present = Present::of(self)?;
        Ok(EventLog {
            oldest: present.oldest,
            next: present.next,
            bytes: self.shared.store.read()?.outbox_bytes()?,
        })
    }

    fn must_keep_cursors(&self) -> Result<(), EventsError> {
        match self.shared.store.access() {
            Access::Writer => Ok(()),
            Access::Reader => Err(EventsError::ReadOnly),
        }
    }

    fn must_know(&self, block: BlockHash) -> Result<(), EventsError> {
        let known = self.shared.tree.read().find_committed(&block);
        known.map(drop).ok_or(EventsError::UnknownBlocks {
            asked: 1,
            last: block,
        })
    }

    /// The cursor of a subscriber of this name and policy.
    fn registered(&self, name: &str, policy: Policy) -> Result<Option<Cursor>, EventsError> {
        match self.shared.subscribers.lock().by_name.get(name) {
            None => Ok(None),
            Some(subscriber) if subscriber.policy == policy => Ok(Some(subscriber.cursor)),
            Some(subscriber) => Err(EventsError::OtherPolicy {
                name: name.to_owned(),
                registered: subscriber.policy,
            }),
        }
    }

    /// The cursor that a start comes down to.
    fn resolve(&self, policy: Policy, start: &Start) -> Result<Cursor, EventsError> {
        let present = Present::of(self)?;
        let now = Cursor {
            seq: present.next,
            block: present.best.hash,
        };
        match start {
            Start::Stored | Start::Now => Ok(now),
            Start::At(cursor) => {
                if policy == Policy::Lossless && cursor.seq > now.seq {
                    return Err(EventsError::CursorAhead {
                        seq: cursor.seq,
                        next: now.seq,
                    });
                }
                self.must_know(cursor.block)?;
                let seq = cursor.seq.min(now.seq);
                Ok(Cursor { seq, ..*cursor })
            }
            Start::After(locator) => Ok(Cursor {
                block: self.locate(locator)?,
                ..now
            }),
            Start::Oldest => {
                let seq = present.oldest;
                let block = self.best_at(seq, &present)?.unwrap_or(now.block);
                Ok(Cursor { seq, block })
            }
        }
    }

    /// The first block of a locator that was part of a world at some time.
    fn locate(&self, locator: &[BlockHash]) -> Result<BlockHash, EventsError> {
        let last = *locator.last().ok_or(EventsError::EmptyLocator)?;
        let tree = self.shared.tree.read();
        let connected = |id: BlockId| tree.committed_node(id).progress == Progress::Connected;
        let known = |hash: &&BlockHash| tree.find_committed(hash).is_some_and(connected);
        let unknown = EventsError::UnknownBlocks {
            asked: locator.len(),
            last,
        };
        locator.iter().find(known).copied().ok_or(unknown)
    }

    /// The best tip as it was just before event `seq`: where the next change starts, or the present one if there is
    /// none. `None` if that is too far to look.
    pub(super) fn best_at(
        &self,
        seq: u64,
        present: &Present,
    ) -> Result<Option<BlockHash>, StoreError> {
        let reader = self.shared.store.read()?;
        for row in reader.outbox(seq)?.take(MAX_SEARCHED) {
            let row = row?;
            if row.seq >= present.next {
                break;
            }
            if Event::kind_of(&row.event) != Some(EventKind::BestChanged) {
                continue;
            }
            return Ok(Some(Event::decode(&row.event)?.from));
        }
        let at_the_end = present.next.saturating_sub(seq) < MAX_SEARCHED as u64;
        Ok((at_the_end && !present.outdated).then_some(present.best.hash))
    }
}

pub(super) fn unregistered(name: &str) -> EventsError {
    EventsError::Unregistered {
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
