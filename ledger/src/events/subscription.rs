//! Owns one subscriber's reading: batch after batch from where it stands.
//! Promises that each best tip follows from the last: where the log does not say how, the block tree does.
//! Refuses to hold a database transaction or more than one batch between two calls.

use std::sync::Arc;

use bitcoin::BlockHash;

use super::cursor::{Cursor, Policy};
use super::error::EventsError;
use super::event::{Event, EventKind};
use super::step::step;
use crate::error::WorldError;
use crate::ledger::Ledger;
use crate::store::{Access, StoreError};
use crate::world::{World, WorldState};

/// Most events in one batch.
pub const MAX_BATCH: usize = 1_000;

/// Bytes of event rows after which a batch takes no more; one event may be larger.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

/// An event on its way to a subscriber.
///
/// While it is kept, its worlds can be read, up to the quota of held worlds: keep it no longer than it takes.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event's sequence; `None` for a step that was made from the block tree.
    pub seq: Option<u64>,
    /// What happened.
    pub event: Event,
    /// Where the subscriber stands once it is done with this: what to store and to acknowledge.
    pub cursor: Cursor,
    /// The world at [`Event::from`], or why there is none any more.
    pub from: Result<World, WorldError>,
    /// The world at [`Event::to`], or why there is none any more.
    pub to: Result<World, WorldError>,
}

/// A subscriber's place in the events. It holds nothing open: between two batches it costs its cursor.
#[derive(Clone)]
pub struct Subscription {
    ledger: Ledger,
    name: Option<Arc<str>>,
    policy: Policy,
    /// Where the next batch starts.
    position: Cursor,
    /// Whether the position's block is known to be what the best tip was at its sequence: not so where somebody named
    /// both.
    settled: bool,
}

/// The present, as readers see it: all of it from one moment.
pub(super) struct Present {
    pub(super) best: Arc<WorldState>,
    /// The sequence that the next event gets.
    pub(super) next: u64,
    /// The sequence of the oldest event that is kept.
    pub(super) oldest: u64,
    /// Whether another process has written since this one opened the directory.
    pub(super) outdated: bool,
}

impl Present {
    pub(super) fn of(ledger: &Ledger) -> Result<Present, StoreError> {
        let shared = &ledger.shared;
        let (best, known, oldest) = {
            let worlds = shared.worlds.read();
            (worlds.best.clone(), worlds.next_event, worlds.oldest_event)
        };
        if shared.store.access() == Access::Writer {
            return Ok(Present {
                best,
                next: known,
                oldest,
                outdated: false,
            });
        }
        let reader = shared.store.read()?;
        let next = reader.next_event_seq()?;
        Ok(Present {
            best,
            next,
            oldest: reader.oldest_event_seq()?.unwrap_or(next),
            outdated: next != known,
        })
    }
}

impl Subscription {
    pub(super) fn new(
        ledger: &Ledger,
        name: Option<&str>,
        policy: Policy,
        position: Cursor,
    ) -> Subscription {
        Subscription {
            ledger: ledger.clone(),
            name: name.map(Arc::from),
            policy,
            position,
            settled: false,
        }
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it is told.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Up to where it was delivered to, which may be further than what was acknowledged.
    pub fn position(&self) -> Cursor {
        self.position
    }

    /// Goes back, or on, to a cursor: what follows it is delivered next.
    pub fn seek(&mut self, cursor: Cursor) {
        self.position = cursor;
        self.settled = false;
    }

    /// What happened since the last batch: at most `limit` events (itself at most [`MAX_BATCH`]), none if there is
    /// nothing new. Blocks for the time of some reads.
    ///
    /// Every [`EventKind::BestChanged`] starts where the one before it ended, the first at the cursor's block.
    ///
    /// # Errors
    ///
    /// [`EventsError::CursorExpired`] and [`EventsError::CursorAhead`], for a lossless subscriber, as often as it asks
    /// from there; [`EventsError::UnknownBlocks`] if the cursor's block is not of this ledger; the disk's.
    pub fn next_batch(&mut self, limit: usize) -> Result<Vec<Delivery>, EventsError> {
        let present = Present::of(&self.ledger)?;
        let mut batch = Batch {
            ledger: &self.ledger,
            position: self.position,
            settled: self.settled,
            limit: limit.clamp(1, MAX_BATCH),
            deliveries: Vec::new(),
        };
        if self.policy == Policy::Lossless {
            batch.read_log(&present)?;
        } else {
            batch.position.seq = present.next;
        }
        // At the end of the log it stands at the best tip, or is taken there.
        if batch.position.seq == present.next && !present.outdated {
            batch.go_to(present.best.hash)?;
        }
        let Batch {
            position,
            settled,
            deliveries,
            ..
        } = batch;
        (self.position, self.settled) = (position, settled);
        Ok(deliveries)
    }

    /// Says that everything up to `cursor` is done; see [`Ledger::acknowledge`].
    ///
    /// # Errors
    ///
    /// [`EventsError::Unnamed`] for a subscription without a name, and those of [`Ledger::acknowledge`].
    pub fn acknowledge(&self, cursor: Cursor) -> Result<(), EventsError> {
        let name = self.name.as_deref().ok_or(EventsError::Unnamed)?;
        self.ledger.acknowledge(name, cursor)
    }
}

/// A batch in the making.
struct Batch<'l> {
    ledger: &'l Ledger,
    position: Cursor,
    settled: bool,
    limit: usize,
    deliveries: Vec<Delivery>,
}

