//! Owns how a snapshot is taken of a node that runs, or of one that does not.
//! Promises one moment: no block is committed, and no wallet changes, from when the ledger's copy begins until the mempool's
//! list is made and the open wallets are copied; the rest is copied while the node goes on.
//! Refuses to leave anything behind when it fails.
//!
//! ```text
//!   writers wait ─> cursors saved ─> LMDB's copy begins, block files shared
//!                   wallets catch up ─> stand still ─> mempool listed ─> wallets copied
//!   writers go on ─> LMDB's copy, last block file, mempool, peers ─> manifest ─> disk ─> its name
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use everett_ledger::Ledger;
use everett_ledger::store::copy_file;
use everett_mempool::{Kept, Mempool};
use everett_wallet::{FileError, WalletError, Wallets};
use tracing::{info, warn};

use super::error::io_error;
use super::manifest::{LeftOut, MAX_WORLDS, ManifestFile, ManifestWallet, ManifestWorld, magic};
use super::{
    FEES, MAX_SNAPSHOTS, SAVING, SnapshotManifest, SnapshotProgress, Snapshots, SnapshotsError,
    TABLES, Told, make_directory, remove, sync,
};
use crate::handle::Handle;
use crate::peers::Peers;

/// How often wallets and mempool are looked at until they agree.
const MAX_LOOKS: usize = 100;
/// Which wallets are opened at the start.
const OPENED: &str = "opened-at-start";
/// What is known of peers.
const PEERS: [&str; 3] = ["peers.dat", "banlist.json", "anchors.dat"];

/// What a snapshot is taken of.
pub struct Parts<'a> {
    /// The ledger, opened for writing.
    pub ledger: &'a Ledger,
    /// What waits for a block.
    pub mempool: &'a Mempool,
    /// Where the mempool is kept; taken from there as long as the mempool has not taken it itself.
    pub mempool_file: Option<&'a Path>,
    /// The wallets, open or not.
    pub wallets: Option<&'a Wallets>,
    /// The network, which is asked to write down what it knows.
    pub peers: Option<&'a dyn Peers>,
}

/// What was seen in the one moment.
struct Moment {
    kept: Option<Kept>,
    best_hash: String,
    best_height: u32,
    worlds: Vec<ManifestWorld>,
    world_count: usize,
    next_event: u64,
    subscribers: Vec<String>,
    /// The open wallets, which are copied.
    wallets: Vec<String>,
}

/// A snapshot on its way; gone again when it is dropped.
struct Draft {
    path: PathBuf,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            warn!(%error, "what was begun of a snapshot could not be removed; the next one does it");
        }
    }
}

impl Handle {
    /// Saves a snapshot of the node; see [`Snapshots::save`]. Blocks for as long as that takes, and is called off when the
    /// node stops.
    ///
    /// # Errors
    ///
    /// As there, and [`SnapshotsError::InMemory`].
    pub fn save_snapshot(
        &self,
        name: &str,
        told: Told<'_>,
    ) -> Result<SnapshotManifest, SnapshotsError> {
        let snapshots = self.snapshots().ok_or(SnapshotsError::InMemory)?;
        let peers = self.peers();
        let parts = Parts {
            ledger: self.ledger(),
            mempool: self.mempool(),
            mempool_file: self.mempool_file(),
            wallets: self.wallets(),
            peers: peers.as_deref(),
        };
        let mut told = |progress| !self.shutdown().is_given() && told(progress);
        snapshots.save(name, &parts, &mut told)
    }
}

impl Snapshots {
    /// Saves a snapshot of all parts as they are at one moment. They go on while it is written.
    ///
    /// # Errors
    ///
    /// [`SnapshotsError`]; nothing is left then.
    pub fn save(
        &self,
        name: &str,
        parts: &Parts<'_>,
        told: Told<'_>,
    ) -> Result<SnapshotManifest, SnapshotsError> {
        let path = self.path(name)?;
        let _turn = self.take_turn()?;
        if path.exists() {
            return Err(SnapshotsError::Exists {
                name: name.to_owned(),
            });
        }
        if self.list()?.len() >= MAX_SNAPSHOTS {
            return Err(SnapshotsError::TooMany {
                limit: MAX_SNAPSHOTS,
                directory: self.directory.clone(),
            });
        }
        let draft = Draft {
            path: self.directory.join(format!("{SAVING}{name}")),
        };
        make_directory(&draft.path)?;
        let manifest = fill(&draft.path, name, parts, told)?;
        manifest.write(&draft.path)?;
        sync(&draft.path)?;
        fs::rename(&draft.path, &path).map_err(|error| io_error(&path, "naming it", error))?;
        sync(&self.directory)?;
        info!(
            name,
            bytes = manifest.bytes,
            height = manifest.best_height,
            "saved a snapshot"
        );
        Ok(manifest)
    }
}

