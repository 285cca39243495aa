//! Owns an address that a node can be called at, on any network that BIP155 knows.
//! Promises that what one peer says of another is passed on as it was said, and that its text reads back as itself.
//! Refuses to call: a route to it is the connector's to find.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use bitcoin::Network;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::{AddrV2, AddrV2Message, Address};

mod group;
mod name;
mod network;

pub use group::Group;
pub use network::{NetworkKind, NetworkKindError};

#[cfg(test)]
mod tests;

/// A host on some network, and its port.
///
/// As text it is what Bitcoin Core prints and reads: `1.2.3.4:8333`, `[2001:db8::1]:8333`, `NAME.onion:8333`,
/// `NAME.b32.i2p:0`, `[fc00::1]:8333` (CJDNS). An address on a network that has no name here is
/// `bip155-NUMBER-HEX:PORT`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// The host: an IP address, a Tor or I2P name, or bytes of a network not known yet.
    pub host: AddrV2,
    /// The port; 0 on I2P.
    pub port: u16,
}

/// A text is no endpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{text:?} is no address of a node: {reason}; write 1.2.3.4:8333, [2001:db8::1]:8333 or NAME.onion:8333"
)]
pub struct EndpointError {
    /// The text, its first 128 characters.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Characters of a text that an error repeats.
const TEXT_SHOWN: usize = 128;

/// The port that nodes of a network listen on unless told otherwise.
pub fn default_port(network: Network) -> u16 {
    match network {
        Network::Testnet => 18_333,
        Network::Testnet4 => 48_333,
        Network::Signet => 38_333,
        Network::Regtest => 18_444,
        _ => 8_333,
    }
}

impl Endpoint {
    /// A host and its port.
    pub fn new(host: AddrV2, port: u16) -> Endpoint {
        Endpoint { host, port }
    }

    /// Reads an endpoint whose port may be left out; then it is `port`, and 0 on I2P.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] if the text is none. Names that DNS would have to resolve are none.
    pub fn parse(text: &str, port: u16) -> Result<Endpoint, EndpointError> {
        parse(text, Some(port)).map_err(|reason| EndpointError {
            text: text.chars().take(TEXT_SHOWN).collect(),
            reason,
        })
    }

    /// The host as text, without brackets and port.
    pub fn host_text(&self) -> String {
        name::host_text(&self.host)
    }

    /// Where a socket of this machine can call it; `None` for Tor, I2P and what is not known.
    ///
    /// CJDNS is an IPv6 network to the machine that runs it.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match &self.host {
            AddrV2::Ipv4(ip) => Some((*ip, self.port).into()),
            AddrV2::Ipv6(ip) | AddrV2::Cjdns(ip) => Some((*ip, self.port).into()),
            _ => None,
        }
    }

    /// The address in the form that was used before BIP155, for `version` and `addr`; `None` if it has none.
    pub fn to_address(&self, services: ServiceFlags) -> Option<Address> {
        match &self.host {
            AddrV2::Ipv4(ip) => Some(Address::new(&(*ip, self.port).into(), services)),
            AddrV2::Ipv6(ip) => Some(Address::new(&(*ip, self.port).into(), services)),
            _ => None,
        }
    }

    /// The address as `addrv2` carries it; `time` is when it was last seen, in Unix seconds.
    pub fn to_message(&self, time: u32, services: ServiceFlags) -> AddrV2Message {
        AddrV2Message {
            time,
            services,
            addr: self.host.clone(),
            port: self.port,
        }
    }

    /// The network that the host is on, whatever the host.
    pub fn kind(&self) -> NetworkKind {
        NetworkKind::of(&self.host)
    }

    /// The network that the host is reached over, as Bitcoin Core's `getpeerinfo` and `getnodeaddresses` have it:
    /// [`NetworkKind::NotPubliclyRoutable`] for a host that not everybody can call, and IPv4 for an IPv6 address that
    /// is an IPv4 address in another coat.
    pub fn network(&self) -> NetworkKind {
        network::class(&self.host)
    }

    /// Whether the host is an address at all: not unspecified, not for documentation, of a network that is known.
    pub fn is_valid(&self) -> bool {
        network::is_valid(&self.host)
    }

    /// Whether everybody on its network can call the host. Only such addresses are kept and passed on.
    pub fn is_routable(&self) -> bool {
        network::is_routable(&self.host)
    }

    /// Whether the host is this machine.
    pub fn is_local(&self) -> bool {
        network::is_local(&self.host)
    }

    /// The part of its network that the host lies in: hosts of one group are likely to be one operator's.
    pub fn group(&self) -> Group {
        Group::of(&self.host)
    }
}

