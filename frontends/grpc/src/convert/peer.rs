//! Owns the writing of peers, bans, peer events and sync progress as messages.

use std::time::{Duration, SystemTime};

use bitcoin::hex::DisplayHex;
use everett_node::{
    AddedPeer, BanState, MessageCount, PeerEvent, PeerEventKind, PeerState, SyncPhase, SyncProgress,
};
use everett_proto::v1;

/// A connected peer.
pub(crate) fn peer(peer: &PeerState) -> v1::Peer {
    let (info, traffic, sync) = (&peer.info, &peer.traffic, &peer.sync);
    let session_id = info.session_id.map(|id| id.to_lower_hex_string());
    v1::Peer {
        peer_id: info.id.0,
        address: info.endpoint.to_string(),
        connection_type: info.purpose.as_str().to_owned(),
        transport: info.transport.as_str().to_owned(),
        session_id: session_id.unwrap_or_default(),
        version: info.version,
        user_agent: info.user_agent.clone(),
        services: info.services.to_u64(),
        service_names: everett_node::service_names(info.services),
        start_height: info.start_height,
        relays_transactions: info.relay,
        connected_time: Some(traffic.connected.into()),
        time_offset: Some(prost_types::Duration {
            seconds: info.time_offset,
            nanos: 0,
        }),
        ping: duration(traffic.ping),
        min_ping: duration(traffic.min_ping),
        bytes_received: traffic.bytes_received,
        bytes_sent: traffic.bytes_sent,
        messages: traffic.messages.iter().map(count).collect(),
        last_received_time: time(traffic.last_received),
        last_sent_time: time(traffic.last_sent),
        best_block_hash: sync
            .best
            .map_or_else(String::new, |(hash, _)| hash.to_string()),
        best_height: height(sync.best.map(|(_, height)| height)),
        common_height: height(sync.common_height),
        heights_in_flight: sync.in_flight.clone(),
        presync_height: height(sync.presync_height),
        compact_from: sync.compact_from,
        compact_to: sync.compact_to,
        last_block_time: time(sync.last_block),
        last_transaction_time: time(sync.last_transaction),
        addresses_processed: sync.addresses_processed,
        addresses_rate_limited: sync.addresses_rate_limited,
        misbehavior: sync.misbehavior.clone().unwrap_or_default(),
        features: info.features.clone(),
    }
}

/// How far the node has synced.
pub(crate) fn progress(progress: &SyncProgress) -> v1::SyncProgress {
    let phase = match progress.phase {
        SyncPhase::Waiting => v1::SyncPhase::Waiting,
        SyncPhase::Presync => v1::SyncPhase::Presync,
        SyncPhase::Headers => v1::SyncPhase::Headers,
        SyncPhase::Blocks => v1::SyncPhase::Blocks,
        SyncPhase::Synced => v1::SyncPhase::Synced,
    };
    v1::SyncProgress {
        phase: phase.into(),
        best_height: progress.best_height,
        header_height: progress.header_height,
        presync_height: progress.presync_height,
        blocks_in_flight: progress.blocks_in_flight,
        block_bytes: progress.block_bytes,
        remaining: duration(progress.remaining),
        branches_in_flight: progress.branches_in_flight,
    }
}

/// A peer that was added by hand.
pub(crate) fn added_peer(peer: AddedPeer) -> v1::AddedPeer {
    v1::AddedPeer {
        address: peer.endpoint.to_string(),
        connected: peer.connected,
        failures: peer.failures,
        last_error: peer.last_error.unwrap_or_default(),
        next_call_time: time(peer.next_call),
    }
}

/// A ban.
pub(crate) fn ban(ban: BanState) -> v1::Ban {
    v1::Ban {
        subnet: ban.subnet,
        create_time: Some(ban.created.into()),
        until_time: Some(ban.until.into()),
        reason: ban.reason,
    }
}

/// A peer event, and how many before it were missed.
pub(crate) fn event(event: PeerEvent, missed: u64) -> v1::StreamPeerEventsResponse {
    let (kind, reason) = match event.kind {
        PeerEventKind::Established => (v1::PeerEventKind::Established, String::new()),
        PeerEventKind::Lost(why) => (v1::PeerEventKind::Lost, why),
        PeerEventKind::Failed(why) => (v1::PeerEventKind::Failed, why),
        PeerEventKind::Misbehaved(what) => (v1::PeerEventKind::Misbehaved, what),
    };
    v1::StreamPeerEventsResponse {
        kind: kind.into(),
        peer_id: event.peer.map_or(0, |peer| peer.0),
        address: event.endpoint.to_string(),
        reason,
        time: Some(event.time.into()),
        missed,
    }
}

fn count(count: &MessageCount) -> v1::MessageCount {
    v1::MessageCount {
        command: count.command.clone(),
        received: count.received,
        bytes_received: count.bytes_received,
        sent: count.sent,
        bytes_sent: count.bytes_sent,
    }
}

fn time(time: Option<SystemTime>) -> Option<prost_types::Timestamp> {
    time.map(prost_types::Timestamp::from)
}

/// No length of time of ours is near the limit of 10,000 years.
fn duration(duration: Option<Duration>) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(duration?).ok()
}

/// -1 for none.
fn height(height: Option<u32>) -> i32 {
    height.map_or(-1, |height| i32::try_from(height).unwrap_or(i32::MAX))
}
