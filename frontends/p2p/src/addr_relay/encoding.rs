//! Owns the two forms in which addresses are sent, and which networks each knows.
//! Promises that an address is passed on as it came, or not at all.

use std::net::IpAddr;

use bitcoin::p2p::address::{AddrV2, AddrV2Message, Address};
use bitcoin::p2p::message::NetworkMessage;
use everett_net::Message;

/// Whether addresses of such a network are passed on: those that exist. Bitcoin Core drops the others too, among them those
/// of Tor's second version, and those of networks that BIP155 does not name yet.
pub(super) fn is_relayed(host: &AddrV2) -> bool {
    match host {
        AddrV2::Ipv4(_) | AddrV2::TorV3(_) | AddrV2::I2p(_) | AddrV2::Cjdns(_) => true,
        AddrV2::Ipv6(ip) => {
            // IPv4 and Tor's second version in disguise, and Bitcoin Core's own names for hosts.
            let disguised = [
                &[0xfd, 0x87, 0xd8, 0x7e, 0xeb, 0x43][..],
                &[0xfd, 0x6b, 0x88, 0xc0, 0x87, 0x24],
            ];
            ip.to_ipv4_mapped().is_none()
                && !disguised
                    .iter()
                    .any(|prefix| ip.octets().starts_with(prefix))
        }
        AddrV2::TorV2(_) | AddrV2::Unknown(..) => false,
    }
}

pub(super) fn network_of(host: &AddrV2) -> u8 {
    match host {
        AddrV2::Ipv4(_) => 1,
        AddrV2::Ipv6(_) => 2,
        AddrV2::TorV2(_) => 3,
        AddrV2::TorV3(_) => 4,
        AddrV2::I2p(_) => 5,
        AddrV2::Cjdns(_) => 6,
        AddrV2::Unknown(..) => 0,
    }
}

/// The 16 bytes of an address in an `addr` message; `None` for networks that such messages do not know.
pub(super) fn v1(host: &AddrV2) -> Option<[u16; 8]> {
    match host {
        AddrV2::Ipv4(ip) => Some(ip.to_ipv6_mapped().segments()),
        AddrV2::Ipv6(ip) => Some(ip.segments()),
        _ => None,
    }
}

/// The addresses of an `addr` message, as those of `addrv2` are. What stands for no IP address becomes
/// [`AddrV2::Unknown`] of network 0, which goes nowhere.
pub fn from_addr(addresses: Vec<(u32, Address)>) -> Vec<AddrV2Message> {
    let convert = |(time, address): (u32, Address)| {
        let addr = match address.socket_addr() {
            Ok(socket) => match socket.ip().to_canonical() {
                IpAddr::V4(ip) => AddrV2::Ipv4(ip),
                IpAddr::V6(ip) => AddrV2::Ipv6(ip),
            },
            Err(_) => AddrV2::Unknown(0, Vec::new()),
        };
        AddrV2Message {
            time,
            services: address.services,
            addr,
            port: address.port,
        }
    };
    addresses.into_iter().map(convert).collect()
}

/// A message of addresses in the form that a peer takes: `addrv2`, or `addr` without those that it cannot carry.
pub fn encode(addresses: Vec<AddrV2Message>, addrv2: bool) -> Message {
    if addrv2 {
        return Message::from(NetworkMessage::AddrV2(addresses));
    }
    let convert = |address: AddrV2Message| {
        let old = Address {
            services: address.services,
            address: v1(&address.addr)?,
            port: address.port,
        };
        Some((address.time, old))
    };
    Message::from(NetworkMessage::Addr(
        addresses.into_iter().filter_map(convert).collect(),
    ))
}
