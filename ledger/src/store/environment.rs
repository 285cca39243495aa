//! Owns how LMDB's environment is opened: the one place with unsafe code.
//! Promises that the file was looked at before LMDB maps it, so that damage is an error and no signal.
//! Refuses every flag that trades durability for speed (`MDB_NOSYNC`, `MDB_WRITEMAP`, …).

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use heed::{Env, EnvFlags, EnvOpenOptions, WithoutTls};

use super::error::file_error;
use super::lmdb::Errors;
use super::{Access, StoreConfig, StoreError};

/// How many tables LMDB must make room for; some are left for later schemas.
const MAX_TABLES: u32 = 32;

/// How many read transactions there may be at once, of all threads and processes.
const MAX_READERS: u32 = 2048;

/// Map sizes are rounded up to this many bytes: a multiple of every page size in use.
const MAP_GRAIN: usize = 64 * 1024;

/// LMDB's file in a data directory.
pub(super) fn data_path(directory: &Path) -> PathBuf {
    directory.join("data.mdb")
}

/// Opens the environment in the data directory, creating it for a writer.
///
/// A reader that may not write LMDB's lock file goes without: then nothing tells a writer that it
/// reads, so that is meant for read-only disks and snapshots.
pub(super) fn open(
    config: &StoreConfig,
    directory: &Path,
    errors: &Errors,
) -> Result<Env<WithoutTls>, StoreError> {
    if config.access == Access::Writer {
        refuse_if_open_here(directory)?;
        reserve_lock_file(&directory.join("lock.mdb"), MAX_READERS)?;
    }
    let map = |flags| map(config, directory, flags);
    let opened = match config.access {
        Access::Writer => map(EnvFlags::empty()),
        Access::Reader => match map(EnvFlags::READ_ONLY) {
            Err(heed::Error::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                map(EnvFlags::READ_ONLY | EnvFlags::NO_LOCK)
            }
            opened => opened,
        },
    };
    let env = opened.map_err(|error| errors.explain(error))?;
    // Slots of readers that were killed would keep old pages alive.
    if config.access == Access::Writer {
        env.clear_stale_readers()
            .map_err(|error| errors.explain(error))?;
    }
    Ok(env)
}

/// LMDB's lock on its lock file belongs to the process and goes with the first descriptor of that file to be closed: with
/// the environment open already, its readers would lose their protection.
fn refuse_if_open_here(directory: &Path) -> Result<(), StoreError> {
    let canonical = directory
        .canonicalize()
        .map_err(|error| file_error(directory, "looking at it", error))?;
    match heed::env_closing_event(canonical) {
        None => Ok(()),
        Some(_) => Err(StoreError::InUse {
            path: directory.to_path_buf(),
        }),
    }
}

/// LMDB maps its lock file and writes into it: where the disk has no room for a page of it, that is SIGBUS. So all of
/// it gets its room before, for `readers` at once, if the file system can do that.
///
/// # Errors
///
/// [`StoreError`] with the file: it cannot be made, or there is no room for it.
pub fn reserve_lock_file(path: &Path, readers: u32) -> Result<(), StoreError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| file_error(path, "opening it", error))?;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        // A reader's slot is a cache line; LMDB's own head is less than a page.
        let length = u64::from(readers) * 64 + 4096;
        match fallocate(&file, FallocateFlags::empty(), 0, length) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(error) => return Err(file_error(path, "reserving its room", error.into())),
        }
    }
    drop(file);
    Ok(())
}

#[allow(unsafe_code)]
fn map(config: &StoreConfig, directory: &Path, flags: EnvFlags) -> heed::Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.max_readers(MAX_READERS).max_dbs(MAX_TABLES);
    if config.access == Access::Writer {
        options.map_size(config.map_size.next_multiple_of(MAP_GRAIN));
    }
    // SAFETY: LMDB maps the file, and it is undefined what happens when something else changes it
    // meanwhile. Nothing does: a writer holds the lock file of the directory, other writers are
    // refused, readers map read-only and only LMDB itself writes the file. NO_LOCK is used only
    // where the lock file cannot be written, with READ_ONLY. No flag weakens syncing.
    unsafe {
        options.flags(flags);
        options.open(directory)
    }
}
