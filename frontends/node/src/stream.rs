//! Owns a frontend's stream of events: batches, one when there is something new, until it is to stop.
//! Promises that a future which is dropped loses nothing: its batch comes again.
//! Refuses to run ahead: the next batch is read when it is asked for, so memory is bounded by one batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use everett_ledger::events::MAX_BATCH;
use everett_ledger::{Cursor, Delivery, EventsError, Policy, Start, Subscription};
use tokio::sync::watch;

use crate::handle::CallError;
use crate::handle::Handle;

/// Why a stream of events did not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The ledger says why.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// The call did not come to an end.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Events for one subscriber, batch by batch.
///
/// ```no_run
/// # use everett_node::{Handle, FrontendError};
/// # use everett_ledger::{Policy, Start};
/// # async fn follow(handle: Handle) -> Result<(), FrontendError> {
/// let mut events = handle.subscribe("indexer", Policy::Lossless, Start::Stored).await?;
/// while let Some(batch) = events.next().await? {
///     for delivery in &batch {
///         println!("{} {}", delivery.event.kind.as_str(), delivery.event.to);
///     }
///     if let Some(last) = batch.last() {
///         events.acknowledge(last.cursor)?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct EventStream {
    handle: Handle,
    subscription: Subscription,
    wake: watch::Receiver<u64>,
    limit: usize,
    /// The first event that is not done, for the frontend's lag.
    done: Arc<AtomicU64>,
}

impl EventStream {
    pub(crate) fn new(handle: &Handle, subscription: Subscription) -> EventStream {
        EventStream {
            handle: handle.clone(),
            wake: handle.event_seq(),
            limit: MAX_BATCH,
            done: handle.health().follow(subscription.position().seq),
            subscription,
        }
    }

    /// Makes batches of at most `limit` events (1 to [`MAX_BATCH`], which is the default).
    pub fn with_limit(mut self, limit: usize) -> EventStream {
        self.limit = limit.clamp(1, MAX_BATCH);
        self
    }

    /// Waits for something new and takes a batch of it, never an empty one; `None` once this frontend is to stop.
    ///
    /// # Errors
    ///
    /// [`StreamError`]. After [`EventsError::CursorExpired`] the stream goes on where [`EventStream::seek`] says.
    pub async fn next(&mut self) -> Result<Option<Vec<Delivery>>, StreamError> {
        let stop = self.handle.stop_signal().clone();
        loop {
            if stop.is_given() {
                return Ok(None);
            }
            // Before the read: what comes during it wakes the next round.
            self.wake.mark_unchanged();
            let (mut subscription, limit) = (self.subscription.clone(), self.limit);
            let read = self.handle.read(move |_| {
                let batch = subscription.next_batch(limit);
                (subscription, batch)
            });
            let (subscription, batch) = match read.await {
                Err(CallError::ShuttingDown) => return Ok(None),
                answer => answer?,
            };
            let batch = batch?;
            self.subscription = subscription;
            if !batch.is_empty() {
                if self.subscription.name().is_none() {
                    self.note(self.subscription.position());
                }
                return Ok(Some(batch));
            }
            self.note(self.subscription.position());
            tokio::select! {
                changed = self.wake.changed() => if changed.is_err() {
                    return Ok(None);
                },
                () = stop.wait() => return Ok(None),
            }
        }
    }

    /// Says that everything up to `cursor` is done. Waits for nobody; it is on disk with the next block, or some
    /// seconds later, and a crash before that delivers it again.
    ///
    /// # Errors
    ///
    /// [`EventsError::Unnamed`] for a stream without a name, and those of
    /// [`Ledger::acknowledge`](everett_ledger::Ledger::acknowledge).
    pub fn acknowledge(&self, cursor: Cursor) -> Result<(), EventsError> {
        self.subscription.acknowledge(cursor)?;
        self.note(cursor);
        Ok(())
    }

    /// Up to where it was delivered to.
    pub fn position(&self) -> Cursor {
        self.subscription.position()
    }

    /// Goes back, or on, to a cursor.
    pub fn seek(&mut self, cursor: Cursor) {
        self.subscription.seek(cursor);
        // Something may lie there already.
        self.wake.mark_changed();
    }

    fn note(&self, cursor: Cursor) {
        self.done.fetch_max(cursor.seq, Ordering::Relaxed);
    }
}

impl Handle {
    /// Registers a subscriber under a name, or finds the one that is registered, and follows events from `start`. What
    /// it has not acknowledged is kept for it, under [`Policy::Lossless`].
    ///
    /// # Errors
    ///
    /// [`StreamError`].
    pub async fn subscribe(
        &self,
        name: &str,
        policy: Policy,
        start: Start,
    ) -> Result<EventStream, StreamError> {
        let name = name.to_owned();
        let subscribed = self.write(move |ledger| ledger.subscribe(&name, policy, start));
        Ok(EventStream::new(self, subscribed.await??))
    }

    /// Follows events from `start` without a name: nothing is kept, nothing is acknowledged.
    ///
    /// # Errors
    ///
    /// [`StreamError`].
    pub async fn follow(&self, policy: Policy, start: Start) -> Result<EventStream, StreamError> {
        let followed = self.read(move |ledger| ledger.follow(policy, start));
        Ok(EventStream::new(self, followed.await??))
    }
}
