//! Owns what can go wrong with snapshots, as the operator is told it.
//! Promises that each variant says what was wrong, where, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use everett_ledger::StoreError;
use everett_mempool::{MempoolError, PersistError};
use everett_wallet::{FileError, WalletError};
use thiserror::Error;

/// Why something with a snapshot was not done. What was begun is gone again then, unless the variant says otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotsError {
    /// A name that no snapshot can have.
    #[error("'{name}' cannot be the name of a snapshot: {why}")]
    BadName {
        /// The name, or its beginning.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// There is no such snapshot.
    #[error(
        "there is no snapshot '{name}' in {directory}; `everett snapshot list` shows those that are there"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// There is one of this name already.
    #[error("there is a snapshot '{name}' already; choose another name, or delete that one")]
    Exists {
        /// The name.
        name: String,
    },
    /// Somebody copies from it.
    #[error("the snapshot '{name}' is being copied; try again when that is over")]
    InUse {
        /// The name.
        name: String,
    },
    /// Another snapshot is being saved or deleted.
    #[error(
        "another snapshot is being saved or deleted in {directory}; try again when that is over"
    )]
    Busy {
        /// Where.
        directory: PathBuf,
    },
    /// As many snapshots are there as there may be.
    #[error("there are {limit} snapshots in {directory}; delete some first")]
    TooMany {
        /// How many there may be.
        limit: usize,
        /// Where.
        directory: PathBuf,
    },
    /// It is not what was saved.
    #[error("the snapshot '{name}' is damaged: {detail}; delete it, and use another one")]
    Damaged {
        /// The snapshot.
        name: String,
        /// What was found, in which file.
        detail: String,
    },
    /// It is of another network.
    #[error("the snapshot '{name}' is of {found}, not of {wanted}; say --network {found}")]
    OtherNetwork {
        /// The snapshot.
        name: String,
        /// Its network.
        found: String,
        /// The one that was asked for.
        wanted: String,
    },
    /// A later version of this program wrote it.
    #[error(
        "the snapshot '{name}' has format {found}, this version knows {known} at most; use a newer version"
    )]
    NewerFormat {
        /// The snapshot.
        name: String,
        /// Its format.
        found: u32,
        /// The format that this program writes.
        known: u32,
    },
    /// There is data where a snapshot is to be restored.
    #[error(
        "{path}: there is data here already; restore into another data directory, or move what is here aside with --force"
    )]
    NotEmpty {
        /// The data directory.
        path: PathBuf,
    },
    /// A restoring was interrupted.
    #[error(
        "{path}: restoring a snapshot was interrupted here; run `everett snapshot restore` again before anything else"
    )]
    HalfRestored {
        /// The data directory.
        path: PathBuf,
    },
    /// Wallets and mempool never stood still together.
    #[error(
        "the wallets did not catch up with the mempool in {looks} attempts; try again when less happens"
    )]
    NotSettled {
        /// How often it was looked.
        looks: usize,
    },
    /// The node has no data directory.
    #[error("a node in memory has no snapshots")]
    InMemory,
    /// It was called off.
    #[error("the snapshot was called off, and nothing of it is left")]
    Cancelled,
    /// The disk, a quota or a file size limit is full.
    #[error(
        "{path}: the disk, quota or file size limit is full; nothing is left of what was begun, free some space and try again"
    )]
    DiskFull {
        /// What could not grow.
        path: PathBuf,
    },
    /// The ledger.
    #[error(transparent)]
    Store(StoreError),
    /// A wallet.
    #[error(transparent)]
    Wallet(WalletError),
    /// The mempool.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// The mempool's file.
    #[error(transparent)]
    Persist(PersistError),
    /// The operating system refused.
    #[error("{path}: {doing} failed: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<StoreError> for SnapshotsError {
    fn from(error: StoreError) -> SnapshotsError {
        match error {
            StoreError::DiskFull { path, .. } => SnapshotsError::DiskFull { path },
            StoreError::Cancelled { .. } => SnapshotsError::Cancelled,
            other => SnapshotsError::Store(other),
        }
    }
}

impl From<WalletError> for SnapshotsError {
    fn from(error: WalletError) -> SnapshotsError {
        match error {
            WalletError::File(FileError::Full { path, .. }) => SnapshotsError::DiskFull { path },
            other => SnapshotsError::Wallet(other),
        }
    }
}

impl From<PersistError> for SnapshotsError {
    fn from(error: PersistError) -> SnapshotsError {
        match error {
            PersistError::File { path, source } => io_error(&path, "writing the mempool", source),
            other => SnapshotsError::Persist(other),
        }
    }
}

/// The error of a file operation that failed at `path`.
pub(super) fn io_error(path: &Path, doing: &'static str, source: io::Error) -> SnapshotsError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let path = path.to_path_buf();
    match source.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => SnapshotsError::DiskFull { path },
        _ => SnapshotsError::Io {
            path,
            doing,
            source,
        },
    }
}
