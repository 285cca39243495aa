//! Owns one client's stream of peer events.
//! Promises that a client which does not read costs a bounded queue, and is told how much it missed.
//! Refuses to keep events for anyone: a client that comes back lists the peers first.

use everett_node::{CallError, PeerEvent, StopSignal};
use everett_proto::v1;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, oneshot};

use crate::convert::peer as convert;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::responses::Responses;

/// Events that wait for a client to read; of more, the oldest that the network still has.
const QUEUE: usize = 64;

/// Begins to send.
pub(crate) fn begin(
    events: broadcast::Receiver<PeerEvent>,
    deadline: Deadline,
    stop: StopSignal,
    place: OwnedSemaphorePermit,
) -> Responses<v1::StreamPeerEventsResponse> {
    let (sender, messages) = mpsc::channel(QUEUE);
    let (told, end) = oneshot::channel();
    tokio::spawn(async move {
        let why = tokio::select! {
            why = send(events, &sender) => why,
            () = deadline.over() => Some(Fault::deadline_exceeded()),
            () = stop.wait() => Some(CallError::ShuttingDown.into()),
        };
        if let Some(why) = why {
            // The client may be gone.
            let _ = told.send(Some(why));
        }
    });
    Responses::new(messages, end, place)
}

/// Sends until the network ends, or the client; `None` for the client.
async fn send(
    mut events: broadcast::Receiver<PeerEvent>,
    sender: &mpsc::Sender<v1::StreamPeerEventsResponse>,
) -> Option<Fault> {
    let mut missed = 0;
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = sender.closed() => return None,
        };
        match event {
            Ok(event) => {
                let message = convert::event(event, missed);
                sender.send(message).await.ok()?;
                missed = 0;
            }
            Err(RecvError::Lagged(count)) => missed += count,
            Err(RecvError::Closed) => return Some(Fault::network_disabled()),
        }
    }
}
