//! Bitcoin's P2P protocol, to be embedded.
//!
//! It owns what goes over the wire. It promises that nothing is allocated before its length was judged.
//! It refuses to know the ledger.

pub mod counters;
mod endpoint;
pub mod handshake;
pub mod limits;
mod message;
mod peer;
pub mod session;
pub mod transport;

pub use counters::{Counters, Tally};
pub use endpoint::Endpoint;
pub use message::{Command, MAX_HEADERS, Message, MessageError};
pub use peer::{PeerId, PeerInfo, Purpose, TransportVersion};
pub use session::{OwnNonces, Session, SessionConfig, SessionError, SessionEvent, Timeouts};
pub use transport::UnsendableError;
