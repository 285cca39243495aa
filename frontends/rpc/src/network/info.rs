//! Owns what is said of the network as a whole.

use bitcoin::p2p::ServiceFlags;
use everett_net::NetworkKind;
use everett_node::{NetworkState, service_names};

use super::{PROTOCOL_VERSION, SUBVERSION, VERSION};
use crate::call::Call;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Category, Method, Run};

/// The seconds that a limit of uploads would hold for.
const TIMEFRAME: u32 = 86_400;

pub(super) static GETCONNECTIONCOUNT: Method = Method {
    name: "getconnectioncount",
    category: Category::Network,
    about: "How many peers are connected.",
    arguments: &[],
    result: "n    (numeric) The count",
    at: false,
    run: Run::Read(connection_count),
};

fn connection_count(call: &Call) -> Answer {
    let peers = call.handle().peers();
    Ok(peers.map_or(0, |peers| peers.list().len()).into())
}

pub(super) static GETNETTOTALS: Method = Method {
    name: "getnettotals",
    category: Category::Network,
    about: "Bytes that went back and forth since the start, and the time.",
    arguments: &[],
    result: "{...}    (json object) totalbytesrecv, totalbytessent, timemillis, uploadtarget",
    at: false,
    run: Run::Read(net_totals),
};

fn net_totals(call: &Call) -> Answer {
    let state = call.handle().peers().map(|peers| peers.network());
    let state = state.unwrap_or_default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_millis());
    Ok(object! {
        "totalbytesrecv" => state.bytes_received,
        "totalbytessent" => state.bytes_sent,
        "timemillis" => u64::try_from(now).unwrap_or(u64::MAX),
        "uploadtarget" => object! {
            "timeframe" => TIMEFRAME,
            "target" => 0,
            "target_reached" => false,
            "serve_historical_blocks" => true,
            "bytes_left_in_cycle" => 0,
            "time_left_in_cycle" => 0,
        },
    })
}

pub(super) static GETNETWORKINFO: Method = Method {
    name: "getnetworkinfo",
    category: Category::Network,
    about: "What the node is on the network. The version is that of Core whose interface is spoken; subversion tells who \
            speaks it.",
    arguments: &[],
    result: "{...}    (json object) version, subversion, protocolversion, localservices, localservicesnames, localrelay, \
             timeoffset, networkactive, connections, connections_in, connections_out, networks, relayfee, \
             incrementalfee, localaddresses, warnings",
    at: false,
    run: Run::Read(network_info),
};

/// What a node without a network could offer.
fn services_alone(call: &Call) -> ServiceFlags {
    let services = ServiceFlags::WITNESS | ServiceFlags::NETWORK_LIMITED | ServiceFlags::P2P_V2;
    match call.ledger().prune_target() {
        None => services | ServiceFlags::NETWORK,
        Some(_) => services,
    }
}

fn network_info(call: &Call) -> Answer {
    let peers = call.handle().peers();
    let list = peers.as_ref().map(|peers| peers.list()).unwrap_or_default();
    let inbound = list
        .iter()
        .filter(|peer| peer.info.purpose.is_inbound())
        .count();
    let mut offsets: Vec<i64> = list
        .iter()
        .filter(|peer| !peer.info.purpose.is_inbound())
        .map(|peer| peer.info.time_offset)
        .collect();
    offsets.sort_unstable();
    let offset = offsets.get(offsets.len() / 2).copied().unwrap_or(0);
    let state = match &peers {
        Some(peers) => peers.network(),
        None => NetworkState {
            user_agent: SUBVERSION.to_owned(),
            services: services_alone(call),
            ..NetworkState::default()
        },
    };
    let network = |kind: &NetworkKind| {
        let reachable = state.reachable.contains(kind);
        // There is no proxy for I2P.
        let proxy = state.proxy.filter(|_| *kind != NetworkKind::I2p);
        object! {
            "name" => kind.as_str(),
            "limited" => !reachable,
            "reachable" => reachable,
            "proxy" => proxy.map(|address| address.to_string()).unwrap_or_default(),
            "proxy_randomize_credentials" => proxy.is_some(),
        }
    };
    let own = state.own_addresses.iter().map(|own| {
        object! {
            "address" => own.endpoint.host_text(),
            "port" => own.endpoint.port,
            "score" => own.score,
        }
    });
    let limits = call.handle().mempool().config();
    Ok(object! {
        "version" => VERSION,
        "subversion" => state.user_agent.as_str(),
        "protocolversion" => PROTOCOL_VERSION,
        "localservices" => format!("{:016x}", state.services.to_u64()),
        "localservicesnames" => service_names(state.services),
        "localrelay" => state.relay,
        "timeoffset" => offset,
        "networkactive" => state.active,
        "connections" => list.len(),
        "connections_in" => inbound,
        "connections_out" => list.len() - inbound,
        "networks" => NetworkKind::CALLABLE.iter().map(network).collect::<Json>(),
        "relayfee" => amount(limits.min_relay_fee.sat_per_kvb()),
        "incrementalfee" => amount(limits.incremental_relay_fee.sat_per_kvb()),
        "localaddresses" => own.collect::<Json>(),
        "warnings" => Json::Array(Vec::new()),
    })
}
