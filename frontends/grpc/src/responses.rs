//! Owns the end of a stream of messages that the transport reads.
//! Promises that the last thing a client gets is why there is no more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use everett_node::CallError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_stream::Stream;
use tonic::Status;

use crate::fault::Fault;

/// What a streaming call answers with.
pub(crate) struct Responses<T> {
    messages: mpsc::Receiver<T>,
    /// Why there are no more, nothing for an end in order; `None` once it was told.
    end: Option<oneshot::Receiver<Option<Fault>>>,
    /// Given back when the client is gone.
    _place: OwnedSemaphorePermit,
}

impl<T> Responses<T> {
    /// Those that come through `messages`, until there are no more; `end` then tells why.
    pub(crate) fn new(
        messages: mpsc::Receiver<T>,
        end: oneshot::Receiver<Option<Fault>>,
        place: OwnedSemaphorePermit,
    ) -> Responses<T> {
        Responses {
            messages,
            end: Some(end),
            _place: place,
        }
    }
}

impl<T> Stream for Responses<T> {
    type Item = Result<T, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(message) = ready!(this.messages.poll_recv(context)) {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = &mut this.end else {
            return Poll::Ready(None);
        };
        // A sender that panicked said nothing.
        let why = ready!(Pin::new(end).poll(context)).unwrap_or(Some(CallError::Panicked.into()));
        this.end = None;
        Poll::Ready(why.map(|why| Err(why.into())))
    }
}
