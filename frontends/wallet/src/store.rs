//! Owns the file of one wallet: its tables in LMDB, in a directory of its own.
//! Promises that what a step returned for is there after any crash, and nothing of a step that did not.
//! Refuses other networks, later schemas, second openings and damaged files, each with what to do.
//!
//! ```text
//! DIRECTORY/data.mdb       LMDB: the tables of `tables.rs`
//! DIRECTORY/lock.mdb       LMDB: its readers
//! DIRECTORY/create         a new wallet's file, while it is written, before it becomes the first
//! DIRECTORY/rewrite        a new file that is to take the place of the first, while it is written
//! DIRECTORY/restore        a copy of a backup that is to become the first, while it is written
//! DIRECTORY/wallet.lock    held by the one process that has the wallet open
//! ```
//!
//! Table `meta`: `schema` (u32), `network` (its name, then the genesis block's hash), `id` (16 random bytes, which the sealed
//! secrets are tied to), `flags` (u64, see [`WalletFlags`]), `seal` (see `keys/seal.rs`).

mod backup;
pub(crate) mod codec;
mod drafts;
mod environment;
mod error;
mod flags;
mod lock;
mod made;
mod rewrite;
mod rows;
mod tables;

use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use bitcoin::Network;
use bitcoin::blockdata::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::rand::{RngCore, rngs::OsRng};
use everett_ledger::store::DataFile;
use heed::{Env, WithoutTls};

pub use error::{FileError, Malformed};
pub use flags::WalletFlags;
pub(crate) use made::Made;
pub use rows::{Reading, Step};
pub use tables::Table;

use codec::Source;
use drafts::{CREATE, make_draft_directory, put_in_place, refuse_another, remove_drafts};
use environment::AllRows;
pub(crate) use error::file_error;

/// The schema that this program writes, and the latest that it reads.
const SCHEMA: u32 = 1;

const SCHEMA_KEY: &[u8] = b"schema";
const NETWORK_KEY: &[u8] = b"network";
const ID_KEY: &[u8] = b"id";
const FLAGS_KEY: &[u8] = b"flags";

/// What ties sealed secrets to the wallet that they were sealed in.
pub type WalletId = [u8; 16];

/// The file of one wallet, open. It is shut when this is dropped.
pub struct WalletFile {
    directory: PathBuf,
    network: Network,
    id: WalletId,
    rows: AllRows,
    env: Env<WithoutTls>,
    made: Made,
    _lock: File,
}

impl WalletFile {
    /// Makes a wallet's file in a directory, which is made (for its owner only) if it is not there. The file is there when `fill`
    /// is done with it: whole, or not at all.
    ///
    /// # Errors
    ///
    /// [`FileError::Exists`], [`FileError::InUse`], [`FileError::InTheWay`], errors of the disk, what `fill` returns. What was made is
    /// gone again then.
    pub fn create<E: From<FileError>>(
        directory: &Path,
        network: Network,
        flags: WalletFlags,
        fill: impl FnOnce(&mut WalletFile) -> Result<(), E>,
    ) -> Result<WalletFile, E> {
        let mut made = Made {
            file: false,
            directory: make_directory(directory)?,
        };
        let lock = made.lock(directory)?;
        let held = share(&lock, directory)?;
        let create = || -> Result<WalletFile, E> {
            refuse_another(directory)?;
            remove_drafts(directory)?;
            let place = directory.join(CREATE);
            let mut file = WalletFile::draft(&place, network, flags, lock)?;
            fill(&mut file)?;
            put_in_place(&place, directory)?;
            made.file = true;
            // LMDB has it open, wherever its name is now.
            file.directory = directory.to_path_buf();
            sync_with_parent(directory)?;
            remove_drafts(directory)?;
            file.made = made;
            Ok(file)
        };
        let created = create();
        if created.is_err() {
            made.undo_locked(directory, held);
        }
        created
    }

    /// Makes a file in a place where it is not a wallet yet.
    fn draft(
        place: &Path,
        network: Network,
        flags: WalletFlags,
        lock: File,
    ) -> Result<WalletFile, FileError> {
        make_draft_directory(place)?;
        let mut id = WalletId::default();
        OsRng.fill_bytes(&mut id);
        let first: Vec<(Vec<u8>, Vec<u8>)> = [
            (SCHEMA_KEY, SCHEMA.to_le_bytes().to_vec()),
            (NETWORK_KEY, network_row(network)),
            (ID_KEY, id.to_vec()),
            (FLAGS_KEY, flags.bits().to_le_bytes().to_vec()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_vec(), rows::seal(Table::Meta, key, &value).to_vec()))
        .collect();
        let env = environment::open(place)?;
        let rows = environment::tables(&env, place, Some(&first))?.ok_or_else(|| cut(place))?;
        Ok(WalletFile {
            directory: place.to_path_buf(),
            network,
            id,
            rows,
            env,
            made: Made::default(),
            _lock: lock,
        })
    }

    /// Opens the wallet's file in a directory.
    ///
    /// # Errors
    ///
    /// [`FileError::NoWallet`], [`FileError::InUse`], [`FileError::OtherNetwork`], [`FileError::NewerSchema`], damage
    /// ([`FileError::is_of_contents`]).
    pub fn open(directory: &Path, network: Network) -> Result<WalletFile, FileError> {
        if !environment::data_path(directory).is_file() {
            return Err(FileError::NoWallet {
                path: directory.to_path_buf(),
            });
        }
        let lock = lock::take(directory)?;
        WalletFile::open_locked(directory, network, lock)
    }

