//! Owns the server: where it listens, and how it begins and ends.
//! Promises that it serves when it has started, and that its cookie goes when it stops.
//! Refuses to listen beyond loopback unless it is told where and for whom.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use everett_ledger::Network;
use everett_mining::InvalidWeight;
use everett_net::bans::Subnet;
use everett_node::{Frontend, Handle, Starting, Task};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tracing::{info, warn};

use crate::config::{InvalidAddress, RpcConfig};
use crate::connection::{self, MAX_CONNECTIONS};
use crate::cookie::{Cookie, USER};
use crate::http::Front;
use crate::login::{InvalidAuth, Logins};
use crate::mining::payout;
use crate::site::Site;
use crate::whitelist::Whitelist;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// A limit of zero serves nobody.
    #[error("--{limit} is 0; set it to 1 or more")]
    ZeroLimit {
        /// The option.
        limit: &'static str,
    },
    /// Where to listen is no address.
    #[error(transparent)]
    Bind(#[from] InvalidAddress),
    /// Whom to allow is no subnet.
    #[error(
        "`{text}` is no subnet for rpcallowip ({problem}); write one like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
    )]
    Allow {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A line of `rpcauth` is none.
    #[error(transparent)]
    Auth(#[from] InvalidAuth),
    /// The weights of blocks do not go together.
    #[error(transparent)]
    Weights(#[from] InvalidWeight),
    /// Whom `generate` is to pay is no descriptor of one script.
    #[error(
        "--generate-to {descriptor}: {problem}; give a descriptor of one script, such as wpkh(KEY) or addr(ADDRESS)"
    )]
    GenerateTo {
        /// What was given.
        descriptor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The cookie cannot be written.
    #[error(
        "the cookie file {} cannot be written: {source}; name another with --rpccookiefile, or log in with --rpcpassword",
        path.display()
    )]
    Cookie {
        /// Where it was to be.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error(
        "the JSON-RPC server cannot listen on {listen}: {source}; choose another port with --rpcport, or stop what uses it"
    )]
    Listen {
        /// The configured address.
        listen: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// The JSON-RPC server as a frontend of the node.
pub struct Rpc {
    config: RpcConfig,
    bound: watch::Sender<Vec<SocketAddr>>,
}

/// Tells where the server listens, also after the node has taken it over.
#[derive(Clone, Debug)]
pub struct BoundAddress {
    bound: watch::Receiver<Vec<SocketAddr>>,
    cookie: Option<PathBuf>,
}

impl BoundAddress {
    /// The addresses, once the server has started, IPv4 first.
    pub fn get(&self) -> Vec<SocketAddr> {
        self.bound.borrow().clone()
    }

    /// Where a program on this machine calls, once the server has started.
    pub fn url(&self) -> Option<String> {
        let mut address = *self.bound.borrow().first()?;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        Some(format!("http://{address}/"))
    }

    /// The file by which programs of the same user log in, if there is one.
    pub fn cookie(&self) -> Option<&PathBuf> {
        self.cookie.as_ref()
    }
}

impl Rpc {
    /// A server that is not started yet.
    pub fn new(config: RpcConfig) -> Rpc {
        Rpc {
            config,
            bound: watch::Sender::new(Vec::new()),
        }
    }

    /// Tells where it listens: take it before the node takes the server.
    pub fn bound_address(&self) -> BoundAddress {
        let without = !self.config.password.is_empty();
        BoundAddress {
            bound: self.bound.subscribe(),
            cookie: self.config.cookie.clone().filter(|_| !without),
        }
    }

    async fn serve(&self, handle: Handle) -> Result<Task, RpcError> {
        let config = &self.config;
        for (limit, value) in [
            ("rpcthreads", config.threads),
            ("rpcworkqueue", config.work_queue),
            ("rpcservertimeout", config.timeout.as_millis() as usize),
        ] {
            if value == 0 {
                return Err(RpcError::ZeroLimit { limit });
            }
        }
        config.mining.check()?;
        let network = handle.ledger().params().network;
        if network == Network::Regtest {
            let descriptor = &config.generate_to;
            payout(descriptor, network.to_bitcoin())
                .and_then(|script| script)
                .map_err(|error| RpcError::GenerateTo {
                    descriptor: descriptor.clone(),
                    problem: error.message,
                })?;
        }
        let allowed = config.allow.iter().map(|text| {
            text.parse::<Subnet>().map_err(|error| RpcError::Allow {
                text: text.clone(),
                problem: error.to_string(),
            })
        });
        let allowed = allowed.collect::<Result<Vec<Subnet>, _>>()?;
        let (logins, cookie) = logins(config)?;
        let listeners = listen(config, &handle).await?;
        let addresses = listeners.iter().map(TcpListener::local_addr);
        let addresses: Vec<SocketAddr> = addresses.filter_map(Result::ok).collect();
        info!(?addresses, "the JSON-RPC server listens");
        self.bound.send_replace(addresses);
        let stop = handle.stop_signal().clone();
        let front = Arc::new(Front {
            logins,
            whitelist: Whitelist::new(&config.whitelist, config.whitelist_default),
            allowed,
            workers: Arc::new(Semaphore::new(config.threads)),
            waiting: AtomicUsize::new(0),
            site: Arc::new(Site::new(handle, config.clone())),
        });
        Ok(tokio::spawn(async move {
            let _cookie = cookie;
            let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
            let mut serving = tokio::task::JoinSet::new();
            for listener in listeners {
                serving.spawn(connection::serve(
                    listener,
                    front.clone(),
                    places.clone(),
                    stop.clone(),
                ));
            }
            while serving.join_next().await.is_some() {}
            Ok(())
        }))
    }
}

/// Who may call, and the cookie that one of them proves itself with.
fn logins(config: &RpcConfig) -> Result<(Logins, Option<Cookie>), RpcError> {
    let mut logins = Logins::default();
    for line in &config.auth {
        logins.add_line(line)?;
    }
    if !config.password.is_empty() {
        logins.add(&config.user, &config.password);
        return Ok((logins, None));
    }
    let Some(path) = &config.cookie else {
        return Ok((logins, None));
    };
    let cookie =
        Cookie::write(path, config.cookie_permissions).map_err(|source| RpcError::Cookie {
            path: path.clone(),
            source,
        })?;
    logins.add(USER, cookie.password());
    Ok((logins, Some(cookie)))
}

async fn listen(config: &RpcConfig, handle: &Handle) -> Result<Vec<TcpListener>, RpcError> {
    let listen = config.listen(handle.ledger().params().network)?;
    if listen.allow_ignored {
        warn!(
            "Option -rpcallowip was specified without -rpcbind; this doesn't usually make sense: the server listens on this machine only"
        );
    }
    if listen.bind_ignored {
        warn!(
            "Option -rpcbind was ignored because -rpcallowip was not specified, refusing to allow everyone to connect: the server listens on this machine only"
        );
    }
    let (listeners, failed) = bind_all(&listen.addresses).await;
    let Some((address, source)) = failed else {
        return Ok(listeners);
    };
    let busy = source.kind() == io::ErrorKind::AddrInUse;
    if listen.any_will_do && busy {
        warn!(%address, "the port of the JSON-RPC server is busy: it takes a free one");
        drop(listeners);
        let anywhere = SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), 0);
        let (listeners, failed) = bind_all(&[anywhere]).await;
        return match failed {
            None => Ok(listeners),
            Some((listen, source)) => Err(RpcError::Listen { listen, source }),
        };
    }
    // A machine without IPv6 is served on what it has.
    match listeners.is_empty() || busy {
        false => Ok(listeners),
        true => Err(RpcError::Listen {
            listen: address,
            source,
        }),
    }
}

/// Listens on what can be listened on; the first failure. With port 0 all take the port that the first one got.
async fn bind_all(addresses: &[SocketAddr]) -> (Vec<TcpListener>, Option<(SocketAddr, io::Error)>) {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut failed = None;
    for address in addresses {
        let mut wanted = *address;
        let first = listeners.first().map(TcpListener::local_addr);
        if let (0, Some(Ok(first))) = (wanted.port(), first) {
            wanted.set_port(first.port());
        }
        match TcpListener::bind(wanted).await {
            Ok(listener) => listeners.push(listener),
            Err(error) => failed = failed.or(Some((wanted, error))),
        }
    }
    (listeners, failed)
}

impl Frontend for Rpc {
    fn name(&self) -> &str {
        "rpc"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        Box::pin(async move { Ok(self.serve(handle).await?) })
    }
}
