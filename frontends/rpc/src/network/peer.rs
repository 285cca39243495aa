//! Owns what is said of each peer.

use bitcoin::hex::DisplayHex;
use everett_ledger::Clock;
use everett_node::{MessageCount, PeerState, service_names};

use crate::call::Call;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Category, Method, Run};

pub(super) static GETPEERINFO: Method = Method {
    name: "getpeerinfo",
    category: Category::Network,
    about: "What is known of each peer.",
    arguments: &[],
    result: "[{...}, ...]    (json array) An object for each peer, with Core's fields",
    at: false,
    run: Run::Read(peer_info),
};

fn peer_info(call: &Call) -> Answer {
    let peers = call.handle().peers();
    let list = peers.map(|peers| peers.list()).unwrap_or_default();
    let clock = call.ledger().clock();
    Ok(list.iter().map(|peer| peer_json(peer, clock)).collect())
}

/// Bytes by type of message, without those that are 0.
fn by_message(counts: &[MessageCount], bytes: impl Fn(&MessageCount) -> u64) -> Json {
    let mut json = Json::Object(Vec::new());
    for count in counts.iter().filter(|count| bytes(count) > 0) {
        json.push(&count.command, bytes(count));
    }
    json
}

fn peer_json(peer: &PeerState, clock: &Clock) -> Json {
    let unix = |time| clock.showed(time);
    let (info, traffic, sync) = (&peer.info, &peer.traffic, &peer.sync);
    let mut json = object! {
        "id" => info.id.0,
        "addr" => info.endpoint.to_string(),
    };
    json.push_some("addrbind", peer.local.map(|address| address.to_string()));
    let local = info.our_address.as_ref().filter(|own| own.is_valid());
    json.push_some("addrlocal", local.map(ToString::to_string));
    json.push("network", info.endpoint.network().as_str());
    json.push("services", format!("{:016x}", info.services.to_u64()));
    json.push("servicesnames", service_names(info.services));
    json.push("relaytxes", info.relay);
    json.push("last_inv_sequence", sync.relay.last_sequence);
    json.push("inv_to_send", sync.relay.waiting);
    json.push("lastsend", traffic.last_sent.map_or(0, unix));
    json.push("lastrecv", traffic.last_received.map_or(0, unix));
    json.push("last_transaction", sync.last_transaction.map_or(0, unix));
    json.push("last_block", sync.last_block.map_or(0, unix));
    json.push("bytessent", traffic.bytes_sent);
    json.push("bytesrecv", traffic.bytes_received);
    json.push("conntime", unix(traffic.connected));
    json.push("timeoffset", info.time_offset);
    json.push_some("pingtime", traffic.ping.map(|ping| ping.as_secs_f64()));
    json.push_some("minping", traffic.min_ping.map(|ping| ping.as_secs_f64()));
    json.push("version", info.version);
    json.push("subver", info.user_agent.as_str());
    json.push("inbound", info.purpose.is_inbound());
    json.push("bip152_hb_to", sync.compact_from);
    json.push("bip152_hb_from", sync.compact_to);
    json.push(
        "presynced_headers",
        sync.presync_height.map_or(-1, i64::from),
    );
    json.push(
        "synced_headers",
        sync.best.map_or(-1, |(_, height)| i64::from(height)),
    );
    json.push("synced_blocks", sync.common_height.map_or(-1, i64::from));
    json.push("inflight", sync.in_flight.clone());
    json.push("addr_relay_enabled", info.purpose.relays());
    json.push("addr_processed", sync.addresses_processed);
    json.push("addr_rate_limited", sync.addresses_rate_limited);
    let permissions = sync.relay.permissions.iter().map(|word| Json::from(*word));
    json.push("permissions", Json::Array(permissions.collect()));
    let least = i64::try_from(sync.relay.fee_filter).unwrap_or(i64::MAX);
    json.push("minfeefilter", amount(least));
    let messages = &traffic.messages;
    json.push(
        "bytessent_per_msg",
        by_message(messages, |count| count.bytes_sent),
    );
    json.push(
        "bytesrecv_per_msg",
        by_message(messages, |count| count.bytes_received),
    );
    json.push("connection_type", info.purpose.as_str());
    json.push("transport_protocol_type", info.transport.as_str());
    let session = info.session_id.map(|id| id.to_lower_hex_string());
    json.push("session_id", session.unwrap_or_default());
    json
}
