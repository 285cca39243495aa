//! Owns `everett import`: block files into a data directory.
//! Promises a bar on a terminal, a summary at the end, and that the first Ctrl-C stops between
//! blocks; refuses to call an import fine when a file was damaged or a block refused.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everett_ledger::{Ledger, Network};
use everett_node::import::{Import, ImportError, Phase, Progress, Summary};
use everett_proto::v1::ErrorReason;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::ImportArgs;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{View, show};
use crate::settings::Settings;

/// Problems that are printed one by one; JSON has them all.
const SHOWN_PROBLEMS: usize = 20;
/// How often the bar is drawn anew while a group of blocks is checked.
const TICK: Duration = Duration::from_millis(200);

/// Runs the command.
pub(super) fn import(settings: &Settings, args: ImportArgs) -> Result<ExitCode, Failure> {
    let params = settings.params(Network::Mainnet)?;
    let directory = settings.datadir(params.network)?;
    let config = settings.ledger_config(params, &directory, &args.ledger)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(ErrorReason::Internal, error))?;
    // Before the ledger, whose opening may take a while: who interrupts then is told what is there, as later.
    let stop = interrupt::flag(&runtime);
    let ledger = Ledger::open(config)?;
    let bar = Bar::new(!settings.json && std::io::stderr().is_terminal());
    let mut watch = |progress: &Progress| bar.show(progress);
    let result = Import::new(&ledger)
        .stop_when(&stop)
        .watched_by(&mut watch)
        .run(&args.files);
    bar.clear();
    let summary = result.map_err(|error| {
        if let ImportError::Store { source, .. } = error {
            return Failure::from(source)
                .while_doing("the import stopped, and what was accepted before is kept");
        }
        error.into()
    })?;
    if !summary.interrupted {
        index(
            &ledger,
            &stop,
            !settings.json && std::io::stderr().is_terminal(),
        )?;
    }
    if !settings.json {
        complain(&summary);
    }
    show(&summary, settings.json)?;
    verdict(&summary)
}

/// Brings the transaction index up to date, if there is one: also with blocks of earlier imports.
fn index(ledger: &Ledger, stop: &AtomicBool, shown: bool) -> Result<(), Failure> {
    if ledger.tx_index_complete() != Some(false) {
        return Ok(());
    }
    let target = match shown {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(
        ProgressStyle::with_template("indexing transactions {wide_bar} {pos}/{len} blocks")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    while !ledger.build_tx_index()? {
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::named(
                "INTERRUPTED",
                "the blocks are imported; the index is built further by the next import or node with --txindex",
            ));
        }
        // It counts all blocks, which nobody should wait for who sees no bar.
        if shown && let Some(progress) = ledger.tx_index()? {
            bar.set_length(progress.stored);
            bar.set_position(progress.indexed);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The problems, each a line on standard error.
fn complain(summary: &Summary) {
    for problem in summary.problems.iter().take(SHOWN_PROBLEMS) {
        eprintln!("{}", problem.message);
    }
    let hidden =
        summary.problems.len().saturating_sub(SHOWN_PROBLEMS) as u64 + summary.problems_not_listed;
    if hidden > 0 {
        eprintln!("… and {hidden} more; --json lists them");
    }
}

fn verdict(summary: &Summary) -> Result<ExitCode, Failure> {
    if summary.interrupted {
        return Err(Failure::named(
            "INTERRUPTED",
            "the import was interrupted; what was accepted is kept, run it again to go on",
        ));
    }
    if summary.clean() {
        return Ok(ExitCode::SUCCESS);
    }
    let damage = summary.problems.len() as u64 + summary.problems_not_listed;
    Err(Failure::named(
        "IMPORT_PROBLEMS",
        format!(
            "{}, {} refused; the good blocks are kept",
            counted(damage, "problem in the files", "problems in the files"),
            counted(summary.rejected + summary.undecodable, "block", "blocks")
        ),
    ))
}

/// `1 block`, `2 blocks`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl View for Summary {
    fn text(&self) -> String {
        let megabytes = self.submitted_bytes as f64 / 1e6;
        let rate = if self.seconds > 0.0 {
            megabytes / self.seconds
        } else {
            0.0
        };
        let mut text = format!(
            "{} in {}: {} accepted, {} known before",
            counted(self.blocks, "block", "blocks"),
            counted(self.files.len() as u64, "file", "files"),
            self.accepted,
            self.known
        );
        for (count, what) in [
            (self.duplicates, "copies"),
            (self.rejected, "refused"),
            (self.undecodable, "no block"),
            (self.refused_ancestors, "on top of refused ones"),
            (self.unknown_parents, "waiting for their parent"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text.push_str(&format!(
            "\n{} in {:.1} s ({rate:.1} MB/s)\nbest {} (height {}), {}\n",
            HumanBytes(self.submitted_bytes),
            self.seconds,
            self.best_hash,
            self.best_height,
            counted(self.tips as u64, "tip", "tips")
        ));
        text
    }
}

/// The progress bar; draws nothing where nobody looks.
struct Bar(ProgressBar);

impl Bar {
    fn new(visible: bool) -> Bar {
        let target = if visible {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        // The template is ours and right; were it not, the plain bar would do.
        if let Ok(style) =
            ProgressStyle::with_template("{prefix:>9} [{bar:30}] {percent:>3}% {msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        if visible {
            bar.enable_steady_tick(TICK);
        }
        Bar(bar)
    }

    fn show(&self, progress: &Progress) {
        self.0.set_length(progress.bytes_total);
        self.0.set_position(progress.bytes);
        let rate = progress.megabytes_per_second();
        match progress.phase {
            Phase::Scanning => {
                self.0.set_prefix("scanning");
                self.0
                    .set_message(format!("{} blocks found, {rate:.0} MB/s", progress.blocks));
            }
            Phase::Submitting => {
                self.0.set_prefix("importing");
                self.0.set_message(format!(
                    "{}/{} blocks, {rate:.1} MB/s, height {}",
                    progress.blocks, progress.blocks_total, progress.height
                ));
            }
        }
    }

    fn clear(&self) {
        self.0.finish_and_clear();
    }
}
