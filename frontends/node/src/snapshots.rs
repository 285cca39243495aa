//! Owns the snapshots of a node: saved while it runs, listed, restored, copied to be thrown away, deleted.
//! Promises that a snapshot is of one moment for blocks, worlds, cursors, mempool and wallets, and that one is listed as whole
//! only if it was written to its end and is on the disk.
//! Refuses names that lead out of its directory, and to write over anything that has data.
//!
//! ```text
//! SNAPSHOTS/NAME/manifest.json                              what it is of, and its files with their lengths
//! SNAPSHOTS/NAME/{data.mdb,blocks/…,wallets/…,mempool.dat,…}   a data directory
//! SNAPSHOTS/.saving-NAME, .deleting-NAME                    on the way; swept by the next one that saves or deletes
//! SNAPSHOTS/.copies/c…                                      data directories of nodes that are thrown away; swept, too
//! SNAPSHOTS/.lock                                           held by the one that saves or deletes
//! ```

mod error;
mod fill;
mod manifest;
mod restore;
mod save;
mod throw_away;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use everett_ledger::Params;

pub use error::SnapshotsError;
use error::io_error;
pub use manifest::{LeftOut, ManifestFile, ManifestWallet, ManifestWorld, SnapshotManifest};
pub use restore::{Restored, refuse_half_restored};
pub use save::Parts;
pub use throw_away::ThrowAway;

/// The directory of snapshots in a data directory.
pub const SNAPSHOTS: &str = "snapshots";
/// Most snapshots that one directory holds.
pub const MAX_SNAPSHOTS: usize = 1_000;
/// Longest name, in characters.
pub const MAX_SNAPSHOT_NAME: usize = 64;

/// Files and directories of a data directory that a snapshot has, beside the manifest; the ledger's tables last, for what
/// has none is no ledger.
const PARTS: [&str; 8] = [
    "blocks",
    "wallets",
    "mempool.dat",
    FEES,
    "peers.dat",
    "banlist.json",
    "anchors.dat",
    TABLES,
];
/// What is known of fees; it lies beside the mempool.
const FEES: &str = "fee_estimates.dat";
/// The ledger's tables in a data directory.
const TABLES: &str = "data.mdb";
const MANIFEST: &str = "manifest.json";
const LOCK: &str = ".lock";
const SAVING: &str = ".saving-";
const DELETING: &str = ".deleting-";

/// How far a snapshot has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SnapshotProgress {
    /// Bytes that are done.
    pub done: u64,
    /// Bytes that there are, about.
    pub total: u64,
}

/// Is told how far it is; says whether to go on.
pub type Told<'a> = &'a mut dyn FnMut(SnapshotProgress) -> bool;

/// A directory of snapshots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshots {
    directory: PathBuf,
}

/// A snapshot in a list.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it is of, or why that cannot be said.
    pub manifest: Result<SnapshotManifest, SnapshotsError>,
}

impl Snapshots {
    /// Those of a data directory.
    pub fn of(data_directory: &Path) -> Snapshots {
        Snapshots::at(data_directory.join(SNAPSHOTS))
    }

