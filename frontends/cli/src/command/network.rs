//! Owns how a node that the command line starts joins the P2P network.

use std::net::SocketAddr;
use std::path::Path;

use everett_log::Sink;
use everett_net::capture::{Capture, Direction};
use everett_node::NodeBuilder;
use everett_p2p::{BoundAddresses, P2p, P2pConfig};
use everett_proto::v1;

use crate::settings::Joining;

/// The network before the node takes it, if it is to have one.
pub(super) struct PeerNetwork {
    p2p: Option<P2p>,
    /// Whether it writes to the binary log.
    pub(super) logs_packets: bool,
}

/// Where the node takes connections, to be asked once it has started.
pub(super) struct Listening(Option<BoundAddresses>);

impl PeerNetwork {
    /// As the settings say, for a node on this directory with this log.
    pub(super) fn new(
        joining: Option<Joining>,
        log: &Sink,
        directory: &Path,
        pruned: bool,
    ) -> PeerNetwork {
        let Some(Joining {
            config,
            log_packets,
        }) = joining
        else {
            return PeerNetwork::off();
        };
        let p2p = P2p::new(P2pConfig {
            directory: Some(directory.to_owned()),
            pruned,
            ..config
        });
        PeerNetwork {
            logs_packets: log_packets.is_some(),
            p2p: Some(match log_packets {
                Some(bytes) => p2p.capturing(into_log(log.clone(), bytes)),
                None => p2p,
            }),
        }
    }

    /// None at all.
    pub(super) fn off() -> PeerNetwork {
        PeerNetwork {
            p2p: None,
            logs_packets: false,
        }
    }

    /// Adds it to a node.
    pub(super) fn add_to(self, node: NodeBuilder) -> (NodeBuilder, Listening) {
        match self.p2p {
            Some(p2p) => {
                let listening = Listening(Some(p2p.bound_addresses()));
                (node.frontend(p2p), listening)
            }
            None => (node, Listening(None)),
        }
    }
}

/// Puts messages into a log, with so many bytes of each. What finds no room there is dropped, and the log says how much.
fn into_log(log: Sink, bytes: usize) -> Capture {
    Capture::new(move |packet| {
        let packet = packet.cut(bytes);
        log.put_packet(v1::Packet {
            connection_id: packet.peer.0,
            direction: match packet.direction {
                Direction::Received => v1::PacketDirection::Received,
                Direction::Sent => v1::PacketDirection::Sent,
            }
            .into(),
            peer: packet.endpoint.to_string(),
            command: packet.command.as_str().to_owned(),
            payload: packet.payload.into(),
            payload_bytes: packet.payload_bytes,
        });
    })
}

impl Listening {
    /// Where connections are taken; `None` for a node that is off the network.
    pub(super) fn addresses(&self) -> Option<Vec<SocketAddr>> {
        self.0.as_ref().map(BoundAddresses::get)
    }
}
