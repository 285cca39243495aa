//! Owns the errors of the node's operations.

use everett_ledger::OpenError;
use everett_wallet::WalletError;

use crate::frontend::FrontendError;
use crate::handle::CallError;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Lab mode on mainnet.
    #[error(
        "a lab makes history by hand, which is not possible on mainnet; use regtest, or leave lab mode off"
    )]
    LabOnMainnet,
    /// No reader is allowed.
    #[error("a node needs at least one reader; set `readers` to 1 or more")]
    NoReaders,
    /// The best block is of the future.
    #[error(
        "the best block is of {seconds} seconds from now: set the clock of this machine right, or wait; the blocks can stay"
    )]
    FutureTip {
        /// How far ahead of the clock it is.
        seconds: u64,
    },
    /// The ledger did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A frontend did not start; those before it were stopped again.
    #[error("the frontend `{name}` did not start: {source}")]
    Frontend {
        /// Its name.
        name: String,
        /// What it said.
        source: FrontendError,
    },
    /// A wallet that is to be opened could not be.
    #[error("the wallet \"{name}\" was not opened: {error}")]
    Wallet {
        /// Its name.
        name: String,
        /// What was wrong.
        error: Box<WalletError>,
    },
    /// A thread that opened the ledger was lost.
    #[error("the ledger could not be opened: {0}")]
    Lost(#[from] CallError),
}
