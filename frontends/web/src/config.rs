//! Owns the web server's settings and their defaults.
//! Promises that the defaults serve this machine only, within limits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::login::Login;

/// The port that the page takes unless it is configured otherwise.
const DEFAULT_PORT: u16 = 8380;

/// What the web server is started with.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:8380`.
    pub listen: SocketAddr,
    /// Ask every request for this name and password (HTTP Basic authentication). Required beyond loopback.
    pub login: Option<Login>,
    /// What one visitor, and all together, may take.
    pub limits: Limits,
}

impl Default for WebConfig {
    fn default() -> WebConfig {
        WebConfig {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            login: None,
            limits: Limits::default(),
        }
    }
}

/// What one visitor, and all together, may take. None of them may be 0.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections; more wait to be accepted. Default 256.
    pub connections: usize,
    /// Most pages that follow the ledger live at once; more are told to try later. Default 64.
    pub live: usize,
    /// Most questions to the ledger at once; more wait. Keep it below the node's readers. Default 8.
    pub reads: usize,
    /// How long an answer may take before the visitor is told so. Default 10 seconds.
    pub answer: Duration,
    /// How long a visitor may take to send a request's header, be silent between two requests, or take nothing of an
    /// answer. Default 30 seconds.
    pub patience: Duration,
    /// Requests that an address may send at once, after a while of silence. Default 240.
    pub burst: u32,
    /// Requests a second that an address may send for ever. Default 20.
    pub rate: u32,
    /// Wrong passwords that an address may send at once; after that one every ten seconds. Default 10: a browser that
    /// remembers an old one sends it with each file of a page.
    pub wrong_logins: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 256,
            live: 64,
            reads: 8,
            answer: Duration::from_secs(10),
            patience: Duration::from_secs(30),
            burst: 240,
            rate: 20,
            wrong_logins: 10,
        }
    }
}
