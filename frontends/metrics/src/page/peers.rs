//! Owns the figures of the P2P network: peers, bytes, how far the node has synced.
//! Promises few series: they are told apart by kinds of connections and names of messages, never by peers.

use everett_net::TransportVersion;
use everett_node::{Peers, SyncPhase};

use crate::text::{Page, Type};

/// Both ways of a connection, as a label has them.
const DIRECTIONS: [&str; 2] = ["inbound", "outbound"];

/// Writes them.
pub(super) fn write(page: &mut Page, peers: &dyn Peers) {
    connections(page, peers);
    traffic(page, peers);
    sync(page, peers);
}

fn connections(page: &mut Page, peers: &dyn Peers) {
    let list = peers.list();
    let mut family = page.family(
        "everett_peers",
        Type::Gauge,
        "Peers that are connected, by who called and how the bytes go over the wire.",
    );
    for direction in DIRECTIONS {
        for transport in [TransportVersion::V1, TransportVersion::V2] {
            let inbound = direction == DIRECTIONS[0];
            let such = list.iter().filter(|peer| {
                peer.info.purpose.is_inbound() == inbound && peer.info.transport == transport
            });
            let labels = [("direction", direction), ("transport", transport.as_str())];
            family.sample(&labels, such.count() as f64);
        }
    }
    page.one(
        "everett_peers_misbehaving",
        Type::Gauge,
        "Peers that are connected and did something wrong.",
        list.iter()
            .filter(|peer| peer.sync.misbehavior.is_some())
            .count() as f64,
    );
    let pings = list.iter().filter_map(|peer| peer.traffic.min_ping);
    if let Some(shortest) = pings.min() {
        page.one(
            "everett_peer_shortest_ping_seconds",
            Type::Gauge,
            "The shortest round trip to any peer that is connected.",
            shortest.as_secs_f64(),
        );
    }
    page.one(
        "everett_bans",
        Type::Gauge,
        "Addresses and subnets that are banned.",
        peers.bans().len() as f64,
    );
}

fn traffic(page: &mut Page, peers: &dyn Peers) {
    let network = peers.network();
    page.one(
        "everett_known_addresses",
        Type::Gauge,
        "Addresses of other nodes that are known.",
        network.known_addresses as f64,
    );
    let mut family = page.family(
        "everett_network_bytes_total",
        Type::Counter,
        "Bytes from and to all peers since the node started, frames included.",
    );
    family.sample(&[("direction", "received")], network.bytes_received as f64);
    family.sample(&[("direction", "sent")], network.bytes_sent as f64);
    let mut family = page.family(
        "everett_network_message_bytes_total",
        Type::Counter,
        "The same by type of message.",
    );
    for count in &network.messages {
        for (direction, bytes) in [
            ("received", count.bytes_received),
            ("sent", count.bytes_sent),
        ] {
            let labels = [
                ("message", count.command.as_str()),
                ("direction", direction),
            ];
            family.sample(&labels, bytes as f64);
        }
    }
    let mut family = page.family(
        "everett_network_messages_total",
        Type::Counter,
        "Messages from and to all peers since the node started, by type.",
    );
    for count in &network.messages {
        for (direction, messages) in [("received", count.received), ("sent", count.sent)] {
            let labels = [
                ("message", count.command.as_str()),
                ("direction", direction),
            ];
            family.sample(&labels, messages as f64);
        }
    }
}

fn sync(page: &mut Page, peers: &dyn Peers) {
    let progress = peers.progress();
    let phases = [
        SyncPhase::Waiting,
        SyncPhase::Presync,
        SyncPhase::Headers,
        SyncPhase::Blocks,
        SyncPhase::Synced,
    ];
    let mut family = page.family(
        "everett_sync_phase",
        Type::Gauge,
        "What the node is doing to catch up: 1 for that phase, 0 for the others.",
    );
    for phase in phases {
        let now = f64::from(u8::from(phase == progress.phase));
        family.sample(&[("phase", phase.as_str())], now);
    }
    let mut family = page.family(
        "everett_sync_height",
        Type::Gauge,
        "Heights of the best world, of the header with the most work, and of headers looked at in presync.",
    );
    for (of, height) in [
        ("best", progress.best_height),
        ("headers", progress.header_height),
        ("presync", progress.presync_height),
    ] {
        family.sample(&[("of", of)], height.into());
    }
    page.one(
        "everett_sync_blocks_in_flight",
        Type::Gauge,
        "Blocks that peers were asked for and that are not there yet.",
        progress.blocks_in_flight.into(),
    );
    page.one(
        "everett_sync_branches_in_flight",
        Type::Gauge,
        "Tips on other branches whose blocks are being fetched.",
        progress.branches_in_flight.into(),
    );
    page.one(
        "everett_sync_block_bytes_total",
        Type::Counter,
        "Bytes of blocks taken from peers since the node started.",
        progress.block_bytes as f64,
    );
    if let Some(remaining) = progress.remaining {
        page.one(
            "everett_sync_remaining_seconds",
            Type::Gauge,
            "How long the rest may take, as far as the last minute tells.",
            remaining.as_secs_f64(),
        );
    }
}

#[cfg(test)]
mod tests {
    use everett_tests::peers_double::PeersDouble;

    use super::*;

    #[test]
    fn peers_are_counted_by_direction_and_transport_and_bytes_by_message() {
        let mut page = Page::default();
        write(&mut page, &PeersDouble::sample());
        let text = page.into_text();
        for line in [
            "everett_peers{direction=\"inbound\",transport=\"v1\"} 1",
            "everett_peers{direction=\"inbound\",transport=\"v2\"} 0",
            "everett_peers{direction=\"outbound\",transport=\"v2\"} 1",
            "everett_peers_misbehaving 1",
            "everett_peer_shortest_ping_seconds 0.01",
            "everett_bans 1",
            "everett_known_addresses 42",
            "everett_network_bytes_total{direction=\"received\"} 7000000",
            "everett_network_message_bytes_total{message=\"block\",direction=\"received\"} 6900000",
            "everett_network_messages_total{message=\"ping\",direction=\"sent\"} 45",
            "everett_sync_phase{phase=\"blocks\"} 1",
            "everett_sync_phase{phase=\"synced\"} 0",
            "everett_sync_height{of=\"headers\"} 4000",
            "everett_sync_blocks_in_flight 3",
            "everett_sync_branches_in_flight 1",
            "everett_sync_block_bytes_total 5000000",
            "everett_sync_remaining_seconds 90",
        ] {
            assert!(text.lines().any(|has| has == line), "no {line} in {text}");
        }
        // No peer can make a series.
        assert!(!text.contains("203.0.113.7"));
    }
}
