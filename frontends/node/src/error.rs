//! Owns the errors of the node's operations.

use everett_ledger::OpenError;

use crate::frontend::FrontendError;

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
    /// A thread that opened the ledger was lost.
    #[error("the ledger could not be opened: {0}")]
    Lost(#[from] CallError),
}

/// Why a call on the ledger gave no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// The node stops, and takes no more work.
    #[error("the node is shutting down")]
    ShuttingDown,
    /// The work panicked; the log tells where.
    #[error("the call ended in a panic, which the log has; please report it")]
    Panicked,
}
