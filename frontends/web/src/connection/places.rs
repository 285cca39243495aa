//! Owns the places for connections: how many may be open, and which one has to go when a new one comes.
//! Promises that visitors who ask nothing keep nobody out: when all places are taken, the connection that has been
//! silent longest gives up its own.
//! Refuses to end a connection while an answer of it is being made.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// All places.
pub(super) struct Places {
    all: u32,
    free: Arc<Semaphore>,
    silent: Arc<Silent>,
}

/// The connections on which no request is answered.
#[derive(Default)]
struct Silent(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    /// The last number given.
    last: u64,
    /// What tells each connection to go, in the order in which they fell silent. Never more than there are places.
    waiting: BTreeMap<u64, Arc<Notify>>,
    /// Whether somebody waits for a place while every connection is answered: the first to fall silent goes.
    wanted: bool,
}

impl Silent {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A panic while it was held cannot leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the connection that is silent longest to go, or the next that will be.
    fn dismiss_one(&self) {
        let mut queue = self.queue();
        match queue.waiting.pop_first() {
            Some((_, go)) => go.notify_one(),
            None => queue.wanted = true,
        }
    }

    /// Lets a connection wait for its next request; its number.
    fn enter(&self, go: &Arc<Notify>) -> u64 {
        let mut queue = self.queue();
        queue.last += 1;
        let number = queue.last;
        match std::mem::take(&mut queue.wanted) {
            true => go.notify_one(),
            false => _ = queue.waiting.insert(number, go.clone()),
        }
        number
    }

    /// Takes a connection out; whether it was still waiting.
    fn leave(&self, number: u64) -> bool {
        self.queue().waiting.remove(&number).is_some()
    }
}

impl Places {
    pub(super) fn new(count: usize) -> Places {
        let all = u32::try_from(count).unwrap_or(u32::MAX);
        Places {
            all,
            free: Arc::new(Semaphore::new(all as usize)),
            silent: Arc::default(),
        }
    }

    /// A place for a connection that has come.
    pub(super) async fn take(&self) -> Arc<Place> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.silent.dismiss_one();
                let freed = self.free.clone().acquire_owned().await;
                // Somebody may have left by himself.
                self.silent.queue().wanted = false;
                freed.expect("nobody closes the places")
            }
        };
        let go = Arc::new(Notify::new());
        Arc::new(Place {
            number: AtomicU64::new(self.silent.enter(&go)),
            silent: self.silent.clone(),
            go,
            _permit: permit,
        })
    }

    /// Waits until every connection has ended.
    pub(super) async fn all_left(&self) {
        let all = self.free.acquire_many(self.all).await;
        drop(all.expect("nobody closes the places"));
    }
}

/// A connection's place; free again when the connection and all its answers are gone.
pub(super) struct Place {
    silent: Arc<Silent>,
    /// Under which it waits while it is silent.
    number: AtomicU64,
    go: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Waits until another connection needs the place.
    pub(super) async fn dismissed(&self) {
        self.go.notified().await;
    }

    /// Begins to answer a request; `None` when the connection was told to go before.
    pub(super) fn answer(self: &Arc<Place>) -> Option<Answering> {
        let waited = self.silent.leave(self.number.load(Ordering::Relaxed));
        waited.then(|| Answering(self.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.silent.leave(*self.number.get_mut());
    }
}

/// Keeps a connection from being told to go, until its answer is handed over.
pub(super) struct Answering(Arc<Place>);

impl Answering {
    /// Binds it to the answer's content.
    pub(super) fn with(self, body: Body) -> Body {
        Body::new(Answer {
            body,
            _answering: self,
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let place = &self.0;
        let number = place.silent.enter(&place.go);
        place.number.store(number, Ordering::Relaxed);
    }
}

/// An answer's content.
struct Answer {
    body: Body,
    _answering: Answering,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a request on a connection that was told to go gets no answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("its place was needed before it asked")]
pub(super) struct Dismissed;

#[cfg(test)]
mod tests;
