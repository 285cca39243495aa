//! Owns the way of a request through HTTP: who may ask, on which path, with which login, and how many at once.
//! Promises Core's status codes in Core's order of checks.
//! Refuses to read a body before the login is proven; of REST, which has no login, some KiB and only where they are asked for.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};

use everett_net::bans::Subnet;

use crate::login::Logins;
use crate::request::{Reply, answer};
use crate::rest::{Route, route};
use crate::site::Site;
use crate::whitelist::Whitelist;

/// Most bytes of a request's body, as in Core.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;
/// How long a wrong password is thought about.
const DETERRENT: Duration = Duration::from_millis(250);
/// What the browser's dialogue is asked to name.
const CHALLENGE: &str = "Basic realm=\"jsonrpc\"";
/// Behind it stands the name of the wallet that is asked.
const WALLET_PATH: &str = "/wallet/";
/// The type that Core gives answers that are no JSON.
const PLAIN: &str = "text/html; charset=ISO-8859-1";

/// What stands between the network and the methods.
pub(crate) struct Front {
    pub(crate) site: Arc<Site>,
    pub(crate) logins: Logins,
    pub(crate) whitelist: Whitelist,
    pub(crate) allowed: Vec<Subnet>,
    /// One for each request that is worked on.
    pub(crate) workers: Arc<Semaphore>,
    /// Requests that wait for a worker.
    pub(crate) waiting: AtomicUsize,
}

impl Front {
    /// Whether an address may ask at all.
    fn allows(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        if from.is_loopback() {
            return true;
        }
        let host = everett_net::Endpoint::from((from, 0)).host;
        self.allowed.iter().any(|subnet| subnet.contains(&host))
    }

    /// A place among those that are worked on; `None` where too many wait already.
    async fn worker(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(worker) = self.workers.clone().try_acquire_owned() {
            return Some(worker);
        }
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= self.site.config.work_queue.max(1) {
            return None;
        }
        self.workers.clone().acquire_owned().await.ok()
    }

    /// The same, and what is answered where there is none or the server stops.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Response<Body>> {
        let Some(worker) = self.worker().await else {
            warn!("a request is refused because too many wait; --rpcworkqueue lets more do so");
            return Err(plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "Work queue depth exceeded",
            ));
        };
        match self.site.handle.stop_signal().is_given() {
            true => Err(close(plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "Request rejected during server shutdown",
            ))),
            false => Ok(worker),
        }
    }

    /// Who answers for a path of REST, if it is served.
    fn rest_route(&self, uri: &Uri) -> Option<Route> {
        self.site.config.rest.then(|| route(target(uri)))?
    }
}

/// Counts a request among those that wait, until it is dropped.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl Waiting<'_> {
    fn new(count: &AtomicUsize) -> Waiting<'_> {
        let before = count.fetch_add(1, Ordering::AcqRel);
        Waiting { count, before }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PLAIN));
    response
}

fn unauthorized() -> Response<Body> {
    let mut response = plain(StatusCode::UNAUTHORIZED, "");
    let headers = response.headers_mut();
    headers.insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(CHALLENGE),
    );
    response
}

fn close(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Answers a request that came from this address.
pub(crate) async fn handle(
    front: Arc<Front>,
    from: IpAddr,
    request: Request<Body>,
) -> Response<Body> {
    if !front.allows(from) {
        debug!(%from, "a request from an address that is not allowed");
        return plain(StatusCode::FORBIDDEN, "");
    }
    let known = [Method::GET, Method::POST, Method::HEAD, Method::PUT];
    if !known.contains(request.method()) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    if let Some(route) = front.rest_route(request.uri()) {
        return rest(&front, route, request).await;
    }
    let wallet = match target(request.uri()) {
        "/" => None,
        path => match wallet_name(path) {
            Some(name) if front.site.handle.wallets().is_some() => Some(name),
            _ => return plain(StatusCode::NOT_FOUND, ""),
        },
    };
    if request.method() != Method::POST {
        return plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "JSONRPC server handles only POST requests",
        );
    }
    let Some(given) = request.headers().get(header::AUTHORIZATION) else {
        return unauthorized();
    };
    let Some(user) = front.logins.admits(given.as_bytes()) else {
        warn!(%from, "a wrong password for the JSON-RPC server");
        tokio::time::sleep(DETERRENT).await;
        return unauthorized();
    };
    let body = match read(request.into_body(), MAX_BODY_BYTES).await {
        Ok(body) => body,
        Err(status) => return close(plain(status, "")),
    };
    let worker = match front.turn().await {
        Ok(worker) => worker,
        Err(refused) => return refused,
    };
    let reply = answer(&front.site, wallet, &body, &front.whitelist.of(&user)).await;
    drop(worker);
    respond(reply)
}

/// Answers a request for REST: nobody has to log in.
async fn rest(front: &Front, route: Route, request: Request<Body>) -> Response<Body> {
    let uri = request.uri().clone();
    let body = match route.body_limit() {
        None => Bytes::new(),
        Some(limit) => match read(request.into_body(), limit).await {
            Ok(body) => body,
            Err(status) => return close(plain(status, "")),
        },
    };
    let worker = match front.turn().await {
        Ok(worker) => worker,
        Err(refused) => return refused,
    };
    let response = crate::rest::answer(front.site.clone(), route, target(&uri), body).await;
    drop(worker);
    response
}

/// A path with its query.
fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", |target| target.as_str())
}

/// The name that a path gives a wallet, with its `%xx` read; what stands behind a `?` belongs to it, as in Core.
fn wallet_name(path: &str) -> Option<String> {
    let bytes = path.strip_prefix(WALLET_PATH)?.as_bytes();
    let mut name = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let escaped = pair
            .filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))
            .and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        name.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    Some(String::from_utf8_lossy(&name).into_owned())
}

async fn read(body: Body, limit: usize) -> Result<Bytes, StatusCode> {
    // One that says how long it is need not be waited for.
    if body.size_hint().lower() > limit as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let limited = Limited::new(body, limit).collect().await;
    match limited {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

fn respond(reply: Reply) -> Response<Body> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match reply.body {
        None if status == StatusCode::NO_CONTENT => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            response
        }
        None => plain(status, ""),
        Some(body) => {
            let mut response = Response::new(Body::from(body.write() + "\n"));
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_wallet() {
        for (path, name) in [
            ("/wallet/w1", Some("w1")),
            ("/wallet/", Some("")),
            ("/wallet/a%20b%2fc", Some("a b/c")),
            ("/wallet/50%", Some("50%")),
            ("/wallet/a?b", Some("a?b")),
            ("/wallet", None),
            ("/?x", None),
        ] {
            assert_eq!(wallet_name(path).as_deref(), name, "{path}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit() {
        assert_eq!(read(Body::from("12345"), 5).await.unwrap(), "12345");
        let said = read(Body::from("123456"), 5).await;
        assert_eq!(said, Err(StatusCode::PAYLOAD_TOO_LARGE));
        // One that does not say how long it is.
        let unsaid = Body::new(Body::from("123456").map_frame(|frame| frame));
        assert_eq!(unsaid.size_hint().lower(), 0);
        assert_eq!(read(unsaid, 5).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