fn fill(
    draft: &Path,
    name: &str,
    parts: &Parts<'_>,
    told: Told<'_>,
) -> Result<SnapshotManifest, SnapshotsError> {
    if let Some(wallets) = parts.wallets {
        // Most of their work is done while nobody waits for it; who cannot follow is told of below.
        let _ = wallets.catch_up();
    }
    let begin = || parts.ledger.begin_copy(draft, || moment(draft, parts));
    let (copy, moment) = parts.mempool.while_none_are_undone(begin)?;
    let mut progress = SnapshotProgress {
        done: 0,
        total: copy.bytes(),
    };
    let copied = copy.finish(&mut |bytes| {
        progress.done += bytes;
        told(progress)
    })?;
    let mut files = Vec::with_capacity(copied.len());
    for file in copied {
        files.push(
            match file.name == Path::new(TABLES) && file.crc32.is_none() {
                // Cloned without being read; what all else depends on is worth the time.
                true => ManifestFile::measure(draft, &file.name)?,
                false => file.into(),
            },
        );
    }
    let mempool_transactions = moment.kept.as_ref().map(Kept::len);
    if save_fees(draft, parts, moment.kept.is_some())? {
        files.push(ManifestFile::measure(draft, Path::new(FEES))?);
    }
    if save_mempool(draft, parts, moment.kept)? {
        files.push(ManifestFile::measure(draft, Path::new("mempool.dat"))?);
    }
    let (wallets, left_out) = match parts.wallets {
        Some(wallets) => save_wallets(draft, wallets, &moment.wallets, &mut files)?,
        None => (Vec::new(), Vec::new()),
    };
    if let Some(peers) = parts.peers {
        peers.save();
    }
    if let Some(directory) = parts.ledger.place().directory() {
        for name in PEERS {
            if copy_if_there(&directory.join(name), &draft.join(name))? {
                files.push(ManifestFile::measure(draft, Path::new(name))?);
            }
        }
    }
    let params = parts.ledger.params();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(SnapshotManifest {
        format: SnapshotManifest::FORMAT,
        name: name.to_owned(),
        network: params.network.to_string(),
        magic: magic(params),
        everett: env!("CARGO_PKG_VERSION").to_owned(),
        created: now.map_or(0, |now| now.as_secs()),
        best_hash: moment.best_hash,
        best_height: moment.best_height,
        world_count: moment.world_count,
        worlds: moment.worlds,
        next_event: moment.next_event,
        subscribers: moment.subscribers,
        mempool_transactions,
        wallets,
        left_out,
        bytes: files.iter().map(|file| file.bytes).sum(),
        files,
    })
}

/// What there is while nobody writes to the ledger; the open wallets are copied in it.
fn moment(draft: &Path, parts: &Parts<'_>) -> Result<Moment, SnapshotsError> {
    let Parts {
        ledger, mempool, ..
    } = parts;
    let (kept, wallets) = match parts.wallets {
        Some(wallets) => settle(draft, ledger, mempool, wallets)?,
        None => (mempool.kept()?, Vec::new()),
    };
    let tips = ledger.tips();
    let best = ledger.best();
    let worlds = tips.iter().take(MAX_WORLDS).map(|tip| ManifestWorld {
        hash: tip.hash.to_string(),
        height: tip.height,
        status: tip.status.as_str().to_owned(),
    });
    let subscribers = ledger.subscribers()?.into_iter();
    Ok(Moment {
        kept: Some(kept).filter(|_| mempool.is_loaded()),
        best_hash: best.hash().to_string(),
        best_height: best.height(),
        world_count: tips.len(),
        worlds: worlds.collect(),
        next_event: *ledger.event_seq().borrow(),
        subscribers: subscribers.map(|subscriber| subscriber.name).collect(),
        wallets,
    })
}

/// Waits until all open wallets have seen what the mempool has, and copies them before that changes.
fn settle(
    draft: &Path,
    ledger: &Ledger,
    mempool: &Mempool,
    wallets: &Wallets,
) -> Result<(Kept, Vec<String>), SnapshotsError> {
    for _ in 0..MAX_LOOKS {
        let mut lame: Vec<String> = Vec::new();
        for wallet in wallets.list() {
            if let Err(error) = wallet.catch_up() {
                // Taken as it is: it does not follow anyway.
                warn!(wallet = wallet.name(), %error, "a wallet does not follow, and is saved as it is");
                lame.push(wallet.name().to_owned());
            }
        }
        let copied = wallets.while_still(|still| {
            let kept = mempool.kept()?;
            let agree = |wallet: &everett_wallet::Still<'_>| {
                lame.iter().any(|name| name == wallet.name())
                    || wallet.has_seen(ledger, kept.change_number)
            };
            if !still.iter().all(agree) {
                return Ok(None);
            }
            let mut names = Vec::with_capacity(still.len());
            for wallet in still {
                wallet.backup(&wallet_file(draft, wallets, wallet.name())?)?;
                names.push(wallet.name().to_owned());
            }
            Ok::<_, SnapshotsError>(Some((kept, names)))
        })?;
        if let Some(copied) = copied {
            return Ok(copied);
        }
    }
    Err(SnapshotsError::NotSettled { looks: MAX_LOOKS })
}

