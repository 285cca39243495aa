//! The node on the network.
//!
//! It owns what the node says to its peers and makes of what they say: sync, announcements, service, protection.
//! It promises that a peer can cost no more than its share, whatever it sends.
//! It refuses to judge blocks: that is the ledger's.

pub mod addr_relay;
mod chance;
pub mod compact;
mod compact_meters;
mod config;
mod conversation;
mod frontend;
mod input;
pub mod presync;
pub mod protocol;
pub mod recent_transactions;
mod roster;
pub mod serve;
mod takers;
mod throttle;
pub mod transactions;
pub mod whitelist;

pub use config::{BLOCK_RELAY_ONLY, DEFAULT_INCOMING, DEFAULT_OUTGOING, P2pConfig, user_agent};
pub use frontend::{BoundAddresses, P2p};
