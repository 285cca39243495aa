//! Owns what the options and the file say of the P2P network, put together.
//! Promises that a node joins it on public networks unless it is told to stay off, and elsewhere only when it is told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use everett_ledger::Network;
use everett_net::{Endpoint, default_port};

use super::Settings;
use super::file::SettingsFile;
use crate::args::P2pArgs;
use crate::failure::Failure;

/// How a node is to meet its network. Where nothing was said, the frontend has its own defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct P2pOptions {
    /// Where to take connections; nowhere if empty.
    pub(crate) listen: Vec<SocketAddr>,
    /// Only these are called, and kept connected; empty for whoever is found.
    pub(crate) connect: Vec<Endpoint>,
    /// These are kept connected besides.
    pub(crate) add: Vec<Endpoint>,
    /// Peers to call.
    pub(crate) outgoing: Option<usize>,
    /// Peers that may call.
    pub(crate) incoming: Option<usize>,
    /// The SOCKS5 proxy that all calls go through.
    pub(crate) proxy: Option<SocketAddr>,
    /// Whether DNS seeds may be asked.
    pub(crate) dns_seeds: bool,
    /// Whether connections are encrypted where they can be.
    pub(crate) v2: bool,
    /// Whether transactions are asked for.
    pub(crate) relay: bool,
    /// Whether others are told where we listen.
    pub(crate) discover: bool,
    /// Where every message is written down.
    pub(crate) capture: Option<PathBuf>,
    /// Blocks of losing branches a day, from all peers.
    pub(crate) fork_blocks: Option<u32>,
    /// The same from one peer.
    pub(crate) fork_peer_blocks: Option<u32>,
    /// Bytes of them.
    pub(crate) fork_bytes: Option<u64>,
}

impl Settings {
    /// How the node meets its network; `None` where it stays off. `private` is a chain that nobody else has, such as a
    /// lab's.
    pub(crate) fn p2p(
        &self,
        args: P2pArgs,
        network: Network,
        private: bool,
    ) -> Result<Option<P2pOptions>, Failure> {
        options(args, &self.file, network, private)
    }
}

fn options(
    args: P2pArgs,
    file: &SettingsFile,
    network: Network,
    private: bool,
) -> Result<Option<P2pOptions>, Failure> {
    // An option on the command line weighs more than staying off in the file.
    let off = args.no_p2p || (file.no_p2p.unwrap_or(false) && !args.any());
    if off {
        return Ok(None);
    }
    let args = with_file(args, file);
    if (private || network == Network::Regtest) && !args.any() {
        return Ok(None);
    }
    if args.incoming == Some(0) && !args.serve.is_empty() {
        return Err(Failure::usage(
            "--serve takes calls of peers and --incoming 0 refuses them; leave one of them out",
        ));
    }
    let network = network.to_bitcoin();
    let port = default_port(network);
    let endpoints = |texts: &[String], option: &str| {
        let parse = |text: &String| {
            Endpoint::parse(text, port)
                .map_err(|error| Failure::usage(format!("--{option}: {error}")))
        };
        texts.iter().map(parse).collect::<Result<Vec<_>, _>>()
    };
    let mut listen = args.serve;
    if listen.is_empty() && args.incoming.is_some_and(|most| most > 0) {
        listen.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
    }
    let public = !private && network != bitcoin::Network::Regtest;
    let connect = endpoints(&args.connect_peer, "connect")?;
    Ok(Some(P2pOptions {
        listen,
        add: endpoints(&args.addnode, "addnode")?,
        outgoing: args.outgoing.map(|most| most as usize),
        incoming: args.incoming.map(|most| most as usize),
        proxy: args.proxy,
        dns_seeds: args.dnsseed.unwrap_or(public && connect.is_empty()),
        connect,
        v2: args.v2transport.unwrap_or(true),
        relay: args.relay.unwrap_or(false),
        discover: args.discover.unwrap_or(false),
        capture: args.capture,
        fork_blocks: args.fork_blocks,
        fork_peer_blocks: args.fork_peer_blocks,
        fork_bytes: args.fork_bytes,
    }))
}

/// The options with what the file adds to them. A list on the command line replaces the file's.
fn with_file(args: P2pArgs, file: &SettingsFile) -> P2pArgs {
    let file = file.clone();
    fn list<T>(args: Vec<T>, file: Vec<T>) -> Vec<T> {
        match args.is_empty() {
            true => file,
            false => args,
        }
    }
    // How many to call says nothing where the peers are named, and the other way round.
    let outgoing = match args.connect_peer.is_empty() {
        true => args.outgoing.or(file.outgoing),
        false => None,
    };
    let connect_peer = match args.outgoing {
        Some(_) => args.connect_peer,
        None => list(args.connect_peer, file.connect_peer),
    };
    P2pArgs {
        outgoing,
        incoming: args.incoming.or(file.incoming),
        serve: list(args.serve, file.serve),
        connect_peer,
        addnode: list(args.addnode, file.addnode),
        relay: args.relay.or(file.relay),
        proxy: args.proxy.or(file.proxy),
        dnsseed: args.dnsseed.or(file.dnsseed),
        v2transport: args.v2transport.or(file.v2transport),
        discover: args.discover.or(file.discover),
        capture: args.capture.or(file.capture),
        fork_blocks: args.fork_blocks.or(file.fork_blocks),
        fork_peer_blocks: args.fork_peer_blocks.or(file.fork_peer_blocks),
        fork_bytes: args.fork_bytes.or(file.fork_bytes),
        no_p2p: false,
    }
}

#[cfg(test)]
mod tests;
