//! Owns how a node that the command line starts joins the P2P network.

use std::net::SocketAddr;
use std::path::Path;

use everett_node::NodeBuilder;
use everett_p2p::{BoundAddresses, P2p, P2pConfig};

/// The network before the node takes it, if it is to have one.
pub(super) struct PeerNetwork(Option<P2p>);

/// Where the node takes connections, to be asked once it has started.
pub(super) struct Listening(Option<BoundAddresses>);

impl PeerNetwork {
    /// As the settings say, for a node on this directory.
    pub(super) fn new(config: Option<P2pConfig>, directory: &Path, pruned: bool) -> PeerNetwork {
        let config = config.map(|config| P2pConfig {
            directory: Some(directory.to_owned()),
            pruned,
            ..config
        });
        PeerNetwork(config.map(P2p::new))
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
