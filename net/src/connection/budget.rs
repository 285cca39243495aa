//! Owns how many received bytes are held, by each peer and by all.
//! Promises that a peer whose bytes were dealt with is read from again.
//! Refuses to drop anything: who holds too much is not read from, that is all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use super::peer::Shared;

/// Bytes that all connections together hold, and those that wait for it to become less.
#[derive(Debug)]
pub struct TotalBudget {
    held: AtomicUsize,
    limit: usize,
    /// At most one a connection.
    waiting: Mutex<Vec<Waker>>,
}

impl TotalBudget {
    /// One for any number of connections; each may hold something even when it is used up, so none waits for ever.
    pub fn new(limit: usize) -> TotalBudget {
        TotalBudget {
            held: AtomicUsize::new(0),
            limit,
            waiting: Mutex::new(Vec::new()),
        }
    }

    /// Bytes of messages that were handed out and not dealt with.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    fn take(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::AcqRel);
    }

    fn give_back(&self, bytes: usize) {
        let before = self.held.fetch_sub(bytes, Ordering::AcqRel);
        if before > self.limit && before - bytes <= self.limit {
            let waiting = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *waiting)
            };
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether it is used up; if so, `waker` is woken when it is not.
    pub(super) fn wait(&self, waker: &Waker) -> bool {
        if self.held() <= self.limit {
            return false;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        drop(waiting);
        self.held() > self.limit
    }
}

/// A received message's share of its peer's receive budget: given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Permit {
    pub(super) fn new(shared: &Arc<Shared>, bytes: usize) -> Permit {
        shared.held.fetch_add(bytes, Ordering::AcqRel);
        shared.total.take(bytes);
        Permit {
            shared: shared.clone(),
            bytes,
        }
    }

    /// Bytes that are given back.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.bytes, Ordering::SeqCst);
        self.shared.total.give_back(self.bytes);
        if self.shared.paused.swap(false, Ordering::SeqCst) {
            self.shared.wake();
        }
    }
}
