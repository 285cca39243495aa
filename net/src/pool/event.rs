//! Owns what a pool tells its owner.
//! Promises that each connection is told of once when it is there and once when it is not.
//! Refuses to lose a message: who does not read stops its peers from sending instead.

use tokio::sync::mpsc;

use super::Pool;
use crate::connection::{LostReason, Permit};
use crate::dial::DialError;
use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::peer::{PeerId, PeerInfo, Purpose};

/// Events beside messages that may wait to be read. Beyond it nobody is let in or called, and [`PoolEvent::Failed`] is
/// only logged.
pub(super) const MAX_UNREAD: usize = 10_000;

/// What happened.
#[derive(Debug)]
pub enum PoolEvent {
    /// A handshake is over.
    Established(PeerInfo),
    /// A message came. While the permit lives the message counts against what its peer may send ahead.
    Message(PeerId, Message, Permit),
    /// Less than [`DRAINED_BELOW`](crate::connection::DRAINED_BELOW) bytes wait to be written to a peer that had more.
    Drained(PeerId),
    /// A connection that was established is over.
    Lost {
        /// Which.
        peer: PeerId,
        /// Where it was.
        endpoint: Endpoint,
        /// Why.
        reason: LostReason,
    },
    /// A connection was not established.
    Failed {
        /// With whom.
        endpoint: Endpoint,
        /// What for.
        purpose: Purpose,
        /// Why.
        error: FailedReason,
    },
}

/// Why a connection was not established.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FailedReason {
    /// It was not reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It was reached, and the handshake failed.
    #[error(transparent)]
    Handshake(#[from] LostReason),
    /// It is banned.
    #[error("it is banned")]
    Banned,
    /// It is discouraged, and there is hardly room.
    #[error("it is discouraged after misbehaviour")]
    Discouraged,
    /// There is no room, and nobody worth less.
    #[error("no place is free for another incoming connection")]
    Full,
    /// Too many connections from there are in their handshake.
    #[error("too many connections from its address are in their handshake")]
    Crowded,
    /// It is our own address.
    #[error("it is our own address")]
    Ourselves,
    /// The network is switched off.
    #[error("the network is switched off")]
    Inactive,
}

/// The events of a pool, in order; there is one reader.
#[derive(Debug)]
pub struct PoolEvents {
    pub(super) pool: Pool,
    /// Bounded by permits (messages) and by `MAX_UNREAD` (the rest).
    pub(super) events: mpsc::UnboundedReceiver<PoolEvent>,
}

impl PoolEvents {
    /// The next event; `None` once the pool is shut down and all events were read.
    ///
    /// Safe to be given up half-way (as in `select!`): no event is lost.
    pub async fn next(&mut self) -> Option<PoolEvent> {
        let event = self.events.recv().await;
        event.inspect(|event| self.pool.taken(event))
    }

    /// The next event, for a thread that is not in a runtime.
    ///
    /// # Panics
    ///
    /// If called from within an asynchronous context, as tokio's `blocking_recv`.
    pub fn blocking_next(&mut self) -> Option<PoolEvent> {
        let event = self.events.blocking_recv();
        event.inspect(|event| self.pool.taken(event))
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<PoolEvent> {
        let event = self.events.try_recv().ok();
        event.inspect(|event| self.pool.taken(event))
    }

    /// The pool that they are of.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}
