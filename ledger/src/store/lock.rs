//! Owns the lock file that keeps a second writer out.
//! Promises that the lock goes with the process, however it ends.
//! Refuses a directory that another store has open for writing.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::StoreError;
use super::error::file_error;

/// The file's name in the data directory.
const LOCK_FILE: &str = "writer.lock";

/// Takes the lock; it is held until the file is closed.
pub(super) fn take(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| file_error(&path, "opening it", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(error)) => Err(file_error(&path, "locking it", error)),
    }
}
