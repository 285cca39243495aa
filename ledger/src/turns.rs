//! Owns the order in which threads that wait get their turn to write.
//! Promises that blocks for the best chain go before blocks of other branches, and that nobody waits for ever.
//! Refuses to interrupt: a turn that began runs to its end.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::urgency::Urgency;

#[cfg(test)]
mod tests;

/// How many may overtake one that waits, before it goes next whatever it brings.
const MAX_OVERTAKEN: u64 = 100;

/// Something that one thread at a time may use, in the order of its [`Urgency`], then of arrival.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    queue: Mutex<Queue>,
    /// Told whenever a turn ends.
    ended: Condvar,
    /// Only ever locked by the one whose turn it is, so it never waits.
    inner: Mutex<T>,
}

#[derive(Debug, Default)]
struct Queue {
    busy: bool,
    /// Tickets given, which is also the number of the next one.
    tickets: u64,
    waiting: BTreeSet<(Urgency, u64)>,
}

impl Queue {
    /// Who goes next.
    fn next(&self) -> Option<(Urgency, u64)> {
        let first = *self.waiting.first()?;
        let oldest = self.waiting.iter().min_by_key(|(_, ticket)| *ticket)?;
        let overtaken = self.tickets - oldest.1 > self.waiting.len() as u64 + MAX_OVERTAKEN;
        Some(if overtaken { *oldest } else { first })
    }
}

/// The turn; it ends when this is dropped.
pub(crate) struct Turn<'a, T> {
    inner: MutexGuard<'a, T>,
    /// Dropped after the lock above.
    _end: End<'a>,
}

/// Lets the next one have a turn when it is dropped.
struct End<'a> {
    queue: &'a Mutex<Queue>,
    ended: &'a Condvar,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.queue.lock().busy = false;
        self.ended.notify_all();
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Turns<T> {
    pub(crate) fn new(inner: T) -> Turns<T> {
        Turns {
            queue: Mutex::default(),
            ended: Condvar::new(),
            inner: Mutex::new(inner),
        }
    }

    /// Waits for a turn. How urgent it is, is only asked where somebody else has the turn.
    pub(crate) fn wait(&self, urgency: impl FnOnce() -> Urgency) -> Turn<'_, T> {
        let mut queue = self.queue.lock();
        if queue.busy || !queue.waiting.is_empty() {
            let ticket = queue.tickets;
            queue.tickets += 1;
            // Finding it out may take a while; who comes meanwhile gets a later ticket.
            let place = (MutexGuard::unlocked(&mut queue, urgency), ticket);
            queue.waiting.insert(place);
            while queue.busy || queue.next() != Some(place) {
                self.ended.wait(&mut queue);
            }
            queue.waiting.remove(&place);
        }
        queue.busy = true;
        drop(queue);
        Turn {
            inner: self.inner.lock(),
            _end: End {
                queue: &self.queue,
                ended: &self.ended,
            },
        }
    }
}
