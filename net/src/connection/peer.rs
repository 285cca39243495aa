//! Owns the handle to a connection: sending, asking, disconnecting from any thread.
//! Promises never to block, and to take no more than fits the send queue.
//! Refuses to touch the socket: that is the link's, which is woken.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;

use super::budget::TotalBudget;
use super::{DRAINED_BELOW, LostReason, MESSAGE_COST, SEND_QUEUE};
use crate::counters::Counters;
use crate::endpoint::Endpoint;
use crate::limits::payload_limit;
use crate::message::{Command, Message};
use crate::peer::{PeerId, PeerInfo, Purpose};

/// Why a message was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// There is no such peer, or no longer.
    #[error("the peer is not connected")]
    NotConnected,
    /// Too much waits to be written: the peer reads slower than is sent. Wait until it is drained, or disconnect it.
    #[error("{queued} bytes wait to be written to the peer already, of at most {SEND_QUEUE}")]
    QueueFull {
        /// How much waits.
        queued: usize,
    },
    /// No peer would take it.
    #[error("a {command} message of {length} bytes is longer than the {limit} that it may have")]
    TooLong {
        /// Its name.
        command: Command,
        /// Its bytes.
        length: usize,
        /// The most it may have.
        limit: u32,
    },
}

/// What the link and all handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) id: PeerId,
    pub(super) endpoint: Endpoint,
    pub(super) purpose: Purpose,
    pub(super) info: OnceLock<PeerInfo>,
    /// Our side of the socket.
    pub(super) local: OnceLock<SocketAddr>,
    pub(super) lines: Mutex<Lines>,
    /// Bytes of the messages in `lines.queue`.
    pub(super) waiting: AtomicUsize,
    /// Bytes that the session has put on the wire and the socket has not taken.
    pub(super) unwritten: AtomicUsize,
    /// Received bytes that nobody has dealt with.
    pub(super) held: AtomicUsize,
    pub(super) total: Arc<TotalBudget>,
    /// Whether the link has stopped reading because too much is held.
    pub(super) paused: AtomicBool,
    pub(super) counters: Mutex<Counters>,
    pub(super) drained: Notify,
}

/// What goes from handles to the link.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) queue: VecDeque<Message>,
    pub(super) waker: Option<Waker>,
    pub(super) close: Option<LostReason>,
    /// The link is gone.
    pub(super) over: bool,
}

impl Shared {
    pub(super) fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link is gone: nothing more is taken, and nobody waits for it. Does nothing the second time.
    pub(super) fn end(&self) {
        let mut lines = self.lines();
        lines.over = true;
        lines.queue = VecDeque::new();
        lines.waker = None;
        drop(lines);
        self.waiting.store(0, Ordering::Release);
        self.unwritten.store(0, Ordering::Release);
        self.drained.notify_waiters();
    }

    pub(super) fn wake(&self) {
        let waker = self.lines().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A handle to a connection. Clones are cheap; the connection does not end with them.
#[derive(Clone)]
pub struct Peer {
    pub(super) shared: Arc<Shared>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({}, {:?})", self.shared.id, self.shared.endpoint)
    }
}

impl Peer {
    pub(crate) fn new(
        id: PeerId,
        purpose: Purpose,
        endpoint: Endpoint,
        total: Arc<TotalBudget>,
        now: Duration,
    ) -> Peer {
        Peer {
            shared: Arc::new(Shared {
                id,
                endpoint,
                purpose,
                info: OnceLock::new(),
                local: OnceLock::new(),
                lines: Mutex::default(),
                waiting: AtomicUsize::new(0),
                unwritten: AtomicUsize::new(0),
                held: AtomicUsize::new(0),
                total,
                paused: AtomicBool::new(false),
                counters: Mutex::new(Counters::new(now)),
                drained: Notify::new(),
            }),
        }
    }

