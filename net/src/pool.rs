//! Owns many connections: calls, callers, who is kept and who is not, and what happens on all of them.
//! Promises limits on everything that others can make it do, and that nothing is left behind after [`Pool::shut_down`].
//! Refuses to know what messages mean: that is its owner's.
//!
//! ```text
//!  caller (who is to be called?) --dial--> Link --\
//!  listeners (who is let in?)   --accept-> Link ---+--> PoolEvents (one reader)
//!  Pool, Peer (send, ask, end)  ---------> Link --/
//! ```
//!
//! All tasks run on the runtime that [`Pool::start`] was called in; a `Pool` can be used from any thread.

mod accept;
mod backoff;
mod calls;
mod config;
mod event;
mod keep;
mod members;
mod place;
mod run;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitcoin::p2p::ServiceFlags;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::address_book::AddressBook;
use crate::bans::Bans;
use crate::connection::{Clock, LostReason, Peer, PeerSnapshot, SendError, TotalBudget};
use crate::counters::Counters;
use crate::endpoint::Endpoint;
use crate::handlers::Handlers;
use crate::message::Message;
use crate::peer::{PeerId, Purpose};
use crate::session::SessionConfig;

pub use backoff::{BackoffConfig, Failures};
pub use config::{PoolConfig, Spared};
use event::MAX_UNREAD;
pub use event::{FailedReason, PoolEvent, PoolEvents};
use members::{State, Wanted};
use place::Place;

/// How long connections have to end by themselves when the pool is shut down.
const SHUT_DOWN_LIMIT: Duration = Duration::from_secs(5);

/// How long [`Pool::call_one_more`] looks for somebody.
const ONE_MORE_LIMIT: Duration = Duration::from_secs(600);

/// What to do about an address that cannot be listened on.
fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "; is another node running?",
        std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 are the administrator's",
        _ => "",
    }
}

/// Why a pool did not start.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// It was not called within a runtime.
    #[error("a pool starts within a tokio runtime: call it in a task, or after Runtime::enter")]
    NoRuntime,
    /// An address to listen on is not to be had.
    #[error("cannot listen on {address}: {source}{}", hint(.source))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The directory, or a file in it, cannot be read.
    #[error("cannot read {file} for known addresses and bans: {source}")]
    Directory {
        /// Which.
        file: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What a peer was good for: who is, is not evicted for a stranger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Useful {
    /// A block that was new and valid.
    Block,
    /// A transaction that was new and accepted.
    Transaction,
}

/// A pool of connections. Clones are handles to the same one.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers = self.inner.state().members.len();
        write!(f, "Pool({peers} connections)")
    }
}

struct Inner {
    config: PoolConfig,
    /// What new sessions say of us.
    session: Mutex<Arc<SessionConfig>>,
    clock: Clock,
    /// Whether anybody is called or let in.
    active: AtomicBool,
    runtime: Handle,
    /// Events beside messages that wait to be read.
    unread: AtomicUsize,
    /// Gone when the pool is shut down, so that the reader comes to an end.
    events: Mutex<Option<mpsc::UnboundedSender<PoolEvent>>>,
    total: Arc<TotalBudget>,
    next_id: AtomicU64,
    state: Mutex<State>,
    book: Mutex<AddressBook>,
    bans: Mutex<Bans>,
    handlers: Handlers,
    listening: Vec<SocketAddr>,
    /// The figures of connections that are over.
    past: Mutex<Counters>,
    /// Told when there may be somebody to call.
    caller: Notify,
    closing: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
    /// Held while a file is written.
    writing: Mutex<()>,
}

/// A peer that is called again whenever it is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManualPeer {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whether it is being called, or connected.
    pub called: bool,
    /// How its calls have failed since one of them last led to a connection that lasted a minute.
    pub failures: Option<Failures>,
}

