//! Bitcoin's P2P protocol, to be embedded.
//!
//! It owns what goes over the wire. It promises that nothing is allocated before its length was judged.
//! It refuses to know the ledger.

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

pub use connection::{Connection, LostReason, OpenError, Peer, PeerSnapshot, Permit, SendError};
pub use counters::{Counters, Tally};
pub use dial::{DialError, Route};
pub use endpoint::{Endpoint, EndpointError, Group, NetworkKind, NetworkKindError, default_port};
pub use message::{Command, MAX_HEADERS, Message, MessageError};
pub use peer::{PeerId, PeerInfo, Purpose, TransportVersion};
pub use pool::{FailedReason, Pool, PoolConfig, PoolError, PoolEvent, PoolEvents, Useful};
pub use session::{OwnNonces, Session, SessionConfig, SessionError, SessionEvent, Timeouts};
pub use transport::UnsendableError;
