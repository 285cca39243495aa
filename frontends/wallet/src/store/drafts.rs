//! Owns what lies in a wallet's directory while something is written that is to become its file.
//! Promises that what was interrupted is in nobody's way.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::error::{FileError, file_error};

/// Where the file of a new wallet is written.
pub(super) const CREATE: &str = "create";
/// Where a new file is written that is to take the place of the wallet's. Not where that was made: LMDB knows it by that name
/// for as long as it is open.
pub(super) const REWRITE: &str = "rewrite";
/// Where a backup is copied to that is to become the wallet's file.
pub(super) const RESTORE: &str = "restore";

/// Makes a directory for a file that is not the wallet's yet.
pub(super) fn make_draft_directory(place: &Path) -> Result<(), FileError> {
    DirBuilder::new()
        .mode(0o700)
        .create(place)
        .map_err(|error| file_error(place, "creating the directory", error))
}

/// Removes what an interrupted making, rewriting or restoring left.
pub(super) fn remove_drafts(directory: &Path) -> Result<(), FileError> {
    let draft = directory.join(RESTORE);
    let removed = [CREATE, REWRITE]
        .map(|name| directory.join(name))
        .map(|place| (std::fs::remove_dir_all(&place), place))
        .into_iter()
        .chain([(std::fs::remove_file(&draft), draft)]);
    for (removed, place) in removed {
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(file_error(&place, "removing it", error));
            }
            _ => {}
        }
    }
    Ok(())
}