impl Batch<'_> {
    fn is_full(&self) -> bool {
        self.deliveries.len() >= self.limit
    }

    /// Takes what the outbox has from the cursor on.
    fn read_log(&mut self, present: &Present) -> Result<(), EventsError> {
        let cursor = self.position;
        if cursor.seq > present.next {
            return Err(EventsError::CursorAhead {
                seq: cursor.seq,
                next: present.next,
            });
        }
        if cursor.seq < present.oldest {
            return Err(self.expired(present.oldest));
        }
        let (mut rows, mut bytes) = (Vec::new(), 0);
        {
            let reader = self.ledger.shared.store.read()?;
            for row in reader.outbox(cursor.seq)?.take(self.limit) {
                let row = row?;
                // Written, but its worlds are not to be seen yet.
                if row.seq >= present.next {
                    break;
                }
                if rows.is_empty() && row.seq != cursor.seq {
                    return Err(self.expired(row.seq));
                }
                bytes += row.event.len();
                rows.push(row);
                if bytes >= MAX_BATCH_BYTES {
                    break;
                }
            }
        }
        if rows.is_empty() && cursor.seq < present.next {
            return Err(self.expired(present.next));
        }
        // Before anything else it is taken to where the best tip was at its sequence.
        if !self.settled
            && let Some(best) = self.ledger.best_at(cursor.seq, present)?
        {
            self.go_to(best)?;
            self.settled = self.position.block == best;
        }
        for row in rows {
            if self.is_full() {
                return Ok(());
            }
            let (seq, event) = (row.seq, Event::decode(&row.event)?);
            if event.kind == EventKind::BestChanged {
                self.go_to(event.from)?;
                if self.is_full() {
                    return Ok(());
                }
                self.position.block = event.to;
            }
            self.position.seq = seq + 1;
            self.deliver(Some(seq), event);
        }
        Ok(())
    }

    fn expired(&self, oldest: u64) -> EventsError {
        EventsError::CursorExpired {
            cursor: self.position,
            oldest,
        }
    }

    /// Delivers the steps from where the subscriber stands to `block`, as far as there is room.
    fn go_to(&mut self, block: BlockHash) -> Result<(), EventsError> {
        let shared = &self.ledger.shared;
        while self.position.block != block && !self.is_full() {
            let event = {
                let tree = shared.tree.read();
                let find = |hash: BlockHash| match tree.find(&hash) {
                    Some(id) => Ok(id),
                    None if shared.store.access() == Access::Reader => Err(EventsError::Outdated),
                    None => Err(EventsError::UnknownBlocks {
                        asked: 1,
                        last: hash,
                    }),
                };
                let (from, to) = (find(self.position.block)?, find(block)?);
                step(&tree, from, to, shared.clock.now())
            };
            let Some(event) = event else { break };
            self.position.block = event.to;
            self.deliver(None, event);
        }
        Ok(())
    }

    fn deliver(&mut self, seq: Option<u64>, event: Event) {
        self.deliveries.push(Delivery {
            seq,
            cursor: self.position,
            from: self.ledger.world(&event.from),
            to: self.ledger.world(&event.to),
            event,
        });
    }
}
