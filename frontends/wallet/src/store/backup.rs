//! Owns copies of a wallet's file: written while it is used, and made a wallet again.
//! Promises that a copy is whole or not there, and for its owner's eyes alone.
//! Refuses to write over anything, unless that is what was asked for.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bitcoin::Network;
use bitcoin::secp256k1::rand::{RngCore, rngs::OsRng};
use everett_ledger::store::{DataFile, cannot_grow};
use heed::CompactionOption;
use zeroize::Zeroizing;

use super::drafts::{RESTORE, make_draft_directory, put_in_place, refuse_another, remove_drafts};
use super::error::{FileError, file_error};
use super::made::Made;
use super::{WalletFile, environment, make_directory, share, sync_directory, sync_with_parent};

/// So many bytes of a backup are copied at a time.
const CHUNK: usize = 64 << 10;

impl WalletFile {
    /// Writes a copy of the wallet's file as it is now, compacted and synced, for its owner's eyes alone; the wallet stays
    /// usable.
    /// A directory with the copy as its `data.mdb` is a wallet.
    ///
    /// # Errors
    ///
    /// Errors of the disk; a file that is there already is not overwritten ([`FileError::Exists`]).
    pub fn backup(&self, path: &Path) -> Result<(), FileError> {
        let exists = || FileError::Exists {
            path: path.to_path_buf(),
        };
        if path.symlink_metadata().is_ok() {
            return Err(exists());
        }
        self.copy_to(path, |draft| match std::fs::hard_link(draft, path) {
            Ok(()) => {
                if let Err(error) = std::fs::remove_file(draft) {
                    tracing::warn!(
                        path = %draft.display(), %error,
                        "the backup is written, but has this name too, which can be removed"
                    );
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists()),
            // A file system whose files have one name each.
            Err(_) if path.symlink_metadata().is_ok() => Err(exists()),
            Err(_) => std::fs::rename(draft, path).map_err(|error| failed(path, error)),
        })
    }

    /// The same; a file that is there is replaced by the copy when that is whole.
    ///
    /// # Errors
    ///
    /// Errors of the disk. What was there is there then.
    pub fn backup_over(&self, path: &Path) -> Result<(), FileError> {
        self.copy_to(path, |draft| {
            std::fs::rename(draft, path).map_err(|error| failed(path, error))
        })
    }

    /// Writes a copy beside a path, under a name that nobody else has, and gives it that name then.
    fn copy_to(
        &self,
        path: &Path,
        name: impl FnOnce(&Path) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let mut draft = OsString::from(path);
        draft.push(format!(".{:016x}.new", OsRng.next_u64()));
        let draft = PathBuf::from(draft);
        let mut copy = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(|error| failed(path, error))?;
        let copied = self
            .env
            .copy_to_file(&mut copy, CompactionOption::Enabled)
            .map_err(|error| match error {
                // LMDB answers a write that the disk cut short with EIO.
                heed::Error::Io(error) if cannot_grow(&draft, &error) => FileError::full(path),
                heed::Error::Io(error) => failed(path, error),
                of_the_wallet => environment::explain(&self.directory, of_the_wallet),
            })
            .and_then(|()| copy.sync_all().map_err(|error| failed(path, error)))
            .and_then(|()| name(&draft));
        if copied.is_err() {
            let _ = std::fs::remove_file(&draft);
            return copied;
        }
        // The copy is there. Not every file system of a stick or a server can sync a directory.
        let parent = path.parent().filter(|parent| parent.is_dir());
        if let Some(Err(error)) = parent.map(sync_directory) {
            tracing::warn!(%error, "the backup is written, but its name may not outlast a power failure");
        }
        Ok(())
    }

    /// Makes a wallet's directory from a backup, and opens it.
    ///
    /// # Errors
    ///
    /// [`FileError::Exists`] where there is a wallet; [`FileError::InTheWay`]; [`FileError::DamagedBackup`] and others that name the
    /// backup where that is at fault; errors of the disk. All that was made is gone again then.
    pub fn restore(
        backup: &Path,
        directory: &Path,
        network: Network,
    ) -> Result<WalletFile, FileError> {
        refuse_another(directory)?;
        check(backup)?;
        let mut made = Made {
            file: false,
            directory: make_directory(directory)?,
        };
        let lock = made.lock(directory)?;
        let held = share(&lock, directory)?;
        let opened = copy_into(backup, directory, &mut made)
            .and_then(|()| WalletFile::open_locked(directory, network, lock));
        match opened {
            Ok(mut file) => {
                file.made = made;
                Ok(file)
            }
            Err(error) => {
                made.undo_locked(directory, held);
                Err(error.of_backup(backup))
            }
        }
    }
}

/// The error of a backup that was not written: it names the backup, not what it was written to first.
fn failed(path: &Path, error: io::Error) -> FileError {
    file_error(path, "writing the backup", error)
}

/// Looks at a backup before anything is made of it.
fn check(backup: &Path) -> Result<(), FileError> {
    let length = std::fs::metadata(backup)
        .map_err(|error| file_error(backup, "looking at the backup", error))?
        .len();
    let found = environment::look_at(backup).map_err(|error| error.of_backup(backup))?;
    match found {
        DataFile::Whole => Ok(()),
        DataFile::Absent | DataFile::Unfinished => Err(FileError::Cut {
            path: backup.to_path_buf(),
            length,
        }
        .of_backup(backup)),
    }
}

/// Copies a backup to where a wallet's file belongs, in a directory whose lock is held: whole, or not at all.
fn copy_into(backup: &Path, directory: &Path, made: &mut Made) -> Result<(), FileError> {
    // Another one may have come before the lock was taken.
    refuse_another(directory)?;
    remove_drafts(directory)?;
    let place = directory.join(RESTORE);
    make_draft_directory(&place)?;
    let draft = environment::data_path(&place);
    // It is gone when its owner reads of it: the file that it was to become is named.
    let data = environment::data_path(directory);
    let written = |error| file_error(&data, "writing it", error);
    let mut to = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(written)?;
    copy_bytes(backup, &mut to, written)?;
    to.sync_all().map_err(written)?;
    put_in_place(&place, directory)?;
    made.file = true;
    sync_with_parent(directory)
}

/// Copies all bytes of a backup. Which of the two files is at fault is told apart: they may lie on different disks.
fn copy_bytes(
    backup: &Path,
    to: &mut File,
    written: impl Fn(io::Error) -> FileError,
) -> Result<(), FileError> {
    let read = |error| file_error(backup, "reading the backup", error);
    let mut from = File::open(backup).map_err(read)?;
    // It may hold keys.
    let mut chunk = Zeroizing::new(vec![0; CHUNK]);
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&chunk[..length]).map_err(&written)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(read(error)),
        }
    }
}
