//! Owns the server: what it listens on, and how it begins and ends.
//! Promises that it serves when it has started, and finishes the answers in flight when it stops.
//! Refuses to listen beyond loopback without a login.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use everett_node::{Frontend, Handle, Starting, Task};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::WebConfig;
use crate::connection;
use crate::drafts::Drafts;
use crate::forms::Forms;
use crate::gate::Gate;
use crate::live::Live;
use crate::pages;
use crate::reads::Reads;
use crate::site::Site;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Anyone could read.
    #[error(
        "the web page would listen on {listen}, beyond this machine, without a login; set a name and a password"
    )]
    OpenBeyondLoopback {
        /// The configured address.
        listen: SocketAddr,
    },
    /// A limit of zero serves nobody.
    #[error("the web page's limit `{limit}` is 0; set it to 1 or more")]
    ZeroLimit {
        /// Its name in the configuration.
        limit: &'static str,
    },
    /// The address cannot be listened on.
    #[error(
        "the web page cannot listen on {listen}: {source}; choose another address, or stop what uses it"
    )]
    Listen {
        /// The configured address.
        listen: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// The web server as a frontend of the node.
pub struct Web {
    config: WebConfig,
    bound: watch::Sender<Option<SocketAddr>>,
}

/// Tells where the server listens, also after the node has taken it over.
#[derive(Clone, Debug)]
pub struct BoundAddress(watch::Receiver<Option<SocketAddr>>);

impl BoundAddress {
    /// The address, once the server has started; with port 0 configured, the port it got.
    pub fn get(&self) -> Option<SocketAddr> {
        *self.0.borrow()
    }

    /// Where a browser on this machine opens the page, once the server has started.
    pub fn url(&self) -> Option<String> {
        let mut address = self.get()?;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        Some(format!("http://{address}/admin/"))
    }
}

impl Web {
    /// A server that is not started yet.
    pub fn new(config: WebConfig) -> Web {
        Web {
            config,
            bound: watch::Sender::new(None),
        }
    }

    /// Tells where it listens: take it before the node takes the server.
    pub fn bound_address(&self) -> BoundAddress {
        BoundAddress(self.bound.subscribe())
    }

    async fn serve(&self, handle: Handle) -> Result<Task, WebError> {
        let config = &self.config;
        check(config)?;
        let listen = config.listen;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|source| WebError::Listen { listen, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| WebError::Listen { listen, source })?;
        let limits = config.limits;
        let reads = Reads::new(handle.clone(), limits.reads, limits.answer);
        let live = Arc::new(Live::new(limits.live, handle.stop_signal().clone()));
        let following = tokio::spawn(live.clone().follow(handle.clone()));
        let site = Arc::new(Site {
            reads,
            live,
            recent: Arc::default(),
            forms: Forms::new(),
            drafts: Drafts::default(),
            login: config.login.is_some(),
        });
        let gate = Arc::new(Gate::new(config.login.clone(), &limits));
        let router = pages::router(site, gate);
        self.bound.send_replace(Some(address));
        info!(%address, login = config.login.is_some(), "the web page listens");
        Ok(tokio::spawn(async move {
            let stop = handle.stop_signal().clone();
            connection::serve(listener, router, limits.connections, limits.patience, stop).await;
            following.abort();
            Ok(())
        }))
    }
}

impl Frontend for Web {
    fn name(&self) -> &str {
        "web"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        Box::pin(async move { Ok(self.serve(handle).await?) })
    }
}

/// Whether the settings can go together.
fn check(config: &WebConfig) -> Result<(), WebError> {
    let limits = &config.limits;
    for (limit, value) in [
        ("connections", limits.connections),
        ("live", limits.live),
        ("reads", limits.reads),
        ("answer", limits.answer.as_millis() as usize),
        ("patience", limits.patience.as_millis() as usize),
        ("burst", limits.burst as usize),
        ("rate", limits.rate as usize),
        ("wrong_logins", limits.wrong_logins as usize),
    ] {
        if value == 0 {
            return Err(WebError::ZeroLimit { limit });
        }
    }
    let listen = config.listen;
    if !listen.ip().to_canonical().is_loopback() {
        if config.login.is_none() {
            return Err(WebError::OpenBeyondLoopback { listen });
        }
        warn!(
            %listen,
            "the web page sends its password in the clear: put a TLS proxy before it on networks you do not trust"
        );
    }
    Ok(())
}
