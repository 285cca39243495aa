//! Owns how a node that the command line starts joins the P2P network.

use everett_node::NodeBuilder;
use tracing::{info, warn};

use crate::settings::P2pOptions;

/// The network before the node takes it, if it is to have one.
pub(super) struct PeerNetwork(Option<P2pOptions>);

impl PeerNetwork {
    /// As the options say.
    pub(super) fn new(options: Option<P2pOptions>) -> PeerNetwork {
        PeerNetwork(options)
    }

    /// Adds it to a node.
    pub(super) fn add_to(self, node: NodeBuilder) -> NodeBuilder {
        let Some(options) = self.0 else {
            return node;
        };
        let P2pOptions {
            listen,
            connect,
            add,
            outgoing,
            incoming,
            proxy,
            dns_seeds,
            v2,
            relay,
            discover,
            capture,
            fork_blocks,
            fork_peer_blocks,
            fork_bytes,
        } = options;
        info!(
            ?listen,
            ?connect,
            ?add,
            outgoing,
            incoming,
            ?proxy,
            dns_seeds,
            v2,
            relay,
            discover,
            ?capture,
            fork_blocks,
            fork_peer_blocks,
            fork_bytes,
            "the network as configured"
        );
        // Replaced by the frontend of `everett-p2p` as soon as there is one.
        warn!("this build has no frontend for the P2P network: the node stays off it");
        node
    }
}
