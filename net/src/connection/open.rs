//! Owns one connection without a pool: open, send, receive, close.
//! Promises what the pool promises: v2 with fallback to v1, pings answered, bounded memory.
//! Refuses to call again: who wants that takes a pool.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::secp256k1::rand::{Rng, thread_rng};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::budget::{Permit, TotalBudget};
use super::link::{Link, Owner};
use super::peer::{Peer, SendError};
use super::{Clock, LostReason, RECEIVE_BUDGET};
use crate::dial::{DialError, Route, dial};
use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::peer::{PeerId, PeerInfo, Purpose};
use crate::session::{Session, SessionConfig};

/// How long a call may take until the socket is connected.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no connection was opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// The peer was not reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It was reached, and the handshake failed.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] LostReason),
}

enum Event {
    Established(PeerInfo),
    Message(Message, Permit),
    Lost(LostReason),
}

struct Sender(mpsc::UnboundedSender<Event>);

impl Owner for Sender {
    fn established(&self, _: &Peer, info: PeerInfo) {
        // Nobody listens any more: the connection ends with its handle.
        let _ = self.0.send(Event::Established(info));
    }

    fn message(&self, _: &Peer, message: Message, permit: Permit) {
        let _ = self.0.send(Event::Message(message, permit));
    }
}

/// Ends a connection when it is dropped, also by who no longer waits for its handshake.
#[derive(Debug)]
struct Ending(Peer);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.disconnect("dropped");
    }
}

/// One connection. It ends when it is dropped.
#[derive(Debug)]
pub struct Connection {
    peer: Ending,
    info: PeerInfo,
    /// Bounded by the receive budget: each message holds a permit.
    events: mpsc::UnboundedReceiver<Event>,
    lost: Option<LostReason>,
}

impl Connection {
    /// Calls `endpoint` directly and waits for the handshake, at most the config's timeout. If v2 is on and the peer
    /// hangs up on it without a word, it is called again with v1.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open(endpoint: Endpoint, config: SessionConfig) -> Result<Connection, OpenError> {
        Connection::open_through(&Route::Direct, endpoint, config).await
    }

    /// As [`Connection::open`], by this route.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open_through(
        route: &Route,
        endpoint: Endpoint,
        mut config: SessionConfig,
    ) -> Result<Connection, OpenError> {
        loop {
            let stream = dial(route, &endpoint, DIAL_TIMEOUT).await?;
            match Connection::start(stream, endpoint.clone(), Purpose::Manual, config.clone()).await
            {
                Ok(connection) => return Ok(connection),
                Err((_, true)) if config.v2 => config.v2 = false,
                Err((reason, _)) => return Err(OpenError::Handshake(reason)),
            }
        }
    }

    /// Speaks over a stream that is connected already, for `purpose`: over anything that bytes can be read from and
    /// written to.
    ///
    /// # Errors
    ///
    /// Why the handshake failed, and whether the peer should be called again with v1.
    pub async fn start<S>(
        stream: S,
        endpoint: Endpoint,
        purpose: Purpose,
        mut config: SessionConfig,
    ) -> Result<Connection, (LostReason, bool)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let clock = Clock::start();
        config.epoch = clock.epoch;
        let write_stall = config.timeouts.write_stall;
        let total = Arc::new(TotalBudget::new(RECEIVE_BUDGET));
        let id = PeerId(0);
        let peer = Peer::new(id, purpose, endpoint.clone(), total, clock.now());
        let seed = thread_rng().r#gen();
        let session = Session::new(config, id, purpose, endpoint, clock.now(), seed);
        let (sender, mut events) = mpsc::unbounded_channel();
        let owner = Sender(sender.clone());
        let mut link = Link::new(stream, session, peer.clone(), owner, clock, write_stall);
        let peer = Ending(peer);
        let (fallback, fell_back) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let reason = (&mut link).await;
            let _ = fallback.send(link.should_fall_back());
            let _ = sender.send(Event::Lost(reason));
        });
        match events.recv().await {
            Some(Event::Established(info)) => Ok(Connection {
                peer,
                info,
                events,
                lost: None,
            }),
            Some(Event::Lost(reason)) => Err((reason, fell_back.await.unwrap_or(false))),
            Some(Event::Message(..)) | None => Err((LostReason::Closed, false)),
        }
    }

    /// What the peer said of itself.
    pub fn info(&self) -> &PeerInfo {
        &self.info
    }

    /// A handle that can be shared: sending, figures, disconnecting.
    pub fn peer(&self) -> &Peer {
        &self.peer.0
    }

    /// Queues a message.
    ///
    /// # Errors
    ///
    /// [`SendError`]: nothing was queued.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.peer.0.send(message)
    }

    /// The next message.
    ///
    /// # Errors
    ///
    /// Why the connection ended, then and ever after.
    pub async fn receive(&mut self) -> Result<Message, LostReason> {
        if let Some(reason) = &self.lost {
            return Err(reason.clone());
        }
        loop {
            match self.events.recv().await {
                Some(Event::Message(message, permit)) => {
                    drop(permit);
                    return Ok(message);
                }
                Some(Event::Established(_)) => {}
                Some(Event::Lost(reason)) => {
                    self.lost = Some(reason.clone());
                    return Err(reason);
                }
                None => return Err(LostReason::Closed),
            }
        }
    }

    /// Ends the connection and waits until its socket is closed; why it ended, if that was something else.
    pub async fn close(mut self) -> LostReason {
        self.peer.0.disconnect("closed");
        loop {
            if let Err(reason) = self.receive().await {
                return reason;
            }
        }
    }
}
