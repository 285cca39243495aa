//! Bitcoin's P2P protocol as a library: connect to one peer, or hold a pool of a thousand.
//!
//! It owns what goes over the wire: both transports (in the clear, and encrypted as in BIP324), the handshake, pings and
//! timeouts, limits, addresses, bans. It promises that nothing is allocated before its length was judged, and that no
//! peer holds up or outgrows the others. It refuses to know the ledger: what messages mean is its user's.
//!
//! One peer ([`Connection`]):
//!
//! ```no_run
//! use bitcoin::p2p::{Magic, message::NetworkMessage};
//! use everett_net::{Connection, SessionConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut peer = Connection::open("127.0.0.1:8333".parse()?, SessionConfig::new(Magic::BITCOIN)).await?;
//! println!("{} over {}", peer.info().user_agent, peer.info().transport.as_str());
//! peer.send(NetworkMessage::GetAddr)?;
//! loop {
//!     // A message is its name and its bytes; they are taken apart only when somebody asks.
//!     let message = peer.receive().await?;
//!     if let NetworkMessage::AddrV2(addresses) = message.decode()? {
//!         println!("{} addresses", addresses.len());
//!     }
//! }
//! # }
//! ```
//!
//! Many ([`Pool`]), with a handler for each type of message that is wanted (or one loop over [`PoolEvents`]):
//!
//! ```no_run
//! use bitcoin::Network;
//! use everett_net::handlers::{Headers, Inv};
//! use everett_net::{Peer, Pool, PoolConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = PoolConfig::new(Network::Bitcoin);
//! config.outgoing = 100;
//! config.dns_seeds = everett_net::seeds::dns_seeds(Network::Bitcoin).iter().map(|name| name.to_string()).collect();
//! let (pool, events) = Pool::start(config)?;
//! pool.on(|peer: Peer, Inv(announced)| async move { println!("{} has {} more", peer.endpoint(), announced.len()) });
//! pool.on(|_, Headers(headers)| async move { println!("{} headers", headers.len()) });
//! pool.on_lost(|peer, reason| async move { println!("{} is gone: {reason}", peer.endpoint()) });
//! tokio::spawn(events.dispatch());
//! tokio::time::sleep(std::time::Duration::from_secs(600)).await;
//! pool.shut_down().await;
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//!  Pool, Connection    tasks, sockets, who is called and who is kept     tokio
//!     Session          one connection as a state machine                 no sockets, no clock, no randomness of its own
//!        Transport     bytes <-> messages, v1 and v2
//! ```
//!
//! Whoever simulates a network, or has another runtime, drives [`Session`]s: they are what runs in production.

pub mod address_book;
pub mod anchors;
pub mod bans;
pub mod capture;
pub mod connection;
pub mod counters;
pub mod dial;
mod endpoint;
pub mod eviction;
pub mod handlers;
pub mod handshake;
pub mod limits;
mod message;
mod peer;
pub mod pool;
pub mod seeds;
pub mod session;
pub mod socks;
mod stored;
pub mod transport;

pub use connection::{
    Connection, LostReason, OpenError, Peer, PeerSnapshot, Permit, SendError, WallClock,
};
pub use counters::{Counters, Tally};
pub use dial::{DialError, Route};
pub use endpoint::{Endpoint, EndpointError, Group, NetworkKind, NetworkKindError, default_port};
pub use message::{Command, MAX_HEADERS, Message, MessageError};
pub use peer::{PeerId, PeerInfo, Purpose, TransportVersion};
pub use pool::{
    FailedReason, Failures, ManualPeer, Pool, PoolConfig, PoolError, PoolEvent, PoolEvents, Spared,
    Useful,
};
pub use session::{
    OwnNonces, Session, SessionConfig, SessionError, SessionEvent, Timeouts, user_agent,
};
pub use transport::UnsendableError;
