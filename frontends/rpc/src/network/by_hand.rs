//! Owns what tests do to the network by hand: the switch, calls of a kind, messages as they stand.

use everett_ledger::Network;
use everett_net::{Command, Endpoint, PeerId, Purpose};

use crate::call::Call;
use crate::error::{CLIENT_INVALID_IP_OR_SUBNET, CLIENT_NODE_CAPACITY_REACHED, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Bytes of a message's name at most.
const MAX_NAME: usize = 12;

pub(super) static SETNETWORKACTIVE: Method = Method {
    name: "setnetworkactive",
    category: Category::Network,
    about: "Switches the network off or on. Off, all connections end, nobody is called and nobody is let in; on, peers \
            that were added are called again.",
    arguments: &[Argument::required(
        "state",
        Kind::Bool,
        "true to switch it on, false to switch it off",
    )],
    result: "true|false    (boolean) What it is now",
    at: false,
    run: Run::Read(set_network_active),
};

fn set_network_active(call: &Call) -> Answer {
    let peers = call.peers()?;
    peers.set_active(call.arg(0).bool()?);
    Ok(Json::Bool(peers.network().active))
}

pub(super) static ADDCONNECTION: Method = Method {
    name: "addconnection",
    category: Category::Hidden,
    about: "Calls a node once, for one of the purposes that the node otherwise chooses itself (regtest only).",
    arguments: &[
        Argument::required("address", Kind::Text, "The address and the port"),
        Argument::required(
            "connection_type",
            Kind::Text,
            "outbound-full-relay, block-relay-only, addr-fetch or feeler",
        ),
        Argument::required(
            "v2transport",
            Kind::Bool,
            "Whether encryption (BIP324) is tried first",
        ),
    ],
    result: "{\"address\", \"connection_type\"}    (json object) What was called, and for what",
    at: false,
    run: Run::Read(add_connection),
};

fn add_connection(call: &Call) -> Answer {
    let network = call.ledger().params().network;
    if network != Network::Regtest {
        return Err(RpcError::misc(
            "addconnection is for regression testing (-regtest mode) only.",
        ));
    }
    let (address, kind) = (call.text(0)?, call.text(1)?.trim());
    let purpose = match kind {
        "outbound-full-relay" => Purpose::OutboundFullRelay,
        "block-relay-only" => Purpose::BlockRelayOnly,
        "addr-fetch" => Purpose::AddrFetch,
        "feeler" => Purpose::Feeler,
        _ => return Err(RpcError::parameter(ADDCONNECTION.help())),
    };
    let v2 = call.arg(2).bool()?;
    let peers = call.peers()?;
    let offers_v2 = (peers.network().services).has(bitcoin::p2p::ServiceFlags::P2P_V2);
    if v2 && !offers_v2 {
        return Err(RpcError::parameter(
            "Error: Adding v2transport connections requires -v2transport init flag to be set.",
        ));
    }
    let port = everett_net::default_port(network.to_bitcoin());
    let endpoint = Endpoint::parse(address, port)
        .map_err(|error| RpcError::new(CLIENT_INVALID_IP_OR_SUBNET, error.to_string()))?;
    let most = match purpose {
        Purpose::OutboundFullRelay => 8,
        Purpose::BlockRelayOnly => 2,
        // Such calls end by themselves.
        _ => usize::MAX,
    };
    let there = peers.list().into_iter();
    if there.filter(|peer| peer.info.purpose == purpose).count() >= most {
        return Err(RpcError::new(
            CLIENT_NODE_CAPACITY_REACHED,
            "Error: Already at capacity for specified connection type.",
        ));
    }
    peers.call_for(endpoint, purpose, v2);
    Ok(object! { "address" => address, "connection_type" => kind })
}

pub(super) static SENDMSGTOPEER: Method = Method {
    name: "sendmsgtopeer",
    category: Category::Hidden,
    about: "Sends a peer a message as it stands, for tests; the header is made here.",
    arguments: &[
        Argument::required("peer_id", Kind::Number, "The peer's number"),
        Argument::required(
            "msg_type",
            Kind::Text,
            "The message's name, 12 characters at most",
        ),
        Argument::required("msg", Kind::Text, "What it holds, in hexadecimal"),
    ],
    result: "{}    (json object)",
    at: false,
    run: Run::Read(send_message),
};

fn send_message(call: &Call) -> Answer {
    let peer: i64 = call.int(0)?;
    let name = call.text(1)?;
    if name.len() > MAX_NAME {
        return Err(RpcError::parameter(format!(
            "Error: msg_type too long, max length is {MAX_NAME}"
        )));
    }
    let payload: Vec<u8> = bitcoin::hex::FromHex::from_hex(call.text(2)?)
        .map_err(|_| RpcError::parameter("Error parsing input for msg"))?;
    let peers = call.peers()?;
    let command = Command::new(name);
    let peer = u64::try_from(peer).ok().map(PeerId);
    match command.zip(peer) {
        Some((command, peer)) if peers.send(peer, command, payload) => Ok(Json::Object(Vec::new())),
        _ => Err(RpcError::misc("Error: Could not send message to peer")),
    }
}
