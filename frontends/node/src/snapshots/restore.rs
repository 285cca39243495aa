//! Owns how a data directory becomes what a snapshot has.
//! Promises that a crash leaves the old data, the new data, or a directory that is refused until restoring is run again; and
//! that what was there is moved aside, never deleted.
//! Refuses a directory that somebody writes to, and one with data unless it is told to.
//!
//! ```text
//! DIRECTORY/.restoring/…         the new files, until they are all on the disk
//! DIRECTORY/.restoring/moving    the name of the directory to which the old ones go: from now on there is no way back
//! DIRECTORY/.restoring/placing   the old ones are there: the new ones take their places
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use everett_ledger::Params;
use everett_ledger::store::lock_directory;

use super::error::io_error;
use super::fill::fill;
use super::{
    PARTS, SnapshotManifest, Snapshots, SnapshotsError, Told, make_directory, mempool_file, remove,
    sync,
};

const RESTORING: &str = ".restoring";
const MOVING: &str = "moving";
const PLACING: &str = "placing";
/// Directories that old data was moved to, at most.
const MAX_ASIDE: usize = 10_000;

/// What became of a data directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// What is there now.
    pub manifest: SnapshotManifest,
    /// Where the old data went, if there was any.
    pub aside: Option<PathBuf>,
}

/// What is being restored, as the mark says it: a name on each line.
struct Switch {
    name: String,
    /// The directory for the old data in the data directory; empty where there was none.
    aside: String,
}

impl Switch {
    fn aside(&self, directory: &Path) -> Option<PathBuf> {
        (!self.aside.is_empty()).then(|| directory.join(&self.aside))
    }

    fn read(path: &Path) -> Result<Option<Switch>, SnapshotsError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| io_error(path, "reading it", error))?,
        };
        let mut lines = text.lines().map(str::to_owned);
        Ok(Some(Switch {
            name: lines.next().unwrap_or_default(),
            aside: lines.next().unwrap_or_default(),
        }))
    }

    /// Whole or not at all, also after the power fails.
    fn mark(&self, path: &Path) -> Result<(), SnapshotsError> {
        let draft = path.with_extension("new");
        let write = || {
            let mut file = fs::File::create(&draft)?;
            write!(file, "{}\n{}\n", self.name, self.aside)?;
            file.sync_all()?;
            fs::rename(&draft, path)
        };
        write().map_err(|error| io_error(path, "writing it", error))?;
        sync(path.parent().unwrap_or(path))
    }
}

impl Snapshots {
    /// Makes `directory` what a snapshot has. With `force` what is there is moved to `replaced-N` in it.
    ///
    /// # Errors
    ///
    /// [`SnapshotsError`]; unless it is [`SnapshotsError::HalfRestored`], the directory is as it was.
    pub fn restore(
        &self,
        name: &str,
        directory: &Path,
        params: &Params,
        force: bool,
        told: Told<'_>,
    ) -> Result<Restored, SnapshotsError> {
        let (manifest, _held) = self.hold(name, params)?;
        make_directory(directory)?;
        let _lock = lock_directory(directory)?;
        // One that has begun to move files is brought to its end first: what it was to restore is whole.
        if let Some(earlier) = finish_switch(directory)?
            && earlier.name == name
        {
            return Ok(Restored {
                manifest,
                aside: earlier.aside(directory),
            });
        }
        let data = PARTS.iter().any(|part| place(directory, part).exists());
        if data && !force {
            return Err(SnapshotsError::NotEmpty {
                path: directory.to_path_buf(),
            });
        }
        let new = directory.join(RESTORING);
        remove(&new)?;
        make_directory(&new)?;
        let source = self.path(name)?;
        let filled = fill(&manifest, &source, &new, true, told).and_then(|()| sync(&new));
        if let Err(error) = filled {
            // What is left of it is of no use, and in nobody's way.
            let _ = remove(&new);
            return Err(error);
        }
        let aside = match data {
            true => next_aside(directory)?,
            false => String::new(),
        };
        let switch = Switch {
            name: name.to_owned(),
            aside,
        };
        switch.mark(&new.join(MOVING))?;
        finish_switch(directory).map_err(|error| {
            tracing::error!(%error, "restoring stopped between the old data and the new");
            SnapshotsError::HalfRestored {
                path: directory.to_path_buf(),
            }
        })?;
        Ok(Restored {
            manifest,
            aside: switch.aside(directory),
        })
    }
}

/// Refuses a data directory in which restoring was interrupted when it had begun to move files.
///
/// # Errors
///
/// [`SnapshotsError::HalfRestored`].
pub fn refuse_half_restored(directory: &Path) -> Result<(), SnapshotsError> {
    let new = directory.join(RESTORING);
    match new.join(MOVING).exists() || new.join(PLACING).exists() {
        false => Ok(()),
        true => Err(SnapshotsError::HalfRestored {
            path: directory.to_path_buf(),
        }),
    }
}

/// Moves the old files aside and the new ones into their places, as far as that is still to be done.
fn finish_switch(directory: &Path) -> Result<Option<Switch>, SnapshotsError> {
    let new = directory.join(RESTORING);
    let (moving, placing) = (new.join(MOVING), new.join(PLACING));
    if let Some(switch) = Switch::read(&moving)? {
        let aside = directory.join(&switch.aside);
        for part in PARTS {
            let old = place(directory, part);
            if old.exists() {
                make_directory(&aside)?;
                rename(&old, &aside.join(part))?;
            }
        }
        // LMDB's readers of the old file; it is made anew.
        remove(&directory.join("lock.mdb"))?;
        if aside != directory {
            sync(&aside)?;
        }
        sync(directory)?;
        rename(&moving, &placing)?;
        sync(&new)?;
    }
    let switch = Switch::read(&placing)?;
    if switch.is_some() {
        for part in PARTS {
            let from = new.join(part);
            if from.exists() {
                rename(&from, &place(directory, part))?;
            }
        }
        sync(directory)?;
        remove(&placing)?;
        remove(&new)?;
    }
    Ok(switch)
}

/// Where a part belongs.
fn place(directory: &Path, part: &str) -> PathBuf {
    match part {
        "mempool.dat" => mempool_file(directory),
        part => directory.join(part),
    }
}

/// A directory that is not there yet, by its name.
fn next_aside(directory: &Path) -> Result<String, SnapshotsError> {
    let mut names = (1..=MAX_ASIDE).map(|number| format!("replaced-{number}"));
    names
        .find(|name| !directory.join(name).exists())
        .ok_or_else(|| {
            let full = io::Error::from(io::ErrorKind::AlreadyExists);
            io_error(&directory.join("replaced-1"), "moving old data aside", full)
        })
}

fn rename(from: &Path, to: &Path) -> Result<(), SnapshotsError> {
    fs::rename(from, to).map_err(|error| io_error(from, "moving it", error))
}
