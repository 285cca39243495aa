//! Owns the settings of the metrics' server and their defaults.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The port unless it is configured otherwise.
pub const DEFAULT_PORT: u16 = 8370;

/// What the metrics are served with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetricsConfig {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:8370`.
    pub listen: SocketAddr,
    /// Listen beyond loopback as well: anyone who reaches the port can read the figures.
    pub allow_open: bool,
}

impl Default for MetricsConfig {
    fn default() -> MetricsConfig {
        MetricsConfig {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            allow_open: false,
        }
    }
}
