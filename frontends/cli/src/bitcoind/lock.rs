//! Owns `.lock`, by which one process at a time has a data directory: Core's file, and Core's kind of lock.
//! Promises that neither a second Everett nor Core starts beside us, nor we beside Core.
//! Refuses to wait.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock};

use super::failure::InitError;

/// The file.
const NAME: &str = ".lock";

/// The lock, for as long as this lives; the file stays, as Core's does.
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// Somebody has it, or the directory cannot be written.
    pub(crate) fn take(directory: &Path) -> Result<Lock, InitError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let file = options.open(directory.join(NAME)).map_err(|_| {
            InitError::new(format!(
                "Cannot write to directory '{}'; check permissions.",
                directory.display()
            ))
        })?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(_) => Err(InitError::new(format!(
                "Cannot obtain a lock on directory {}. Everett is probably already running.",
                directory.display()
            ))),
        }
    }
}
