//! Owns the addresses of other nodes that are known.

use std::net::IpAddr;

use everett_net::{Endpoint, NetworkKind};
use everett_node::AddedAddress;

use crate::call::Call;
use crate::error::{CLIENT_INVALID_IP_OR_SUBNET, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static GETNODEADDRESSES: Method = Method {
    name: "getnodeaddresses",
    category: Category::Network,
    about: "Addresses of other nodes that are worth a call, drawn at random.",
    arguments: &[
        Argument::default("count", Kind::Number, "1", "How many at most; 0 for all"),
        Argument::optional("network", Kind::Text, "ipv4, ipv6, onion, i2p or cjdns"),
    ],
    result: "[{\"time\", \"services\", \"address\", \"port\", \"network\"}, ...]    (json array) The addresses",
    at: false,
    run: Run::Read(node_addresses),
};

fn node_addresses(call: &Call) -> Answer {
    let count: i32 = call.int_or(0, 1)?;
    let count =
        usize::try_from(count).map_err(|_| RpcError::parameter("Address count out of range"))?;
    let network = match call.maybe(1) {
        None => None,
        Some(name) => {
            let name = name.text()?;
            let kind: NetworkKind = name
                .parse()
                .map_err(|_| RpcError::parameter(format!("Network not recognized: {name}")))?;
            Some(kind)
        }
    };
    let known = call.handle().peers();
    let known = known.map(|peers| peers.addresses(count, network));
    Ok(known
        .unwrap_or_default()
        .into_iter()
        .map(|known| {
            object! {
                "time" => known.time,
                "services" => known.services.to_u64(),
                "address" => known.endpoint.host_text(),
                "port" => known.endpoint.port,
                "network" => known.endpoint.network().as_str(),
            }
        })
        .collect())
}

pub(super) static ADDPEERADDRESS: Method = Method {
    name: "addpeeraddress",
    category: Category::Hidden,
    about: "Enters the address of a node into the address book, for tests.",
    arguments: &[
        Argument::required("address", Kind::Text, "The address"),
        Argument::required("port", Kind::Number, "The port"),
        Argument::default(
            "tried",
            Kind::Bool,
            "false",
            "Whether it counts as one that was reached",
        ),
    ],
    result: "{\"success\", \"error\"}    (json object) Whether it is there now",
    at: false,
    run: Run::Read(add_peer_address),
};

fn add_peer_address(call: &Call) -> Answer {
    let text = call.text(0)?;
    let port: u16 = call.int(1)?;
    let tried = call.bool_or(2, false)?;
    let endpoint = match text.parse::<IpAddr>() {
        Ok(ip) => Endpoint::from((ip, port)),
        Err(_) if text.ends_with(".onion") || text.ends_with(".b32.i2p") => {
            Endpoint::parse(text, port)
                .map_err(|_| RpcError::new(CLIENT_INVALID_IP_OR_SUBNET, "Invalid IP address"))?
        }
        Err(_) => {
            return Err(RpcError::new(
                CLIENT_INVALID_IP_OR_SUBNET,
                "Invalid IP address",
            ));
        }
    };
    let added = call.peers()?.add_address(endpoint, tried);
    let mut json = Json::Object(Vec::new());
    match added {
        AddedAddress::Added => {}
        AddedAddress::NotReached => json.push("error", "failed-adding-to-tried"),
        AddedAddress::NotNew => json.push("error", "failed-adding-to-new"),
    }
    json.push("success", added == AddedAddress::Added);
    Ok(json)
}
