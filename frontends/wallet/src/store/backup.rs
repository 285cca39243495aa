//! Owns copies of a wallet's file: written while it is used, and made a wallet again.
//! Promises that a copy is whole or not there, and for its owner's eyes alone.
//! Refuses to write over anything.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bitcoin::Network;
use heed::CompactionOption;

use super::error::{FileError, file_error};
use super::made::Made;
use super::{WalletFile, environment, lock, make_directory, sync_directory};

/// Where a backup is copied to that is to become the wallet's file.
const RESTORE: &str = "restore";

impl WalletFile {
    /// Writes a copy of the wallet's file as it is now, compacted and synced, for its owner's eyes alone; the wallet stays
    /// usable.
    /// A directory with the copy as its `data.mdb` is a wallet.
    ///
    /// # Errors
    ///
    /// Errors of the disk; a file that is there already is not overwritten ([`FileError::Exists`]).
    pub fn backup(&self, path: &Path) -> Result<(), FileError> {
        let failed = |doing, error| file_error(path, doing, error);
        let mut copy = match File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(copy) => copy,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(FileError::Exists {
                    path: path.to_path_buf(),
                });
            }
            Err(error) => return Err(failed("making the backup", error)),
        };
        let copied = self
            .env
            .copy_to_file(&mut copy, CompactionOption::Enabled)
            .map_err(|error| environment::explain(&self.directory, error))
            .and_then(|()| copy.sync_all().map_err(|error| failed("syncing it", error)));
        if copied.is_err() {
            let _ = std::fs::remove_file(path);
        }
        copied
    }

    /// Makes a wallet's directory from a backup, and opens it.
    ///
    /// # Errors
    ///
    /// [`FileError::Exists`] where there is a wallet; those of [`WalletFile::open`], after which all that was made is gone again.
    pub fn restore(
        backup: &Path,
        directory: &Path,
        network: Network,
    ) -> Result<WalletFile, FileError> {
        refuse_another(directory)?;
        let mut made = Made {
            file: false,
            directory: make_directory(directory)?,
        };
        let lock = lock::take(directory)?;
        let failed = |error| file_error(directory, "sharing its lock", error);
        // Held until what was made is gone, should it come to that.
        let held = lock.try_clone().map_err(failed)?;
        let opened = copy_into(backup, directory, &mut made)
            .and_then(|()| WalletFile::open_locked(directory, network, lock));
        match opened {
            Ok(mut file) => {
                file.made = made;
                Ok(file)
            }
            Err(error) => {
                made.undo_locked(directory, held);
                Err(error)
            }
        }
    }
}

/// Refuses a directory that has a wallet.
fn refuse_another(directory: &Path) -> Result<(), FileError> {
    match environment::data_path(directory).exists() {
        true => Err(FileError::Exists {
            path: directory.to_path_buf(),
        }),
        false => Ok(()),
    }
}

/// Copies a backup to where a wallet's file belongs, in a directory whose lock is held: whole, or not at all.
fn copy_into(backup: &Path, directory: &Path, made: &mut Made) -> Result<(), FileError> {
    // Another one may have come before the lock was taken.
    refuse_another(directory)?;
    let data = environment::data_path(directory);
    remove_draft(directory)?;
    let draft = directory.join(RESTORE);
    let copy = || {
        let mut from = File::open(backup)?;
        let mut to = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        std::io::copy(&mut from, &mut to)?;
        to.sync_all()?;
        std::fs::rename(&draft, &data)
    };
    if let Err(error) = copy() {
        let _ = std::fs::remove_file(&draft);
        return Err(file_error(backup, "copying the backup", error));
    }
    made.file = true;
    sync_directory(directory)?;
    match directory.parent().filter(|parent| parent.is_dir()) {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

/// Removes what an interrupted restoring left.
pub(super) fn remove_draft(directory: &Path) -> Result<(), FileError> {
    let draft = directory.join(RESTORE);
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(file_error(&draft, "removing it", error))
        }
        _ => Ok(()),
    }
}
