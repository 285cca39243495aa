//! Owns the node's settings.
//! Promises that what contradicts itself is refused before anything is opened.
//! Refuses settings of frontends: each frontend has its own.

use std::path::PathBuf;
use std::time::Duration;

use everett_ledger::{LedgerConfig, Network, Place};
use everett_mempool::MempoolConfig;
use everett_wallet::WalletConfig;

use crate::back_off::BackOff;
use crate::error::NodeError;
use crate::handle::NodeShape;
use crate::initial_download::DEFAULT_MAX_TIP_AGE;
use crate::snapshots::{SNAPSHOTS, Snapshots};

/// Reads that may run at once unless it is configured otherwise.
const DEFAULT_READERS: usize = 32;
/// How long a frontend may take to stop unless it is configured otherwise.
const DEFAULT_STOP_GRACE: Duration = Duration::from_secs(10);
/// The file of the mempool in the data directory; Bitcoin Core's name.
const MEMPOOL_FILE: &str = "mempool.dat";
/// The file of the estimate of fees there; Bitcoin Core's name.
const FEE_FILE: &str = "fee_estimates.dat";
/// The directory of wallets in the data directory; Bitcoin Core's name.
const WALLETS: &str = "wallets";

/// What a node is started with.
pub struct NodeConfig {
    /// Network, data directory, horizon, clock.
    pub ledger: LedgerConfig,
    /// What waits for a block, and how much of it.
    pub mempool: MempoolConfig,
    /// Where the mempool is kept from one run to the next; nowhere if there is none.
    pub mempool_file: Option<PathBuf>,
    /// Whether what waits is taken from that file at the start and written there at the end.
    pub persist_mempool: bool,
    /// Where the estimate of fees is kept from one run to the next; nowhere if there is none.
    pub fee_file: Option<PathBuf>,
    /// Whether such a file is taken however old it is.
    pub accept_stale_fees: bool,
    /// Where snapshots of the node are kept; `None` for a node that takes none.
    pub snapshots: Option<PathBuf>,
    /// How wallets are opened; `None` for a node that keeps none.
    pub wallets: Option<WalletConfig>,
    /// Wallets that are opened at the start, beside those that are marked for it.
    pub open_wallets: Vec<String>,
    /// Whether a wallet without a name is made where there is none at all.
    pub default_wallet: bool,
    /// Lab mode: history may be made by hand. Impossible on mainnet.
    pub lab: bool,
    /// Seconds that the best block may be old when the initial download is over.
    pub max_tip_age: i64,
    /// Whether a best block of the future is a reason not to start, as in Bitcoin Core: the clock may be wrong.
    pub refuse_future_tip: bool,
    /// How many reads of frontends may run on threads of their own at once; more wait. At least 1.
    pub readers: usize,
    /// How long a frontend may take to stop before it is cut off.
    pub stop_grace: Duration,
    /// When a frontend that failed is started again.
    pub back_off: BackOff,
}

impl NodeConfig {
    /// The defaults around a ledger: Bitcoin Core's mempool, kept in the data directory, no lab, 32 readers, 10 seconds
    /// to stop.
    pub fn new(ledger: LedgerConfig) -> NodeConfig {
        let file = |name| match &ledger.place {
            Place::Directory(directory) => Some(directory.join(name)),
            Place::Memory => None,
        };
        let (mempool_file, fee_file) = (file(MEMPOOL_FILE), file(FEE_FILE));
        let wallets = (ledger.place.directory()).map(|directory| {
            WalletConfig::new(directory.join(WALLETS), ledger.params.network.to_bitcoin())
        });
        let snapshots = ledger.place.directory();
        NodeConfig {
            snapshots: snapshots.map(|directory| directory.join(SNAPSHOTS)),
            ledger,
            mempool: MempoolConfig::default(),
            mempool_file,
            persist_mempool: true,
            fee_file,
            accept_stale_fees: false,
            wallets,
            open_wallets: Vec::new(),
            default_wallet: false,
            lab: false,
            max_tip_age: DEFAULT_MAX_TIP_AGE,
            refuse_future_tip: false,
            readers: DEFAULT_READERS,
            stop_grace: DEFAULT_STOP_GRACE,
            back_off: BackOff::default(),
        }
    }

    /// Whether the settings can go together.
    ///
    /// # Errors
    ///
    /// [`NodeError::LabOnMainnet`] and [`NodeError::NoReaders`].
    pub fn check(&self) -> Result<(), NodeError> {
        if self.lab && self.ledger.params.network == Network::Mainnet {
            return Err(NodeError::LabOnMainnet);
        }
        if self.readers == 0 {
            return Err(NodeError::NoReaders);
        }
        Ok(())
    }
}

impl From<&NodeConfig> for NodeShape {
    fn from(config: &NodeConfig) -> NodeShape {
        NodeShape {
            mempool: config.mempool,
            mempool_file: config.mempool_file.clone(),
            snapshots: config.snapshots.clone().map(Snapshots::at),
            wallets: config.wallets.clone(),
            lab: config.lab,
            max_tip_age: config.max_tip_age,
            readers: config.readers,
        }
    }
}
