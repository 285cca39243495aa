//! Owns making a call: a TCP connection to an endpoint, directly or through a proxy.
//! Promises an answer within the time it is given.
//! Refuses to try again: that is the pool's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::endpoint::{Endpoint, NetworkKind};
use crate::socks::{self, Proxy, SocksError};

/// How endpoints are reached.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Route {
    /// By this machine's own network: IPv4, IPv6, CJDNS.
    #[default]
    Direct,
    /// Everything through a SOCKS5 proxy, so that nobody sees whom we call.
    Proxy(Proxy),
    /// Tor's hidden services through a proxy, all else directly.
    OnionProxy(Proxy),
}

impl Route {
    /// Whether an endpoint of this kind can be reached at all.
    pub fn reaches(&self, kind: NetworkKind) -> bool {
        match kind {
            NetworkKind::Ipv4 | NetworkKind::Ipv6 => true,
            NetworkKind::Onion => !matches!(self, Route::Direct),
            _ => false,
        }
    }
}

/// Why an endpoint was not reached.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DialError {
    /// The operating system said so.
    #[error("{error}")]
    Io {
        /// Its kind.
        kind: io::ErrorKind,
        /// What it says.
        error: String,
    },
    /// It took too long.
    #[error("no answer within {after:?}")]
    Timeout {
        /// How long.
        after: Duration,
    },
    /// There is no way there without a proxy.
    #[error("{endpoint} cannot be called directly; it takes a proxy")]
    NoRoute {
        /// Whom.
        endpoint: Endpoint,
    },
    /// The proxy said so.
    #[error("{0}")]
    Proxy(Arc<SocksError>),
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> DialError {
        DialError::Io {
            kind: error.kind(),
            error: error.to_string(),
        }
    }
}

/// Calls `endpoint` by this route.
///
/// # Errors
///
/// [`DialError`]; [`DialError::Timeout`] after `limit`, which is for the proxy to keep if there is one.
pub async fn dial(
    route: &Route,
    endpoint: &Endpoint,
    limit: Duration,
) -> Result<TcpStream, DialError> {
    let proxy = match route {
        Route::Direct => None,
        Route::Proxy(proxy) => Some(proxy),
        Route::OnionProxy(proxy) => (endpoint.kind() == NetworkKind::Onion).then_some(proxy),
    };
    let stream = match (proxy, endpoint.socket_address()) {
        (Some(proxy), _) => socks::connect(proxy, endpoint)
            .await
            .map_err(|error| DialError::Proxy(Arc::new(error)))?,
        (None, Some(address)) => {
            match tokio::time::timeout(limit, TcpStream::connect(address)).await {
                Ok(connected) => connected?,
                Err(_) => return Err(DialError::Timeout { after: limit }),
            }
        }
        (None, None) => {
            let endpoint = endpoint.clone();
            return Err(DialError::NoRoute { endpoint });
        }
    };
    // Messages are small and wait for answers.
    stream.set_nodelay(true)?;
    Ok(stream)
}
