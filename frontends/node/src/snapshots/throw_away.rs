//! Owns data directories that are copies of a snapshot, each for one node, and go away with it.
//! Promises that they share with the snapshot what the file system can share, and that those of processes that were killed
//! are removed by the next one that is made.
//! Refuses to touch one that is in use.

use std::fs::File;
use std::path::{Path, PathBuf};

use everett_ledger::Params;

use super::error::io_error;
use super::fill::fill;
use super::{
    LOCK, SnapshotManifest, Snapshots, SnapshotsError, Told, lock, make_directory, remove,
};

/// Where they lie, beside the snapshots: so that the file system can share.
const COPIES: &str = ".copies";
/// Held in each by its process.
const HELD: &str = "copy.lock";
/// How often it is waited for somebody else who makes or sweeps one, a hundredth of a second each.
const MAX_WAITS: u32 = 1_000;

/// A data directory that goes away when this is dropped.
#[derive(Debug)]
pub struct ThrowAway {
    directory: PathBuf,
    _held: File,
}

impl ThrowAway {
    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.directory) {
            tracing::warn!(%error, "a copy of a snapshot could not be removed; the next one that is made does it");
        }
    }
}

impl Snapshots {
    /// Makes a data directory out of a snapshot.
    ///
    /// # Errors
    ///
    /// [`SnapshotsError`]; nothing is left then.
    pub fn throw_away(
        &self,
        name: &str,
        params: &Params,
        told: Told<'_>,
    ) -> Result<(ThrowAway, SnapshotManifest), SnapshotsError> {
        let (manifest, _held) = self.hold(name, params)?;
        let copies = self.directory.join(COPIES);
        make_directory(&copies)?;
        let copy = {
            let _turn = turn(&copies.join(LOCK))?;
            sweep(&copies);
            let made = tempfile::Builder::new()
                // Short: the names of sockets in it have to fit into 108 bytes.
                .prefix("c")
                .tempdir_in(&copies)
                .map_err(|error| io_error(&copies, "making a directory in it", error))?;
            let held = lock(&made.path().join(HELD))?.ok_or_else(|| SnapshotsError::Busy {
                directory: copies.clone(),
            })?;
            ThrowAway {
                directory: made.keep(),
                _held: held,
            }
        };
        let source = self.path(name)?;
        fill(&manifest, &source, &copy.directory, false, told)?;
        Ok((copy, manifest))
    }
}

/// Waits for its turn.
fn turn(path: &Path) -> Result<File, SnapshotsError> {
    for _ in 0..MAX_WAITS {
        if let Some(turn) = lock(path)? {
            return Ok(turn);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(SnapshotsError::Busy {
        directory: path.to_path_buf(),
    })
}

/// Removes those that nobody holds. What cannot be removed is in nobody's way.
fn sweep(copies: &Path) {
    let Ok(entries) = std::fs::read_dir(copies) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        if let Ok(Some(_stale)) = lock(&path.join(HELD)) {
            tracing::info!(path = %path.display(), "removing a copy of a snapshot that nobody uses");
            if let Err(error) = remove(&path) {
                tracing::warn!(%error, "it could not be removed");
            }
        }
    }
}
