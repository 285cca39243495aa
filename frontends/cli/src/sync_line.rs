//! Owns the line by which a node on a terminal shows how far it has synced.
//! Promises to draw only while it catches up, and only where somebody looks; refuses to draw into a file or a pipe.

use std::io::IsTerminal;
use std::time::Duration;

use everett_node::{Handle, SyncPhase, SyncProgress};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many blocks the best world may be behind the headers before the line comes back.
const BEHIND: u32 = 6;

/// The line, until it is dropped.
pub(crate) struct SyncLine(Option<JoinHandle<()>>);

impl SyncLine {
    /// Begins to show how far a node has synced, on a terminal and unless answers are JSON.
    pub(crate) fn start(handle: &Handle, json: bool) -> SyncLine {
        if json || !std::io::stderr().is_terminal() {
            return SyncLine(None);
        }
        let handle = handle.clone();
        SyncLine(Some(tokio::spawn(async move {
            let mut line = Line::default();
            let mut look = tokio::time::interval(LOOK_EVERY);
            loop {
                look.tick().await;
                if let Some(peers) = handle.peers() {
                    line.show(&peers.progress(), peers.list().len());
                }
            }
        })))
    }
}

impl Drop for SyncLine {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            // The bar goes with the task's future.
            task.abort();
        }
    }
}

/// The bar, while there is one.
#[derive(Default)]
struct Line {
    bar: Option<ProgressBar>,
    /// Whether it has caught up before.
    synced: bool,
}

impl Line {
    fn show(&mut self, progress: &SyncProgress, peers: usize) {
        let behind = progress.header_height.saturating_sub(progress.best_height);
        if progress.phase == SyncPhase::Synced || (self.synced && behind < BEHIND) {
            self.synced |= progress.phase == SyncPhase::Synced;
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            // The template is ours and right; were it not, the plain bar would do.
            if let Ok(style) = ProgressStyle::with_template("{prefix:>9} [{bar:30}] {wide_msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        bar.set_prefix(progress.phase.as_str());
        // An empty bar while nobody knows how far it is.
        let length = match progress.phase {
            SyncPhase::Blocks => u64::from(progress.header_height),
            _ => 0,
        };
        bar.set_length(length.max(1));
        bar.set_position(match length {
            0 => 0,
            _ => u64::from(progress.best_height),
        });
        bar.set_message(words(progress, peers));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// What stands behind the bar.
fn words(progress: &SyncProgress, peers: usize) -> String {
    let peers = match peers {
        0 => "no peers yet".to_owned(),
        1 => "1 peer".to_owned(),
        peers => format!("{peers} peers"),
    };
    let mut parts = vec![match progress.phase {
        SyncPhase::Waiting => "waiting for headers".to_owned(),
        SyncPhase::Presync => format!("looked at headers up to {}", progress.presync_height),
        SyncPhase::Headers => format!("headers up to {}", progress.header_height),
        SyncPhase::Blocks | SyncPhase::Synced => {
            format!("{}/{}", progress.best_height, progress.header_height)
        }
    }];
    parts.push(peers);
    if progress.phase == SyncPhase::Blocks {
        parts.push(format!("{} in flight", progress.blocks_in_flight));
        parts.push(HumanBytes(progress.block_bytes).to_string());
    }
    if let Some(remaining) = progress.remaining {
        parts.push(format!("{} left", HumanDuration(remaining)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_phase() {
        let mut progress = SyncProgress::default();
        assert_eq!(words(&progress, 0), "waiting for headers, no peers yet");
        progress.phase = SyncPhase::Headers;
        progress.header_height = 2_000;
        assert_eq!(words(&progress, 1), "headers up to 2000, 1 peer");
        progress.phase = SyncPhase::Blocks;
        progress.best_height = 500;
        progress.blocks_in_flight = 16;
        progress.block_bytes = 3 << 20;
        progress.remaining = Some(Duration::from_secs(600));
        assert_eq!(
            words(&progress, 8),
            "500/2000, 8 peers, 16 in flight, 3.00 MiB, 10 minutes left"
        );
    }
}
