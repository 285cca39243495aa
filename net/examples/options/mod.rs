//! What all examples are told on their command line (whom to call, on which network, how), and what all of them say.

#![allow(dead_code, reason = "each example takes what it needs")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bitcoin::Network;
use bitcoin::p2p::ServiceFlags;
use everett_net::capture::{CaptureConfig, CaptureFile};
use everett_net::dial::Route;
use everett_net::socks::Proxy;
use everett_net::{Endpoint, PoolConfig, PoolEvent, SessionConfig, default_port, seeds};

/// Whom to call, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Peers to call: 1.2.3.4:8333, [2001:db8::1]:8333, NAME.onion:8333; without a port it is the network's own
    #[arg(value_name = "PEER")]
    peers: Vec<String>,

    /// The network: main, test, testnet4, signet or regtest
    #[arg(long, value_name = "NETWORK", default_value = "main", value_parser = network)]
    pub(crate) network: Network,

    /// Speak the old transport in the clear only; else the encrypted one (BIP324) is tried first
    #[arg(long)]
    v1: bool,

    /// Call through this SOCKS5 proxy, each peer with credentials of its own; Tor listens on 127.0.0.1:9050
    #[arg(long, value_name = "IP:PORT")]
    proxy: Option<SocketAddr>,

    /// Keep every message that goes either way in this file; `everett log cat FILE` shows it
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
}

fn network(name: &str) -> Result<Network, String> {
    let known = Network::from_core_arg(name).or_else(|_| name.parse());
    known.map_err(|_| "there are main, test, testnet4, signet and regtest".to_owned())
}

impl Options {
    /// The peers that were named; if there are none, those that the network's seeds name.
    pub(crate) async fn peers(&self) -> Result<Vec<Endpoint>> {
        let port = default_port(self.network);
        let named = self
            .peers
            .iter()
            .map(|text| Ok(Endpoint::parse(text, port)?));
        let mut peers: Vec<Endpoint> = named.collect::<Result<_>>()?;
        if peers.is_empty() && self.proxy.is_none() {
            let services = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
            for seed in seeds::dns_seeds(self.network) {
                match seeds::resolve(seed, self.network, services).await {
                    Ok((found, _)) => peers.extend(found),
                    Err(error) => eprintln!("{error}"),
                }
            }
        }
        if peers.is_empty() {
            peers = seeds::fixed(self.network);
            peers.retain(|peer| self.route().reaches(peer.kind()));
        }
        ensure!(
            !peers.is_empty(),
            "name a peer to call: there are no seeds on {}",
            self.network
        );
        Ok(peers)
    }

    /// How many peers were named.
    pub(crate) fn named(&self) -> usize {
        self.peers.len()
    }

    /// How peers are reached.
    pub(crate) fn route(&self) -> Route {
        let isolate = true;
        self.proxy.map_or(Route::Direct, |address| {
            Route::Proxy(Proxy { address, isolate })
        })
    }

    /// The file that messages are kept in, if one was named.
    pub(crate) fn open_capture(&self) -> Result<Option<CaptureFile>> {
        let open = |path: &PathBuf| {
            let opened = CaptureFile::open(CaptureConfig::new(path));
            opened.with_context(|| format!("cannot write {}", path.display()))
        };
        self.capture.as_ref().map(open).transpose()
    }

    /// What we say of ourselves.
    pub(crate) fn session(&self, capture: Option<&CaptureFile>) -> SessionConfig {
        SessionConfig {
            v2: !self.v1,
            capture: capture.map(CaptureFile::capture),
            ..SessionConfig::new(self.network.magic())
        }
    }

    /// A pool that calls these peers, and calls them again when they are lost.
    pub(crate) fn pool(&self, connect: Vec<Endpoint>, capture: Option<&CaptureFile>) -> PoolConfig {
        PoolConfig {
            connect,
            session: self.session(capture),
            route: self.route(),
            ..PoolConfig::new(self.network)
        }
    }
}

/// What is to be said of a connection that began, ended or failed.
pub(crate) fn news(event: &PoolEvent) -> Option<String> {
    match event {
        PoolEvent::Established(info) => Some(format!(
            "{}: peer {}, {}, height {}, over {}",
            info.endpoint,
            info.id,
            info.user_agent,
            info.start_height,
            info.transport.as_str()
        )),
        PoolEvent::Lost {
            endpoint, reason, ..
        } => Some(format!("{endpoint}: {reason}")),
        PoolEvent::Failed {
            endpoint, error, ..
        } => Some(format!("{endpoint}: {error}")),
        _ => None,
    }
}

/// `1 block`, `12 blocks`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// Waits for Ctrl-C, or until so many seconds are over.
pub(crate) async fn end(seconds: Option<u64>) {
    let limit = Duration::from_secs(seconds.unwrap_or(u64::from(u32::MAX)));
    // Where Ctrl-C cannot be listened for, it ends the process by itself.
    let _ = tokio::time::timeout(limit, tokio::signal::ctrl_c()).await;
}

/// Writes what is left of a capture, and says if messages are missing.
pub(crate) fn close_capture(file: Option<CaptureFile>) -> Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    let totals = file
        .close()
        .context("the capture was not written to its end")?;
    if totals.dropped > 0 {
        eprintln!("{} messages found no room in the capture", totals.dropped);
    }
    Ok(())
}

/// Says what went wrong, in one line, and gives the process's exit code.
pub(crate) fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to standard output; `false` when nobody reads it any more, as behind `| head`.
pub(crate) fn say(line: std::fmt::Arguments<'_>) -> bool {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{line}").is_ok()
}