    /// Those in this directory, which is made when the first one is saved.
    pub fn at(directory: impl Into<PathBuf>) -> Snapshots {
        Snapshots {
            directory: directory.into(),
        }
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// All of them, by name. Those that are being saved are not among them.
    ///
    /// # Errors
    ///
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, SnapshotsError> {
        let mut listed = Vec::new();
        for entry in self.entries()? {
            if let Ok(name) = check_name(&entry)
                && self.directory.join(name).is_dir()
            {
                listed.push(Listed {
                    name: name.to_owned(),
                    manifest: self.get(name),
                });
            }
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed.truncate(MAX_SNAPSHOTS);
        Ok(listed)
    }

    /// What a snapshot is of. All its files are looked at: whether they are there, and as long as they were.
    ///
    /// # Errors
    ///
    /// [`SnapshotsError::BadName`], [`SnapshotsError::Unknown`], [`SnapshotsError::NewerFormat`], [`SnapshotsError::Damaged`].
    pub fn get(&self, name: &str) -> Result<SnapshotManifest, SnapshotsError> {
        let path = self.path(name)?;
        let manifest = SnapshotManifest::read(name, &path)?;
        manifest.check_files(name, &path)?;
        Ok(manifest)
    }

    /// Deletes a snapshot.
    ///
    /// # Errors
    ///
    /// [`SnapshotsError::Unknown`], [`SnapshotsError::InUse`] while somebody copies from it, [`SnapshotsError::Busy`].
    pub fn delete(&self, name: &str) -> Result<(), SnapshotsError> {
        let path = self.path(name)?;
        if !path.is_dir() {
            return Err(self.unknown(name));
        }
        let _turn = self.take_turn()?;
        // One without a manifest nobody copies from.
        let in_use = File::open(path.join(MANIFEST)).ok();
        if let Some(Err(TryLockError::WouldBlock)) = in_use.as_ref().map(File::try_lock) {
            return Err(SnapshotsError::InUse {
                name: name.to_owned(),
            });
        }
        // First out of sight: what is left of it by a crash is no snapshot.
        let gone = self.directory.join(format!("{DELETING}{name}"));
        remove(&gone)?;
        fs::rename(&path, &gone).map_err(|error| io_error(&path, "renaming it", error))?;
        sync(&self.directory)?;
        remove(&gone)
    }

    /// Where a snapshot of this name is, or would be.
    ///
    /// # Errors
    ///
    /// [`SnapshotsError::BadName`].
    pub fn path(&self, name: &str) -> Result<PathBuf, SnapshotsError> {
        Ok(self.directory.join(check_name(name)?))
    }

    fn unknown(&self, name: &str) -> SnapshotsError {
        SnapshotsError::Unknown {
            name: name.to_owned(),
            directory: self.directory.clone(),
        }
    }

    /// A snapshot that is whole and of this network, with what keeps it from being deleted.
    fn hold(
        &self,
        name: &str,
        params: &Params,
    ) -> Result<(SnapshotManifest, File), SnapshotsError> {
        let path = self.path(name)?;
        let manifest_path = path.join(MANIFEST);
        let held = match File::open(&manifest_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_dir() => {
                return Err(self.unknown(name));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error(&manifest_path, "opening it", error)),
            Ok(file) => Some(file),
        };
        if let Some(Err(TryLockError::WouldBlock)) = held.as_ref().map(File::try_lock_shared) {
            return Err(self.unknown(name));
        }
        let manifest = self.get(name)?;
        manifest.check_network(params)?;
        let held = held.ok_or_else(|| self.unknown(name))?;
        Ok((manifest, held))
    }

    /// The names of everything in the directory.
    fn entries(&self) -> Result<Vec<String>, SnapshotsError> {
        let failed = |error| io_error(&self.directory, "listing it", error);
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // One whose name is no text is none of ours.
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        Ok(names)
    }

    /// Becomes the one that saves or deletes, and removes what others left halfway.
    fn take_turn(&self) -> Result<File, SnapshotsError> {
        make_directory(&self.directory)?;
        let turn = lock(&self.directory.join(LOCK))?.ok_or_else(|| SnapshotsError::Busy {
            directory: self.directory.clone(),
        })?;
        for entry in self.entries()? {
            if entry.starts_with(SAVING) || entry.starts_with(DELETING) {
                tracing::info!(entry, "removing what was left of a snapshot");
                remove(&self.directory.join(entry))?;
            }
        }
        Ok(turn)
    }
}

/// A name that a snapshot can have.
fn check_name(name: &str) -> Result<&str, SnapshotsError> {
    let bad = |why| SnapshotsError::BadName {
        name: name.chars().take(2 * MAX_SNAPSHOT_NAME).collect(),
        why,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name {
        "" => Err(bad("it is empty")),
        _ if name.len() > MAX_SNAPSHOT_NAME => Err(bad("it is longer than 64 characters")),
        _ if !name.chars().all(plain) => Err(bad("it has other characters than a-z A-Z 0-9 . _ -")),
        _ if name.starts_with(['.', '-']) => Err(bad("it begins with a dot or a dash")),
        _ => Ok(name),
    }
}

/// Takes the lock of a file, which is made if it is not there; `None` while somebody else has it.
fn lock(path: &Path) -> Result<Option<File>, SnapshotsError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| io_error(path, "opening it", error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(io_error(path, "locking it", error)),
    }
}

/// Makes a directory for its owner alone, and those above it, if it is not there.
fn make_directory(path: &Path) -> Result<(), SnapshotsError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| io_error(path, "creating the directory", error))
}

/// Removes a file or a directory with all in it, if it is there.
fn remove(path: &Path) -> Result<(), SnapshotsError> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error(path, "removing it", error))
        }
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> Result<(), SnapshotsError> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|error| io_error(directory, "syncing it", error))
}

/// Where a data directory has its mempool: beside it, where it lies in one that is laid out as Bitcoin Core's.
pub fn mempool_file(data_directory: &Path) -> PathBuf {
    const MEMPOOL: &str = "mempool.dat";
    let core = data_directory.parent().filter(|parent| {
        data_directory
            .file_name()
            .is_some_and(|name| name == "everett")
            && parent.join(".lock").is_file()
    });
    core.unwrap_or(data_directory).join(MEMPOOL)
}

#[cfg(test)]
mod tests;
