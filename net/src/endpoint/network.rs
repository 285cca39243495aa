//! Owns which network a host is on, and whether others can call it there.
//! Promises Bitcoin Core's judgement of each address (`CNetAddr`).
//! Refuses to say whether this machine reaches that network: that is the connector's configuration.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use bitcoin::p2p::address::AddrV2;

/// A network that hosts are on. The words are those of Bitcoin Core's `getnodeaddresses`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NetworkKind {
    /// `not_publicly_routable`: private, local, reserved, for documentation.
    NotPubliclyRoutable,
    /// `ipv4`.
    Ipv4,
    /// `ipv6`.
    Ipv6,
    /// `onion`: Tor.
    Onion,
    /// `i2p`.
    I2p,
    /// `cjdns`.
    Cjdns,
    /// `unknown`: a network with a number in BIP155 that came later.
    Unknown,
}

impl NetworkKind {
    /// Networks that a node can be called on.
    pub const CALLABLE: [NetworkKind; 5] = [
        NetworkKind::Ipv4,
        NetworkKind::Ipv6,
        NetworkKind::Onion,
        NetworkKind::I2p,
        NetworkKind::Cjdns,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            NetworkKind::NotPubliclyRoutable => "not_publicly_routable",
            NetworkKind::Ipv4 => "ipv4",
            NetworkKind::Ipv6 => "ipv6",
            NetworkKind::Onion => "onion",
            NetworkKind::I2p => "i2p",
            NetworkKind::Cjdns => "cjdns",
            NetworkKind::Unknown => "unknown",
        }
    }

    /// The network that a host is on, whatever the host.
    pub(super) fn of(host: &AddrV2) -> NetworkKind {
        match host {
            AddrV2::Ipv4(_) => NetworkKind::Ipv4,
            AddrV2::Ipv6(_) => NetworkKind::Ipv6,
            AddrV2::TorV2(_) | AddrV2::TorV3(_) => NetworkKind::Onion,
            AddrV2::I2p(_) => NetworkKind::I2p,
            AddrV2::Cjdns(_) => NetworkKind::Cjdns,
            AddrV2::Unknown(..) => NetworkKind::Unknown,
        }
    }
}

impl fmt::Display for NetworkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word is no network's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no network; there are ipv4, ipv6, onion, i2p and cjdns")]
pub struct NetworkKindError(pub String);

impl FromStr for NetworkKind {
    type Err = NetworkKindError;

    /// Reads the word of a network that a node can be called on; `tor` is `onion`.
    fn from_str(text: &str) -> Result<NetworkKind, NetworkKindError> {
        let word = text.to_ascii_lowercase();
        let word = if word == "tor" { "onion" } else { &word };
        let mut all = NetworkKind::CALLABLE.into_iter();
        all.find(|kind| kind.as_str() == word)
            .ok_or_else(|| NetworkKindError(text.chars().take(64).collect()))
    }
}

/// The network that a host is reached over.
pub(super) fn class(host: &AddrV2) -> NetworkKind {
    match host {
        AddrV2::Unknown(..) => NetworkKind::Unknown,
        host if !is_routable(host) => NetworkKind::NotPubliclyRoutable,
        host if linked_ipv4(host).is_some() => NetworkKind::Ipv4,
        host => NetworkKind::of(host),
    }
}

pub(super) fn is_valid(host: &AddrV2) -> bool {
    match host {
        AddrV2::Ipv4(ip) => !ip.is_unspecified() && !ip.is_broadcast(),
        // Names of Core's own are hidden below fd6b:88c0:8724, onion names of old below fd87:d87e:eb43.
        AddrV2::Ipv6(ip) => {
            !ip.is_unspecified()
                && !begins(ip, &[0x20, 0x01, 0x0d, 0xb8])
                && !begins(ip, &[0xfd, 0x6b, 0x88, 0xc0, 0x87, 0x24])
                && !begins(ip, &[0xfd, 0x87, 0xd8, 0x7e, 0xeb, 0x43])
        }
        AddrV2::Cjdns(ip) => ip.octets()[0] == 0xfc,
        AddrV2::TorV3(_) | AddrV2::I2p(_) => true,
        AddrV2::TorV2(_) | AddrV2::Unknown(..) => false,
    }
}

pub(super) fn is_local(host: &AddrV2) -> bool {
    match host {
        AddrV2::Ipv4(ip) => matches!(ip.octets()[0], 0 | 127),
        AddrV2::Ipv6(ip) => ip.is_loopback(),
        _ => false,
    }
}

pub(super) fn is_routable(host: &AddrV2) -> bool {
    let reserved = match host {
        AddrV2::Ipv4(ip) => is_reserved_ipv4(*ip),
        AddrV2::Ipv6(ip) => is_reserved_ipv6(ip),
        _ => false,
    };
    is_valid(host) && !is_local(host) && !reserved
}

fn is_reserved_ipv4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    match (a, b) {
        // Private (RFC 1918), shared by a provider's customers (RFC 6598), link-local (RFC 3927).
        (10, _) | (172, 16..=31) | (192, 168) | (100, 64..=127) | (169, 254) => true,
        // For measurements (RFC 2544).
        (198, 18 | 19) => true,
        // For documentation (RFC 5737).
        (192, 0) => c == 2,
        (198, 51) => c == 100,
        (203, 0) => c == 113,
        _ => false,
    }
}

fn is_reserved_ipv6(ip: &Ipv6Addr) -> bool {
    let bytes = ip.octets();
    // Link-local (RFC 4862), private (RFC 4193), ORCHID and ORCHIDv2 (RFC 4843, RFC 7343).
    begins(ip, &[0xfe, 0x80, 0, 0, 0, 0, 0, 0])
        || bytes[0] & 0xfe == 0xfc
        || (begins(ip, &[0x20, 0x01, 0x00]) && matches!(bytes[3] & 0xf0, 0x10 | 0x20))
}

/// The IPv4 address that an address is or carries: mapped and translated ones (RFC 6052, RFC 6145), 6to4 (RFC 3964),
/// Teredo (RFC 4380).
pub(super) fn linked_ipv4(host: &AddrV2) -> Option<Ipv4Addr> {
    if !is_routable(host) {
        return None;
    }
    let ip = match host {
        AddrV2::Ipv4(ip) => return Some(*ip),
        AddrV2::Ipv6(ip) => ip,
        _ => return None,
    };
    let [_, _, a, b, c, d, .., e, f, g, h] = ip.octets();
    let translated = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0];
    if begins(ip, &translated) || begins(ip, &mapped) {
        Some(Ipv4Addr::new(e, f, g, h))
    } else if begins(ip, &[0x20, 0x02]) {
        Some(Ipv4Addr::new(a, b, c, d))
    } else if begins(ip, &[0x20, 0x01, 0, 0]) {
        Some(Ipv4Addr::new(!e, !f, !g, !h))
    } else {
        None
    }
}

pub(super) fn begins(ip: &Ipv6Addr, prefix: &[u8]) -> bool {
    ip.octets().starts_with(prefix)
}
