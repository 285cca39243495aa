//! Owns what a session is told: who we are, what we want, how long we wait.
//! Promises that its default is what a careful listener on mainnet would say.
//! Refuses to change while a session lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bitcoin::p2p::{Magic, ServiceFlags};

use crate::capture::Capture;
use crate::endpoint::Endpoint;
use crate::handshake::PROTOCOL_VERSION;
use crate::message::Command;

/// What a session says of us, and what it demands.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The network's first four bytes.
    pub magic: Magic,
    /// The version of the protocol that we say we speak.
    pub version: u32,
    /// What we offer.
    pub services: ServiceFlags,
    /// What we call ourselves; by custom `/name:version/`, at most 256 bytes.
    pub user_agent: String,
    /// The height we have.
    pub start_height: i32,
    /// Whether we want transactions announced. Never said to a peer that is called for blocks only.
    pub relay: bool,
    /// Whether v2 is spoken: called peers are called so, callers may use either. `false`: v1 only.
    pub v2: bool,
    /// Names of messages that are sent between `version` and `verack`, to peers of protocol version 70016 or later:
    /// how features of one's own are agreed on. Peers that do not know them leave them alone.
    pub features: Vec<Command>,
    /// How the user agents of those begin to whom `features` are said; empty: to everybody. Software that drops whoever
    /// says what it does not know exists, Bitcoin Core's own test framework among it.
    pub features_to: String,
    /// What peers that the pool picks by itself must offer: all of any one of these. Empty: nothing. DNS seeds are asked
    /// for the first. See [`Purpose::expects_services`](crate::Purpose::expects_services).
    pub sufficient_services: Vec<ServiceFlags>,
    /// Whether pings and pongs are also handed on as events.
    pub deliver_pings: bool,
    /// Where all messages are recorded that go either way, those of the handshake included; `None`: nowhere.
    pub capture: Option<Capture>,
    /// The time, in seconds since 1970, at `Duration::ZERO` of the owner's clock.
    pub epoch: i64,
    /// How long we wait.
    pub timeouts: Timeouts,
    /// The nonces of our own calls, shared by all sessions of one node.
    pub nonces: OwnNonces,
}

impl SessionConfig {
    /// A listener that offers nothing, with both transports, on the network with this magic.
    pub fn new(magic: Magic) -> SessionConfig {
        SessionConfig {
            magic,
            version: PROTOCOL_VERSION,
            services: ServiceFlags::NONE,
            user_agent: user_agent("everett-net", env!("CARGO_PKG_VERSION"), &[]),
            start_height: 0,
            relay: true,
            v2: true,
            features: Vec::new(),
            features_to: String::new(),
            sufficient_services: Vec::new(),
            deliver_pings: false,
            capture: None,
            epoch: 0,
            timeouts: Timeouts::default(),
            nonces: OwnNonces::default(),
        }
    }

    /// Whether a peer that offers this much offers enough.
    pub fn suffices(&self, offered: ServiceFlags) -> bool {
        let mut sufficient = self.sufficient_services.iter();
        self.sufficient_services.is_empty() || sufficient.any(|one| offered.has(*one))
    }

    pub(super) fn unix_time(&self, now: Duration) -> i64 {
        self.epoch.saturating_add(now.as_secs() as i64)
    }
}

/// How long a session waits. The defaults are Bitcoin Core's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// For the handshake to be over, the transport's included: 60 s.
    pub handshake: Duration,
    /// Between pings: 2 min.
    pub ping_interval: Duration,
    /// For a pong, and for any whole message: 20 min.
    pub inactivity: Duration,
    /// For bytes that wait to be written to move at all: 2 min. (Bitcoin Core waits 20 min.)
    pub write_stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            handshake: Duration::from_secs(60),
            ping_interval: Duration::from_secs(120),
            inactivity: Duration::from_secs(20 * 60),
            write_stall: Duration::from_secs(120),
        }
    }
}

/// The nonces of calls whose handshake is not over, and whom each called: a node that is called with one of them has
/// called itself, at that address. There are as many as such calls.
#[derive(Clone, Default, Debug)]
pub struct OwnNonces(Arc<Mutex<HashMap<u64, Endpoint>>>);

impl OwnNonces {
    /// Whom the call with this nonce was for, if it is one of ours.
    pub fn endpoint(&self, nonce: u64) -> Option<Endpoint> {
        self.with(|nonces| nonces.get(&nonce).cloned())
    }

    pub(super) fn insert(&self, nonce: u64, called: Endpoint) {
        self.with(|nonces| nonces.insert(nonce, called));
    }

    pub(super) fn remove(&self, nonce: u64) {
        self.with(|nonces| nonces.remove(&nonce));
    }

    fn with<T>(&self, action: impl FnOnce(&mut HashMap<u64, Endpoint>) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a program calls itself to others (BIP14): `/Name:1.2(comment; comment)/`. At most 256 bytes are read by others, and
/// it is for the caller to keep to that.
pub fn user_agent(name: &str, version: &str, comments: &[String]) -> String {
    let comments = match comments.is_empty() {
        true => String::new(),
        false => format!("({})", comments.join("; ")),
    };
    format!("/{name}:{version}{comments}/")
}

#[cfg(test)]
mod tests {
    use super::user_agent;

    #[test]
    fn comments_stand_behind_the_version() {
        assert_eq!(user_agent("A", "1.2", &[]), "/A:1.2/");
        let comments = ["x".to_owned(), "y z".to_owned()];
        assert_eq!(user_agent("A", "1.2", &comments), "/A:1.2(x; y z)/");
    }
}
