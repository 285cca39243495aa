//! Owns the links: two sessions, and the bytes between them, each side's in order and late.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::p2p::address::AddrV2;
use everett_net::{Endpoint, PeerId, Purpose, Session, SessionConfig};
use everett_tests::random::Random;

/// One end of a link: whose, and by which number the node knows it.
pub(crate) struct End {
    /// A node, or behind those a false peer.
    pub(crate) node: usize,
    pub(crate) peer: PeerId,
    pub(crate) session: Session,
    /// When the last bytes sent to this end arrive: later ones do not overtake them.
    arrives: Duration,
}

/// A connection between two nodes.
pub(crate) struct Link {
    pub(crate) ends: [End; 2],
    /// The slowest that bytes take, in milliseconds.
    slowness: u64,
}

impl Link {
    /// `caller` calls `called`.
    pub(crate) fn new(
        [caller, called]: [usize; 2],
        addresses: [Ipv4Addr; 2],
        peers: [PeerId; 2],
        configs: [Arc<SessionConfig>; 2],
        now: Duration,
        random: &mut Random,
    ) -> Link {
        let slowness = random.between(2, 400);
        let [caller_config, called_config] = configs;
        let mut end = |node, peer, other: Ipv4Addr, purpose, config: Arc<SessionConfig>| {
            let mut seed = [0; 32];
            for eight in seed.chunks_exact_mut(8) {
                eight.copy_from_slice(&random.number().to_le_bytes());
            }
            let endpoint = Endpoint {
                host: AddrV2::Ipv4(other),
                port: 18_444,
            };
            End {
                node,
                peer,
                session: Session::new(config, peer, purpose, endpoint, now, seed),
                arrives: now,
            }
        };
        Link {
            ends: [
                end(
                    caller,
                    peers[0],
                    addresses[1],
                    Purpose::OutboundFullRelay,
                    caller_config,
                ),
                end(
                    called,
                    peers[1],
                    addresses[0],
                    Purpose::Inbound,
                    called_config,
                ),
            ],
            slowness,
        }
    }

    /// What one end has written, and when the other has it.
    pub(crate) fn take_output(
        &mut self,
        from: usize,
        now: Duration,
        random: &mut Random,
    ) -> Vec<(Duration, Vec<u8>)> {
        let mut pieces = Vec::new();
        let mut bytes = Vec::new();
        while let Some(piece) = self.ends[from].session.output() {
            bytes.extend_from_slice(&piece);
        }
        let to = &mut self.ends[1 - from];
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // Anywhere but at the ends of messages.
            let length = 1 + random.below(rest.len().min(20_000));
            let (piece, after) = rest.split_at(length);
            rest = after;
            let delay = Duration::from_millis(random.between(1, self.slowness));
            to.arrives = to.arrives.max(now + delay) + Duration::from_micros(50);
            pieces.push((to.arrives, piece.to_vec()));
        }
        pieces
    }
}
