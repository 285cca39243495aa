//! Owns the lock file that keeps a second opening of a wallet out.
//! Promises that the lock goes with the process, however it ends.
//! Refuses a wallet that another process, or this one, has open.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{FileError, file_error};

/// The file's name in the wallet's directory.
const LOCK_FILE: &str = "wallet.lock";
/// A lock that was given up may linger for a moment, in a process that is just being started from this one.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Where the lock file of a directory lies.
pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(LOCK_FILE)
}

/// Takes the lock; it is held until the file is closed.
pub(super) fn take(directory: &Path) -> Result<File, FileError> {
    let path = path(directory);
    for attempt in 1..=ATTEMPTS {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| file_error(&path, "opening it", error))?;
        match file.try_lock() {
            // Who undoes a wallet that did not become one removes the file while it is locked: then it is no lock of anything.
            Ok(()) if is_at(&file, &path) => return Ok(file),
            Ok(()) | Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => {
                std::thread::sleep(PAUSE);
            }
            Ok(()) | Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(file_error(&path, "locking it", error)),
        }
    }
    Err(FileError::InUse { path })
}

/// Whether a path still leads to an open file.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}
