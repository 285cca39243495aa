//! Owns a part of an IP network, or one host of another.
//! Promises that its text reads back as itself, and that bits beyond the prefix are nought.
//! Refuses prefixes where addresses are random, as on Tor.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use bitcoin::p2p::address::AddrV2;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::endpoint::Endpoint;

/// A subnet of IPv4 or IPv6 (`1.2.0.0/16`), or one host on Tor, I2P or CJDNS (`NAME.onion`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Subnet {
    host: AddrV2,
    /// Bits that count; all of them but for IPv4 and IPv6.
    prefix: u8,
}

/// A text is no subnet.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is no subnet: {reason}; write 1.2.3.4, 1.2.0.0/16, 2001:db8::/32 or NAME.onion")]
pub struct SubnetError {
    /// The text, its first 128 characters.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Subnet {
    /// One host.
    pub fn host(host: AddrV2) -> Subnet {
        let prefix = full(&host);
        Subnet { host, prefix }
    }

    /// The subnet of an IP address with so many bits; `None` if it has fewer.
    pub fn new(ip: IpAddr, prefix: u8) -> Option<Subnet> {
        let host = Endpoint::from((ip, 0)).host;
        if prefix > full(&host) || !matches!(host, AddrV2::Ipv4(_) | AddrV2::Ipv6(_)) {
            return None;
        }
        let host = masked(host, prefix);
        Some(Subnet { host, prefix })
    }

    /// Whether a host lies in it.
    pub fn contains(&self, host: &AddrV2) -> bool {
        match (&self.host, host) {
            (AddrV2::Ipv4(_), AddrV2::Ipv4(_)) | (AddrV2::Ipv6(_), AddrV2::Ipv6(_)) => {
                masked(host.clone(), self.prefix) == self.host
            }
            (own, host) => own == host,
        }
    }
}

impl From<&Endpoint> for Subnet {
    /// The endpoint's host alone, on any port.
    fn from(endpoint: &Endpoint) -> Subnet {
        Subnet::host(endpoint.host.clone())
    }
}

/// Bits of a host's address.
fn full(host: &AddrV2) -> u8 {
    match host {
        AddrV2::Ipv4(_) => 32,
        AddrV2::Ipv6(_) => 128,
        _ => 0,
    }
}

fn masked(host: AddrV2, prefix: u8) -> AddrV2 {
    match host {
        AddrV2::Ipv4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            AddrV2::Ipv4((ip.to_bits() & mask).into())
        }
        AddrV2::Ipv6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            AddrV2::Ipv6((ip.to_bits() & mask).into())
        }
        host => host,
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = Endpoint::new(self.host.clone(), 0).host_text();
        match full(&self.host) {
            0 => f.write_str(&host),
            _ => write!(f, "{host}/{}", self.prefix),
        }
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    /// Reads `ADDRESS`, `ADDRESS/BITS` or `ADDRESS/MASK` (`1.2.0.0/255.255.0.0`).
    fn from_str(text: &str) -> Result<Subnet, SubnetError> {
        parse(text).map_err(|reason| SubnetError {
            text: text.chars().take(128).collect(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Subnet, &'static str> {
    let Some((host, bits)) = text.split_once('/') else {
        let host = match text.parse::<IpAddr>() {
            Ok(ip) => Endpoint::from((ip, 0)).host,
            Err(_) => read_name(text)?,
        };
        return Ok(Subnet::host(host));
    };
    let ip: IpAddr = host
        .parse()
        .map_err(|_| "only IPv4 and IPv6 have subnets")?;
    let bits = match bits.parse::<IpAddr>() {
        Ok(mask) => mask_bits(mask, ip)?,
        Err(_) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
            bits.parse().map_err(|_| "there are not so many bits")?
        }
        Err(_) => return Err("after / there is a number of bits, or a mask"),
    };
    Subnet::new(ip, bits).ok_or("there are not so many bits, or it is an address of CJDNS")
}

fn read_name(text: &str) -> Result<AddrV2, &'static str> {
    if text.contains(':') {
        return Err("it has a port, or is no IPv6 address");
    }
    Endpoint::parse(text, 0)
        .map(|endpoint| endpoint.host)
        .map_err(|error| error.reason)
}

/// The bits of a mask: ones, then noughts.
fn mask_bits(mask: IpAddr, ip: IpAddr) -> Result<u8, &'static str> {
    let (ones, length) = match (mask, ip) {
        (IpAddr::V4(mask), IpAddr::V4(_)) => {
            let bits = mask.to_bits();
            (
                bits.leading_ones(),
                bits.leading_ones() + bits.trailing_zeros().min(32),
            )
        }
        (IpAddr::V6(mask), IpAddr::V6(_)) => {
            let bits = mask.to_bits();
            let length = bits.leading_ones() + bits.trailing_zeros();
            (bits.leading_ones(), length / 4)
        }
        _ => return Err("the mask is of the other IP version"),
    };
    if length != 32 {
        return Err("a mask is ones and then noughts");
    }
    Ok(ones as u8)
}

impl Serialize for Subnet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subnet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Subnet, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
