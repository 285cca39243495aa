//! Owns what can go wrong with a wallet's file, as its owner is told it.
//! Promises that each variant says what was wrong, where, and what to do about it.
//! Refuses to hide a damaged row behind "not found".

use std::io;
use std::path::{Path, PathBuf};

use bitcoin::hex::DisplayHex;
use thiserror::Error;

use super::Table;

/// Why a wallet's file could not be made, opened, read or written. After a write that failed nothing is changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is no wallet in the directory.
    #[error("{path}: no wallet here")]
    NoWallet {
        /// The wallet's directory.
        path: PathBuf,
    },
    /// The file ends before there is a wallet in it.
    #[error(
        "{path} is damaged: it has {length} bytes and holds no wallet, so it was cut, or is something else; move it away and \
         restore the wallet from a backup"
    )]
    Cut {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// What was to become a wallet is no backup of one, or a damaged one.
    #[error(
        "the backup {path} is damaged: {detail}; no wallet was made of it, restore from another backup"
    )]
    DamagedBackup {
        /// The backup.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// There is a wallet in the directory already.
    #[error("{path}: there is a wallet here already; load it, or choose another name")]
    Exists {
        /// The wallet's directory.
        path: PathBuf,
    },
    /// Something that is no draft has the name of one in the wallet's directory; it is not removed.
    #[error(
        "{path} is in the way: a wallet needs this name beside it for files that are not whole yet, and there is something else; move \
         it away, or choose another name for the wallet"
    )]
    InTheWay {
        /// What has the name.
        path: PathBuf,
    },
    /// Another process, or another opening in this one, has the wallet.
    #[error(
        "{path}: the wallet is in use by another process, or loaded already; unload it there first"
    )]
    InUse {
        /// The lock file, or the directory.
        path: PathBuf,
    },
    /// The wallet was made for another network.
    #[error(
        "{path}: a wallet of {found}, not of {wanted}; start the node for that network to use it"
    )]
    OtherNetwork {
        /// The wallet's directory.
        path: PathBuf,
        /// The network that it was made for.
        found: String,
        /// The network that the node is on.
        wanted: String,
    },
    /// A later version of this program wrote it.
    #[error(
        "{path}: written with schema {found}, this version knows {known} at most; use a newer version"
    )]
    NewerSchema {
        /// The wallet's directory.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The schema that this program writes.
        known: u32,
    },
    /// A row is not what was written.
    #[error(
        "{path}: row {row} of table {table} is damaged: {detail}; move it away and restore the wallet from a backup"
    )]
    DamagedRow {
        /// The wallet's directory.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// The row's key in hex.
        row: String,
        /// What was found.
        detail: String,
    },
    /// The file is no LMDB file, is cut short, or lacks a table.
    #[error("{path} is damaged: {detail}; move it away and restore the wallet from a backup")]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The disk, a quota or the map is full.
    #[error(
        "{path}: no room to write: {detail}; nothing was changed, free some space and try again"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// What is full.
        detail: String,
    },
    /// The place may not be written.
    #[error("{path}: cannot be written (read-only disk, or no permission)")]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
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

/// A row that is not what it should be; who reads it knows where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

impl FileError {
    /// Whether it is what the file holds that is at fault: it is damaged, of a later version, of another network.
    pub fn is_of_contents(&self) -> bool {
        use FileError as E;
        matches!(
            self,
            E::OtherNetwork { .. }
                | E::NewerSchema { .. }
                | E::DamagedRow { .. }
                | E::DamagedFile { .. }
                | E::DamagedBackup { .. }
                | E::Cut { .. }
        )
    }

    /// The same of the backup that the file is a copy of: the copy is gone when its owner reads of it.
    pub(crate) fn of_backup(self, backup: &Path) -> FileError {
        use FileError as E;
        let path = backup.to_path_buf();
        let detail = match self {
            E::OtherNetwork { found, wanted, .. } => {
                return E::OtherNetwork {
                    path,
                    found,
                    wanted,
                };
            }
            E::NewerSchema { found, known, .. } => {
                return E::NewerSchema { path, found, known };
            }
            E::DamagedFile { detail, .. } => detail,
            E::DamagedRow {
                table, row, detail, ..
            } => format!("row {row} of table {table}: {detail}"),
            E::Cut { length, .. } => format!("it has {length} bytes and holds no wallet"),
            other => return other,
        };
        E::DamagedBackup { path, detail }
    }

    /// The disk, a quota or a limit leaves no room for a file to grow.
    pub(super) fn full(path: &Path) -> FileError {
        let length = std::fs::metadata(path).map_or(0, |data| data.len());
        FileError::Full {
            path: path.to_path_buf(),
            detail: format!(
                "the disk, a quota or the limit on a file's size is full (it has {length} bytes)"
            ),
        }
    }

    pub(crate) fn damaged_row(
        path: &Path,
        table: Table,
        key: &[u8],
        detail: impl Into<String>,
    ) -> FileError {
        FileError::DamagedRow {
            path: path.to_path_buf(),
            table: table.name(),
            row: key.to_lower_hex_string(),
            detail: detail.into(),
        }
    }
}

/// The error of a file operation that failed at `path`.
pub(crate) fn file_error(path: &Path, doing: &'static str, source: io::Error) -> FileError {
    use io::ErrorKind as Kind;
    match source.kind() {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => FileError::full(path),
        Kind::ReadOnlyFilesystem | Kind::PermissionDenied => FileError::ReadOnly {
            path: path.to_path_buf(),
        },
        _ => FileError::Io {
            path: path.to_path_buf(),
            doing,
            source,
        },
    }
}