impl Pool {
    /// Listens, and begins to call. Must be called within a tokio runtime, which the pool's tasks then run on.
    ///
    /// # Errors
    ///
    /// [`PoolError`].
    pub fn start(config: PoolConfig) -> Result<(Pool, PoolEvents), PoolError> {
        let runtime = Handle::try_current().map_err(|_| PoolError::NoRuntime)?;
        let (listeners, listening) = accept::listen(&config.listen)?;
        let clock = Clock::start();
        let epoch = config.wall_clock.now() as i64;
        let (book, bans) = keep::load(&config, epoch)?;
        let session = SessionConfig {
            epoch,
            ..config.session.clone()
        };
        let (events, receiver) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            session: Mutex::new(Arc::new(session)),
            clock,
            active: AtomicBool::new(config.active),
            runtime,
            unread: AtomicUsize::new(0),
            events: Mutex::new(Some(events)),
            total: Arc::new(TotalBudget::new(config.receive_total)),
            next_id: AtomicU64::new(1),
            state: Mutex::new(State::new(&config)),
            book: Mutex::new(book),
            bans: Mutex::new(bans),
            handlers: Handlers::default(),
            listening,
            past: Mutex::new(Counters::new(Duration::ZERO)),
            caller: Notify::new(),
            closing: watch::Sender::new(false),
            tasks: Mutex::new(JoinSet::new()),
            writing: Mutex::new(()),
            config,
        });
        for listener in listeners {
            inner.spawn(accept::serve(inner.clone(), listener));
        }
        inner.spawn(calls::run(inner.clone()));
        inner.spawn(keep::run(inner.clone()));
        let pool = Pool { inner };
        let events = PoolEvents {
            pool: pool.clone(),
            events: receiver,
        };
        Ok((pool, events))
    }

    /// What it was told.
    pub fn config(&self) -> &PoolConfig {
        &self.inner.config
    }

    /// Whether an endpoint is banned or discouraged.
    pub fn is_refused(&self, endpoint: &Endpoint) -> bool {
        let bans = self.inner.bans();
        bans.is_banned(endpoint, self.inner.unix_time()) || bans.is_discouraged(endpoint)
    }

    /// Where it listens: the addresses of the config, with the ports that were picked.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.inner.listening
    }

    /// Calls an endpoint. A [`Purpose::Manual`] peer is called again whenever it is lost, until [`Pool::forget`]; others
    /// once. Events tell what came of it. v2 is tried before v1 if the pool speaks it.
    pub fn connect(&self, endpoint: Endpoint, purpose: Purpose) {
        self.connect_with(endpoint, purpose, true);
    }

    /// The same; without `v2` in the clear from the first byte on, each time: some old nodes take an attempt to encrypt for
    /// an attack. The last word holds for a manual peer that is called again.
    pub fn connect_with(&self, endpoint: Endpoint, purpose: Purpose, v2: bool) {
        self.inner.state().want(Wanted {
            endpoint,
            purpose,
            v2,
        });
        self.inner.caller.notify_one();
    }

    /// The same, but once, also for [`Purpose::Manual`]. Changes nothing about a manual peer that is called again.
    pub fn connect_once(&self, endpoint: Endpoint, purpose: Purpose, v2: bool) {
        self.inner.state().want_once(Wanted {
            endpoint,
            purpose,
            v2,
        });
        self.inner.caller.notify_one();
    }

    /// The manual peers and how their calls go.
    pub fn manual(&self) -> Vec<ManualPeer> {
        let state = self.inner.state();
        let manual = state.manual.iter().map(|manual| ManualPeer {
            endpoint: manual.endpoint.clone(),
            called: state.is_called(&manual.endpoint),
            failures: state.backoffs.failures(&manual.endpoint).cloned(),
        });
        manual.collect()
    }

    /// Writes bans that have changed to the pool's directory now, if it has one, instead of with all else later. Blocks
    /// for as long as the disk takes; the log tells if it fails.
    pub fn save_bans(&self) {
        keep::write_bans(&self.inner);
    }

    /// Writes addresses and bans that have changed to the pool's directory now, if it has one, instead of later. Blocks for as
    /// long as the disk takes; the log tells if it fails.
    pub fn save(&self) {
        keep::write(&self.inner, false);
    }

    /// No longer calls a manual peer, nor again; whether it was to be called. Its connection stays.
    pub fn forget(&self, endpoint: &Endpoint) -> bool {
        self.inner.state().forget(endpoint)
    }

    /// Queues a message to a peer; never blocks.
    ///
    /// # Errors
    ///
    /// [`SendError`]: nothing was queued.
    pub fn send(&self, peer: PeerId, message: impl Into<Message>) -> Result<(), SendError> {
        let peer = self.peer(peer).ok_or(SendError::NotConnected)?;
        peer.send(message)
    }

    /// Bytes that wait to be written to a peer; 0 if there is none. [`PoolEvent::Drained`] tells when they have become
    /// few.
    pub fn queued(&self, peer: PeerId) -> usize {
        self.peer(peer).map_or(0, |peer| peer.queued())
    }

    /// Ends a connection, with a reason for logs; whether there was one.
    pub fn disconnect(&self, peer: PeerId, reason: impl Into<String>) -> bool {
        let peer = self.inner.state().peer(peer);
        peer.map(|peer| peer.disconnect(reason)).is_some()
    }

    /// Ends all connections with endpoints that `which` is true of, those in their handshake too, with a reason for
    /// logs; how many there were. A call that is not connected yet goes on, unless the endpoint is banned.
    pub fn disconnect_all(
        &self,
        which: impl Fn(&Endpoint) -> bool,
        reason: impl Into<String>,
    ) -> usize {
        let reason = reason.into();
        let mut peers = self.inner.state().peers();
        peers.retain(|peer| which(peer.endpoint()));
        for peer in &peers {
            peer.disconnect(reason.clone());
        }
        peers.len()
    }

    /// A handle to a peer whose handshake is over.
    pub fn peer(&self, peer: PeerId) -> Option<Peer> {
        let peer = self.inner.state().peer(peer)?;
        peer.info().is_some().then_some(peer)
    }

    /// All peers whose handshake is over, oldest first.
    pub fn peers(&self) -> Vec<PeerSnapshot> {
        let mut peers = self.inner.state().peers();
        peers.sort_by_key(Peer::id);
        peers.iter().filter_map(Peer::snapshot).collect()
    }

    /// Handles to all peers whose handshake is over.
    pub fn handles(&self) -> Vec<Peer> {
        let mut peers = self.inner.state().peers();
        peers.retain(|peer| peer.info().is_some());
        peers
    }

    /// The time since the pool began: the clock of its peers' counters.
    pub fn now(&self) -> Duration {
        self.inner.clock.now()
    }

    /// What went over all connections since the start, also those that are over.
    pub fn traffic(&self) -> Counters {
        // While the lock is held no connection goes from those that are to those that are over.
        let state = self.inner.state();
        let mut traffic = self.inner.past().clone();
        for peer in state.peers() {
            traffic.add(&peer.counters());
        }
        traffic
    }

    /// Bytes that all peers have sent and that nobody has dealt with.
    pub fn held(&self) -> usize {
        self.inner.total.held()
    }

    /// The height that new peers are told.
    pub fn set_start_height(&self, height: u32) {
        let mut session = self.inner.session();
        if session.start_height != height as i32 {
            Arc::make_mut(&mut session).start_height = height as i32;
        }
    }

    /// What peers that the pool picks from now on have to offer: all of any one of these; if there are none, nothing.
    /// See [`SessionConfig::sufficient_services`].
    pub fn set_sufficient_services(&self, sufficient: Vec<ServiceFlags>) {
        let mut session = self.inner.session();
        if session.sufficient_services != sufficient {
            Arc::make_mut(&mut session).sufficient_services = sufficient;
        }
    }

    /// Switches the network off or on. Off: all connections end, nobody is called, callers are dropped where they
    /// knock. On: manual peers and the pool's own are called again.
    pub fn set_active(&self, active: bool) {
        let was = self.inner.active.swap(active, Ordering::AcqRel);
        if was == active {
            return;
        }
        tracing::info!(active, "the network is switched");
        if !active {
            // Under the lock, so that who took a place before is seen here, and who takes one later sees the switch.
            let peers = self.inner.state().peers();
            for peer in peers {
                peer.disconnect("the network is switched off");
            }
        }
        self.inner.caller.notify_one();
    }

    /// Whether the network is switched on.
    pub fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    /// Makes one outgoing full-relay call beyond [`PoolConfig::outgoing`], whom to is the pool's choice: for an owner
    /// whose peers may all be behind. Wanted until there is such a connection, and for ten minutes at most; who is let
    /// go then is the owner's to say. Does nothing if the pool makes no such calls by itself.
    pub fn call_one_more(&self) {
        let config = &self.inner.config;
        if config.connect.is_empty() && config.outgoing > 0 {
            self.inner
                .state()
                .want_one_more(self.now() + ONE_MORE_LIMIT);
            self.inner.caller.notify_one();
        }
    }

    /// The known addresses, locked: nobody is called while the guard lives.
    pub fn address_book(&self) -> MutexGuard<'_, AddressBook> {
        self.inner.book()
    }

    /// The banned and the discouraged, locked. Who is connected already stays; see [`Pool::disconnect`].
    pub fn bans(&self) -> MutexGuard<'_, Bans> {
        self.inner.bans()
    }

    /// Notes that a peer was good for something, which counts when one has to make room.
    pub fn note_useful(&self, peer: PeerId, useful: Useful) {
        let now = self.now();
        self.inner.state().note_useful(peer, useful, now);
    }

    fn taken(&self, event: &PoolEvent) {
        if !matches!(event, PoolEvent::Message(..)) {
            self.inner.unread.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The handlers that are called by [`PoolEvents::dispatch`].
    pub(crate) fn handlers(&self) -> &Handlers {
        &self.inner.handlers
    }

    /// Ends all connections, stops calling and listening, writes to disk what is kept there, and returns when every
    /// socket is closed and every task is gone. Events that happened before can still be read.
    pub async fn shut_down(&self) {
        self.inner.state().drop_anchors();
        self.inner.closing.send_replace(true);
        for peer in self.inner.state().peers() {
            peer.close(LostReason::ShutDown);
        }
        let mut tasks = std::mem::take(&mut *self.inner.tasks());
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUT_DOWN_LIMIT, all).await.is_err() {
            tracing::warn!("connections did not end in time; their tasks are stopped");
            tasks.shutdown().await;
        }
        *self.inner.events() = None;
    }

    /// As [`Pool::shut_down`], but at once and without waiting: for an owner that is dropped. All tasks are told to
    /// stop where they are; their sockets close as soon as the runtime gets to it. What was not written to disk yet is
    /// not, and anchors are not kept.
    pub fn abandon(&self) {
        self.inner.closing.send_replace(true);
        for peer in self.inner.state().peers() {
            peer.close(LostReason::ShutDown);
        }
        // Dropped without the lock: what ends with a task may want it.
        let tasks = std::mem::take(&mut *self.inner.tasks());
        drop(tasks);
        *self.inner.events() = None;
    }
}

