//! Bitcoin's P2P protocol, to be embedded. So far: the frames of the v1 transport.
//!
//! It owns what goes over the wire. It promises that nothing is allocated before its length was judged.
//! It refuses to know the ledger.

pub mod address_book;
pub mod anchors;
pub mod bans;
mod endpoint;
pub mod eviction;
pub mod frame;
mod message;
mod peer;
pub mod seeds;
pub mod socks;
mod stored;

pub use endpoint::{Endpoint, EndpointError, Group, NetworkKind, NetworkKindError, default_port};
pub use frame::{Frame, FrameError};
pub use message::{Command, MAX_HEADERS, Message, MessageError};
pub use peer::{PeerId, PeerInfo, Purpose, TransportVersion};
