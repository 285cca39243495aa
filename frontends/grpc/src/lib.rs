//! Owns the gRPC face of the node: package `everett.v1`, health and reflection.
//! Promises that every read names the world it answers for, and every refusal its reason.
//! Refuses to listen beyond loopback without a token, and to make history outside lab mode.
//!
//! ```text
//!   connection -> TLS -> token -> service -> Calls: admission, deadline -> Handle::read, a thread of its own
//!              -> Reading: WorldRef -> World -> answer
//! ```

mod auth;
mod calls;
mod chain_service;
mod config;
mod convert;
mod deadline;
mod event_service;
mod event_stream;
mod event_wish;
mod fault;
mod incoming;
mod lab_service;
mod ledger_service;
mod mempool_service;
mod mempool_stream;
mod meter;
mod paging;
mod parse;
mod peer_service;
mod peer_stream;
mod pins;
mod reading;
mod responses;
mod server;
mod snapshot_service;
mod transactions;
mod wallet;
mod wallet_service;
mod world_service;

pub use auth::{BearerToken, InvalidToken};
pub use config::{GrpcConfig, PinLimits, StreamLimits, TlsFiles};
pub use server::{BoundAddress, Grpc, GrpcError};

/// Longest request that is decoded, in bytes: 4 MiB and one block of the largest size.
pub const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024 + 4_000_000;

/// Most scripts in one BatchGetBalances call.
pub const MAX_BATCH_SCRIPTS: usize = 1_000;

/// Most scripts that one stream of events watches.
pub const MAX_WATCHED_SCRIPTS: usize = 10_000;

/// Most blocks in a locator.
pub const MAX_LOCATOR_BLOCKS: usize = 1_000;

/// Size of a page when the request leaves it open.
pub const DEFAULT_PAGE_SIZE: usize = 100;

/// Most items on one page; larger page sizes are taken as this.
pub const MAX_PAGE_SIZE: usize = 1_000;

/// Most blocks that one MineBlocks call makes.
pub const MAX_MINED_BLOCKS: u32 = 1_000;

/// Longest scenario that PlayScenario takes, in bytes.
pub const MAX_SCENARIO_BYTES: usize = 1024 * 1024;
