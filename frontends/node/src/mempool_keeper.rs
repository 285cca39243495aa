//! Owns what the mempool needs of the node: it is taken from its file, moved when the best world changes, rid of what waited
//! too long, and written to its file at the end, as is what it knows of fees, each hour as well.
//! Promises that a file is written over only after it was read.
//! Refuses to judge: what is let in is for the mempool to say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use everett_mempool::{FeesKept, LoadOptions, Mempool, PersistError};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::handle::Handle;

/// How often it is looked what waited too long.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);

/// How often what is known of fees is written.
const SAVE_FEES_EVERY: Duration = Duration::from_secs(3_600);

/// What is kept from one run to the next.
pub(crate) struct Kept {
    /// Whether the mempool is.
    pub(crate) mempool: bool,
    /// Where what is known of fees is.
    pub(crate) fees: Option<PathBuf>,
    /// Whether that is taken however old it is.
    pub(crate) stale_fees: bool,
}

/// The mempool's own tasks.
pub(crate) struct MempoolKeeper {
    follower: JoinHandle<()>,
    loader: JoinHandle<()>,
    kept: Kept,
}

impl MempoolKeeper {
    /// Begins to follow the best world and, if that is wanted, to take what an earlier run kept.
    pub(crate) fn start(handle: Handle, kept: Kept) -> MempoolKeeper {
        // Before anything comes: what comes is counted with what was known.
        if let Some(path) = &kept.fees {
            take_fees(handle.mempool(), path, kept.stale_fees);
        }
        MempoolKeeper {
            follower: tokio::spawn(follow(handle.clone(), kept.fees.clone())),
            loader: tokio::spawn(load(handle, kept.mempool)),
            kept,
        }
    }

    /// Ends both without more ado.
    pub(crate) fn abort(&self) {
        self.follower.abort();
        self.loader.abort();
    }

    /// Ends both, and writes the file. The node has to be asked to stop before: a file that is being read is left then.
    pub(crate) async fn stop(&mut self, handle: &Handle) {
        self.follower.abort();
        let _ = (&mut self.loader).await;
        self.save_mempool(handle).await;
        if let Some(path) = self.kept.fees.take() {
            save_fees(handle, path, true).await;
        }
    }

    async fn save_mempool(&self, handle: &Handle) {
        if !self.kept.mempool || !handle.mempool().is_loaded() {
            return;
        }
        let Some(path) = handle.mempool_file().map(Path::to_owned) else {
            return;
        };
        let mempool = handle.mempool().clone();
        match handle.read(move |_| mempool.save(&path)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(transactions)) => info!(transactions, "the mempool is kept for the next run"),
            Ok(Err(error)) => warn!(%error, "the mempool is not kept for the next run"),
            Err(error) => warn!(%error, "the mempool is not kept for the next run"),
        }
    }
}

/// Moves the mempool whenever the ledger has something new.
async fn follow(handle: Handle, fees: Option<PathBuf>) {
    let mut events = handle.event_seq();
    let mut expire = tokio::time::interval(EXPIRE_EVERY);
    let first = tokio::time::Instant::now() + SAVE_FEES_EVERY;
    let mut save = tokio::time::interval_at(first, SAVE_FEES_EVERY);
    loop {
        let mempool = handle.mempool().clone();
        let done = tokio::select! {
            changed = events.changed() => {
                if changed.is_err() {
                    return;
                }
                handle.read(move |_| mempool.catch_up()).await
            }
            _ = expire.tick() => handle.read(move |_| mempool.expire()).await,
            _ = save.tick() => {
                if let Some(path) = fees.clone() {
                    save_fees(&handle, path, false).await;
                }
                continue;
            }
        };
        match done {
            Ok(Ok(())) => {}
            // Tried again with the next event, and by every call.
            Ok(Err(error)) => warn!(%error, "the mempool does not follow"),
            Err(error) => warn!(%error, "the mempool does not follow"),
        }
    }
}

/// Takes what an earlier run knew of fees; what goes wrong is told, and is no reason not to start.
fn take_fees(mempool: &Mempool, path: &Path, stale: bool) {
    match mempool.load_fees(path, stale) {
        Ok(FeesKept::Taken | FeesKept::None) => {}
        Ok(FeesKept::TooOld(age)) => warn!(
            hours = age.as_secs() / 3_600,
            file = %path.display(),
            "the estimate of fees of the last run is too old, and is not taken"
        ),
        Err(error) => warn!(%error, "the estimate of fees of the last run is not taken"),
    }
}

/// Writes what is known of fees; with `last` nobody follows what waits any more.
async fn save_fees(handle: &Handle, path: PathBuf, last: bool) {
    let mempool = handle.mempool().clone();
    match handle.read(move |_| mempool.save_fees(&path, last)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "the estimate of fees is not kept"),
        Err(error) => warn!(%error, "the estimate of fees is not kept"),
    }
}

/// Takes what an earlier run kept.
async fn load(handle: Handle, persist: bool) {
    let mempool = handle.mempool().clone();
    let path = handle
        .mempool_file()
        .filter(|_| persist)
        .map(Path::to_owned);
    let Some(path) = path else {
        mempool.set_loaded();
        return;
    };
    let stop = handle.shutdown().clone();
    let read = handle.read(move |_| {
        let loaded = take(&mempool, &path, || !stop.is_given());
        if !stop.is_given() {
            mempool.set_loaded();
        }
        loaded
    });
    match read.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "the mempool of the last run is not taken"),
        Err(error) => warn!(%error, "the mempool of the last run is not taken"),
    }
}

fn take(mempool: &Mempool, path: &Path, go_on: impl Fn() -> bool) -> Result<(), PersistError> {
    if !path.exists() {
        return Ok(());
    }
    let loaded = mempool.load_while(path, LoadOptions::default(), go_on)?;
    info!(
        accepted = loaded.accepted,
        refused = loaded.refused,
        expired = loaded.expired,
        "took the mempool of the last run"
    );
    Ok(())
}
