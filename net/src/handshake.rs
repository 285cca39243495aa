//! Owns the `version` message: what a node says of itself first, and reading what others say.
//! Promises to read whatever Bitcoin Core reads, also the shorter forms of old versions.
//! Refuses to hold a conversation: order and consequences are the session's.

use std::net::Ipv6Addr;

use bitcoin::consensus::encode::{self, Decodable, serialize};
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::{AddrV2, Address};
use bitcoin::p2p::message_network::VersionMessage;

use crate::endpoint::Endpoint;
use crate::message::{Command, Message};

#[cfg(test)]
mod tests;

/// Oldest version of the protocol that is spoken with: Bitcoin Core's `MIN_PEER_PROTO_VERSION`.
pub const MIN_VERSION: i32 = 31_800;

/// The version of the protocol that is spoken here.
pub const PROTOCOL_VERSION: u32 = 70_016;

/// From this version on a peer knows `wtxidrelay` (BIP339) and `sendaddrv2` (BIP155) before `verack`.
pub const NEGOTIATION_VERSION: u32 = 70_016;

/// Above this version a `ping` has a nonce and is answered (BIP31).
pub const PING_NONCE_ABOVE: u32 = 60_000;

/// Longest user agent, in bytes: Bitcoin Core's `MAX_SUBVERSION_LENGTH`.
pub const MAX_USER_AGENT: usize = 256;

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The version of the protocol it speaks.
    pub version: i32,
    /// What it offers.
    pub services: ServiceFlags,
    /// Its clock, in seconds since 1970.
    pub time: i64,
    /// Where it thinks that the other side is.
    pub receiver: Option<Endpoint>,
    /// A random number by which a node knows itself when it calls itself; 1 if the message has none.
    pub nonce: u64,
    /// What it calls itself, unusual characters taken out.
    pub user_agent: String,
    /// The height it has; -1 if the message has none.
    pub start_height: i32,
    /// Whether it wants transactions announced.
    pub relay: bool,
}

impl Hello {
    /// The message that says it.
    pub fn encode(&self) -> Message {
        let nobody = Address {
            services: ServiceFlags::NONE,
            address: [0; 8],
            port: 0,
        };
        let receiver = match &self.receiver {
            Some(endpoint) => Address {
                address: segments(&endpoint.host),
                port: endpoint.port,
                ..nobody.clone()
            },
            None => nobody.clone(),
        };
        let message = VersionMessage {
            version: self.version as u32,
            services: self.services,
            timestamp: self.time,
            receiver,
            // As Bitcoin Core does: nobody learns from it where we are.
            sender: Address {
                services: self.services,
                ..nobody
            },
            nonce: self.nonce,
            user_agent: self.user_agent.clone(),
            start_height: self.start_height,
            relay: self.relay,
        };
        let command = Command::new("version").expect("a name");
        Message::new(command, serialize(&message))
    }

    /// What a `version` message says. All after the receiver may be missing, as in old versions of the protocol.
    ///
    /// # Errors
    ///
    /// If it ends too early, or its user agent is longer than [`MAX_USER_AGENT`].
    pub fn decode(payload: &[u8]) -> Result<Hello, encode::Error> {
        let mut rest = payload;
        let input = &mut rest;
        let version = i32::consensus_decode(input)?;
        let services = ServiceFlags::consensus_decode(input)?;
        let time = i64::consensus_decode(input)?.max(0);
        let receiver = Address::consensus_decode(input)?;
        let mut hello = Hello {
            version,
            services,
            time,
            receiver: endpoint(&receiver),
            nonce: 1,
            user_agent: String::new(),
            start_height: -1,
            relay: true,
        };
        if !input.is_empty() {
            Address::consensus_decode(input)?;
            hello.nonce = u64::consensus_decode(input)?;
        }
        if !input.is_empty() {
            hello.user_agent = read_user_agent(input)?;
        }
        if !input.is_empty() {
            hello.start_height = i32::consensus_decode(input)?;
        }
        if !input.is_empty() {
            hello.relay = u8::consensus_decode(input)? != 0;
        }
        Ok(hello)
    }
}

fn read_user_agent(input: &mut &[u8]) -> Result<String, encode::Error> {
    let length = encode::VarInt::consensus_decode(input)?.0;
    if length > MAX_USER_AGENT as u64 {
        return Err(encode::Error::ParseFailed("a user agent beyond 256 bytes"));
    }
    let Some((bytes, rest)) = input.split_at_checked(length as usize) else {
        return Err(encode::Error::ParseFailed("the user agent ends too early"));
    };
    *input = rest;
    // The characters that Bitcoin Core leaves in, so that no peer writes into logs and pages what it likes.
    Ok(bytes
        .iter()
        .map(|byte| char::from(*byte))
        .filter(|c| c.is_ascii_alphanumeric() || " .,;-_/:?@()".contains(*c))
        .collect())
}

/// The 16 bytes of an address, as the eight numbers that the `bitcoin` crate wants; zeros where they cannot say it.
fn segments(host: &AddrV2) -> [u16; 8] {
    match host {
        AddrV2::Ipv4(ip) => ip.to_ipv6_mapped().segments(),
        AddrV2::Ipv6(ip) | AddrV2::Cjdns(ip) => ip.segments(),
        _ => [0; 8],
    }
}

fn endpoint(address: &Address) -> Option<Endpoint> {
    let ip = Ipv6Addr::from(address.address);
    if ip.is_unspecified() {
        return None;
    }
    let host = match ip.to_ipv4_mapped() {
        Some(ip) => AddrV2::Ipv4(ip),
        None => AddrV2::Ipv6(ip),
    };
    let port = address.port;
    Some(Endpoint { host, port })
}
