//! Owns the manifest of a snapshot: what it is of, and which files it has. JSON, for other programs to read.
//! Promises that one that is read names no file outside of its snapshot.
//! Refuses later formats, and files that are not as long as it says.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use everett_ledger::Params;
use everett_ledger::store::CopiedFile;
use serde::{Deserialize, Serialize};

use super::error::io_error;
use super::{MANIFEST, PARTS, SnapshotsError, TABLES};

/// The format that this program writes, and the latest that it reads.
const FORMAT: u32 = 1;
/// Largest manifest that is read, in bytes: a chain of a terabyte has 8,000 block files with a hundred bytes here each.
const MAX_BYTES: u64 = 16 << 20;
/// Worlds that are listed in a manifest, the best ones.
pub(super) const MAX_WORLDS: usize = 1_000;

/// What a snapshot is of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotManifest {
    /// The format of all this: 1.
    pub format: u32,
    /// The name that it was saved under.
    pub name: String,
    /// The network's name.
    pub network: String,
    /// The network's magic, in hexadecimal: signets of one's own share their name and genesis block.
    pub magic: String,
    /// The version of the program that wrote it.
    pub everett: String,
    /// When it was saved, in unix seconds.
    pub created: u64,
    /// The best block's hash.
    pub best_hash: String,
    /// The best block's height.
    pub best_height: u32,
    /// How many tips there are.
    pub world_count: usize,
    /// The tips, the best one first; at most a thousand.
    pub worlds: Vec<ManifestWorld>,
    /// The sequence that the next event gets.
    pub next_event: u64,
    /// The names of those who follow events, whose cursors are in the ledger.
    pub subscribers: Vec<String>,
    /// Transactions that waited for a block; none of a node that had not taken its file yet.
    pub mempool_transactions: Option<usize>,
    /// The wallets.
    pub wallets: Vec<ManifestWallet>,
    /// Wallets of the node that are not in the snapshot, because their files could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Bytes of all files.
    pub bytes: u64,
    /// The files.
    pub files: Vec<ManifestFile>,
}

/// A world of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestWorld {
    /// Its tip's hash.
    pub hash: String,
    /// Its tip's height.
    pub height: u32,
    /// `active`, `valid-fork`, `valid-headers`, `headers-only` or `invalid`, as Bitcoin Core's `getchaintips` says.
    pub status: String,
}

/// A wallet of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestWallet {
    /// Its name; empty for the one without.
    pub name: String,
    /// Whether it was open.
    pub open: bool,
}

/// A wallet that is not in a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why its file could not be read.
    pub why: String,
}

/// A file of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path in the snapshot.
    pub name: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The CRC-32 of its bytes, in hexadecimal; none of a block file that was shared rather than copied, because that was not read.
    pub crc32: Option<String>,
}

impl From<CopiedFile> for ManifestFile {
    fn from(file: CopiedFile) -> ManifestFile {
        ManifestFile {
            name: file.name,
            bytes: file.bytes,
            crc32: file.crc32.map(|crc32| format!("{crc32:08x}")),
        }
    }
}

impl ManifestFile {
    /// A file below a directory, read to its end.
    pub(super) fn measure(directory: &Path, name: &Path) -> Result<ManifestFile, SnapshotsError> {
        let path = directory.join(name);
        let (bytes, crc32) = read_through(&path)?;
        Ok(ManifestFile {
            name: name.to_path_buf(),
            bytes,
            crc32: Some(format!("{crc32:08x}")),
        })
    }
}

/// A file's length and CRC-32.
pub(super) fn read_through(path: &Path) -> Result<(u64, u32), SnapshotsError> {
    let failed = |error| io_error(path, "reading it", error);
    let mut file = File::open(path).map_err(failed)?;
    let mut crc32 = crc32fast::Hasher::new();
    let mut chunk = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match file.read(&mut chunk).map_err(failed)? {
            0 => return Ok((bytes, crc32.finalize())),
            read => {
                crc32.update(&chunk[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// A network's magic as manifests have it.
pub(super) fn magic(params: &Params) -> String {
    params
        .magic
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl SnapshotManifest {
    pub(super) const FORMAT: u32 = FORMAT;

    /// Reads the manifest of the snapshot in a directory.
    pub(super) fn read(name: &str, directory: &Path) -> Result<SnapshotManifest, SnapshotsError> {
        let path = directory.join(MANIFEST);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(match directory.is_dir() {
                    true => damaged(name, "it has no manifest.json"),
                    false => SnapshotsError::Unknown {
                        name: name.to_owned(),
                        directory: directory.parent().unwrap_or(directory).to_path_buf(),
                    },
                });
            }
            file => file.map_err(|error| io_error(&path, "opening it", error))?,
        };
        let mut text = Vec::new();
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut text);
        read.map_err(|error| io_error(&path, "reading it", error))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(damaged(
                name,
                format!("manifest.json has more than {MAX_BYTES} bytes"),
            ));
        }
        /// What every format has.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let broken = |error: serde_json::Error| damaged(name, format!("manifest.json: {error}"));
        let Format { format } = serde_json::from_slice(&text).map_err(broken)?;
        if format > FORMAT {
            return Err(SnapshotsError::NewerFormat {
                name: name.to_owned(),
                found: format,
                known: FORMAT,
            });
        }
        let manifest: SnapshotManifest = serde_json::from_slice(&text).map_err(broken)?;
        for file in &manifest.files {
            let mut parts = file.name.components();
            let known = match parts.next() {
                Some(Component::Normal(first)) => PARTS.iter().any(|part| first == *part),
                _ => false,
            };
            if !known || !parts.all(|part| matches!(part, Component::Normal(_))) {
                let what = format!("manifest.json names a file {}", file.name.display());
                return Err(damaged(name, what));
            }
        }
        if !manifest
            .files
            .iter()
            .any(|file| file.name == Path::new(TABLES))
        {
            return Err(damaged(name, "manifest.json names no ledger"));
        }
        Ok(manifest)
    }

    /// Writes it into a snapshot's directory, and brings it to the disk.
    pub(super) fn write(&self, directory: &Path) -> Result<(), SnapshotsError> {
        let path = directory.join(MANIFEST);
        let failed = |error| io_error(&path, "writing it", error);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// Refuses files that are not there, or not as long as they were.
    pub(super) fn check_files(&self, name: &str, directory: &Path) -> Result<(), SnapshotsError> {
        for file in &self.files {
            let shown = file.name.display();
            match fs::metadata(directory.join(&file.name)) {
                Ok(data) if data.len() == file.bytes => {}
                Ok(data) => {
                    let (found, wanted) = (data.len(), file.bytes);
                    let what = format!("{shown} has {found} bytes instead of {wanted}");
                    return Err(damaged(name, what));
                }
                Err(error) => return Err(damaged(name, format!("{shown}: {error}"))),
            }
        }
        Ok(())
    }

    /// Refuses another network.
    pub(super) fn check_network(&self, params: &Params) -> Result<(), SnapshotsError> {
        if self.magic == magic(params) {
            return Ok(());
        }
        Err(SnapshotsError::OtherNetwork {
            name: self.name.clone(),
            found: self.network.clone(),
            wanted: params.network.to_string(),
        })
    }
}

pub(super) fn damaged(name: &str, detail: impl Into<String>) -> SnapshotsError {
    SnapshotsError::Damaged {
        name: name.to_owned(),
        detail: detail.into(),
    }
}
