//! Owns the JSON-RPC server: Bitcoin Core's methods, over a ledger in which every chain tip can be asked.
//! Promises Core's answers, its refusals and its way over HTTP, so that what scripts `bitcoind` scripts this as well.
//! Refuses wallets, and to listen beyond loopback unless it is told where and for whom.
//!
//! ```text
//!   connection -> http: address, path, login, queue -> request: version, batch -> method: names, types -> the method
//!   the method -> Handle::read, write or submit, a thread of its own -> Json -> reply
//! ```
//!
//! What reads the chain takes one argument more than in Core, by name: `at`, the world that is asked.

mod address;
mod blockchain;
mod call;
mod config;
mod connection;
mod control;
mod cookie;
mod descriptor;
mod error;
mod http;
mod json;
mod login;
mod mempool;
mod method;
mod mining;
mod network;
mod psbt;
mod rawtransactions;
mod registry;
mod request;
mod rest;
mod server;
mod show;
mod signing;
mod site;
mod transaction;
mod util;
mod wallet;
mod whitelist;

pub use config::{
    CookiePermissions, DEFAULT_GENERATE_TO, DEFAULT_THREADS, DEFAULT_TIMEOUT, DEFAULT_WORK_QUEUE,
    InvalidAddress, RpcConfig, ZmqPublisher, default_port,
};
pub use control::LOG_CATEGORIES;
pub use login::InvalidAuth;
pub use server::{BoundAddress, Rpc, RpcError};
