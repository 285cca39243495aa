//! Owns what the mempool needs of the node: it is taken from its file, moved when the best world changes, rid of what waited
//! too long, and written to its file at the end.
//! Promises that a file is written over only after it was read.
//! Refuses to judge: what is let in is for the mempool to say.

use std::path::Path;
use std::time::Duration;

use everett_mempool::{LoadOptions, Mempool, PersistError};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::handle::Handle;

/// How often it is looked what waited too long.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);

/// The mempool's own tasks.
pub(crate) struct MempoolKeeper {
    follower: JoinHandle<()>,
    loader: JoinHandle<()>,
    persist: bool,
}

impl MempoolKeeper {
    /// Begins to follow the best world and, if that is wanted, to take what an earlier run kept.
    pub(crate) fn start(handle: Handle, persist: bool) -> MempoolKeeper {
        MempoolKeeper {
            follower: tokio::spawn(follow(handle.clone())),
            loader: tokio::spawn(load(handle, persist)),
            persist,
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
        if !self.persist || !handle.mempool().is_loaded() {
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
async fn follow(handle: Handle) {
    let mut events = handle.event_seq();
    let mut expire = tokio::time::interval(EXPIRE_EVERY);
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
        };
        match done {
            Ok(Ok(())) => {}
            // Tried again with the next event, and by every call.
            Ok(Err(error)) => warn!(%error, "the mempool does not follow"),
            Err(error) => warn!(%error, "the mempool does not follow"),
        }
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
