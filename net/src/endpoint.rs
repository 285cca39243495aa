//! Owns an address that a node can be called at, on any network that BIP155 knows.
//! Promises that what one peer says of another is passed on as it was said.
//! Refuses to call: a route to it is the connector's to find.

use bitcoin::p2p::address::AddrV2;

/// A host on some network, and its port.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// The host: an IP address, a Tor or I2P name, or bytes of a network not known yet.
    pub host: AddrV2,
    /// The port; 0 on I2P.
    pub port: u16,
}
