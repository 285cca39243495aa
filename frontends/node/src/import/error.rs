//! Owns why an import could not go on. Promises that what the ledger accepted before stays.

use std::io;
use std::path::PathBuf;

use everett_ledger::StoreError;

use super::report::Summary;
use super::source::Source;

/// Why an import could not go on. What the ledger accepted before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {} at offset {offset}: {source}; run the import again when it can be", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The files hold more blocks than one import indexes.
    #[error("the files hold more than {limit} blocks; import them one after the other")]
    TooManyFrames {
        /// [`MAX_FRAMES`](super::MAX_FRAMES).
        limit: usize,
    },
    /// The ledger cannot store.
    #[error("{source}; {} blocks were accepted before, run the import again to go on", summary.accepted)]
    Store {
        /// What the ledger says.
        source: StoreError,
        /// What the import had done until then.
        summary: Box<Summary>,
    },
}

pub(super) fn unreadable(source: &Source, offset: u64, error: io::Error) -> ImportError {
    ImportError::Read {
        path: source.path.clone(),
        offset,
        source: error,
    }
}
