//! Owns what lies in a wallet's directory while something is written that is to become its file.
//! Promises that what was interrupted is in nobody's way.
//! Refuses to remove anything but what was written there: the directory may be somebody's who has more in it than a wallet.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::environment;
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

/// Gives a draft's file the name of the wallet's. The draft's own name may be left, until the drafts are removed.
///
/// # Errors
///
/// [`FileError::Exists`] where a file of that name has come meanwhile: it is not overwritten. Errors of the disk.
pub(super) fn put_in_place(place: &Path, directory: &Path) -> Result<(), FileError> {
    let (draft, data) = (
        environment::data_path(place),
        environment::data_path(directory),
    );
    match std::fs::hard_link(&draft, &data) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(FileError::Exists {
            path: directory.to_path_buf(),
        }),
        // A file system whose files have one name each: a look is all that can be done.
        Err(_) => {
            refuse_another(directory)?;
            std::fs::rename(&draft, &data)
                .map_err(|error| file_error(&data, "putting the new file there", error))
        }
    }
}

/// Refuses a directory that has a wallet, or what is left of one, and one that cannot be looked at.
pub(super) fn refuse_another(directory: &Path) -> Result<(), FileError> {
    let data = environment::data_path(directory);
    match data.symlink_metadata() {
        Ok(_) => Err(FileError::Exists {
            path: directory.to_path_buf(),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(file_error(
            &data,
            "looking whether there is a wallet",
            error,
        )),
    }
}

/// Removes what an interrupted making, rewriting or restoring left.
///
/// # Errors
///
/// [`FileError::InTheWay`] where something else has the name of a draft: it is left as it is. Errors of the disk. The other drafts
/// are gone then.
pub(super) fn remove_drafts(directory: &Path) -> Result<(), FileError> {
    let removed = [CREATE, REWRITE, RESTORE].map(|name| remove_draft(&directory.join(name)));
    removed.into_iter().collect()
}

/// Removes a draft's directory with LMDB's files in it, if that is all that is there.
fn remove_draft(place: &Path) -> Result<(), FileError> {
    let in_the_way = || FileError::InTheWay {
        path: place.to_path_buf(),
    };
    let unseen = |error| file_error(place, "looking at it", error);
    match place.symlink_metadata() {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(in_the_way()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unseen(error)),
    }
    let ours = [
        environment::data_path(place),
        environment::readers_path(place),
    ];
    // First all of it: of a directory that is somebody else's nothing goes, not even what has a name of ours.
    for entry in std::fs::read_dir(place).map_err(unseen)? {
        let entry = entry.map_err(unseen)?;
        let is_file = entry.file_type().map_err(unseen)?.is_file();
        if !is_file || !ours.contains(&entry.path()) {
            return Err(in_the_way());
        }
    }
    for path in ours {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(file_error(&path, "removing it", error));
            }
            _ => {}
        }
    }
    std::fs::remove_dir(place).map_err(|error| match error.kind() {
        ErrorKind::DirectoryNotEmpty => in_the_way(),
        _ => file_error(place, "removing it", error),
    })
}