    /// Opens the wallet's file in a directory whose lock is held.
    fn open_locked(
        directory: &Path,
        network: Network,
        lock: File,
    ) -> Result<WalletFile, FileError> {
        if environment::look(directory)? != DataFile::Whole {
            return Err(cut(directory));
        }
        match remove_drafts(directory) {
            // Somebody else's: in the way of a rewriting, but not of the wallet as it is.
            Err(error @ FileError::InTheWay { .. }) => {
                tracing::warn!(%error, "the wallet can be used, but not encrypted");
            }
            removed => removed?,
        }
        let env = environment::open(directory)?;
        let rows = environment::tables(&env, directory, None)?.ok_or_else(|| cut(directory))?;
        let mut file = WalletFile {
            directory: directory.to_path_buf(),
            network,
            id: WalletId::default(),
            rows,
            env,
            made: Made::default(),
            _lock: lock,
        };
        file.id = file.check()?;
        Ok(file)
    }

    /// Looks at schema and network; returns the wallet's id.
    fn check(&self) -> Result<WalletId, FileError> {
        let reading = self.read()?;
        let schema = reading.meta(SCHEMA_KEY, |source| source.u32())?;
        if schema > SCHEMA {
            return Err(FileError::NewerSchema {
                path: self.directory.clone(),
                found: schema,
                known: SCHEMA,
            });
        }
        let found = reading.meta(NETWORK_KEY, |source| Ok(source.rest().to_vec()))?;
        if found != network_row(self.network) {
            let name = found.len().saturating_sub(32);
            return Err(FileError::OtherNetwork {
                path: self.directory.clone(),
                found: String::from_utf8_lossy(&found[..name]).into_owned(),
                wanted: self.network.to_string(),
            });
        }
        reading.meta(ID_KEY, |source| source.array())
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What was made for it in this run, to be undone where it does not become a wallet.
    pub(crate) fn made(&self) -> Made {
        self.made
    }

    /// The network that it was made for.
    pub fn network(&self) -> Network {
        self.network
    }

    /// What the secrets in it are tied to.
    pub fn id(&self) -> WalletId {
        self.id
    }

    /// A view of the file as it is now.
    pub fn read(&self) -> Result<Reading<'_>, FileError> {
        let transaction = self
            .env
            .read_txn()
            .map_err(|error| environment::explain(&self.directory, error))?;
        Ok(Reading {
            directory: &self.directory,
            rows: &self.rows,
            transaction,
        })
    }

    /// Does one step: what `step` puts and deletes is on the disk, synced, when this returns `Ok`, and nothing of it otherwise.
    /// One step at a time; others wait.
    ///
    /// # Errors
    ///
    /// What `step` returns; errors of the disk.
    pub fn write<T, E: From<FileError>>(
        &self,
        step: impl FnOnce(&mut Step<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let explain = |error| environment::explain(&self.directory, error);
        let transaction = self.env.write_txn().map_err(explain)?;
        let mut writing = Step {
            directory: &self.directory,
            rows: &self.rows,
            transaction,
        };
        let done = step(&mut writing)?;
        writing.transaction.commit().map_err(explain)?;
        Ok(done)
    }

    /// What the wallet was made to be.
    pub fn flags(&self) -> Result<WalletFlags, FileError> {
        self.read()?
            .meta(FLAGS_KEY, |source| source.u64())
            .map(WalletFlags::from_bits)
    }
}

impl Reading<'_> {
    /// A row of `meta` that every wallet has.
    fn meta<T>(
        &self,
        key: &[u8],
        read: impl FnOnce(&mut Source<'_>) -> Result<T, Malformed>,
    ) -> Result<T, FileError> {
        let value = self
            .get(Table::Meta, key)?
            .ok_or_else(|| self.damaged(Table::Meta, key, "it is missing"))?;
        let mut source = Source::new(value);
        read(&mut source)
            .and_then(|item| source.end().map(|()| item))
            .map_err(|why| self.damaged(Table::Meta, key, why.to_string()))
    }
}

impl Step<'_> {
    /// Changes what the wallet is.
    pub fn put_flags(&mut self, flags: WalletFlags) -> Result<(), FileError> {
        self.put(Table::Meta, FLAGS_KEY, &flags.bits().to_le_bytes())
    }
}

/// The row that says which network the wallet is for.
fn network_row(network: Network) -> Vec<u8> {
    let mut row = network.to_string().into_bytes();
    row.extend_from_slice(&genesis_block(network).block_hash().to_byte_array());
    row
}

/// Makes a directory for its owner only, and those above it; says whether it was not there yet.
pub(crate) fn make_directory(directory: &Path) -> Result<bool, FileError> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    let made = match builder.create(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            builder.recursive(true).create(directory)
        }
        made => made,
    };
    match made {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(false),
        Err(error) => Err(file_error(directory, "creating the directory", error)),
    }
}

/// A second hold on a directory's lock: until what was made in it is gone, should it come to that.
fn share(lock: &File, directory: &Path) -> Result<File, FileError> {
    lock.try_clone()
        .map_err(|error| file_error(directory, "sharing its lock", error))
}

/// What a file without a wallet in it is.
fn cut(directory: &Path) -> FileError {
    let path = environment::data_path(directory);
    let length = std::fs::metadata(&path).map_or(0, |data| data.len());
    FileError::Cut { path, length }
}

/// Makes the names in a directory durable, and its own.
fn sync_with_parent(directory: &Path) -> Result<(), FileError> {
    sync_directory(directory)?;
    match directory.parent().filter(|parent| parent.is_dir()) {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

/// Makes the names in a directory as durable as the files themselves.
fn sync_directory(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| file_error(path, "syncing it", error))
}

/// What fills a wallet's file with nothing.
#[cfg(test)]
pub(crate) fn as_it_is(_: &mut WalletFile) -> Result<(), FileError> {
    Ok(())
}

#[cfg(test)]
mod tests;
