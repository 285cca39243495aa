//! Owns the REST interface: blocks, transactions and coins by their paths, for whoever may reach the port, without a login.
//! Promises Core's paths, bytes, status codes and words; its JSON comes from the methods of JSON-RPC.
//! Refuses whatever changes something.
//!
//! ```text
//!   http -> route: the path's beginning -> Ask: argument, format, query -> an endpoint, on a thread for reads -> Found
//! ```
//!
//! What reads the chain takes `?at=`, the world that is asked, as methods do.

mod answer;
mod ask;
mod block;
mod chain;
mod headers;
mod mempool;
mod transaction;
mod utxos;

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;

use self::answer::{Found, RestError};
use self::ask::Ask;
use crate::site::Site;

/// What answers the paths with one beginning.
type Endpoint = fn(&Ask) -> Result<Found, RestError>;

/// Beginnings of paths, in the order in which they are tried.
static ROUTES: [(&str, Endpoint); 14] = [
    ("/rest/tx/", transaction::transaction),
    ("/rest/block/notxdetails/", block::without_details),
    ("/rest/block/", block::with_details),
    ("/rest/blockpart/", block::part),
    ("/rest/blockfilter/", headers::filter),
    ("/rest/blockfilterheaders/", headers::filter_headers),
    ("/rest/chaininfo", chain::info),
    ("/rest/mempool/", mempool::mempool),
    ("/rest/headers/", headers::headers),
    ("/rest/getutxos", utxos::utxos),
    ("/rest/deploymentinfo/", chain::deployments),
    ("/rest/deploymentinfo", chain::deployments),
    ("/rest/blockhashbyheight/", chain::hash_by_height),
    ("/rest/spenttxouts/", block::spent_outputs),
];

/// The one beginning whose requests have a body that counts.
const WITH_BODY: &str = "/rest/getutxos";

/// A path that somebody answers for.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    beginning: &'static str,
    endpoint: Endpoint,
}

impl Route {
    /// Most bytes of a request's body; `None` where none is read.
    pub(crate) fn body_limit(self) -> Option<usize> {
        (self.beginning == WITH_BODY).then_some(utxos::MAX_BODY_BYTES)
    }
}

/// Who answers for a path with its query, if anybody does.
pub(crate) fn route(target: &str) -> Option<Route> {
    let (beginning, endpoint) = ROUTES
        .iter()
        .find(|(beginning, _)| target.starts_with(beginning))?;
    Some(Route {
        beginning,
        endpoint: *endpoint,
    })
}

/// Answers a request; `target` is its path with its query.
pub(crate) async fn answer(
    site: Arc<Site>,
    route: Route,
    target: &str,
    body: Bytes,
) -> Response<Body> {
    let rest = target.strip_prefix(route.beginning).unwrap_or_default();
    let ask = Ask::new(site.clone(), rest, body);
    let answered = site.handle.read(move |_| (route.endpoint)(&ask)).await;
    match answered {
        Ok(Ok(found)) => found.response(),
        Ok(Err(error)) => error.response(),
        Err(error) => RestError::from(crate::error::RpcError::from(error)).response(),
    }
}

#[cfg(test)]
mod tests;
