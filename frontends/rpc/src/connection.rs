//! Owns the accepting and serving of connections.
//! Promises that no more are open than the limit, that who is silent too long is cut off, and that all end when the
//! server does.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use everett_node::StopSignal;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};

use crate::http::{Front, handle};

/// Most bytes of a request's line and headers together, as in Core.
const MAX_HEAD_BYTES: usize = 8192;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// Most connections that are open at once; more wait to be accepted.
pub(crate) const MAX_CONNECTIONS: usize = 512;
/// How long an answer in flight may take when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long to wait when the system has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts and serves connections until `stop` is given, then waits until those that are open have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    places: Arc<Semaphore>,
    stop: StopSignal,
) {
    loop {
        let accept = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accept => accepted,
            () = stop.wait() => break,
        };
        match (accepted, place) {
            (Ok((stream, from)), Ok(place)) => {
                let serving = connection(stream, from.ip(), front.clone(), stop.clone(), place);
                tokio::spawn(serving);
            }
            (Err(error), _) => {
                warn!(%error, "the JSON-RPC server cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
            (_, Err(_)) => break,
        }
    }
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
}

async fn connection(
    stream: TcpStream,
    from: IpAddr,
    front: Arc<Front>,
    stop: StopSignal,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "a connection stays slow");
    }
    let timeout = front.site.config.timeout;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let front = front.clone();
        async move {
            let response = handle(front, from, request.map(Body::new)).await;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = &mut serving => served,
        () = stop.wait() => {
            serving.as_mut().graceful_shutdown();
            // Who has sent half a request may never send the rest.
            let Ok(served) = tokio::time::timeout(FAREWELL, serving).await else {
                return;
            };
            served
        }
    };
    drop(place);
    if let Err(error) = served {
        debug!(%error, %from, "a connection ended early");
    }
}
