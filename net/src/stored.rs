//! Owns how a small file is replaced as a whole, and what becomes of one that cannot be read.
//! Promises that after a crash the old file or the new one is there, and that a damaged one is kept for who wants to look.
//! Refuses to know what is in it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Replaces a file: the bytes go to a file beside it, to the disk, and under its name.
///
/// # Errors
///
/// What the system says; the file is as it was.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = with_suffix(path, ".new");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
        // What is left of it is of no use; that it may stay is no second error.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    // The name is on the disk with its directory. Not every system opens one, and none needs it to be correct.
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Ok(directory) = File::open(directory.unwrap_or(Path::new("."))) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// The bytes of a file of at most `limit` bytes; `None` if there is none.
///
/// # Errors
///
/// What the system says, and [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(bytes))
}

/// Renames a damaged file to `NAME.damaged`, in place of an earlier one, and gives its new name.
///
/// # Errors
///
/// What the system says.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = with_suffix(path, ".damaged");
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Sets a damaged file aside and says so in the log; what follows goes on without it.
pub(crate) fn give_up(path: &Path, reason: &dyn std::fmt::Display) {
    match set_aside(path) {
        Ok(aside) => tracing::warn!(
            file = %path.display(), %reason, kept = %aside.display(),
            "a file is damaged; it was set aside, and the node goes on without it"
        ),
        Err(error) => tracing::warn!(
            file = %path.display(), %reason, %error,
            "a file is damaged and could not be set aside; it will be replaced"
        ),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_set_aside_when_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.dat");
        assert_eq!(read(&path, 9).unwrap(), None);
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path, 3).unwrap(), Some(b"two".to_vec()));
        assert_eq!(
            read(&path, 2).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        give_up(&path, &"a test");
        assert_eq!(read(&path, 3).unwrap(), None);
        assert_eq!(
            fs::read(directory.path().join("a.dat.damaged")).unwrap(),
            b"two"
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(replace(&directory.path().join("none/a.dat"), b"one").is_err());
    }
}
