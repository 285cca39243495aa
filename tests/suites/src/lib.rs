//! What the suites share: where the data lies, block files read frame by frame, Bitcoin Core's answers; and naive
//! ledgers, blocks to feed them with, and histories that are lived through side by side.

pub mod answers;
pub mod bcoin;
pub mod big_chain;
pub mod bitcoind;
pub mod conflicts;
pub mod corrupt;
pub mod data;
pub mod durability;
pub mod false_peer;
pub mod flaw;
pub mod history;
pub mod latency;
pub mod mint;
pub mod naive;
pub mod p2p_node;
pub mod peers_double;
pub mod ports;
pub mod python;
pub use everett_lab::random;
pub mod rpc_client;
pub mod rpc_node;
pub mod signer;
pub mod spender;
pub mod walk;
