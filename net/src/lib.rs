//! Bitcoin's P2P protocol, to be embedded. So far: the frames of the v1 transport.
//!
//! It owns what goes over the wire. It promises that nothing is allocated before its length was judged.
//! It refuses to know the ledger.

mod endpoint;
pub mod frame;
mod message;
mod peer;

pub use endpoint::Endpoint;
pub use frame::{Frame, FrameError};
pub use message::{Command, MAX_HEADERS, Message, MessageError};
pub use peer::{PeerId, PeerInfo, Purpose, TransportVersion};
