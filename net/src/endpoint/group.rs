//! Owns the groups of hosts that are likely to be one operator's.
//! Promises Bitcoin Core's groups (`NetGroupManager` without a map of autonomous systems).
//! Refuses to tell hosts of a group apart.

use bitcoin::p2p::address::AddrV2;

use super::network::{begins, class, is_local, is_routable, linked_ipv4};

/// A part of a network: a /16 of IPv4, a /32 of IPv6 (a /36 at Hurricane Electric, who give tunnels to everybody),
/// a sixteenth of Tor, I2P and CJDNS; one each for what is local and for what is not routable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Group([u8; 8]);

impl Group {
    /// Its bytes, the network's number first; the same in every run.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn of(host: &AddrV2) -> Group {
        let kind = class(host) as u8;
        if is_local(host) || !is_routable(host) {
            // The last byte tells the two apart: no other group has it.
            return Group([kind, 0, 0, 0, 0, 0, 0, u8::from(is_local(host))]);
        }
        if let Some(ip) = linked_ipv4(host) {
            let [a, b, ..] = ip.octets();
            return Group([kind, a, b, 0, 0, 0, 0, 0]);
        }
        match host {
            AddrV2::TorV3(bytes) | AddrV2::I2p(bytes) => Group::bits(kind, bytes, 4),
            // Their first byte is always the same.
            AddrV2::Cjdns(ip) => Group::bits(kind, &ip.octets(), 12),
            AddrV2::Ipv6(ip) if begins(ip, &[0x20, 0x01, 0x04, 0x70]) => {
                Group::bits(kind, &ip.octets(), 36)
            }
            AddrV2::Ipv6(ip) => Group::bits(kind, &ip.octets(), 32),
            AddrV2::Ipv4(_) | AddrV2::TorV2(_) | AddrV2::Unknown(..) => Group([kind; 8]),
        }
    }

    /// The first `count` bits of a host's bytes; at most 48, and no more than there are.
    fn bits(kind: u8, bytes: &[u8], count: usize) -> Group {
        let mut group = [0; 8];
        group[0] = kind;
        for (place, byte) in bytes.iter().enumerate().take(count.div_ceil(8)) {
            let kept = (count - 8 * place).min(8);
            group[1 + place] = byte | u8::MAX.checked_shr(kept as u32).unwrap_or(0);
        }
        Group(group)
    }
}
