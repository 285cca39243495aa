//! Owns what can go wrong with the store, as the operator is told it.
//! Promises that each variant says what was wrong, where, and what to do about it.
//! Refuses to hide a damaged table behind "not found".

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the store could not be opened, read or written.
///
/// After an error of a write nothing is changed; unless the variant says otherwise the store
/// stays usable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A reader was pointed at a directory that holds no ledger.
    #[error("{path}: no ledger here; start a node or an import with this data directory first")]
    NoLedger {
        /// The data directory.
        path: PathBuf,
    },
    /// Another process (or another store of this one) has the directory open for writing.
    #[error("{path}: in use by another process; stop it first, or open the directory for reading")]
    InUse {
        /// The lock file, or the directory when this process holds it itself.
        path: PathBuf,
    },
    /// The directory belongs to another network.
    #[error(
        "{path}: holds a ledger of {found}, not of {wanted}; use another data directory or network"
    )]
    OtherNetwork {
        /// The data directory.
        path: PathBuf,
        /// The network it was made for, as `name (magic, genesis hash)`.
        found: String,
        /// The network that was asked for, likewise.
        wanted: String,
    },
    /// A later version of this program wrote the directory.
    #[error(
        "{path}: written with schema {found}, this version knows {known} at most; use a newer version"
    )]
    NewerSchema {
        /// The data directory.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The schema that this program writes.
        known: u32,
    },
    /// An earlier version of this program made the ledger.
    #[error(
        "{path} holds a ledger of schema {found}, this program has schema {known}; import its block files into a new \
         data directory"
    )]
    OlderSchema {
        /// The data directory.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The schema that this program has.
        known: u32,
    },
    /// Bytes on disk are not what was written there.
    #[error(
        "{place} is damaged: {detail}; move the data directory away and import its block files into a new one"
    )]
    Corrupt {
        /// The file, or `table NAME of FILE`.
        place: String,
        /// What was found.
        detail: String,
    },
    /// The store was opened for reading, or the disk is mounted so.
    #[error("{path}: cannot be written (read-only disk, no permission, or opened for reading)")]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// No space, a quota or a file size limit was hit. Nothing was changed; it works again once there is room.
    #[error(
        "{path}: the disk, quota or file size limit is full at {length} bytes; nothing was changed, free some space (1 GiB at least) and try again"
    )]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
        /// Its length in bytes when it could not grow.
        length: u64,
    },
    /// LMDB's map is full. Nothing was changed.
    #[error("{path}: the map of {map_size} bytes is full; restart with a larger map size")]
    MapFull {
        /// LMDB's file.
        path: PathBuf,
        /// The map's size in bytes.
        map_size: usize,
    },
    /// A block is longer than a frame may be.
    #[error("a block of {length} bytes is longer than the {limit} bytes that a frame may have")]
    BlockTooLong {
        /// The block's length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: u32,
    },
    /// A copy was called off.
    #[error("{path}: the copy was called off")]
    Cancelled {
        /// What was being written.
        path: PathBuf,
    },
    /// The caller asked for something the store can never do.
    #[error("{path}: {detail}")]
    Misuse {
        /// The data directory.
        path: PathBuf,
        /// What was wrong with the request.
        detail: String,
    },
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
    /// LMDB refused.
    #[error("{path}: LMDB failed: {source}")]
    Lmdb {
        /// LMDB's file.
        path: PathBuf,
        /// LMDB's reason.
        source: heed::Error,
    },
}

impl StoreError {
    /// Damage that shows only when rows are put together: `table` has something that cannot be.
    pub(crate) fn corrupt(table: &str, detail: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            place: format!("table {table}"),
            detail: detail.into(),
        }
    }
}

/// Whether the system says that a file cannot grow.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Whether the system says that a place may not be written.
pub(super) fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}

/// The error of a file operation that failed at `path`.
pub(super) fn file_error(path: &Path, doing: &'static str, source: io::Error) -> StoreError {
    let path = path.to_path_buf();
    if is_full(&source) {
        let length = std::fs::metadata(&path).map_or(0, |data| data.len());
        StoreError::DiskFull { path, length }
    } else if is_read_only(&source) {
        StoreError::ReadOnly { path }
    } else {
        StoreError::Io {
            path,
            doing,
            source,
        }
    }
}

/// Makes the names in a directory as durable as the files themselves.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| file_error(path, "syncing it", error))
}

/// Creates a directory with all above it, durably.
pub(super) fn create_directory(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path)
        .map_err(|error| file_error(path, "creating the directory", error))?;
    match path.parent() {
        Some(parent) if parent.is_dir() => sync_directory(parent),
        _ => Ok(()),
    }
}

/// Damage of a whole file.
pub(super) fn damaged_file(path: &Path, detail: impl Into<String>) -> StoreError {
    StoreError::Corrupt {
        place: path.display().to_string(),
        detail: detail.into(),
    }
}
