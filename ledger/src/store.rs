//! Owns all that the ledger keeps on disk: LMDB tables and block files, in one data directory.
//! Promises that what a commit returned for is there after any crash, and nothing of what did not.
//! Refuses other networks, later schemas, second writers and damaged files, each with what to do.
//!
//! ```text
//! DIRECTORY/data.mdb        LMDB: the tables of `tables.rs`
//! DIRECTORY/lock.mdb        LMDB: its readers
//! DIRECTORY/writer.lock     held by the one writing process
//! DIRECTORY/blocks/*.dat    the blocks, in `bootstrap.dat` framing
//! ```
//!
//! The way of a group of blocks: [`Store::append_block`] each, then one [`Writer`] with header rows,
//! deltas and events, then [`Writer::commit`], which syncs the block files and then LMDB. A
//! checkpoint is another writer that folds deltas into the base.

mod base;
mod blocks;
mod codec;
mod data_file;
mod environment;
mod error;
pub mod failpoint;
#[cfg(test)]
mod fixtures;
mod header;
mod journal;
mod lock;
mod meta;
mod orphans;
mod outbox;
mod reader;
mod tables;

use std::fs::File;
use std::path::{Path, PathBuf};

use bitcoin::BlockHash;
use heed::{Env, MdbError, WithoutTls};
use parking_lot::Mutex;

pub use base::ScriptSummary;
pub use blocks::{BlockPosition, MAX_BLOCK_FILE_SIZE, MAX_BLOCK_LENGTH};
pub use error::StoreError;
pub use header::HeaderRow;
pub use journal::JournalRow;
pub use meta::BasePoint;
pub use orphans::OrphanRow;
pub use outbox::{CursorRow, EventRow, MAX_SUBSCRIBER_NAME};
pub use reader::{ReadTransaction, Reader, Transaction, WriteTransaction, Writer};

use blocks::BlockFiles;
use codec::Malformed;
use data_file::DataFile;
use error::{create_directory, damaged_file, file_error, is_full, sync_directory};
use meta::Found;
use tables::{Missing, Tables};

/// Map size for networks whose ledger may grow large: 1 TiB, of which only what is used takes space.
pub const LARGE_MAP_SIZE: usize = 1 << 40;

/// Map size for regtest and tests: 64 GiB.
pub const SMALL_MAP_SIZE: usize = 64 << 30;

/// Size at which a new block file is begun: 128 MiB.
pub const DEFAULT_BLOCK_FILE_SIZE: u64 = 128 * 1024 * 1024;

/// Whether a store is opened to be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The one process that writes; creates the ledger if there is none.
    Writer,
    /// Any other process, also while a writer is at work.
    Reader,
}

/// Where a store is and what it is to be.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The data directory.
    pub directory: PathBuf,
    /// The network's magic, as it starts each frame of a block file.
    pub network_magic: [u8; 4],
    /// The network's name, for messages.
    pub network_name: String,
    /// The network's genesis block.
    pub genesis_hash: BlockHash,
    /// Upper bound of LMDB's file in bytes: address space, not disk space. Readers take the writer's.
    pub map_size: usize,
    /// Writer or reader.
    pub access: Access,
    /// Size in bytes at which a new block file is begun; at most [`MAX_BLOCK_FILE_SIZE`].
    pub block_file_size: u64,
}

/// A data directory, open.
///
/// Shared by all threads. A directory can be open once in a process.
pub struct Store {
    directory: PathBuf,
    access: Access,
    map_size: usize,
    tables: Tables<'static>,
    env: Env<WithoutTls>,
    blocks: BlockFiles,
    /// Held by the writer while it lives.
    turn: Mutex<()>,
    /// How much of a script hash the index keeps; tests shorten it to make scripts collide.
    script_prefix: usize,
    /// Declared last: given up when LMDB is closed.
    _lock: Option<File>,
}

