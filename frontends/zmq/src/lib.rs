//! The node's notifications over ZeroMQ, as Bitcoin Core publishes them.
//!
//! It owns sockets of the kind PUB and what they tell: `hashblock`, `rawblock`, `hashtx`, `rawtx`, `sequence`. It promises
//! Core's messages in Core's order, from one change of the mempool to the next, and that nobody who reads slowly holds up
//! the node or another subscriber. It refuses to keep messages beyond a subscriber's high water mark.
//!
//! ```text
//!   Mempool::changes_after -> follow: what a change tells -> Notifiers: topic, body, number -> Socket, one an address
//!   Socket -> for each subscriber with the topic: Queue -> frames (ZMTP 3) -> TCP or a socket of the file system
//! ```

mod address;
mod config;
mod connection;
mod follow;
mod notifier;
mod queue;
mod server;
mod socket;
mod wire;

pub use address::{Address, InvalidAddress};
pub use config::{DEFAULT_HIGH_WATER_MARK, Publication, Topic, ZmqConfig};
pub use server::{BoundAddresses, Zmq, ZmqError};
