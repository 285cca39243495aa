//! Owns the events of the ledger: what changed among the worlds, in order, and who has been told how much of it.
//! Promises that an event is in the outbox by the same commit as the block that caused it; delivery at least once, each
//! step from where the last one ended; an error of its own for what is gone, never silence.
//! Refuses to wait: who follows is woken by [`Ledger::event_seq`](crate::Ledger::event_seq) and asks for a batch.
//!
//! ```text
//!   block's transaction -> outbox row ──┐                                    ┌─> Delivery, Delivery, …   next_batch
//!                                       ├─> Subscription { policy, cursor } ─┤
//!   block tree (undo, fork, apply) ─────┘      event/cursor/step             └─> cursor, when done       acknowledge
//! ```

mod cursor;
mod error;
mod event;
mod registry;
mod retention;
mod step;
mod subscribers;
mod subscription;

pub use cursor::{Cursor, Policy, Start};
pub use error::EventsError;
pub use event::{Event, EventKind};
pub use retention::{DEFAULT_EVENT_QUOTA, DEFAULT_EVENT_QUOTA_BYTES, DEFAULT_RETAINED_EVENTS};
pub use step::MAX_STEP_BLOCKS;
pub use subscribers::{EventLog, MAX_SUBSCRIBERS, SubscriberStatus};
pub use subscription::{Delivery, MAX_BATCH, MAX_BATCH_BYTES, Subscription};

pub(crate) use registry::{Registry, WrittenCursors, cursor_row};
pub(crate) use retention::Retention;
