//! Owns one client's stream of events: it takes batches from the node and hands messages to the transport.
//! Promises that a client which does not read costs a bounded queue for a bounded time, and learns where it stood.
//! Refuses to be cut short without a word: the last thing a client gets is why.

use std::sync::Arc;
use std::time::SystemTime;

use everett_ledger::{Cursor, Delivery, Ledger, World, WorldError};
use everett_node::{CallError, EventStream, Handle};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::stream_events_response::Message;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;
use tonic::Code;
use tracing::warn;

use crate::config::StreamLimits;
use crate::convert;
use crate::event_wish::EventWish;
use crate::fault::Fault;
use crate::responses::Responses;

/// Messages that wait for a client to read; more wait in the outbox.
const QUEUE: usize = 64;

/// What a call of StreamEvents answers with.
pub(crate) type EventResponses = Responses<v1::StreamEventsResponse>;

/// Begins to send.
pub(crate) fn begin(
    handle: Handle,
    events: EventStream,
    wish: EventWish,
    limits: StreamLimits,
    place: OwnedSemaphorePermit,
) -> EventResponses {
    let (sender, messages) = mpsc::channel(QUEUE);
    let (told, end) = oneshot::channel();
    let sending = Sending {
        handle,
        sent: events.position(),
        heartbeat_due: Instant::now() + wish.heartbeat,
        events: events.with_limit(QUEUE),
        wish: Arc::new(wish),
        limits,
        sender,
    };
    tokio::spawn(async move {
        if let Some(why) = sending.run().await {
            // It may have been too slow because it is gone.
            let _ = told.send(Some(why));
        }
    });
    Responses::new(messages, end, place)
}

/// Why the sending stopped; `None` when the client is gone.
type Ended = Option<Fault>;

struct Sending {
    handle: Handle,
    events: EventStream,
    wish: Arc<EventWish>,
    limits: StreamLimits,
    sender: mpsc::Sender<v1::StreamEventsResponse>,
    /// The cursor of the last message.
    sent: Cursor,
    heartbeat_due: Instant,
}

impl Sending {
    /// Sends until the client is gone, too slow, or the node stops.
    async fn run(mut self) -> Ended {
        loop {
            if let Err(ended) = self.step().await {
                return ended;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Ended> {
        let batch = tokio::select! {
            batch = self.events.next() => batch.map_err(|error| Some(Fault::from(error)))?,
            () = tokio::time::sleep_until(self.heartbeat_due) => {
                return self.heartbeat().await;
            }
            () = self.sender.closed() => return Err(None),
        };
        let Some(batch) = batch else {
            return Err(Some(CallError::ShuttingDown.into()));
        };
        for delivery in batch {
            if !self.wish.wants(delivery.event.kind) {
                continue;
            }
            let kind = delivery.event.kind;
            let cursor = delivery.cursor;
            let message = self.tell(delivery).await?;
            if self.wish.wants_message(kind, &message) {
                self.send(Message::Event(message), cursor).await?;
            }
        }
        // Filters may leave out event after event.
        match Instant::now() >= self.heartbeat_due {
            true => self.heartbeat().await,
            false => Ok(()),
        }
    }

    async fn heartbeat(&mut self) -> Result<(), Ended> {
        let cursor = self.events.position();
        let heartbeat = v1::Heartbeat {
            cursor: Some(convert::cursor(cursor)),
            time: Some(SystemTime::now().into()),
        };
        self.send(Message::Heartbeat(heartbeat), cursor).await
    }

    async fn send(&mut self, message: Message, cursor: Cursor) -> Result<(), Ended> {
        let message = v1::StreamEventsResponse {
            message: Some(message),
        };
        let patience = self.limits.slow_consumer;
        match tokio::time::timeout(patience, self.sender.send(message)).await {
            Ok(Ok(())) => {
                self.sent = cursor;
                self.heartbeat_due = Instant::now() + self.wish.heartbeat;
                Ok(())
            }
            Ok(Err(_)) => Err(None),
            Err(_) => {
                let text = format!(
                    "nothing was read from this stream for {} s; start again at the cursor of the last message",
                    patience.as_secs()
                );
                let fault = Fault::new(Code::ResourceExhausted, ErrorReason::SlowConsumer, text);
                Err(Some(fault.at_cursor(self.sent)))
            }
        }
    }

    async fn tell(&self, delivery: Delivery) -> Result<v1::Event, Ended> {
        let ledger = self.handle.ledger();
        let mut message = convert::event(ledger, &delivery);
        if !self.wish.watches(&delivery.event) {
            return Ok(message);
        }
        let wish = self.wish.clone();
        let changes = self
            .handle
            .read(move |ledger| changes(ledger, &wish, &delivery))
            .await
            .map_err(|error| Some(Fault::from(error)))?;
        match changes {
            Some(changes) => message.changes = changes,
            None => message.changes_unknown = true,
        }
        Ok(message)
    }
}

/// How the watched scripts differ between both ends of an event; `None` if that cannot be told any more.
fn changes(
    ledger: &Ledger,
    wish: &EventWish,
    delivery: &Delivery,
) -> Option<Vec<v1::WatchedChange>> {
    let (from, to) = (&delivery.event.from, &delivery.event.to);
    let changes = match ledger.script_changes(from, to) {
        Ok(changes) => changes?,
        Err(error) => {
            warn!(%error, %from, %to, "the changes of watched scripts cannot be told");
            return None;
        }
    };
    let balance = |world: &Result<World, WorldError>, script: &v1::Script, hash| {
        let balance = world.as_ref().ok()?.balance(hash).ok()?;
        Some(convert::balance(Some(script.clone()), &balance))
    };
    let changed = wish.watch.iter().filter_map(|(script, hash)| {
        let change = changes.get(hash)?;
        Some(v1::WatchedChange {
            before: balance(&delivery.from, script, hash),
            after: balance(&delivery.to, script, hash),
            script: Some(script.clone()),
            confirmed_delta_sat: change.sat,
            utxo_delta: change.coins,
        })
    });
    Some(changed.collect())
}
