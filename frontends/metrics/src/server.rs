//! Owns the metrics as a frontend of the node: the listener, and the page for whoever asks.
//! Refuses to listen beyond loopback unless it is told to, and more connections than a few.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use everett_node::{Frontend, FrontendError, Handle, Starting, Task};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::config::MetricsConfig;
use crate::events::count;
use crate::http::{Response, answer, read};
use crate::page::render;
use crate::peer_events;
use crate::text::CONTENT_TYPE;

/// Connections that may be open at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 16;
/// How long to wait when the system has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Why the metrics are not served.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Anyone could read them.
    #[error(
        "the metrics would be served on {listen}, beyond this machine; allow it explicitly with --metrics-allow-open"
    )]
    OpenBeyondLoopback {
        /// The configured address.
        listen: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error(
        "the metrics cannot be served on {listen}: {source}; choose another address with --metrics, or stop what uses it"
    )]
    Listen {
        /// The configured address.
        listen: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// The metrics as a frontend of the node.
pub struct Metrics {
    config: MetricsConfig,
    bound: watch::Sender<Option<SocketAddr>>,
}

/// Tells where the metrics are served, also after the node has taken them over.
#[derive(Clone, Debug)]
pub struct BoundAddress(watch::Receiver<Option<SocketAddr>>);

impl BoundAddress {
    /// The page's URL, once it is served.
    pub fn url(&self) -> Option<String> {
        self.0
            .borrow()
            .map(|address| format!("http://{address}/metrics"))
    }
}

impl Metrics {
    /// Metrics that are not served yet.
    pub fn new(config: MetricsConfig) -> Metrics {
        Metrics {
            config,
            bound: watch::Sender::new(None),
        }
    }

    /// Tells where they are served: take it before the node takes the metrics.
    pub fn bound_address(&self) -> BoundAddress {
        BoundAddress(self.bound.subscribe())
    }

    async fn serve(&self, handle: Handle) -> Result<Task, MetricsError> {
        let listen = self.config.listen;
        if !listen.ip().is_loopback() && !self.config.allow_open {
            return Err(MetricsError::OpenBeyondLoopback { listen });
        }
        let failed = |source| MetricsError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        self.bound.send_replace(Some(address));
        info!(%address, "metrics are served");
        Ok(tokio::spawn(async move {
            tokio::select! {
                counted = count(handle.clone()) => counted,
                () = peer_events::count(&handle) => Ok(()),
                () = accept(&listener, &handle) => Ok::<(), FrontendError>(()),
            }
        }))
    }
}

impl Frontend for Metrics {
    fn name(&self) -> &str {
        "metrics"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        Box::pin(async move { Ok(self.serve(handle).await?) })
    }
}

/// Serves whoever comes, until the frontend is to stop.
async fn accept(listener: &TcpListener, handle: &Handle) {
    let stop = handle.stop_signal().clone();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let accept = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            both = accept => both,
            Some(_) = open.join_next() => continue,
            () = stop.wait() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let handle = handle.clone();
                open.spawn(async move {
                    respond(stream, &handle).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "a scrape could not be let in");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn respond(mut stream: TcpStream, handle: &Handle) {
    let Some(request) = read(&mut stream).await else {
        let response = Response::plain("400 Bad Request", "this is an HTTP page: GET /metrics\n");
        return answer(&mut stream, &response, true).await;
    };
    let on_loopback = stream
        .local_addr()
        .is_ok_and(|here| here.ip().is_loopback());
    let response = match (request.method.as_str(), request.path.as_str()) {
        _ if on_loopback && !request.means_this_machine() => {
            Response::plain("421 Misdirected Request", "this machine has another name\n")
        }
        ("GET" | "HEAD", "/metrics") => page(handle).await,
        ("GET" | "HEAD", _) => Response::plain("404 Not Found", "the figures are at /metrics\n"),
        _ => Response::plain("405 Method Not Allowed", "only GET\n"),
    };
    answer(&mut stream, &response, request.method != "HEAD").await;
}

async fn page(handle: &Handle) -> Response {
    let reading = handle.clone();
    match handle.read(move |_| render(&reading)).await {
        Ok(Ok(body)) => Response {
            status: "200 OK",
            content_type: CONTENT_TYPE,
            body,
        },
        Ok(Err(error)) => {
            warn!(%error, "the metrics cannot be read");
            Response::plain(
                "500 Internal Server Error",
                "the ledger cannot be read; see the node's log\n",
            )
        }
        Err(error) => Response::plain("503 Service Unavailable", &format!("{error}\n")),
    }
}
