//! Owns what a pool is told.
//! Promises defaults that are Bitcoin Core's where it has one.
//! Refuses to change while the pool runs, but for the height and for whom to look.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Network;

use crate::connection::WallClock;
use crate::dial::Route;
use crate::endpoint::{Endpoint, NetworkKind};
use crate::session::SessionConfig;

use super::backoff::BackoffConfig;

/// Whether a caller is spared, by where it is and by the address of ours that it called.
type IsSpared = dyn Fn(&Endpoint, Option<SocketAddr>) -> bool + Send + Sync;

/// Tells who is spared: nobody by default.
#[derive(Clone, Default)]
pub struct Spared(pub Option<Arc<IsSpared>>);

impl Spared {
    /// Whether a caller is, who called this address of ours.
    pub fn covers(&self, caller: &Endpoint, local: Option<SocketAddr>) -> bool {
        self.0.as_ref().is_some_and(|covers| covers(caller, local))
    }
}

impl fmt::Debug for Spared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spared({})", self.0.is_some())
    }
}

/// What a pool of connections is told.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// The network: whose seeds are asked and whose magic is spoken, unless `session` says otherwise.
    pub network: Network,
    /// What we say of ourselves, which transports we speak and how long we wait. Its clock is set by the pool.
    pub session: SessionConfig,
    /// Where to listen; port 0 picks one that is free, see [`Pool::listening`](super::Pool::listening).
    pub listen: Vec<SocketAddr>,
    /// Peers that are called, and called again with back-off. If there are any, no others are called.
    pub connect: Vec<Endpoint>,
    /// Connections that the pool makes by itself, for everything: 8.
    pub outgoing: usize,
    /// Connections that the pool makes by itself, for blocks only: 2.
    pub block_relay_only: usize,
    /// Connections that callers may have: 114. Beyond it one is evicted for a new one, or the new one is refused.
    pub incoming: usize,
    /// Connections from one address that may be in their handshake at once: 8. Private addresses, which are often a
    /// proxy's or a test's, are not limited.
    pub handshakes_per_host: usize,
    /// Calls that may be under way at once: 32.
    pub calls_at_once: usize,
    /// How long a direct call may take until the socket is connected: 10 s.
    pub dial_timeout: Duration,
    /// How long to wait before calling again who did not answer.
    pub backoff: BackoffConfig,
    /// Whether peers that the pool picks by itself are all of different network groups.
    pub one_per_group: bool,
    /// Whether an address that is not known to work is tried every two minutes.
    pub feelers: bool,
    /// How peers are reached.
    pub route: Route,
    /// DNS seeds to ask when nobody is known; [`crate::seeds::dns_seeds`] has the usual ones. Empty: none. With
    /// [`Route::Proxy`] none is asked, since names would be looked up outside the proxy: then `fixed_seeds` is the way in.
    pub dns_seeds: Vec<String>,
    /// Whether built-in addresses are tried when nobody is known and no seed answers.
    pub fixed_seeds: bool,
    /// Where addresses, bans and anchors are kept; `None`: nowhere.
    pub directory: Option<PathBuf>,
    /// Bytes that all peers together may have sent and that nobody has dealt with: 512 MB. See
    /// [`RECEIVE_BUDGET`](crate::connection::RECEIVE_BUDGET) for each.
    pub receive_total: usize,
    /// Whether anybody is called or let in at first; see [`Pool::set_active`](super::Pool::set_active).
    pub active: bool,
    /// Networks that addresses which the pool picks by itself have to be on; empty: any that the route reaches.
    pub only_networks: Vec<NetworkKind>,
    /// Callers whom bans do not keep out, and who are not evicted.
    pub spared: Spared,
    /// What bans, the address book and what peers are told of the time go by.
    pub wall_clock: WallClock,
}

impl PoolConfig {
    /// Whether addresses of this network are called by the pool itself.
    pub fn calls(&self, kind: NetworkKind) -> bool {
        self.route.reaches(kind)
            && (self.only_networks.is_empty() || self.only_networks.contains(&kind))
    }

    /// The defaults, for this network: nothing listens, seeds are not asked, nothing is kept on disk.
    pub fn new(network: Network) -> PoolConfig {
        PoolConfig {
            network,
            session: SessionConfig::new(network.magic()),
            listen: Vec::new(),
            connect: Vec::new(),
            outgoing: 8,
            block_relay_only: 2,
            incoming: 114,
            handshakes_per_host: 8,
            calls_at_once: 32,
            dial_timeout: Duration::from_secs(10),
            backoff: BackoffConfig::default(),
            one_per_group: true,
            feelers: true,
            route: Route::Direct,
            dns_seeds: Vec::new(),
            fixed_seeds: false,
            directory: None,
            receive_total: 512_000_000,
            active: true,
            only_networks: Vec::new(),
            spared: Spared::default(),
            wall_clock: WallClock::default(),
        }
    }
}
