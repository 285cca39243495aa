//! The mempool: transactions that wait for a block, a pending world on top of the best one.
//!
//! It owns which transactions are let in, in which order they are mined, and which go when there is no room. It promises
//! Bitcoin Core's rules, order of checks and reject reasons (version 31: clusters, full replacement, TRUC, packages,
//! ephemeral dust), that everything in it fits to the best world, and work for each transaction that depends on the
//! clusters it touches alone. It refuses sockets, threads and wallets: relay, mining and JSON-RPC are built on it.
//!
//! ```text
//!   transaction -> Mempool::accept -> checks -> graph of clusters -> Change (numbered; who follows is told)
//!   another best world -> Mempool::catch_up -> blocks undone and applied -> one Change
//!   question -> Mempool::view -> View: entries, clusters, chunks in mining order, coins of the pending world
//!   the same about a rival -> Mempool::view_on -> a copy of the pool, moved there -> View
//! ```

mod accept;
mod change;
mod config;
mod elsewhere;
mod entry;
mod fee_rate;
mod fees;
mod floor;
mod follow;
mod graph;
mod locks;
mod mempool;
pub mod orphans;
mod persist;
mod pool;
mod rejection;
mod trial;
mod usage;
mod view;

pub use accept::{
    Accepted, MAX_PACKAGE_COUNT, MAX_PACKAGE_WEIGHT, PackageOutcome, PackageVerdict, Refused,
    check_well_formed, is_child_with_parents, is_child_with_parents_tree,
};
pub use change::{Change, ChangesGone, Happened, MAX_CHANGE_BYTES, MAX_CHANGES, Reason};
pub use config::{
    DEFAULT_CLUSTER_COUNT, DEFAULT_CLUSTER_VBYTES, DEFAULT_EXPIRY, DEFAULT_INCREMENTAL_RELAY_FEE,
    DEFAULT_MAX_BYTES, DEFAULT_MIN_RELAY_FEE, MempoolConfig,
};
pub use elsewhere::{MAX_ELSEWHERE, MAX_ELSEWHERE_TRANSACTIONS};
pub use fee_rate::{FeeRate, FeeSize};
pub use fees::{
    EstimateBasis, FeeEstimate, FeesKept, Horizon, MAX_FEE_FILE_AGE, Range, Ranges, RawEstimate,
};
pub use follow::MAX_RETURNED_BYTES;
pub use mempool::{Mempool, MempoolError};
pub use persist::{Kept, LoadOptions, Loaded, MAX_FILE_BYTES, PersistError};
pub use rejection::{PackageRejection, PackageRejectionKind, Rejection, RejectionKind};
pub use view::{
    Chunk, ClusterInfo, EntryInfo, MempoolInfo, Mined, Prioritised, Relayed, Totals, View,
};
