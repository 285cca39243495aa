//! Owns the server's settings and their defaults.
//! Promises that the defaults serve this machine only, without a token, within limits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::auth::BearerToken;

/// The port that a server takes unless it is configured otherwise.
const DEFAULT_PORT: u16 = 8390;
/// Calls that may be in flight unless it is configured otherwise.
const DEFAULT_MAX_CALLS: usize = 1_024;
/// Connections that may be open unless it is configured otherwise.
const DEFAULT_MAX_CONNECTIONS: usize = 1_024;
/// Calls that one connection may have in flight unless it is configured otherwise.
const DEFAULT_MAX_STREAMS: u32 = 256;
/// How long a connection may be silent before it is asked for a sign of life.
const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(60);

/// What a gRPC server is started with.
#[derive(Clone, Debug)]
pub struct GrpcConfig {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:8390`.
    pub listen: SocketAddr,
    /// Serve TLS with this certificate; plain HTTP/2 without.
    pub tls: Option<TlsFiles>,
    /// Ask every call but those of the health service for this token.
    pub token: Option<BearerToken>,
    /// Listen beyond loopback also without a token: anyone who reaches the port can read, and hand in blocks and transactions;
    /// wallets and snapshots are not served then.
    pub allow_open: bool,
    /// Most calls in flight over all connections; more are refused with `OVERLOADED`.
    pub max_calls: usize,
    /// Most connections; more wait to be accepted.
    pub max_connections: usize,
    /// Most calls in flight on one connection; more wait in the client.
    pub max_streams: u32,
    /// Longest time that a call may take, whatever deadline it carries; `None` for no limit.
    pub max_time: Option<Duration>,
    /// How long a connection may be silent before it is asked for a sign of life; it has 20 seconds to answer.
    pub keepalive: Duration,
    /// How many worlds clients may pin, and how long.
    pub pins: PinLimits,
    /// How many event streams there may be, and how slow.
    pub streams: StreamLimits,
}

impl GrpcConfig {
    /// Whether anybody who reaches the port is let in, from other machines, too.
    pub(crate) fn is_open_to_all(&self) -> bool {
        self.token.is_none() && !self.listen.ip().is_loopback()
    }
}

impl Default for GrpcConfig {
    fn default() -> GrpcConfig {
        GrpcConfig {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            tls: None,
            token: None,
            allow_open: false,
            max_calls: DEFAULT_MAX_CALLS,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            max_streams: DEFAULT_MAX_STREAMS,
            max_time: None,
            keepalive: DEFAULT_KEEPALIVE,
            pins: PinLimits::default(),
            streams: StreamLimits::default(),
        }
    }
}

/// The files of a TLS identity, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, followed by those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// How many worlds clients may pin, and how long.
#[derive(Clone, Copy, Debug)]
pub struct PinLimits {
    /// Most worlds pinned at once; keep it below the ledger's quota of held worlds. Default 32.
    pub quota: usize,
    /// How long a pin lasts when the request leaves it open. Default 10 minutes.
    pub default_ttl: Duration,
    /// The longest that a pin lasts. Default 1 hour.
    pub max_ttl: Duration,
}

impl Default for PinLimits {
    fn default() -> PinLimits {
        PinLimits {
            quota: 32,
            default_ttl: Duration::from_secs(10 * 60),
            max_ttl: Duration::from_secs(60 * 60),
        }
    }
}

/// How many event streams there may be, and how slow.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Most event streams open at once; more are refused with `OVERLOADED`. Default 4,096.
    pub max_streams: usize,
    /// How long a client may leave what it was sent unread, before it is cut off with `SLOW_CONSUMER`. Default 30 s.
    pub slow_consumer: Duration,
}

impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits {
            max_streams: 4_096,
            slow_consumer: Duration::from_secs(30),
        }
    }
}