impl Store {
    /// Opens the data directory; a writer creates it if it is empty, cuts off what a crash left
    /// behind the committed end of the block files, and keeps other writers out.
    ///
    /// # Errors
    ///
    /// Every variant of [`StoreError`] except those about blocks. Files are changed only once the
    /// directory has proved to be this network's and whole.
    pub fn open(config: StoreConfig) -> Result<Store, StoreError> {
        let directory = config.directory.as_path();
        let data_path = environment::data_path(directory);
        let blocks_directory = blocks_path(directory);
        let lock = match config.access {
            Access::Writer => {
                create_directory(directory)?;
                Some(lock::take(directory)?)
            }
            Access::Reader => None,
        };
        let found = DataFile::check(&data_path, config.access)?;
        if found != DataFile::Whole {
            match config.access {
                Access::Reader => return Err(no_ledger(directory)),
                Access::Writer => no_blocks_yet(directory)?,
            }
        }
        if found == DataFile::Unfinished {
            File::create(&data_path)
                .map_err(|error| file_error(&data_path, "emptying it", error))?;
        }
        let env = environment::open(&config)?;
        let tables = match (look(&config, &env)?, config.access) {
            (Found::Nothing, Access::Reader) => return Err(no_ledger(directory)),
            (Found::Nothing, Access::Writer) => {
                no_blocks_yet(directory)?;
                create(&config, &env)?
            }
            (Found::Ledger, _) => open_tables(&config, &env)?,
        };
        let mut store = Store {
            directory: directory.to_path_buf(),
            access: config.access,
            map_size: config.map_size,
            tables,
            env,
            blocks: BlockFiles::new(
                blocks_directory.clone(),
                config.network_magic,
                config.block_file_size,
                &[],
            ),
            turn: Mutex::new(()),
            script_prefix: base::PREFIX_LENGTH,
            _lock: lock,
        };
        if config.access == Access::Writer {
            let committed = store.read()?.block_files()?;
            store.blocks = BlockFiles::new(
                blocks_directory,
                config.network_magic,
                config.block_file_size,
                &committed,
            );
            store.blocks.recover(&committed)?;
            store.raise_schema()?;
        }
        Ok(store)
    }

    /// Makes an older schema that can be read the present one: older programs must not write here any more.
    fn raise_schema(&self) -> Result<(), StoreError> {
        if self.read()?.schema()? == meta::SCHEMA {
            return Ok(());
        }
        let mut writer = self.write()?;
        writer.put_schema()?;
        writer.commit()
    }

    /// The state as of the last commit.
    pub fn read(&self) -> Result<Reader<'_>, StoreError> {
        Reader::begin(self)
    }

    /// Begins the write transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError::ReadOnly`] if the store was opened for reading, [`StoreError::Misuse`] if there
    /// is a writer already.
    pub fn write(&self) -> Result<Writer<'_>, StoreError> {
        self.must_be_writer()?;
        let turn = self
            .turn
            .try_lock()
            .ok_or_else(|| self.misuse("there is a write transaction already".to_owned()))?;
        Writer::begin(self, turn)
    }

    /// Appends a block to the block files. It can be read at once, by this process, and is kept if
    /// the next [`Writer`] commits; if that one is dropped it is cut off.
    ///
    /// # Errors
    ///
    /// [`StoreError::BlockTooLong`] above [`MAX_BLOCK_LENGTH`]; [`StoreError::DiskFull`] and other
    /// errors of the disk, after which what was appended before still counts.
    /// [`Store::discard_appended_blocks`] gives that up too.
    pub fn append_block(&self, bytes: &[u8]) -> Result<BlockPosition, StoreError> {
        self.must_be_writer()?;
        self.blocks.append(bytes)
    }

    /// Cuts off the blocks appended since the last commit, as dropping a [`Writer`] does: for a group
    /// that fails before its writer is begun.
    pub fn discard_appended_blocks(&self) {
        drop(self.blocks.pending());
    }

    /// Reads a block's bytes. From any thread; waits for no writer.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if the frame at `position` is not there or has another length.
    pub fn read_block(&self, position: BlockPosition) -> Result<Vec<u8>, StoreError> {
        self.blocks.read(position)
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether this store writes.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The damage of a block that was read, as an error that names its file.
    pub(crate) fn damaged_block(&self, position: BlockPosition, detail: String) -> StoreError {
        self.blocks.damaged(position, &detail)
    }

    fn must_be_writer(&self) -> Result<(), StoreError> {
        match self.access {
            Access::Writer => Ok(()),
            Access::Reader => Err(StoreError::ReadOnly {
                path: self.directory.clone(),
            }),
        }
    }

    fn misuse(&self, detail: String) -> StoreError {
        let path = self.directory.clone();
        StoreError::Misuse { path, detail }
    }

    fn lmdb_error(&self, error: heed::Error) -> StoreError {
        explain(&self.directory, self.map_size, error)
    }

    fn damaged_row(&self, table: &str, key: &[u8], why: Malformed) -> StoreError {
        damaged_row(&self.directory, table, key, why)
    }
}