impl Inner {
    /// What new sessions say and demand.
    fn session(&self) -> MutexGuard<'_, Arc<SessionConfig>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn past(&self) -> MutexGuard<'_, Counters> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> MutexGuard<'_, AddressBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bans(&self) -> MutexGuard<'_, Bans> {
        self.bans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn events(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<PoolEvent>>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Whether so many events wait to be read that no more may come about.
    fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Acquire) >= MAX_UNREAD
    }

    /// Seconds since 1970, by the wall clock: it may be set while the pool runs, or the machine may sleep.
    fn unix_time(&self) -> u64 {
        self.config.wall_clock.now()
    }

    /// Whether anybody is called or let in. Who takes a place asks with the state locked.
    fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// What a new session is told.
    fn session_config(&self, v2: bool) -> Arc<SessionConfig> {
        let epoch = (self.unix_time() as i64).saturating_sub(self.clock.now().as_secs() as i64);
        let config = {
            let mut session = self.session();
            // Both clocks are read in whole seconds, which may differ by one.
            if session.epoch.abs_diff(epoch) > 1 {
                Arc::make_mut(&mut session).epoch = epoch;
            }
            session.clone()
        };
        if config.v2 && !v2 {
            return Arc::new(SessionConfig {
                v2: false,
                ..(*config).clone()
            });
        }
        config
    }

