//! Owns the look at LMDB's file before it is mapped.
//! Promises that a file which is cut short or is no LMDB file is an error, not a signal.
//! Refuses to repair anything.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::{file_error, is_full};
use super::{Access, StoreError};

/// What a look at the file found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DataFile {
    /// There is none, or an empty one that LMDB may make its own.
    Absent,
    /// It can be mapped.
    Whole,
}

impl DataFile {
    pub(super) fn check(path: &Path, _access: Access) -> Result<DataFile, StoreError> {
        match File::open(path) {
            Ok(file) => match file.metadata() {
                Ok(data) if data.len() == 0 => Ok(DataFile::Absent),
                Ok(_) => Ok(DataFile::Whole),
                Err(error) => Err(file_error(path, "looking at it", error)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DataFile::Absent),
            Err(error) => Err(file_error(path, "opening it", error)),
        }
    }
}

/// Whether `error`, an I/O error of LMDB, stands for a file that cannot grow: tries it.
pub(super) fn cannot_grow(path: &Path, error: &io::Error) -> bool {
    const EIO: i32 = 5;
    const PROBE: usize = 1024 * 1024;
    if error.raw_os_error() != Some(EIO) {
        return false;
    }
    let probe = || {
        let file = OpenOptions::new().write(true).open(path)?;
        let length = file.metadata()?.len();
        // Behind the end there is nothing that a transaction refers to.
        let written = file.write_all_at(&vec![0; PROBE], length);
        file.set_len(length)?;
        written
    };
    probe().is_err_and(|error| is_full(&error))
}
