//! Owns how the files of a snapshot get into a data directory.
//! Promises that nothing is shared that a node may write: full block files alone, which never change.
//! Refuses bytes that are not those that were saved, as far as they are read.

use std::fs::File;
use std::path::Path;

use everett_ledger::store::{clone_file, copy_file, share};

use super::error::io_error;
use super::manifest::{ManifestFile, damaged, read_through};
use super::{SnapshotManifest, SnapshotProgress, SnapshotsError, Told, make_directory, sync};

/// Brings all files of the snapshot in `source` to the directory `target`. `thorough`: also those that need not be read to be
/// there are read, and held against what was saved.
pub(super) fn fill(
    manifest: &SnapshotManifest,
    source: &Path,
    target: &Path,
    thorough: bool,
    told: Told<'_>,
) -> Result<(), SnapshotsError> {
    let blocks = manifest.files.iter().filter(|file| is_block_file(file));
    // It goes on being written.
    let last = blocks.map(|file| &file.name).max();
    let mut progress = SnapshotProgress {
        done: 0,
        total: manifest.bytes,
    };
    for file in &manifest.files {
        let (from, to) = (source.join(&file.name), target.join(&file.name));
        if let Some(parent) = to.parent() {
            make_directory(parent)?;
        }
        let open = File::open(&from).map_err(|error| io_error(&from, "opening it", error))?;
        let shared = match is_block_file(file) && Some(&file.name) != last {
            true => share(&from, &open, &to, file.bytes)?.is_some(),
            false => clone_file(&open, &to, file.bytes)?,
        };
        let found = match shared {
            true if thorough && file.crc32.is_some() => Some(read_through(&to)?.1),
            true => None,
            false => {
                let mut done = |bytes| {
                    progress.done += bytes;
                    told(progress)
                };
                let copied = copy_file(&open, &to, file.bytes, &mut done)?;
                copied.crc32
            }
        };
        if shared {
            progress.done += file.bytes;
            if !told(progress) {
                return Err(SnapshotsError::Cancelled);
            }
        }
        let found = found.map(|crc32| format!("{crc32:08x}"));
        if let (Some(found), Some(wanted)) = (found, &file.crc32)
            && found != *wanted
        {
            let detail = format!("{} is not what was saved", file.name.display());
            return Err(damaged(&manifest.name, detail));
        }
    }
    let mut directories: Vec<&Path> = (manifest.files.iter())
        .flat_map(|file| file.name.ancestors().skip(1))
        .collect();
    directories.sort_unstable();
    directories.dedup();
    for directory in directories {
        sync(&target.join(directory))?;
    }
    Ok(())
}

fn is_block_file(file: &ManifestFile) -> bool {
    file.name.starts_with("blocks")
}
