//! Owns what outlives the pool: known addresses, bans and anchors, in the pool's directory.
//! Promises that they are written now and then and when the pool is shut down.
//! Refuses to stop the pool for a file that cannot be written: that is logged.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bitcoin::secp256k1::rand::{Rng, thread_rng};

use super::{Inner, PoolConfig, PoolError};
use crate::address_book::AddressBook;
use crate::anchors;
use crate::bans::Bans;
use crate::stored;

/// How often what has changed is written.
const WRITE_EVERY: Duration = Duration::from_secs(15 * 60);

const ADDRESSES: &str = "peers.dat";
const BANS: &str = "banlist.json";
pub(super) const ANCHORS: &str = "anchors.dat";

pub(super) fn load(config: &PoolConfig, now: i64) -> Result<(AddressBook, Bans), PoolError> {
    let seed = thread_rng().r#gen();
    let Some(directory) = &config.directory else {
        return Ok((AddressBook::new(seed), Bans::new()));
    };
    let failed = |file: PathBuf| move |source: io::Error| PoolError::Directory { file, source };
    std::fs::create_dir_all(directory).map_err(failed(directory.clone()))?;
    let file = directory.join(ADDRESSES);
    let book = AddressBook::load(&file, config.network, seed).map_err(failed(file))?;
    let file = directory.join(BANS);
    let bans = Bans::load(&file, now as u64).map_err(failed(file))?;
    Ok((book, bans))
}

/// Writes what has changed, until the pool is shut down.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut closing = inner.closing.subscribe();
    loop {
        let over = tokio::select! {
            _ = tokio::time::sleep(WRITE_EVERY) => false,
            _ = closing.wait_for(|closing| *closing) => true,
        };
        if inner.config.directory.is_some() {
            let writer = inner.clone();
            let written = tokio::task::spawn_blocking(move || write(&writer, over)).await;
            if let Err(error) = written {
                tracing::warn!(%error, "addresses and bans were not written");
            }
        }
        if over {
            return;
        }
    }
}

/// Writes the bans if they have changed.
pub(super) fn write_bans(inner: &Inner) {
    let Some(directory) = &inner.config.directory else {
        return;
    };
    // Two at once would write one file; the later one has all.
    let _alone = inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
    let changed = inner.bans().take_changed();
    if let Some(bytes) = changed {
        let written = bytes.and_then(|bytes| stored::replace(&directory.join(BANS), &bytes));
        if !is_written(BANS, written) {
            inner.bans().not_saved();
        }
    }
}

fn is_written(file: &str, written: io::Result<()>) -> bool {
    if let Err(error) = &written {
        tracing::warn!(file, %error, "not written");
    }
    written.is_ok()
}

pub(super) fn write(inner: &Inner, over: bool) {
    let Some(directory) = &inner.config.directory else {
        return;
    };
    // The locks are held while bytes are made, not while the disk takes them: who calls and who is let in wait for them.
    let changed = inner.book().take_changed(inner.config.network);
    if let Some(bytes) = changed {
        let written = stored::replace(&directory.join(ADDRESSES), &bytes);
        if !is_written(ADDRESSES, written) {
            inner.book().not_saved();
        }
    }
    write_bans(inner);
    if over {
        let mut anchored: Vec<_> = inner.state().anchors.clone();
        anchored.truncate(anchors::MAX_ANCHORS);
        is_written(ANCHORS, anchors::save(&directory.join(ANCHORS), &anchored));
    }
}
