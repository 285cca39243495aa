//! Owns the words for how far the node has synced. Promises a glance: a phase, a line, a share in percent.

use everett_node::{SyncPhase, SyncProgress};

use crate::show;

/// How far the node has synced, for a glance.
pub(crate) struct SyncWords {
    pub(crate) ready: bool,
    pub(crate) phase: &'static str,
    pub(crate) words: String,
    /// In percent, where there is a goal.
    pub(crate) progress: Option<String>,
}

impl SyncWords {
    pub(crate) fn of(progress: &SyncProgress) -> SyncWords {
        let number = |height: u32| show::thousands(u64::from(height));
        let mut words = match progress.phase {
            SyncPhase::Waiting => "Waiting for headers".to_owned(),
            SyncPhase::Presync => {
                format!("Looking at headers: {}", number(progress.presync_height))
            }
            SyncPhase::Headers => format!("Fetching headers: {}", number(progress.header_height)),
            SyncPhase::Blocks => format!(
                "{} of {} blocks",
                number(progress.best_height),
                number(progress.header_height)
            ),
            SyncPhase::Synced => "Up to date".to_owned(),
        };
        if let Some(remaining) = progress.remaining {
            // On one line, as the numbers before it are.
            let left = format!("about {} left", show::span(remaining)).replace(' ', "\u{a0}");
            words.push_str(&format!(" · {left}"));
        }
        let share = || {
            let share = f64::from(progress.best_height) / f64::from(progress.header_height);
            format!("{:.1}", (share * 100.0).min(100.0))
        };
        let known = progress.phase == SyncPhase::Blocks && progress.header_height > 0;
        SyncWords {
            ready: progress.phase == SyncPhase::Synced,
            phase: progress.phase.as_str(),
            words,
            progress: known.then(share),
        }
    }
}
