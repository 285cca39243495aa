//! Bitcoin's P2P protocol, to be embedded. So far: the frames of the v1 transport.
//!
//! It owns what goes over the wire. It promises that nothing is allocated before its length was judged.
//! It refuses to know the ledger.

pub mod frame;

pub use frame::{Frame, FrameError};
