//! Owns all that the ledger keeps: tables and block files, in one data directory or in memory.
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
//! In memory there are the same tables and files (`memory.rs`, `folder.rs`), and all that is written here of commits
//! holds, except that they are gone with the [`Store`].
//!
//! The way of a group of blocks: [`Store::append_block`] each, then one [`Writer`] with header rows,
//! deltas and events, then [`Writer::commit`], which syncs the block files and then LMDB. A
//! checkpoint is another writer that folds deltas into the base.

mod base;
mod blocks;
mod codec;
mod copy;
mod data_file;
mod database;
mod environment;
mod error;
pub mod failpoint;
#[cfg(test)]
mod fixtures;
mod folder;
mod header;
mod journal;
mod lmdb;
mod lock;
mod memory;
mod meta;
mod orphans;
mod outbox;
mod reader;
mod tables;
mod txs;

use std::fs::File;
use std::path::{Path, PathBuf};

use bitcoin::BlockHash;
use parking_lot::Mutex;

pub use base::ScriptSummary;
pub use blocks::{BlockPosition, MAX_BLOCK_FILE_SIZE, MAX_BLOCK_LENGTH};
pub use copy::{CopiedFile, CopyProgress, How, StoreCopy, clone_file, copy_file, share};
pub use data_file::{DataFile, cannot_grow};
pub use environment::reserve_lock_file;
pub use error::StoreError;
pub use header::HeaderRow;
pub use journal::JournalRow;
pub use lock::take as lock_directory;
pub use meta::BasePoint;
pub use orphans::OrphanRow;
pub use outbox::{CursorRow, EventRow, MAX_SUBSCRIBER_NAME};
pub use reader::{ReadTransaction, Reader, Transaction, WriteTransaction, Writer};
pub use txs::TxRow;

use blocks::BlockFiles;
use codec::Malformed;
use database::Database;
use error::create_directory;
use folder::Folder;
use lmdb::Lmdb;
use memory::Memory;
use tables::{TABLES, Tables};

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

/// Where a store keeps its tables and block files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In this data directory.
    Directory(PathBuf),
    /// In memory, each store its own, gone with it: for tests and labs. There can be no readers beside it.
    Memory,
}

impl Place {
    /// The data directory, if there is one.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Place::Directory(directory) => Some(directory),
            Place::Memory => None,
        }
    }

    /// What messages call it.
    fn path(&self) -> &Path {
        match self {
            Place::Directory(directory) => directory,
            Place::Memory => Path::new("(in memory)"),
        }
    }

    /// What messages call its tables.
    fn tables_path(&self) -> PathBuf {
        match self {
            Place::Directory(directory) => environment::data_path(directory),
            Place::Memory => self.path().to_path_buf(),
        }
    }
}

/// Where a store is and what it is to be.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The data directory, or none.
    pub place: Place,
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

/// A data directory, open, or what stands for one in memory.
///
/// Shared by all threads. A directory can be open once in a process.
pub struct Store {
    place: Place,
    access: Access,
    tables: &'static Tables,
    database: Database,
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
        let (database, folder, lock) = match &config.place {
            Place::Directory(directory) => {
                let lock = match config.access {
                    Access::Writer => {
                        create_directory(directory)?;
                        Some(lock::take(directory)?)
                    }
                    Access::Reader => None,
                };
                let lmdb = Lmdb::open(&config, directory)?;
                (
                    Database::Lmdb(Box::new(lmdb)),
                    Folder::below(directory),
                    lock,
                )
            }
            Place::Memory if config.access == Access::Reader => {
                let path = config.place.path().to_path_buf();
                return Err(StoreError::NoLedger { path });
            }
            Place::Memory => {
                let memory = Memory::with_meta(&meta::first_rows(&config));
                (Database::Memory(memory), Folder::in_memory(), None)
            }
        };
        let mut store = Store {
            place: config.place,
            access: config.access,
            tables: &TABLES,
            database,
            blocks: BlockFiles::new(folder, config.network_magic, config.block_file_size),
            turn: Mutex::new(()),
            script_prefix: base::PREFIX_LENGTH,
            _lock: lock,
        };
        if config.access == Access::Writer {
            let committed = store.read()?.block_files()?;
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

    /// Reads `length` bytes of a block from byte `offset` of it on. From any thread; waits for no writer.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] as for [`Store::read_block`], and if the part does not lie inside the block.
    pub fn read_part(
        &self,
        position: BlockPosition,
        offset: u32,
        length: u32,
    ) -> Result<Vec<u8>, StoreError> {
        self.blocks.read_part(position, offset, length)
    }

    /// Where it keeps its tables and block files.
    pub fn place(&self) -> &Place {
        &self.place
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
                path: self.place.path().to_path_buf(),
            }),
        }
    }

    fn misuse(&self, detail: String) -> StoreError {
        let path = self.place.path().to_path_buf();
        StoreError::Misuse { path, detail }
    }

    fn damaged_row(&self, table: &str, key: &[u8], why: Malformed) -> StoreError {
        damaged_row(&self.place.tables_path(), table, key, why)
    }
}

fn damaged_row(file: &Path, table: &str, key: &[u8], why: Malformed) -> StoreError {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    StoreError::Corrupt {
        place: format!("table {table} of {}", file.display()),
        detail: format!("row {key}: {}", why.0),
    }
}

#[cfg(test)]
mod tests;
