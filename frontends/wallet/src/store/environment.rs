//! Owns how LMDB's environment of a wallet is opened: the one place with unsafe code.
//! Promises that the file was looked at before LMDB maps it, so that damage is an error and no signal.
//! Refuses every flag that trades durability for speed (`MDB_NOSYNC`, `MDB_WRITEMAP`, …).

use std::path::{Path, PathBuf};

use everett_ledger::Access;
use everett_ledger::store::{DataFile, StoreError, cannot_grow, reserve_lock_file};
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, MdbError, WithoutTls};

use super::error::{FileError, file_error};
use super::tables::{TABLE_COUNT, TABLES};

/// How many tables LMDB must make room for; some are left for later schemas.
const MAX_TABLES: u32 = 32;
/// How many read transactions there may be at once.
const MAX_READERS: u32 = 126;
/// The map of a wallet's file: 16 GiB of addresses, of which only what is used takes space.
const MAP_SIZE: usize = 16 << 30;

/// A table: bytes to bytes.
pub(super) type Rows<'e> = Database<'e, Bytes, Bytes>;

/// Each table's handle, at its number.
pub(super) type AllRows = [Rows<'static>; TABLE_COUNT];

/// LMDB's file in a wallet's directory.
pub(super) fn data_path(directory: &Path) -> PathBuf {
    directory.join("data.mdb")
}

/// LMDB's list of readers in a wallet's directory.
pub(super) fn readers_path(directory: &Path) -> PathBuf {
    directory.join("lock.mdb")
}

/// Looks at LMDB's file: whether there is one, and whether it can be mapped.
pub(super) fn look(directory: &Path) -> Result<DataFile, FileError> {
    look_at(&data_path(directory))
}

/// Looks at a file that may be LMDB's.
pub(super) fn look_at(path: &Path) -> Result<DataFile, FileError> {
    DataFile::check(path, Access::Writer).map_err(|error| told_by_ledger(path.to_path_buf(), error))
}

/// What the ledger's look at a file of LMDB's found, as an error of the wallet's.
fn told_by_ledger(path: PathBuf, error: StoreError) -> FileError {
    match error {
        StoreError::Corrupt { detail, .. } => FileError::DamagedFile { path, detail },
        StoreError::ReadOnly { path } => FileError::ReadOnly { path },
        StoreError::DiskFull { path, .. } => FileError::full(&path),
        StoreError::Io {
            path,
            doing,
            source,
        } => file_error(&path, doing, source),
        other => FileError::DamagedFile {
            path,
            detail: other.to_string(),
        },
    }
}

/// Opens the environment in a directory whose lock is held.
pub(super) fn open(directory: &Path) -> Result<Env<WithoutTls>, FileError> {
    let canonical = directory
        .canonicalize()
        .map_err(|error| file_error(directory, "looking at it", error))?;
    // LMDB's own lock goes with the first descriptor of its file that this process closes.
    if heed::env_closing_event(canonical).is_some() {
        return Err(FileError::InUse {
            path: directory.to_path_buf(),
        });
    }
    let readers = readers_path(directory);
    reserve_lock_file(&readers, MAX_READERS).map_err(|error| told_by_ledger(readers, error))?;
    let env = map(directory).map_err(|error| explain(directory, error))?;
    env.clear_stale_readers()
        .map_err(|error| explain(directory, error))?;
    Ok(env)
}

#[allow(unsafe_code)]
fn map(directory: &Path) -> heed::Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options
        .max_readers(MAX_READERS)
        .max_dbs(MAX_TABLES)
        .map_size(MAP_SIZE);
    // SAFETY: LMDB maps the file, and it is undefined what happens when something else changes it meanwhile. Nothing does:
    // whoever opens a wallet holds the lock file of its directory, and others are refused. No flag is set.
    unsafe { options.open(directory) }
}

/// Opens all tables, or makes them with their first rows in one transaction. `None`: there are none to open.
pub(super) fn tables(
    env: &Env<WithoutTls>,
    directory: &Path,
    first_rows: Option<&[(Vec<u8>, Vec<u8>)]>,
) -> Result<Option<AllRows>, FileError> {
    let failed = |error| explain(directory, error);
    let opened = match first_rows {
        Some(first) => {
            let transaction = env.write_txn().map_err(failed)?;
            env.create_databases_and_commit(transaction, |opener, transaction| {
                let rows = each_table(|name| opener.create_database(transaction, Some(name)))?;
                for (key, value) in first {
                    rows[0].put(transaction, key, value)?;
                }
                Ok::<_, heed::Error>(CommitOrAbort::<_, Missing>::Commit(rows))
            })
            .map_err(Missing::Lmdb)
        }
        None => {
            let transaction = env.read_txn().map_err(failed)?;
            env.open_databases_and_commit(transaction, |opener, transaction| {
                let rows = each_table(|name| {
                    let rows = opener.open_database(transaction, Some(name))?;
                    rows.ok_or(Missing::Table(name))
                })?;
                Ok::<_, Missing>(CommitOrAbort::<_, Missing>::Commit(rows))
            })
        }
    };
    let opened = opened.and_then(|opened| match opened {
        CommitOrAbort::Commit(rows) => Ok(rows),
        CommitOrAbort::Abort(missing) => Err(missing),
    });
    match opened {
        Ok(rows) => Ok(Some(rows)),
        Err(Missing::Lmdb(error)) => Err(failed(error)),
        Err(Missing::Table(name)) if name == TABLES[0].name() => Ok(None),
        Err(Missing::Table(name)) => Err(FileError::DamagedFile {
            path: data_path(directory),
            detail: format!("table {name} is missing"),
        }),
    }
}

/// Why the tables of an environment could not be had.
enum Missing {
    /// LMDB failed.
    Lmdb(heed::Error),
    /// The table of this name is not there.
    Table(&'static str),
}

impl From<heed::Error> for Missing {
    fn from(error: heed::Error) -> Missing {
        Missing::Lmdb(error)
    }
}

/// The handle of each table, or the first failure.
fn each_table<'e, E>(
    mut table: impl FnMut(&'static str) -> Result<Rows<'e>, E>,
) -> Result<[Rows<'e>; TABLE_COUNT], E> {
    let mut rows = [table(TABLES[0].name())?; TABLE_COUNT];
    for (rows, kind) in rows.iter_mut().zip(TABLES).skip(1) {
        *rows = table(kind.name())?;
    }
    Ok(rows)
}

/// What an error of LMDB means to the wallet's owner.
pub(super) fn explain(directory: &Path, error: heed::Error) -> FileError {
    let path = data_path(directory);
    match error {
        heed::Error::EnvAlreadyOpened => FileError::InUse {
            path: directory.to_path_buf(),
        },
        heed::Error::Mdb(MdbError::MapFull) => FileError::Full {
            path,
            detail: format!("the map of {MAP_SIZE} bytes is full"),
        },
        heed::Error::Mdb(
            error @ (MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Invalid
            | MdbError::VersionMismatch),
        ) => FileError::DamagedFile {
            path,
            detail: error.to_string(),
        },
        // LMDB answers a write that the disk cut short with EIO.
        heed::Error::Io(error) if cannot_grow(&path, &error) => FileError::full(&path),
        heed::Error::Io(error) => file_error(&path, "LMDB", error),
        source => FileError::Lmdb { path, source },
    }
}
