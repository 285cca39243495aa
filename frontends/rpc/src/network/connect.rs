//! Owns whom the node calls, and whom it leaves.

use std::net::{SocketAddr, ToSocketAddrs};

use everett_net::{Endpoint, PeerId};
use everett_node::{PeerError, PeerRef, Peers};

use crate::call::Call;
use crate::error::{
    CLIENT_INVALID_IP_OR_SUBNET, CLIENT_NODE_ALREADY_ADDED, CLIENT_NODE_NOT_ADDED,
    CLIENT_NODE_NOT_CONNECTED, INVALID_PARAMS, MISC_ERROR, RpcError,
};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static ADDNODE: Method = Method {
    name: "addnode",
    category: Category::Network,
    about: "Calls a peer, or forgets one that was added: add calls it whenever it is not connected, onetry once, and \
            remove ends the connection as well.",
    arguments: &[
        Argument::required(
            "node",
            Kind::Text,
            "The peer's address, with or without a port",
        ),
        Argument::required("command", Kind::Text, "add, remove or onetry"),
        Argument::optional(
            "v2transport",
            Kind::Bool,
            "Whether encryption (BIP324) is tried first, if the node has it switched on [default: it is]",
        ),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(add_node),
};

/// Whether a text names one of the peers that were added.
fn added(call: &Call, peers: &dyn Peers, text: &str) -> Option<Endpoint> {
    let port = everett_net::default_port(call.ledger().params().network.to_bitcoin());
    let endpoint = Endpoint::parse(text, port).ok()?;
    let known = peers.network().added;
    let mut known = known.into_iter().map(|peer| peer.endpoint);
    known.find(|other| *other == endpoint)
}

/// An address for the name of a node; an address stands for itself. Through a proxy no names are looked up: that would tell
/// the name server whom we call.
fn looked_up(call: &Call, peers: &dyn Peers, text: &str) -> Option<String> {
    let port = everett_net::default_port(call.ledger().params().network.to_bitcoin());
    if Endpoint::parse(text, port).is_ok() {
        return Some(text.to_owned());
    }
    let name = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, port),
    };
    if peers.network().proxy.is_some() {
        return None;
    }
    let mut addresses: Vec<SocketAddr> = name.to_socket_addrs().ok()?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().map(ToString::to_string)
}

fn add_node(call: &Call) -> Answer {
    let (node, command) = (call.text(0)?, call.text(1)?);
    if !["add", "remove", "onetry"].contains(&command) {
        return Err(RpcError::new(MISC_ERROR, ADDNODE.help()));
    }
    let peers = call.peers()?;
    if command == "remove" {
        if added(call, &*peers, node).is_none() {
            return Err(RpcError::new(
                CLIENT_NODE_NOT_ADDED,
                "Error: Node could not be removed. It has not been added previously.",
            ));
        }
        peers
            .disconnect(PeerRef::Address(node))
            .map_err(|error| RpcError::new(CLIENT_NODE_NOT_ADDED, error.to_string()))?;
        return Ok(Json::Null);
    }
    if command == "add" && added(call, &*peers, node).is_some() {
        return Err(RpcError::new(
            CLIENT_NODE_ALREADY_ADDED,
            "Error: Node already added",
        ));
    }
    let v1 = !call.bool_or(2, true)?;
    let once = command == "onetry";
    let address = match looked_up(call, &*peers, node) {
        Some(address) => address,
        // Core would look it up again later; a call that is made once is not made.
        None if once => return Ok(Json::Null),
        None => node.to_owned(),
    };
    match peers.add(&address, once, v1) {
        Ok(_) => Ok(Json::Null),
        // It is connected or being called already.
        Err(PeerError::Known(_)) => Ok(Json::Null),
        Err(error) => Err(RpcError::new(
            CLIENT_INVALID_IP_OR_SUBNET,
            error.to_string(),
        )),
    }
}

pub(super) static GETADDEDNODEINFO: Method = Method {
    name: "getaddednodeinfo",
    category: Category::Network,
    about: "The peers that were added, and whether they are connected.",
    arguments: &[Argument::optional(
        "node",
        Kind::Text,
        "The one that is meant",
    )],
    result: "[{\"addednode\", \"connected\", \"addresses\": [...]}, ...]    (json array) The peers",
    at: false,
    run: Run::Read(added_node_info),
};

fn added_node_info(call: &Call) -> Answer {
    let peers = call.peers()?;
    let added_peers = peers.network().added.into_iter();
    let mut known: Vec<Endpoint> = added_peers.map(|peer| peer.endpoint).collect();
    if let Some(wanted) = call.maybe(0) {
        let found = added(call, &*peers, wanted.text()?);
        let found = found.ok_or_else(|| {
            RpcError::new(CLIENT_NODE_NOT_ADDED, "Error: Node has not been added.")
        })?;
        known = vec![found];
    }
    let list = peers.list();
    Ok(known
        .into_iter()
        .map(|endpoint| {
            let connected = list.iter().find(|peer| peer.info.endpoint == endpoint);
            let addresses: Json = connected
                .iter()
                .map(|peer| {
                    let inbound = peer.info.purpose.is_inbound();
                    object! {
                        "address" => endpoint.to_string(),
                        "connected" => if inbound { "inbound" } else { "outbound" },
                    }
                })
                .collect();
            object! {
                "addednode" => endpoint.to_string(),
                "connected" => connected.is_some(),
                "addresses" => addresses,
            }
        })
        .collect())
}

pub(super) static DISCONNECTNODE: Method = Method {
    name: "disconnectnode",
    category: Category::Network,
    about: "Ends a connection, named by the peer's address or by its number.",
    arguments: &[
        Argument::optional("address", Kind::Text, "The address"),
        Argument::optional("nodeid", Kind::Number, "The number"),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(disconnect_node),
};

fn disconnect_node(call: &Call) -> Answer {
    let address = call.maybe(0).map(Json::text).transpose()?;
    let number: Option<i64> = call.maybe(1).map(Json::int).transpose()?;
    let peer = match (address, number) {
        (Some(address), None) => PeerRef::Address(address),
        (None | Some(""), Some(number)) => {
            PeerRef::Id(PeerId(u64::try_from(number).unwrap_or(u64::MAX)))
        }
        _ => {
            return Err(RpcError::new(
                INVALID_PARAMS,
                "Only one of address and nodeid should be provided.",
            ));
        }
    };
    call.peers()?.disconnect(peer).map_err(|_| {
        RpcError::new(
            CLIENT_NODE_NOT_CONNECTED,
            "Node not found in connected nodes",
        )
    })?;
    Ok(Json::Null)
}

pub(super) static PING: Method = Method {
    name: "ping",
    category: Category::Network,
    about: "Asks for the peers' round trips. They are measured all the time, and getpeerinfo shows them; nothing more is \
            sent.",
    arguments: &[],
    result: "null    (json null)",
    at: false,
    run: Run::Read(|call| call.peers().map(|_| Json::Null)),
};
