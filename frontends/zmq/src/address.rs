//! Owns the addresses that are published on, as ZeroMQ writes them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Where a socket takes subscribers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Address {
    /// `tcp://ADDRESS:PORT`; `*` is any address, port 0 or `*` takes a free one.
    Tcp(SocketAddr),
    /// `ipc://PATH`, `ipc:PATH` or `unix:PATH`: a socket of the file system.
    Ipc(PathBuf),
}

/// What was given is no address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{text}` is no address to publish on; write one like tcp://127.0.0.1:28332, tcp://*:28332 or ipc:///path/to/socket"
)]
pub struct InvalidAddress {
    /// What was given.
    pub text: String,
}

fn tcp(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let port = match port {
        "*" => 0,
        port => port.parse().ok()?,
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let ip = match host {
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        host => host.parse::<IpAddr>().ok()?,
    };
    Some(SocketAddr::new(ip, port))
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Address, InvalidAddress> {
        let path = text
            .strip_prefix("ipc://")
            .or_else(|| text.strip_prefix("ipc:"))
            .or_else(|| text.strip_prefix("unix:"))
            .filter(|path| !path.is_empty());
        let address = match (path, text.strip_prefix("tcp://")) {
            (Some(path), _) => Some(Address::Ipc(path.into())),
            (None, Some(rest)) => tcp(rest).map(Address::Tcp),
            (None, None) => None,
        };
        address.ok_or_else(|| InvalidAddress {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "tcp://{address}"),
            Address::Ipc(path) => write!(f, "ipc://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_zeromq_writes_them() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(
            read("tcp://127.0.0.1:28332").unwrap(),
            "tcp://127.0.0.1:28332"
        );
        assert_eq!(read("tcp://*:*").unwrap(), "tcp://0.0.0.0:0");
        assert_eq!(read("tcp://[::1]:1").unwrap(), "tcp://[::1]:1");
        assert_eq!(read("tcp://::1:1").unwrap(), "tcp://[::1]:1");
        assert_eq!(read("tcp://localhost:1").unwrap(), "tcp://127.0.0.1:1");
        assert_eq!(read("ipc:///a/b").unwrap(), "ipc:///a/b");
        assert_eq!(read("unix:/a/b").unwrap(), "ipc:///a/b");
        assert_eq!(read("ipc:/a/b").unwrap(), "ipc:///a/b");
    }

    #[test]
    fn what_is_none_is_refused_with_examples() {
        for text in [
            "",
            "tcp://",
            "tcp://127.0.0.1",
            "tcp://a:1",
            "ipc://",
            "udp://1.1.1.1:1",
            "tcp://1.1.1.1:70000",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(
                error.to_string().contains("tcp://127.0.0.1:28332"),
                "{text}"
            );
        }
    }
}
