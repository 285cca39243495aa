//! Owns the lock file that keeps a second writer out.
//! Promises that the lock goes with the process, however it ends.
//! Refuses a directory that another store has open for writing.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::StoreError;
use super::error::file_error;

/// The file's name in the data directory.
const LOCK_FILE: &str = "writer.lock";

/// A lock that was given up may linger for a moment: a process that is just being started from this one holds a copy
/// of the file until it runs its own program.
const ATTEMPTS: u32 = 25;
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock of a data directory, as every writer does; it is held until the file is closed.
///
/// # Errors
///
/// [`StoreError::InUse`] where somebody has it, and what the disk does.
pub fn take(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| file_error(&path, "opening it", error))?;
    for attempt in 1..=ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(file_error(&path, "locking it", error)),
        }
    }
    Err(StoreError::InUse { path })
}
