//! The JSON-RPC server against the one whose place it takes: the same regtest blocks, with a side branch, an invalidated
//! one and a header without a block, in a real Bitcoin Core and here; then the same calls, right ones and wrong ones.
//!
//! What may differ is left out of the comparison: see [`compare::SERVERS_OWN`].

mod both;
mod chain;
mod clients;
mod coins;
mod compare;
mod filters;
mod help;
mod mempool;
mod mining;
mod network;
mod rest;
mod scan_blocks;
mod transport;
mod walk;
mod wallet_walk;
mod zmq;
