//! Owns what waits for one subscriber, and what it wants to hear.
//! Promises that giving it a message never waits: beyond its limit messages are dropped, as ZeroMQ does.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::wire::WireError;

/// Most subscriptions of one subscriber.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 1024;
/// Most answers to pings that wait.
const MAX_ANSWERS: usize = 16;

/// What waits for one subscriber.
pub(crate) struct Queue {
    /// Messages that may wait; none for any number.
    limit: Option<usize>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Bytes>,
    answers: VecDeque<Bytes>,
    /// Beginnings of topics, one as often as it was subscribed to.
    subscriptions: Vec<Bytes>,
    dropped: u64,
}

impl Queue {
    /// An empty one; a high water mark of 0 is none.
    pub(crate) fn new(high_water_mark: u32) -> Queue {
        let limit = usize::try_from(high_water_mark).unwrap_or(usize::MAX);
        Queue {
            limit: Some(limit).filter(|limit| *limit > 0),
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Adds a message with this topic, if it is wanted and there is room.
    pub(crate) fn push(&self, topic: &str, message: &Bytes) {
        let mut state = self.state.lock();
        let wanted = |begin: &Bytes| topic.as_bytes().starts_with(begin);
        if !state.subscriptions.iter().any(wanted) {
            return;
        }
        if self.limit.is_some_and(|limit| state.waiting.len() >= limit) {
            state.dropped += 1;
            return;
        }
        state.waiting.push_back(message.clone());
        drop(state);
        self.wake.notify_one();
    }

    /// Adds what is no message of a topic: it goes first. What comes too often is left out.
    pub(crate) fn answer(&self, bytes: Bytes) {
        let mut state = self.state.lock();
        if state.answers.len() < MAX_ANSWERS {
            state.answers.push_back(bytes);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Subscribes to topics that begin like this.
    pub(crate) fn subscribe(&self, begin: Bytes) -> Result<(), WireError> {
        let mut state = self.state.lock();
        if state.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return Err(WireError::Subscriptions);
        }
        state.subscriptions.push(begin);
        Ok(())
    }

    /// Takes one such subscription back.
    pub(crate) fn cancel(&self, begin: &[u8]) {
        let mut state = self.state.lock();
        let place = state.subscriptions.iter().position(|kept| kept == begin);
        if let Some(place) = place {
            state.subscriptions.swap_remove(place);
        }
    }

    /// Waits for the next thing to send. Dropping the future loses nothing.
    pub(crate) async fn next(&self) -> Bytes {
        loop {
            {
                let mut state = self.state.lock();
                let next = state.answers.pop_front();
                if let Some(next) = next.or_else(|| state.waiting.pop_front()) {
                    return next;
                }
            }
            self.wake.notified().await;
        }
    }

    /// How many messages were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(high_water_mark: u32) -> Queue {
        let queue = Queue::new(high_water_mark);
        queue.subscribe(Bytes::from_static(b"raw")).unwrap();
        queue
    }

    #[tokio::test]
    async fn messages_beyond_the_mark_are_dropped_and_those_before_stay() {
        let queue = queue(2);
        for number in 0..5_u8 {
            queue.push("rawtx", &Bytes::from(vec![number]));
        }
        assert_eq!(queue.dropped(), 3);
        assert_eq!(&queue.next().await[..], [0]);
        queue.push("rawtx", &Bytes::from(vec![9]));
        assert_eq!(&queue.next().await[..], [1]);
        assert_eq!(&queue.next().await[..], [9]);
    }

    #[tokio::test]
    async fn a_mark_of_zero_is_none() {
        let queue = queue(0);
        for _ in 0..5000 {
            queue.push("rawtx", &Bytes::new());
        }
        assert_eq!(queue.dropped(), 0);
    }

    #[tokio::test]
    async fn only_topics_that_begin_as_subscribed_come() {
        let queue = queue(10);
        let message = Bytes::from_static(b"m");
        queue.push("hashtx", &message);
        queue.push("rawblock", &message);
        assert_eq!(queue.next().await, message);
        queue.subscribe(Bytes::from_static(b"raw")).unwrap();
        queue.cancel(b"raw");
        queue.push("rawtx", &message);
        assert_eq!(queue.next().await, message);
        queue.cancel(b"raw");
        queue.push("rawtx", &message);
        assert!(queue.state.lock().waiting.is_empty());
    }

    #[test]
    fn subscriptions_and_answers_have_their_limits() {
        let queue = queue(1);
        for _ in 1..MAX_SUBSCRIPTIONS {
            queue.subscribe(Bytes::new()).unwrap();
        }
        assert!(queue.subscribe(Bytes::new()).is_err());
        for _ in 0..2 * MAX_ANSWERS {
            queue.answer(Bytes::new());
        }
        assert_eq!(queue.state.lock().answers.len(), MAX_ANSWERS);
    }
}
