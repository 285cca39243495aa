//! Owns the settings of a mempool and their defaults, which are Bitcoin Core's.

use everett_script::policy::{DEFAULT_BYTES_PER_SIGOP, StandardRules};

use crate::fee_rate::FeeRate;
use crate::graph::dep_graph::MAX_TRANSACTIONS;

/// Most memory that the pending transactions may take, in bytes.
pub const DEFAULT_MAX_BYTES: u64 = 300_000_000;
/// How long a transaction may wait, in seconds: two weeks.
pub const DEFAULT_EXPIRY: u64 = 336 * 3_600;
/// Least fee rate that is let in.
pub const DEFAULT_MIN_RELAY_FEE: FeeRate = FeeRate::per_kvb(100);
/// What a replacement has to pay on top, and what the minimum rises above that of what was evicted.
pub const DEFAULT_INCREMENTAL_RELAY_FEE: FeeRate = FeeRate::per_kvb(100);
/// Most transactions of a cluster.
pub const DEFAULT_CLUSTER_COUNT: usize = 64;
/// Most virtual bytes of a cluster.
pub const DEFAULT_CLUSTER_VBYTES: u64 = 101_000;

/// How a mempool is opened. The default is Bitcoin Core's; every field may be set after.
#[derive(Clone, Copy, Debug)]
pub struct MempoolConfig {
    /// Whether only standard transactions are let in: the opposite of `-acceptnonstdtxn`.
    pub require_standard: bool,
    /// What counts as standard, dust included: `-datacarrier`, `-datacarriersize`, `-permitbaremultisig`,
    /// `-dustrelayfee`.
    pub standard: StandardRules,
    /// Least fee rate that is let in: `-minrelaytxfee`.
    pub min_relay_fee: FeeRate,
    /// What a replacement has to pay on top: `-incrementalrelayfee`.
    pub incremental_relay_fee: FeeRate,
    /// Virtual bytes that a signature operation counts for at least: `-bytespersigop`.
    pub bytes_per_sigop: u64,
    /// Most memory in bytes: `-maxmempool`, times a million.
    pub max_bytes: u64,
    /// How long a transaction may wait, in seconds: `-mempoolexpiry`, times 3,600.
    pub expiry: u64,
    /// Most transactions of a cluster, 1 to 64: `-limitclustercount`.
    pub cluster_count: usize,
    /// Most virtual bytes of a cluster: `-limitclustersize`, times 1,000.
    pub cluster_vbytes: u64,
}

impl Default for MempoolConfig {
    fn default() -> MempoolConfig {
        MempoolConfig {
            require_standard: true,
            standard: StandardRules::default(),
            min_relay_fee: DEFAULT_MIN_RELAY_FEE,
            incremental_relay_fee: DEFAULT_INCREMENTAL_RELAY_FEE,
            bytes_per_sigop: DEFAULT_BYTES_PER_SIGOP,
            max_bytes: DEFAULT_MAX_BYTES,
            expiry: DEFAULT_EXPIRY,
            cluster_count: DEFAULT_CLUSTER_COUNT.min(MAX_TRANSACTIONS),
            cluster_vbytes: DEFAULT_CLUSTER_VBYTES,
        }
    }
}

impl MempoolConfig {
    /// The least [`MempoolConfig::max_bytes`] that Bitcoin Core allows for these clusters: 40 times their size.
    pub fn least_max_bytes(&self) -> u64 {
        self.cluster_vbytes.saturating_mul(40)
    }
}