/// Where a wallet's file goes, in a directory that is made for it.
fn wallet_file(draft: &Path, wallets: &Wallets, name: &str) -> Result<PathBuf, SnapshotsError> {
    let place = draft.join(wallet_directory(wallets, name)?);
    make_directory(&place)?;
    Ok(place.join("data.mdb"))
}

/// A wallet's directory in a data directory.
fn wallet_directory(wallets: &Wallets, name: &str) -> Result<PathBuf, SnapshotsError> {
    let path = wallets.path(name)?;
    Ok(Path::new("wallets").join(path.file_name().unwrap_or_default()))
}

/// Copies the wallets that are not open, and says which there are, and which could not be read: a file that was damaged long
/// ago is no reason to have no snapshot of all the rest.
fn save_wallets(
    draft: &Path,
    wallets: &Wallets,
    open: &[String],
    files: &mut Vec<ManifestFile>,
) -> Result<(Vec<ManifestWallet>, Vec<LeftOut>), SnapshotsError> {
    let mut names = wallets.names()?;
    // One whose file was deleted under it.
    names.extend(
        open.iter()
            .filter(|name| !names.contains(name))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let mut saved = Vec::with_capacity(names.len());
    let mut left_out = Vec::new();
    for name in names {
        let is_open = open.contains(&name);
        if !is_open {
            let path = wallet_file(draft, wallets, &name)?;
            match wallets.backup_closed(&name, &path) {
                // Opened since the moment: it may have seen more, which a ledger without that takes no notice of.
                Err(WalletError::File(FileError::InUse { path: lock })) => {
                    let in_use = || WalletError::File(FileError::InUse { path: lock });
                    wallets.get(&name).ok_or_else(in_use)?.backup(&path)?;
                }
                // Deleted since it was listed.
                Err(WalletError::File(FileError::NoWallet { path: place }))
                    if !place.join("data.mdb").exists() =>
                {
                    remove(&draft.join(wallet_directory(wallets, &name)?))?;
                    continue;
                }
                Err(error) if is_unreadable(&error) => {
                    warn!(wallet = name, %error, "a wallet cannot be read, and is left out of the snapshot");
                    remove(&draft.join(wallet_directory(wallets, &name)?))?;
                    left_out.push(LeftOut {
                        name,
                        why: error.to_string(),
                    });
                    continue;
                }
                done => done?,
            }
        }
        let directory = wallet_directory(wallets, &name)?;
        files.push(ManifestFile::measure(draft, &directory.join("data.mdb"))?);
        sync(&draft.join(&directory))?;
        saved.push(ManifestWallet {
            name,
            open: is_open,
        });
    }
    let marked = Path::new("wallets").join(OPENED);
    if !saved.is_empty()
        && copy_if_there(
            &wallets.config().directory.join(OPENED),
            &draft.join(&marked),
        )?
    {
        files.push(ManifestFile::measure(draft, &marked)?);
    }
    if !saved.is_empty() {
        sync(&draft.join("wallets"))?;
    }
    Ok((saved, left_out))
}

/// Whether it is the wallet's own file that is at fault, and not the place where it was to be copied.
fn is_unreadable(error: &WalletError) -> bool {
    match error {
        // A file in which no wallet ever came to be.
        WalletError::File(FileError::NoWallet { .. }) => true,
        WalletError::File(error) => error.is_of_contents(),
        _ => false,
    }
}

/// Writes what waited, or copies the file of a node that has not taken it yet; whether there is one then.
fn save_mempool(
    draft: &Path,
    parts: &Parts<'_>,
    kept: Option<Kept>,
) -> Result<bool, SnapshotsError> {
    let path = draft.join("mempool.dat");
    match (kept, parts.mempool_file) {
        (Some(kept), _) => kept
            .write(&path)
            .map(|_| true)
            .map_err(SnapshotsError::from),
        (None, Some(file)) => copy_if_there(file, &path),
        (None, None) => Ok(false),
    }
}

/// Writes what is known of fees, or copies the file of a node that does not run; whether there is one then. It says nothing of
/// any one block, so that a moment more or less is all the same.
fn save_fees(draft: &Path, parts: &Parts<'_>, runs: bool) -> Result<bool, SnapshotsError> {
    let path = draft.join(FEES);
    match (runs, parts.mempool_file) {
        (true, _) => {
            parts.mempool.save_fees(&path, false)?;
            Ok(true)
        }
        (false, Some(mempool)) => copy_if_there(&mempool.with_file_name(FEES), &path),
        (false, None) => Ok(false),
    }
}

/// Copies a small file that is only ever replaced as a whole.
fn copy_if_there(from: &Path, to: &Path) -> Result<bool, SnapshotsError> {
    let file = match fs::File::open(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file.map_err(|error| io_error(from, "opening it", error))?,
    };
    let data = file.metadata();
    let length = data.map_err(|error| io_error(from, "looking at it", error))?;
    copy_file(&file, to, length.len(), &mut |_| true)?;
    Ok(true)
}
