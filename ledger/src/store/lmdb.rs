//! Owns the tables as LMDB has them: how they are opened, and what LMDB's errors mean to the operator.
//! Promises that another network's ledger and one of a later schema are found out before their tables are opened.
//! Refuses to know rows.

use std::fs::File;
use std::path::{Path, PathBuf};

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, MdbError, RoTxn, RwTxn, WithoutTls};

use super::data_file::{self, DataFile};
use super::error::{damaged_file, file_error, is_full, sync_directory};
use super::folder::no_blocks_yet;
use super::meta::{self, Found};
use super::tables::{TABLE_COUNT, TABLE_NAMES, Table};
use super::{Access, StoreConfig, StoreError, environment};

/// A table: bytes to bytes, the codecs are ours.
pub(super) type Rows<'e> = Database<'e, Bytes, Bytes>;

/// An environment with all its tables open.
pub(super) struct Lmdb {
    /// Each table's handle, at its number.
    rows: [Rows<'static>; TABLE_COUNT],
    env: Env<WithoutTls>,
    errors: Errors,
}

impl Lmdb {
    /// Opens the tables in a data directory; a writer makes them in an empty one.
    pub(super) fn open(config: &StoreConfig, directory: &Path) -> Result<Lmdb, StoreError> {
        let path = environment::data_path(directory);
        let no_ledger = || StoreError::NoLedger {
            path: directory.to_path_buf(),
        };
        let found = DataFile::check(&path, config.access)?;
        if found != DataFile::Whole {
            match config.access {
                Access::Reader => return Err(no_ledger()),
                Access::Writer => no_blocks_yet(directory, &path)?,
            }
        }
        if found == DataFile::Unfinished {
            File::create(&path).map_err(|error| file_error(&path, "emptying it", error))?;
        }
        let errors = Errors {
            directory: directory.to_path_buf(),
            map_size: config.map_size,
        };
        let env = environment::open(config, directory, &errors)?;
        let rows = match (look(config, directory, &env, &errors)?, config.access) {
            (Found::Nothing, Access::Reader) => return Err(no_ledger()),
            (Found::Nothing, Access::Writer) => {
                no_blocks_yet(directory, &path)?;
                let created = create_tables(config, &env);
                // The files' names must be as durable as what is in them.
                sync_directory(directory)?;
                created.map_err(|error| errors.explain(error))?
            }
            (Found::Ledger, _) => open_tables(&env).map_err(|missing| match missing {
                Missing::Lmdb(error) => errors.explain(error),
                Missing::Table(name) => damaged_file(&path, format!("table {name} is missing")),
            })?,
        };
        Ok(Lmdb { rows, env, errors })
    }

    pub(super) fn read(&self) -> Result<RoTxn<'_, WithoutTls>, StoreError> {
        self.env.read_txn().map_err(|error| self.explain(error))
    }

    pub(super) fn write(&self) -> Result<RwTxn<'_>, StoreError> {
        self.env.write_txn().map_err(|error| self.explain(error))
    }

    pub(super) fn rows(&self, table: &Table) -> &Rows<'static> {
        &self.rows[table.number]
    }

    /// The environment itself, for who copies it.
    pub(super) fn environment(&self) -> Env<WithoutTls> {
        self.env.clone()
    }

    /// The last page that was ever in use.
    #[cfg(test)]
    pub(super) fn last_page(&self) -> u64 {
        self.env.info().last_page_number as u64
    }

    pub(super) fn explain(&self, error: heed::Error) -> StoreError {
        self.errors.explain(error)
    }
}

/// Reads the `meta` table before anything else is relied on.
fn look(
    config: &StoreConfig,
    directory: &Path,
    env: &Env<WithoutTls>,
    errors: &Errors,
) -> Result<Found, StoreError> {
    let failed = |error| errors.explain(error);
    let Some(rows) = open_meta(env).map_err(failed)? else {
        return Ok(Found::Nothing);
    };
    let transaction = env.read_txn().map_err(failed)?;
    meta::check(config, directory, |key| {
        let value = rows.get(&transaction, key).map_err(failed)?;
        Ok(value.map(<[u8]>::to_vec))
    })
}

