//! Owns the settings of a ledger and their defaults.

use std::path::PathBuf;
use std::sync::Arc;

use bitcoin::BlockHash;

use crate::clock::Clock;
use crate::events::{DEFAULT_EVENT_QUOTA, DEFAULT_EVENT_QUOTA_BYTES, DEFAULT_RETAINED_EVENTS};
use crate::params::{Network, Params};
use crate::rules::ScriptCheck;
use crate::store::{Access, DEFAULT_BLOCK_FILE_SIZE, LARGE_MAP_SIZE, Place, SMALL_MAP_SIZE};
use crate::verifier::ScriptVerifier;

/// Blocks by which the base may lag before a checkpoint moves it: one commit for so many blocks.
pub const DEFAULT_CHECKPOINT_INTERVAL: u32 = 16;
/// Worlds that may be held after they were retired.
pub const DEFAULT_HELD_WORLDS: usize = 64;

/// Coin changes that one commit may carry: some hundred megabytes.
pub const DEFAULT_STAGED_CHANGES: usize = 1_000_000;

/// Size at which memory for more blocks is begun: what is moved about as it grows stays small.
const MEMORY_BLOCK_FILE_SIZE: u64 = 1024 * 1024;

/// How a ledger is opened. [`LedgerConfig::new`] gives the defaults; every field may be set after.
#[derive(Clone)]
pub struct LedgerConfig {
    /// The network.
    pub params: Params,
    /// The data directory, one network each, or none.
    pub place: Place,
    /// Writer, or reader beside one; in memory only a writer.
    pub access: Access,
    /// How many blocks behind the best tip a branch may fork off and stay live. `None`: what the directory was last
    /// given, or else the network's default, which holds once the best chain is higher than 10,000 blocks; until then
    /// every branch stays live.
    pub horizon: Option<u32>,
    /// Blocks between two checkpoints; at least 1.
    pub checkpoint_interval: u32,
    /// Worlds that may be held after they were retired; beyond it the oldest is taken away.
    pub held_worlds: usize,
    /// Coin changes that one commit may carry. A deep reorganisation with more of them is committed in parts: memory
    /// stays bounded, and what interrupts it is taken up by the next block or the next start.
    pub staged_changes: usize,
    /// Events that stay in the outbox whether a subscriber needs them or not.
    pub retained_events: u64,
    /// Most events that stay in the outbox for the slowest lossless subscriber; at least 1. It is then told that events
    /// are gone, and the node goes on. What is kept may exceed this by a thirty-second part.
    pub event_quota: u64,
    /// Most bytes of events that stay in the outbox, whoever needs them; at least 1.
    pub event_quota_bytes: u64,
    /// Upper bound of the database in bytes: address space, not disk space.
    pub map_size: usize,
    /// Size in bytes at which a new block file is begun.
    pub block_file_size: u64,
    /// Bytes of block files above which the oldest are deleted, as far as no block in them is needed: at least
    /// [`MIN_PRUNE_TARGET`], on regtest [`MIN_PRUNE_TARGET_REGTEST`]. Files are then an eighth of it at most. What stays in
    /// any case are the blocks above the base, the last 288, those of branches inside the horizon and of heavier ones;
    /// and all of a file that has one of them. `None`: all stay. Not together with `tx_index`. A reader does not prune.
    pub prune_target: Option<u64>,
    /// What block times are held against.
    pub clock: Clock,
    /// What runs scripts: [`ScriptVerifier`] unless told otherwise.
    pub scripts: Arc<dyn ScriptCheck>,
    /// A block that is known to be valid, so that its scripts and those of its ancestors need not be run: once its
    /// header is known, for blocks of the best header chain that lie two weeks of work below its tip, when that has at
    /// least the network's minimum of work (Bitcoin Core's `-assumevalid`). `None`: every script is run. The network's
    /// own by default.
    pub assume_valid: Option<BlockHash>,
    /// Whether there is an index from transactions to the blocks that hold them, on every branch. Blocks that were
    /// stored without it are indexed by [`Ledger::build_tx_index`](crate::Ledger::build_tx_index).
    pub tx_index: bool,
}

/// Least bytes of block files that a pruned ledger keeps, as in Bitcoin Core: 550 MiB, more than two days of full blocks.
pub const MIN_PRUNE_TARGET: u64 = 550 * 1024 * 1024;

/// The same on regtest: the size of one block file under Bitcoin Core's `-fastprune`.
pub const MIN_PRUNE_TARGET_REGTEST: u64 = 64 * 1024;

impl LedgerConfig {
    /// A writer with default settings.
    pub fn new(params: Params, directory: impl Into<PathBuf>) -> LedgerConfig {
        LedgerConfig::at(params, Place::Directory(directory.into()))
    }

    /// A ledger of its own in memory, with default settings: it opens in microseconds, touches no file and is gone when
    /// its last handle is. Rules, worlds, events and answers are those of a ledger on disk.
    pub fn in_memory(params: Params) -> LedgerConfig {
        LedgerConfig {
            block_file_size: MEMORY_BLOCK_FILE_SIZE,
            ..LedgerConfig::at(params, Place::Memory)
        }
    }

    fn at(params: Params, place: Place) -> LedgerConfig {
        let map_size = if params.network == Network::Regtest {
            SMALL_MAP_SIZE
        } else {
            LARGE_MAP_SIZE
        };
        LedgerConfig {
            assume_valid: params.default_assume_valid,
            params,
            place,
            access: Access::Writer,
            tx_index: false,
            horizon: None,
            checkpoint_interval: DEFAULT_CHECKPOINT_INTERVAL,
            held_worlds: DEFAULT_HELD_WORLDS,
            staged_changes: DEFAULT_STAGED_CHANGES,
            retained_events: DEFAULT_RETAINED_EVENTS,
            event_quota: DEFAULT_EVENT_QUOTA,
            event_quota_bytes: DEFAULT_EVENT_QUOTA_BYTES,
            map_size,
            block_file_size: DEFAULT_BLOCK_FILE_SIZE,
            prune_target: None,
            clock: Clock::system(),
            scripts: Arc::new(ScriptVerifier::new()),
        }
    }
}
