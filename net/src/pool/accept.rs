//! Owns the listening sockets: who is let in.
//! Promises that a caller who is refused costs one accept and nothing else.
//! Refuses more callers than there are places, unless one is worth less than a stranger.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::event::FailedReason;
use super::{Inner, Place, PoolError};
use crate::connection::LostReason;
use crate::endpoint::Endpoint;
use crate::peer::Purpose;

/// How long to wait when the system has no socket left, or nobody reads events.
const BREATHER: Duration = Duration::from_millis(100);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// Listens on all of these addresses.
pub(super) fn listen(
    addresses: &[SocketAddr],
) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), PoolError> {
    let mut listeners = Vec::new();
    let mut listening = Vec::new();
    for address in addresses {
        let listener = bind(*address).map_err(|source| PoolError::Listen {
            address: *address,
            source,
        })?;
        listening.push(listener.local_addr().unwrap_or(*address));
        listeners.push(listener);
    }
    Ok((listeners, listening))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if domain == Domain::IPV6 {
        // So that `[::]` and `0.0.0.0` can both be listened on, at one port.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Lets callers in until the pool is shut down.
pub(super) async fn serve(inner: Arc<Inner>, listener: TcpListener) {
    let mut closing = inner.closing.subscribe();
    loop {
        if inner.is_unread() {
            tokio::select! {
                _ = tokio::time::sleep(BREATHER) => continue,
                _ = closing.wait_for(|closing| *closing) => return,
            }
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.wait_for(|closing| *closing) => return,
        };
        match accepted {
            Ok((stream, address)) => admit(&inner, stream, address),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

fn admit(inner: &Arc<Inner>, stream: TcpStream, address: SocketAddr) {
    let endpoint = Endpoint::from(address);
    let place = match judge(inner, &endpoint, stream.local_addr().ok()) {
        Ok(place) => place,
        Err(error) => return inner.fail(endpoint, Purpose::Inbound, error),
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%endpoint, %error, "a connection was gone before it began");
        return;
    }
    let of_pool = inner.clone();
    inner.spawn(async move {
        of_pool.run(stream, place, true).await;
    });
}

/// The place of a caller that is let in; who has to make room for it is disconnected.
///
/// It is counted from here on, not from when its task runs: callers that come together share no place.
pub(super) fn judge(
    inner: &Arc<Inner>,
    endpoint: &Endpoint,
    local: Option<SocketAddr>,
) -> Result<Place, FailedReason> {
    let bans = inner.bans();
    let spared = inner.config.spared.covers(endpoint, local);
    if !spared && bans.is_banned(endpoint, inner.unix_time()) {
        return Err(FailedReason::Banned);
    }
    let mut state = inner.state();
    if !inner.is_active() {
        return Err(FailedReason::Inactive);
    }
    let callers = state.count(Purpose::Inbound);
    let places = inner.config.incoming;
    if !spared && bans.is_discouraged(endpoint) && callers + 1 >= places {
        return Err(FailedReason::Discouraged);
    }
    if let Some(address) = endpoint.socket_address()
        && is_public(address.ip())
        && state.handshakes_of(address.ip()) >= inner.config.handshakes_per_host
    {
        return Err(FailedReason::Crowded);
    }
    while state.count(Purpose::Inbound) >= places {
        let evicted = state
            .evict(&inner.config.spared, |endpoint| {
                bans.is_discouraged(endpoint)
            })
            .ok_or(FailedReason::Full)?;
        evicted.close(LostReason::Disconnected {
            reason: "evicted to make room for a new caller".to_owned(),
        });
    }
    Ok(Place::take(
        inner,
        &mut state,
        Purpose::Inbound,
        endpoint.clone(),
    ))
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_private() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unique_local(),
    }
}