fn blocks_path(directory: &Path) -> PathBuf {
    directory.join("blocks")
}

/// Block files are older than what is about to be made: taking them over would cut them off.
fn no_blocks_yet(directory: &Path) -> Result<(), StoreError> {
    if BlockFiles::any_bytes(&blocks_path(directory)) {
        let path = environment::data_path(directory);
        return Err(damaged_file(
            &path,
            "there are block files, but no ledger of them",
        ));
    }
    Ok(())
}

fn no_ledger(directory: &Path) -> StoreError {
    StoreError::NoLedger {
        path: directory.to_path_buf(),
    }
}

/// Reads the `meta` table before anything else is relied on.
fn look(config: &StoreConfig, env: &Env<WithoutTls>) -> Result<Found, StoreError> {
    let failed = |error| lmdb_error(config, error);
    let Some(rows) = tables::open_meta(env).map_err(failed)? else {
        return Ok(Found::Nothing);
    };
    let transaction = env.read_txn().map_err(failed)?;
    meta::check(config, |key| {
        let value = rows.get(&transaction, key).map_err(failed)?;
        Ok(value.map(<[u8]>::to_vec))
    })
}

fn create(config: &StoreConfig, env: &Env<WithoutTls>) -> Result<Tables<'static>, StoreError> {
    let tables = tables::create(env, |tables, transaction| {
        for (key, value) in meta::first_rows(config) {
            tables.meta.rows.put(transaction, key, &value)?;
        }
        Ok(())
    });
    // The files' names must be as durable as what is in them.
    sync_directory(&config.directory)?;
    tables.map_err(|error| lmdb_error(config, error))
}

fn open_tables(config: &StoreConfig, env: &Env<WithoutTls>) -> Result<Tables<'static>, StoreError> {
    tables::open(env).map_err(|missing| match missing {
        Missing::Lmdb(error) => lmdb_error(config, error),
        Missing::Table(name) => damaged_file(
            &environment::data_path(&config.directory),
            format!("table {name} is missing"),
        ),
    })
}

fn lmdb_error(config: &StoreConfig, error: heed::Error) -> StoreError {
    explain(&config.directory, config.map_size, error)
}

fn damaged_row(directory: &Path, table: &str, key: &[u8], why: Malformed) -> StoreError {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let file = environment::data_path(directory);
    StoreError::Corrupt {
        place: format!("table {table} of {}", file.display()),
        detail: format!("row {key}: {}", why.0),
    }
}

/// What an error of LMDB means to the operator.
fn explain(directory: &Path, map_size: usize, error: heed::Error) -> StoreError {
    let path = environment::data_path(directory);
    match error {
        heed::Error::EnvAlreadyOpened => StoreError::InUse {
            path: directory.to_path_buf(),
        },
        heed::Error::Mdb(MdbError::MapFull) => StoreError::MapFull { path, map_size },
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

#[cfg(test)]
mod tests;
