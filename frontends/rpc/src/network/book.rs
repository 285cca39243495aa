//! Owns what is said of the address book as a whole.

use everett_net::NetworkKind;
use everett_net::address_book::Placed;
use everett_node::AddressCount;

use crate::call::Call;
use crate::json::{Json, object};
use crate::method::{Answer, Category, Method, Run};

pub(super) static GETADDRMANINFO: Method = Method {
    name: "getaddrmaninfo",
    category: Category::Network,
    about: "How many addresses of other nodes are known, by network: those that were never reached (new), those that were \
            (tried), and both.",
    arguments: &[],
    result: "{\"network\": {\"new\": n, \"tried\": n, \"total\": n}, ...}    (json object) ipv4, ipv6, onion, i2p, cjdns, and \
             all_networks",
    at: false,
    run: Run::Read(addrman_info),
};

fn addrman_info(call: &Call) -> Answer {
    let state = call.handle().peers().map(|peers| peers.network());
    let counts = state.unwrap_or_default().address_counts;
    let mut json = Json::Object(Vec::new());
    let entry = |new: usize, tried: usize| object! { "new" => new, "tried" => tried, "total" => new + tried };
    for network in NetworkKind::CALLABLE {
        let of = |count: &&AddressCount| count.network == network;
        let (new, tried) = counts
            .iter()
            .find(of)
            .map_or((0, 0), |count| (count.new, count.tried));
        json.push(network.as_str(), entry(new, tried));
    }
    let new = counts.iter().map(|count| count.new).sum();
    let tried = counts.iter().map(|count| count.tried).sum();
    json.push("all_networks", entry(new, tried));
    Ok(json)
}

pub(super) static GETRAWADDRMAN: Method = Method {
    name: "getrawaddrman",
    category: Category::Hidden,
    about: "The address book place by place. Places are picked by a secret hash; what Core says of autonomous systems is \
            left out, since there is no map of them.",
    arguments: &[],
    result: "{\"new\": {\"bucket/position\": {\"address\", \"port\", \"services\", \"time\", \"network\", \"source\", \
             \"source_network\"}, ...}, \"tried\": {...}}    (json object) Both tables",
    at: false,
    run: Run::Read(raw_addrman),
};

fn raw_addrman(call: &Call) -> Answer {
    let peers = call.peers()?;
    let table = |tried| table_json(&peers.placed_addresses(tried));
    Ok(object! { "new" => table(false), "tried" => table(true) })
}

fn table_json(placed: &[Placed]) -> Json {
    let mut json = Json::Object(Vec::new());
    for Placed {
        bucket,
        position,
        known,
    } in placed
    {
        let entry = object! {
            "address" => known.endpoint.host_text(),
            "port" => known.endpoint.port,
            "services" => known.services.to_u64(),
            "time" => known.time,
            "network" => known.endpoint.network().as_str(),
            "source" => known.source.host_text(),
            "source_network" => known.source.network().as_str(),
        };
        json.push(&format!("{bucket}/{position}"), entry);
    }
    json
}