    /// Its number.
    pub fn id(&self) -> PeerId {
        self.shared.id
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// What the connection is for.
    pub fn purpose(&self) -> Purpose {
        self.shared.purpose
    }

    /// What it said of itself; `None` before the handshake is over.
    pub fn info(&self) -> Option<&PeerInfo> {
        self.shared.info.get()
    }

    /// The address of our side of its socket; `None` before there is one.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.shared.local.get().copied()
    }

    /// Notes where our side of the socket is; the first word holds.
    pub(crate) fn set_local_address(&self, address: SocketAddr) {
        self.shared.local.get_or_init(|| address);
    }

    /// Whether the handshake is over and the connection is not.
    pub fn is_connected(&self) -> bool {
        self.info().is_some() && !self.shared.lines().over
    }

    /// Queues a message: a [`Message`], or a `NetworkMessage` of the `bitcoin` crate. Never blocks.
    ///
    /// # Errors
    ///
    /// [`SendError`]: nothing was queued.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let limit = payload_limit(&message.command);
        if message.payload.len() > limit as usize {
            return Err(SendError::TooLong {
                command: message.command,
                length: message.payload.len(),
                limit,
            });
        }
        let cost = cost(&message);
        let waker = {
            let mut lines = self.shared.lines();
            if lines.over || lines.close.is_some() {
                return Err(SendError::NotConnected);
            }
            let queued = self.queued();
            if queued + cost > SEND_QUEUE {
                return Err(SendError::QueueFull { queued });
            }
            self.shared.waiting.fetch_add(cost, Ordering::AcqRel);
            lines.queue.push_back(message);
            lines.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Bytes that wait to be written, with [`MESSAGE_COST`] for each message that is not on the wire yet.
    pub fn queued(&self) -> usize {
        self.shared.waiting.load(Ordering::Acquire) + self.shared.unwritten.load(Ordering::Acquire)
    }

    /// Waits until less than [`DRAINED_BELOW`] bytes wait to be written, or the connection is over.
    pub async fn drained(&self) {
        loop {
            let notified = self.shared.drained.notified();
            if self.queued() < DRAINED_BELOW || self.shared.lines().over {
                return;
            }
            notified.await;
        }
    }

    /// Ends the connection, with a reason for logs. What was queued is written as far as the socket takes it at once.
    pub fn disconnect(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.close(LostReason::Disconnected { reason });
    }

    pub(crate) fn close(&self, reason: LostReason) {
        self.shared.lines().close.get_or_insert(reason);
        self.shared.wake();
    }

    /// Its figures, as of when bytes last went either way.
    pub fn counters(&self) -> Counters {
        self.lock_counters().clone()
    }

    /// The shortest round trip of a ping.
    pub fn min_ping(&self) -> Option<Duration> {
        self.lock_counters().min_ping
    }

    /// Counts a message that came from it and did not decode.
    pub(crate) fn count_undecodable(&self) {
        self.lock_counters().undecodable += 1;
    }

    /// All there is to know of it; `None` before the handshake is over.
    pub fn snapshot(&self) -> Option<PeerSnapshot> {
        Some(PeerSnapshot {
            info: self.info()?.clone(),
            local: self.local_address(),
            counters: self.counters(),
            queued: self.queued(),
            held: self.shared.held.load(Ordering::Acquire),
        })
    }

    pub(super) fn lock_counters(&self) -> MutexGuard<'_, Counters> {
        self.shared
            .counters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn cost(message: &Message) -> usize {
    message.payload.len() + MESSAGE_COST
}

/// A peer at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct PeerSnapshot {
    /// What it said of itself.
    pub info: PeerInfo,
    /// The address of our side of its socket.
    pub local: Option<SocketAddr>,
    /// Its figures: bytes and messages by name, pings, times since the pool's clock began.
    pub counters: Counters,
    /// Bytes that wait to be written to it.
    pub queued: usize,
    /// Bytes received from it that nobody has dealt with.
    pub held: usize,
}