    /// Whether it was spawned: not while the pool is being shut down.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut tasks = self.tasks();
        if self.is_closing() {
            return false;
        }
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
        true
    }

    fn tell(&self, event: PoolEvent) {
        // Without a reader the pool goes on: its peers can still be asked and sent to.
        if let Some(events) = &*self.events() {
            let counts = usize::from(!matches!(event, PoolEvent::Message(..)));
            self.unread.fetch_add(counts, Ordering::AcqRel);
            if events.send(event).is_err() {
                self.unread.fetch_sub(counts, Ordering::AcqRel);
            }
        }
    }

    /// A call came to nothing. Of a peer that the user wants the log says so, the first time aloud.
    fn call_failed(&self, endpoint: &Endpoint, purpose: Purpose, error: &FailedReason) {
        let failures = self
            .state()
            .failed(endpoint, self.clock.now(), error.to_string());
        match (purpose, failures) {
            (Purpose::Manual, 1) => {
                tracing::warn!(address = %endpoint, %error, "cannot connect");
            }
            (Purpose::Manual, _) => {
                tracing::info!(address = %endpoint, %error, failures, "cannot connect");
            }
            _ => {}
        }
    }

    fn fail(&self, endpoint: Endpoint, purpose: Purpose, error: FailedReason) {
        tracing::debug!(%endpoint, purpose = purpose.as_str(), %error, "no connection");
        if !self.is_unread() {
            self.tell(PoolEvent::Failed {
                endpoint,
                purpose,
                error,
            });
        }
    }
}

#[cfg(test)]
mod tests;
