//! Owns the methods about peers.
//! Promises answers also on a node without a network: it has no peers.

mod address;
mod ban;
mod book;
mod by_hand;
mod connect;
mod info;
mod missing;
mod orphans;
mod peer;

use crate::method::Method;

/// The version that stands where Core's does: what of Core's interface is spoken.
pub(crate) const VERSION: u32 = 310_000;
/// The version of the protocol between nodes.
pub(crate) const PROTOCOL_VERSION: u32 = 70_016;
/// What the node calls itself where it has no network.
const SUBVERSION: &str = concat!("/Everett:", env!("CARGO_PKG_VERSION"), "/");

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &address::ADDPEERADDRESS,
    &address::GETNODEADDRESSES,
    &book::GETADDRMANINFO,
    &book::GETRAWADDRMAN,
    &by_hand::ADDCONNECTION,
    &by_hand::SENDMSGTOPEER,
    &by_hand::SETNETWORKACTIVE,
    &missing::ABORTPRIVATEBROADCAST,
    &missing::EXPORTASMAP,
    &missing::GETPRIVATEBROADCASTINFO,
    &orphans::GETORPHANTXS,
    &ban::CLEARBANNED,
    &ban::LISTBANNED,
    &ban::SETBAN,
    &connect::ADDNODE,
    &connect::DISCONNECTNODE,
    &connect::GETADDEDNODEINFO,
    &connect::PING,
    &info::GETCONNECTIONCOUNT,
    &info::GETNETTOTALS,
    &info::GETNETWORKINFO,
    &peer::GETPEERINFO,
];
