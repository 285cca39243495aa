//! Owns who a peer is: its number, where it is, which side called, what it said of itself.
//! Promises plain data that any thread can hold.
//! Refuses to hold a socket: that is the connection's.

use std::fmt;

use bitcoin::p2p::ServiceFlags;

use crate::endpoint::Endpoint;

/// A connection's number, never used twice by a pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a connection is for. The words are those of Bitcoin Core's `getpeerinfo`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// The peer called.
    Inbound,
    /// We called, for blocks, transactions and addresses.
    OutboundFullRelay,
    /// We called, for blocks only: such connections are hard to infer from outside.
    BlockRelayOnly,
    /// The user asked for it by its address.
    Manual,
    /// A short call, to see whether an address answers.
    Feeler,
    /// A short call, to ask for addresses.
    AddrFetch,
}

impl Purpose {
    /// Bitcoin Core's word: `inbound`, `outbound-full-relay`, `block-relay-only`, `manual`, `feeler`, `addr-fetch`.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Inbound => "inbound",
            Purpose::OutboundFullRelay => "outbound-full-relay",
            Purpose::BlockRelayOnly => "block-relay-only",
            Purpose::Manual => "manual",
            Purpose::Feeler => "feeler",
            Purpose::AddrFetch => "addr-fetch",
        }
    }

    /// Whether the peer called.
    pub fn is_inbound(self) -> bool {
        self == Purpose::Inbound
    }

    /// Whether a peer is of no use that does not offer what is asked of those that we pick ourselves.
    pub fn expects_services(self) -> bool {
        matches!(
            self,
            Purpose::OutboundFullRelay | Purpose::BlockRelayOnly | Purpose::AddrFetch
        )
    }

    /// Whether addresses and transactions are exchanged at all.
    pub fn relays(self) -> bool {
        !matches!(self, Purpose::BlockRelayOnly | Purpose::Feeler)
    }
}

/// How the bytes go over the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TransportVersion {
    /// In the clear.
    V1,
    /// Encrypted (BIP324).
    V2,
}

impl TransportVersion {
    /// `v1` or `v2`.
    pub fn as_str(self) -> &'static str {
        match self {
            TransportVersion::V1 => "v1",
            TransportVersion::V2 => "v2",
        }
    }
}

/// A peer after the handshake: what does not change any more while it is connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerInfo {
    /// Its number.
    pub id: PeerId,
    /// Where it is: the address that was called, or the one it called from.
    pub endpoint: Endpoint,
    /// What the connection is for.
    pub purpose: Purpose,
    /// How the bytes go over the wire.
    pub transport: TransportVersion,
    /// Both sides' name of an encrypted connection (BIP324), to compare by other means.
    pub session_id: Option<[u8; 32]>,
    /// The protocol version it speaks.
    pub version: u32,
    /// What it offers.
    pub services: ServiceFlags,
    /// What it calls itself.
    pub user_agent: String,
    /// The height it said it has.
    pub start_height: i32,
    /// Whether it wants transactions announced (BIP37).
    pub relay: bool,
    /// Whether it announces transactions by their wtxid (BIP339).
    pub wtxid_relay: bool,
    /// Whether it takes `addrv2` (BIP155).
    pub addrv2: bool,
    /// Names of messages that it sent between `version` and `verack` and that are none of the above: how features of
    /// one's own are agreed on. At most 16.
    pub features: Vec<String>,
    /// Its clock minus ours, in seconds, when it said hello.
    pub time_offset: i64,
    /// Where it thinks that we are.
    pub our_address: Option<Endpoint>,
}
