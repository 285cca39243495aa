//! Owns how a node that the command line starts joins the P2P network.

use std::net::SocketAddr;
use std::path::Path;

use everett_ledger::Network;
use everett_node::NodeBuilder;
use everett_p2p::{BoundAddresses, P2p, P2pConfig};

use crate::settings::P2pOptions;

/// The network before the node takes it, if it is to have one.
pub(super) struct PeerNetwork(Option<P2p>);

/// Where the node takes connections, to be asked once it has started.
pub(super) struct Listening(Option<BoundAddresses>);

impl PeerNetwork {
    /// As the options say, for a node on this directory.
    pub(super) fn new(
        options: Option<P2pOptions>,
        network: Network,
        directory: &Path,
        pruned: bool,
    ) -> PeerNetwork {
        PeerNetwork(options.map(|options| P2p::new(config(options, network, directory, pruned))))
    }

    /// None at all.
    pub(super) fn off() -> PeerNetwork {
        PeerNetwork(None)
    }

    /// Adds it to a node.
    pub(super) fn add_to(self, node: NodeBuilder) -> (NodeBuilder, Listening) {
        match self.0 {
            Some(p2p) => {
                let listening = Listening(Some(p2p.bound_addresses()));
                (node.frontend(p2p), listening)
            }
            None => (node, Listening(None)),
        }
    }
}

impl Listening {
    /// Where connections are taken; `None` for a node that is off the network.
    pub(super) fn addresses(&self) -> Option<Vec<SocketAddr>> {
        self.0.as_ref().map(BoundAddresses::get)
    }
}

fn config(options: P2pOptions, network: Network, directory: &Path, pruned: bool) -> P2pConfig {
    let mut config = P2pConfig::new(network);
    config.listen = options.listen;
    config.connect = options.connect;
    config.add = options.add;
    config.outgoing = options.outgoing.unwrap_or(config.outgoing);
    config.incoming = options.incoming.unwrap_or(config.incoming);
    config.proxy = options.proxy;
    config.dns_seeds = options.dns_seeds;
    config.v2 = options.v2;
    config.relay = options.relay;
    config.discover = options.discover;
    config.capture = options.capture;
    let forks = &mut config.forks;
    forks.blocks = options.fork_blocks.unwrap_or(forks.blocks);
    forks.peer_blocks = options.fork_peer_blocks.unwrap_or(forks.peer_blocks);
    forks.bytes = options.fork_bytes.unwrap_or(forks.bytes);
    config.directory = Some(directory.to_owned());
    config.pruned = pruned;
    config
}