/// The `meta` table alone, if the environment has one: an environment without was just made.
fn open_meta(env: &Env<WithoutTls>) -> Result<Option<Rows<'static>>, heed::Error> {
    let transaction = env.read_txn()?;
    let opened = env.open_databases_and_commit(transaction, |opener, transaction| {
        let meta = opener.open_database::<Bytes, Bytes>(transaction, Some(TABLE_NAMES[0]))?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(meta))
    })?;
    Ok(opened.commit().flatten())
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

/// Opens all tables of an environment that has them.
fn open_tables(env: &Env<WithoutTls>) -> Result<[Rows<'static>; TABLE_COUNT], Missing> {
    let opened = env.open_databases_and_commit(env.read_txn()?, |opener, transaction| {
        let rows = each_table(|name| {
            let rows = opener.open_database(transaction, Some(name))?;
            rows.ok_or(Missing::Table(name))
        })?;
        Ok::<_, Missing>(CommitOrAbort::<_, Missing>::Commit(rows))
    })?;
    match opened {
        CommitOrAbort::Commit(rows) => Ok(rows),
        CommitOrAbort::Abort(missing) => Err(missing),
    }
}

/// Creates the tables that are missing and puts the first rows into `meta`, in one transaction.
fn create_tables(
    config: &StoreConfig,
    env: &Env<WithoutTls>,
) -> Result<[Rows<'static>; TABLE_COUNT], heed::Error> {
    let transaction = env.write_txn()?;
    let created = env.create_databases_and_commit(transaction, |opener, transaction| {
        let rows = each_table(|name| opener.create_database(transaction, Some(name)))?;
        for (key, value) in meta::first_rows(config) {
            rows[0].put(transaction, key, &value)?;
        }
        Ok::<_, heed::Error>(CommitOrAbort::<_, heed::Error>::Commit(rows))
    })?;
    match created {
        CommitOrAbort::Commit(rows) => Ok(rows),
        CommitOrAbort::Abort(error) => Err(error),
    }
}

/// The handle of each table, or the first failure.
fn each_table<'e, E>(
    mut table: impl FnMut(&'static str) -> Result<Rows<'e>, E>,
) -> Result<[Rows<'e>; TABLE_COUNT], E> {
    let mut rows = [table(TABLE_NAMES[0])?; TABLE_COUNT];
    for (rows, name) in rows.iter_mut().zip(TABLE_NAMES).skip(1) {
        *rows = table(name)?;
    }
    Ok(rows)
}

/// What is needed to explain LMDB's errors.
pub(super) struct Errors {
    directory: PathBuf,
    map_size: usize,
}

impl Errors {
    /// What an error of LMDB means to the operator.
    pub(super) fn explain(&self, error: heed::Error) -> StoreError {
        let path = environment::data_path(&self.directory);
        match error {
            heed::Error::EnvAlreadyOpened => StoreError::InUse {
                path: self.directory.clone(),
            },
            heed::Error::Mdb(MdbError::MapFull) => StoreError::MapFull {
                path,
                map_size: self.map_size,
            },
            heed::Error::Mdb(
                error @ (MdbError::Corrupted
                | MdbError::PageNotFound
                | MdbError::Invalid
                | MdbError::VersionMismatch),
            ) => damaged_file(&path, error.to_string()),
            // LMDB answers a write that the disk cut short with EIO.
            heed::Error::Io(error) if is_full(&error) || data_file::cannot_grow(&path, &error) => {
                let length = std::fs::metadata(&path).map_or(0, |data| data.len());
                StoreError::DiskFull { path, length }
            }
            heed::Error::Io(error) => file_error(&path, "LMDB", error),
            source => StoreError::Lmdb { path, source },
        }
    }
}
