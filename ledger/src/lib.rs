//! The many-worlds ledger: every live chain tip is a world that can be queried, compared and followed, at once.
//!
//! It owns the block tree, the consensus rules, the UTXO set and script index at every block inside the horizon, and
//! what of all that lies on disk. It promises that what it answered for is there after any crash, that a [`World`]
//! never changes while it is held, and Bitcoin Core's verdict on every block. It refuses networking, wallets and
//! wire formats: those are frontends.
//!
//! ```text
//!   bytes -> Ledger::submit_block -> rules -> delta -> journal + outbox (one LMDB transaction) -> overlay -> World
//!   question -> World -> overlay -> base (LMDB) -> answer
//! ```
//!
//! The words (world, overlay, base, journal, checkpoint, horizon) are explained in the book's chapter on architecture.

mod assumed;
mod chain_status;
mod changes;
mod clock;
pub mod coin;
pub mod compare;
mod config;
mod conflict;
pub mod decode;
pub mod delta;
mod engine;
mod enough_work;
mod error;
pub mod events;
#[cfg(test)]
mod fixtures;
mod fork_tips;
mod header_info;
pub mod id;
mod ledger;
mod locator;
pub mod meter;
mod missing;
pub mod muhash;
mod next_block;
mod overlay;
pub mod params;
mod path;
mod proposal;
pub mod rules;
pub mod setinfo;
mod sha256d;
mod shared;
mod skeleton;
mod snapshot;
mod spent;
pub mod store;
mod submission;
mod transaction;
mod tree;
mod turns;
mod tx_conflicts;
mod tx_index;
mod urgency;
mod verifier;
mod whereabouts;
mod whole_set;
mod world;

pub use chain_status::{ChainStatus, INVALIDATED_BY_HAND};
pub use changes::ScriptChange;
pub use clock::Clock;
pub use coin::{Coin, ScriptPubKey};
pub use compare::{BalanceChange, CoinChange, Comparison, Diff, Side};
pub use config::{
    DEFAULT_CHECKPOINT_INTERVAL, DEFAULT_HELD_WORLDS, DEFAULT_STAGED_CHANGES, LedgerConfig,
    MIN_PRUNE_TARGET, MIN_PRUNE_TARGET_REGTEST,
};
pub use conflict::{Conflict, ConflictKind};
pub use enough_work::ANTI_DOS_BLOCKS;
pub use error::{BlockError, CompareError, OpenError, ReadError, TransactionError, WorldError};
pub use events::{
    Cursor, Delivery, Event, EventKind, EventLog, EventsError, Policy, Start, SubscriberStatus,
    Subscription,
};
pub use fork_tips::ForkTip;
pub use header_info::{HeaderInfo, HeaderStatus};
pub use id::{BlockId, ScriptHash};
pub use ledger::{BlockInfo, Ledger, LedgerStats, OrphanInfo, Tip};
pub use locator::MAX_LOCATOR_HASHES;
pub use meter::Timings;
pub use next_block::NextBlock;
pub use params::{Network, Params};
pub use rules::reject::{Reject, RejectKind};
pub use setinfo::{SetHash, SetInfo, SetSummary};
pub use skeleton::{KeyBlock, Skeleton};
pub use snapshot::{SNAPSHOT_MAGIC, SNAPSHOT_VERSION, Snapshot, SnapshotError};
pub use store::{Access, Place, StoreError};
pub use submission::{Outcome, Submitted};
pub use transaction::FoundTransaction;
pub use tx_index::{TransactionPlace, TxIndexProgress};
pub use verifier::{MAX_SCRIPT_THREADS, ScriptVerifier, ThreadsError};
pub use whereabouts::{Held, MAX_PLACE_WORLDS, MAX_PLACES, MAX_TRANSACTION_CONFLICTS, Whereabouts};
pub use world::{Balance, COINBASE_MATURITY, World};
