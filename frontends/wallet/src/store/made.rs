//! Owns what was made for a wallet on the disk before it is one.
//! Promises that undoing removes that and nothing else.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use super::drafts::remove_drafts;
use super::error::FileError;
use super::{environment, lock};

/// What was made for a wallet, which goes again where it does not become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Made {
    /// The wallet's file.
    pub(super) file: bool,
    /// Its directory too.
    pub(super) directory: bool,
}

impl Made {
    /// Takes the lock of a directory that was perhaps made; where that fails for want of room, the directory goes again.
    pub(super) fn lock(self, directory: &Path) -> Result<File, FileError> {
        let taken = lock::take(directory);
        let is_held = matches!(taken, Ok(_) | Err(FileError::InUse { .. }));
        if self.directory && !is_held {
            // Of nobody's making but ours; with somebody else's files in it, it stays.
            let _ = std::fs::remove_dir(directory);
        }
        taken
    }

    /// Removes what was made, and nothing else; not if somebody has the wallet open by now.
    pub(crate) fn undo(self, directory: &Path) {
        if self.file
            && let Ok(lock) = lock::take(directory)
        {
            self.undo_locked(directory, lock);
        }
    }

    /// Removes what was made in a directory whose lock is held. What cannot be removed is told.
    pub(super) fn undo_locked(self, directory: &Path, lock: File) {
        let failed = |path: &Path, error: &dyn std::error::Error| {
            tracing::warn!(path = %path.display(), %error, "a wallet was not made, but this is left of it");
        };
        match remove_drafts(directory) {
            // It was there before, and is perhaps why the wallet was not made.
            Ok(()) | Err(FileError::InTheWay { .. }) => {}
            Err(error) => failed(directory, &error),
        }
        let mut files = Vec::new();
        if self.file {
            files.extend([
                environment::data_path(directory),
                environment::readers_path(directory),
            ]);
        }
        if self.directory {
            // Last: who comes now makes another one, and the directory stays.
            files.push(lock::path(directory));
        }
        let there = |error: &std::io::Error| error.kind() != ErrorKind::NotFound;
        for path in files {
            if let Err(error) = std::fs::remove_file(&path)
                && there(&error)
            {
                failed(&path, &error);
            }
        }
        if self.directory {
            // With other files in it, somebody else's, it stays.
            let _ = std::fs::remove_dir(directory);
        }
        drop(lock);
    }
}
