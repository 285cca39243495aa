//! Owns the loop that gives a pool's events to its handlers.
//! Promises order for each peer; a task is there for a peer only while it has something to handle.
//! Refuses to end before the pool does, or for a handler that panics: that costs its peer the connection.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::task::JoinSet;

use crate::connection::{LostReason, Peer, Permit};
use crate::message::Message;
use crate::peer::PeerId;
use crate::pool::{Pool, PoolEvent, PoolEvents};

enum Item {
    Established,
    /// The permit is held until the message was handled, so a slow handler slows its peer down.
    Message(Message, Permit),
    Lost(LostReason),
}

/// One peer's events that wait to be handled.
struct Line {
    peer: Peer,
    items: Mutex<Items>,
}

#[derive(Default)]
struct Items {
    /// Bounded by the peer's receive budget.
    waiting: VecDeque<Item>,
    /// Whether a task works on them.
    running: bool,
}

impl Line {
    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PoolEvents {
    /// Calls the pool's handlers until it is shut down and all were called. What is not handled by any of them is
    /// dropped.
    pub async fn dispatch(mut self) {
        let pool = self.pool().clone();
        let mut lines: HashMap<PeerId, Arc<Line>> = HashMap::new();
        // At most one task a peer.
        let mut tasks = JoinSet::new();
        while let Some(event) = self.next().await {
            let (id, item) = match event {
                PoolEvent::Established(info) => {
                    if let Some(peer) = pool.peer(info.id) {
                        let items = Mutex::default();
                        lines.insert(info.id, Arc::new(Line { peer, items }));
                    }
                    (info.id, Item::Established)
                }
                PoolEvent::Message(id, message, permit) => (id, Item::Message(message, permit)),
                PoolEvent::Lost { peer, reason, .. } => (peer, Item::Lost(reason)),
                PoolEvent::Drained(_) | PoolEvent::Failed { .. } => continue,
            };
            let line = match item {
                Item::Lost(_) => lines.remove(&id),
                _ => lines.get(&id).cloned(),
            };
            if let Some(line) = line {
                while tasks.try_join_next().is_some() {}
                if enqueue(&line, item) {
                    tasks.spawn(work(pool.clone(), line));
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Whether a task is to be made for it.
fn enqueue(line: &Line, item: Item) -> bool {
    let mut items = line.items();
    items.waiting.push_back(item);
    !std::mem::replace(&mut items.running, true)
}

async fn work(pool: Pool, line: Arc<Line>) {
    loop {
        let item = {
            let mut items = line.items();
            match items.waiting.pop_front() {
                Some(item) => item,
                None => {
                    items.waiting = VecDeque::new();
                    items.running = false;
                    return;
                }
            }
        };
        if is_panic(handle(&pool, &line.peer, item)).await {
            tracing::error!(peer = %line.peer.id(), "a handler panicked; its peer is disconnected");
            line.peer.disconnect("a handler panicked");
            // Nobody knows what it left half done, so the peer's messages are dropped; that it is lost is still told.
            let mut items = line.items();
            items.waiting.retain(|item| matches!(item, Item::Lost(_)));
        }
    }
}

async fn handle(pool: &Pool, peer: &Peer, item: Item) {
    match item {
        Item::Established => {
            for handler in pool.handlers().of_established() {
                handler(peer.clone()).await;
            }
        }
        Item::Message(message, permit) => {
            for handler in pool.handlers().of(&message.command) {
                handler(peer.clone(), message.clone()).await;
            }
            drop(permit);
        }
        Item::Lost(reason) => {
            for handler in pool.handlers().of_lost() {
                handler(peer.clone(), reason.clone()).await;
            }
        }
    }
}

/// Waits for a task; whether it panicked instead of coming to its end.
async fn is_panic(task: impl Future<Output = ()>) -> bool {
    let mut task = pin!(task);
    poll_fn(|cx| {
        // After a panic it is only dropped.
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(true), |polled| polled.map(|()| false))
    })
    .await
}
