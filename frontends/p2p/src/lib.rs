//! The node on the network.
//!
//! It owns what the node says to its peers and makes of what they say: sync, announcements, service, protection.
//! It promises that a peer can cost no more than its share, whatever it sends.
//! It refuses to judge blocks: that is the ledger's.

pub mod addr_relay;
pub mod compact;
pub mod presync;
pub mod protocol;
pub mod recent_transactions;
pub mod serve;
