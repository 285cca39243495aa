//! Owns what can go wrong with a wallet, as its owner is told it.
//! Promises that each variant says what was wrong, where, and what to do about it.

use thiserror::Error;

use crate::keys::KeyError;
use crate::store::FileError;

/// Why something with a wallet was not done. Nothing has changed then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WalletError {
    /// Keys, descriptors, passphrases, labels.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The wallet's file.
    #[error(transparent)]
    File(#[from] FileError),
}
