//! Owns the question whether the node is in its initial download: its best block is older than it should be, or has too
//! little work.
//! Promises Core's answer: looked at when the node starts and when the best block changes, and over for good once it is.
//! Refuses to be told otherwise by the clock alone.

use bitcoin::{BlockHash, Work};
use everett_ledger::{BlockInfo, Ledger};
use parking_lot::Mutex;

use crate::handle::Handle;

/// Seconds that a best block may be old unless it is configured otherwise, as in Core.
pub const DEFAULT_MAX_TIP_AGE: i64 = 24 * 3600;

/// The initial download, until it is over.
pub(crate) struct InitialDownload {
    /// Seconds that the best block may be old.
    max_tip_age: i64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The best block that was looked at last.
    looked_at: Option<BlockHash>,
    /// The work of a block with which it was over; none at all where it was at the start.
    ended: Option<Work>,
}

impl InitialDownload {
    /// That of a node that starts with what the ledger has.
    pub(crate) fn new(ledger: &Ledger, max_tip_age: i64) -> InitialDownload {
        let download = InitialDownload {
            max_tip_age,
            state: Mutex::default(),
        };
        if !download.runs(ledger) {
            // Whatever comes, also with less work, comes after it.
            download.state.lock().ended = Some(Work::from_be_bytes([0; 32]));
        }
        download
    }

    fn is_up_to_date(&self, ledger: &Ledger, time: u32, work: Work) -> bool {
        let now = i64::try_from(ledger.clock().now()).unwrap_or(i64::MAX);
        i64::from(time) >= now.saturating_sub(self.max_tip_age)
            && work >= ledger.params().minimum_chain_work
    }

    /// Whether it runs; looks at the best block if it is another one than before.
    pub(crate) fn runs(&self, ledger: &Ledger) -> bool {
        let mut state = self.state.lock();
        if state.ended.is_some() {
            return false;
        }
        let best = ledger.best();
        if state.looked_at != Some(best.hash()) {
            state.looked_at = Some(best.hash());
            if self.is_up_to_date(ledger, best.header().time, best.chainwork()) {
                state.ended = Some(best.chainwork());
            }
        }
        state.ended.is_none()
    }

    /// Whether it was over when this block became the best one, which it is or was.
    pub(crate) fn was_over_at(&self, ledger: &Ledger, block: &BlockInfo) -> bool {
        if self.runs(ledger) {
            return false;
        }
        let ended = self.state.lock().ended;
        ended.is_some_and(|ended| block.chainwork >= ended)
            || self.is_up_to_date(ledger, block.header.time, block.chainwork)
    }
}

/// Looks at each new best block while the initial download runs, whether anybody asks or not.
pub(crate) async fn watch(handle: Handle) {
    let mut written = handle.event_seq();
    loop {
        written.mark_unchanged();
        if !handle.initial_download() || written.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
