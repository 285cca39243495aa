//! Owns the lock file that keeps a second opening of a wallet out.
//! Promises that the lock goes with the process, however it ends.
//! Refuses a wallet that another process, or this one, has open.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::error::{FileError, file_error};

/// The file's name in the wallet's directory.
const LOCK_FILE: &str = "wallet.lock";
/// A lock that was given up may linger for a moment, in a process that is just being started from this one.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock; it is held until the file is closed.
pub(super) fn take(directory: &Path) -> Result<File, FileError> {
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
    Err(FileError::InUse { path })
}
