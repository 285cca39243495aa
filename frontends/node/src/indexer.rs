//! Owns the building of the transaction index beside the node's other work.
//! Promises to go on after what the disk refuses, and to say how far it is.
//! Refuses to hold up blocks: the ledger takes the next step when no block waits.

use std::time::{Duration, Instant};

use everett_ledger::Ledger;
use tracing::{info, warn};

use crate::handle::Handle;

/// How often it is told how far the index is.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long to wait after an error.
const AFTER_AN_ERROR: Duration = Duration::from_secs(10);

/// Indexes what the ledger stored without an index; at once done where it has none to build.
pub(crate) async fn build_tx_index(handle: Handle) {
    let began = Instant::now();
    let mut told: Option<Instant> = None;
    loop {
        let step = handle.submit(|ledger| match ledger.tx_index_complete() {
            None | Some(true) => Ok(true),
            Some(false) => ledger.build_tx_index(),
        });
        match step.await {
            Ok(Ok(true)) => {
                if told.is_some() {
                    let seconds = began.elapsed().as_secs();
                    info!(seconds, "the transaction index is complete");
                }
                return;
            }
            Ok(Ok(false)) => {
                if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                    told = Some(Instant::now());
                    // It counts all blocks.
                    let _ = handle.read(tell).await;
                }
            }
            Ok(Err(error)) => {
                warn!(%error, "the transaction index does not get on; it is tried again");
                tokio::time::sleep(AFTER_AN_ERROR).await;
            }
            // The node is stopping, or said already what went wrong.
            Err(_) => return,
        }
    }
}

fn tell(ledger: &Ledger) {
    if let Ok(Some(progress)) = ledger.tx_index() {
        let (indexed, stored) = (progress.indexed, progress.stored);
        info!(indexed, stored, "the transaction index is being built");
    }
}