/// An IP address as a host: an IPv4 address in IPv6's coat is taken out of it, and `fc00::/8` is CJDNS.
///
/// RFC 4193 leaves `fc00::/8` undefined, so nobody but CJDNS uses it; private networks have `fd00::/8`.
fn host(ip: IpAddr) -> AddrV2 {
    match ip {
        IpAddr::V4(ip) => AddrV2::Ipv4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => AddrV2::Ipv4(ip),
            None if ip.octets()[0] == 0xfc => AddrV2::Cjdns(ip),
            None => AddrV2::Ipv6(ip),
        },
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint::new(host(address.ip()), address.port())
    }
}

impl From<(IpAddr, u16)> for Endpoint {
    fn from((ip, port): (IpAddr, u16)) -> Endpoint {
        Endpoint::new(host(ip), port)
    }
}

impl From<&Address> for Endpoint {
    fn from(address: &Address) -> Endpoint {
        let ip = Ipv6Addr::from(address.address);
        let host = match ip.to_ipv4_mapped() {
            Some(ip) => AddrV2::Ipv4(ip),
            None => AddrV2::Ipv6(ip),
        };
        Endpoint::new(host, address.port)
    }
}

impl From<&AddrV2Message> for Endpoint {
    fn from(message: &AddrV2Message) -> Endpoint {
        Endpoint::new(message.addr.clone(), message.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            AddrV2::Ipv6(ip) | AddrV2::Cjdns(ip) => write!(f, "[{ip}]:{}", self.port),
            host => write!(f, "{}:{}", name::host_text(host), self.port),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads an endpoint with its port; see [`Endpoint::parse`] for one without.
    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        parse(text, None).map_err(|reason| EndpointError {
            text: text.chars().take(TEXT_SHOWN).collect(),
            reason,
        })
    }
}

fn parse(text: &str, default: Option<u16>) -> Result<Endpoint, &'static str> {
    const NO_PORT: &str = "the port is missing";
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        let port = default.ok_or("an IPv6 address stands in brackets before its port")?;
        return Ok(Endpoint::from((IpAddr::V6(ip), port)));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (ip, rest) = rest.split_once(']').ok_or("the bracket is not closed")?;
        let ip: Ipv6Addr = ip
            .parse()
            .map_err(|_| "what stands in brackets is no IPv6 address")?;
        let port = match rest.strip_prefix(':') {
            Some(port) => read_port(port)?,
            None if rest.is_empty() => default.ok_or(NO_PORT)?,
            None => return Err("something stands between the bracket and the port"),
        };
        return Ok(Endpoint::from((IpAddr::V6(ip), port)));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(read_port(port)?)),
        None => (text, None),
    };
    let host = match name.parse::<Ipv4Addr>() {
        Ok(ip) => AddrV2::Ipv4(ip),
        Err(_) => name::parse_name(name)?,
    };
    let default = match host {
        AddrV2::I2p(_) => default.map(|_| 0),
        _ => default,
    };
    let port = port.or(default).ok_or(NO_PORT)?;
    Ok(Endpoint::new(host, port))
}

fn read_port(text: &str) -> Result<u16, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the port is no number");
    }
    text.parse().map_err(|_| "a port is at most 65535")
}
