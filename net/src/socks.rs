//! Owns connections through a SOCKS5 proxy, such as Tor's (RFC 1928, RFC 1929).
//! Promises that names go to the proxy unresolved, and that with isolation no two connections share credentials, so that
//! Tor gives each a circuit of its own.
//! Refuses to go around the proxy: what it cannot reach is not reached.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bitcoin::secp256k1::rand::{Rng, thread_rng};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, TargetAddr};

use crate::endpoint::{Endpoint, NetworkKind};

#[cfg(test)]
mod tests;

/// How long the proxy itself may take to answer the call.
const PROXY_LIMIT: Duration = Duration::from_secs(5);
/// How long the proxy may take to reach the endpoint: Tor builds a circuit first.
const REACH_LIMIT: Duration = Duration::from_secs(60);

/// A SOCKS5 proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether each connection gets a user and password of its own, at random; Tor then keeps their streams apart.
    pub isolate: bool,
}

/// Why there is no connection through a proxy.
#[derive(Debug, thiserror::Error)]
pub enum SocksError {
    /// The proxy itself does not answer.
    #[error("the proxy {proxy} cannot be reached: {source}; is it running?")]
    Proxy {
        /// Where it should be.
        proxy: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The proxy wants other credentials than ours, or none.
    #[error("the proxy {proxy} does not take our way to log in: {source}; Tor's takes any")]
    Refused {
        /// Where it is.
        proxy: SocketAddr,
        /// What it said.
        source: Error,
    },
    /// The proxy did not reach the endpoint.
    #[error("the proxy {proxy} did not reach {target}: {source}")]
    Unreachable {
        /// Where it is.
        proxy: SocketAddr,
        /// Whom we asked for.
        target: String,
        /// What it said.
        source: Error,
    },
    /// The proxy did not answer in time.
    #[error("the proxy {proxy} did not reach {target} within {} seconds", limit.as_secs())]
    Slow {
        /// Where it is.
        proxy: SocketAddr,
        /// Whom we asked for.
        target: String,
        /// How long it had.
        limit: Duration,
    },
    /// No SOCKS5 proxy leads there.
    #[error("{target} cannot be reached through a SOCKS5 proxy: its network is {network}")]
    NoRoute {
        /// Whom we asked for.
        target: String,
        /// Its network.
        network: NetworkKind,
    },
}

/// Calls an endpoint through a proxy. Names of Tor go to the proxy as they are.
///
/// # Errors
///
/// [`SocksError`]; [`SocksError::NoRoute`] for I2P, whose routers are spoken to otherwise, and for networks not known.
pub async fn connect(proxy: &Proxy, endpoint: &Endpoint) -> Result<TcpStream, SocksError> {
    let target = match (endpoint.socket_address(), endpoint.kind()) {
        (Some(address), _) => TargetAddr::Ip(address),
        (None, NetworkKind::Onion) => {
            TargetAddr::Domain(endpoint.host_text().into(), endpoint.port)
        }
        (None, network) => {
            return Err(SocksError::NoRoute {
                target: endpoint.to_string(),
                network,
            });
        }
    };
    reach(proxy, target, endpoint.to_string(), REACH_LIMIT).await
}

async fn reach(
    proxy: &Proxy,
    target: TargetAddr<'static>,
    text: String,
    limit: Duration,
) -> Result<TcpStream, SocksError> {
    let address = proxy.address;
    let socket = match tokio::time::timeout(PROXY_LIMIT, TcpStream::connect(address)).await {
        Ok(socket) => socket,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let socket = socket.map_err(|source| SocksError::Proxy {
        proxy: address,
        source,
    })?;
    let negotiation = async {
        if proxy.isolate {
            let (user, password) = credentials();
            Socks5Stream::connect_with_password_and_socket(socket, target, &user, &password).await
        } else {
            Socks5Stream::connect_with_socket(socket, target).await
        }
    };
    match tokio::time::timeout(limit, negotiation).await {
        Ok(Ok(stream)) => Ok(stream.into_inner()),
        Ok(Err(source)) => Err(judge(source, address, text)),
        Err(_) => Err(SocksError::Slow {
            proxy: address,
            target: text,
            limit,
        }),
    }
}

/// A user and a password that nobody had before.
fn credentials() -> (String, String) {
    let mut random = thread_rng();
    let mut word = || format!("{:032x}", random.r#gen::<u128>());
    (word(), word())
}

fn judge(source: Error, proxy: SocketAddr, target: String) -> SocksError {
    match source {
        Error::NoAcceptableAuthMethods
        | Error::UnknownAuthMethod
        | Error::PasswordAuthFailure(_)
        | Error::AuthorizationRequired
        | Error::InvalidResponseVersion => SocksError::Refused { proxy, source },
        source => SocksError::Unreachable {
            proxy,
            target,
            source,
        },
    }
}
