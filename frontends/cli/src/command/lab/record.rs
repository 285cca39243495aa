//! Owns `everett lab record`: the blocks of a data directory or of a running node, into one file.
//! Promises a bar on a terminal, a summary at the end, and that a second Ctrl-C ends it at once.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use everett_lab::recording::{
    Entry, FollowError, Head, RecordingError, RecordingWriter, follow_server, record_ledger,
};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget};
use serde::Serialize;

use crate::args::lab::RecordArgs;
use crate::command::run::runtime;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{View, show};
use crate::settings::Settings;
use crate::source::channel;

/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// What was recorded.
#[derive(Serialize)]
struct Recorded {
    file: PathBuf,
    /// Blocks, and what was done by hand.
    entries: u64,
    bytes: u64,
}

impl View for Recorded {
    fn text(&self) -> String {
        format!(
            "{} entries, {}, in {}\n",
            self.entries,
            HumanBytes(self.bytes),
            self.file.display()
        )
    }
}

/// Runs the command.
pub(super) fn record(settings: &Settings, args: RecordArgs) -> Result<ExitCode, Failure> {
    let bar = bar(settings.json);
    let address = settings.server(args.connect.clone())?;
    let entries = match address {
        Some(address) => {
            let runtime = runtime()?;
            let flag = interrupt::flag(&runtime);
            runtime.block_on(async {
                let stop = async {
                    while !flag.load(std::sync::atomic::Ordering::Relaxed) {
                        tokio::time::sleep(LOOK).await;
                    }
                };
                let mut watch = |_: &Entry, count: u64| bar.set_position(count);
                let channel = channel(&address).await?;
                let token = address.token.as_deref();
                let (file, from) = (&args.file, args.from);
                follow_server(channel, token, file, from, args.follow, stop, &mut watch)
                    .await
                    .map_err(Failure::from)
            })?
        }
        None if args.follow => {
            return Err(Failure::usage(
                "--follow needs --connect: what comes is told by a running node",
            ));
        }
        None => {
            let ledger = settings.reader()?;
            let place = ledger.params().network;
            let head = Head::new(ledger.params(), format!("a data directory of {place}"));
            let mut writer = RecordingWriter::create(&args.file, &head)?;
            let mut watch = |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            };
            record_ledger(&ledger, args.from, &mut writer, &mut watch)?;
            let entries = writer.entries();
            writer.finish()?;
            entries
        }
    };
    bar.finish_and_clear();
    let recorded = Recorded {
        entries,
        bytes: std::fs::metadata(&args.file).map_or(0, |data| data.len()),
        file: args.file,
    };
    show(&recorded, settings.json)?;
    Ok(ExitCode::SUCCESS)
}

/// A bar that counts entries; draws nothing where nobody looks.
pub(super) fn bar(json: bool) -> ProgressBar {
    let target = match !json && std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    ProgressBar::with_draw_target(None, target)
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Failure {
        match error {
            RecordingError::Block(error) => error.into(),
            RecordingError::Store(error) => error.into(),
            RecordingError::File { .. } | RecordingError::Exists { .. } => {
                Failure::named("FILE_FAILED", error)
            }
            error => Failure::named("RECORDING_MALFORMED", error),
        }
    }
}

impl From<FollowError> for Failure {
    fn from(error: FollowError) -> Failure {
        match error {
            FollowError::Call { status, .. } => Failure::from(*status)
                .while_doing("the recording stopped, what came before is kept"),
            FollowError::Recording(error) => error.into(),
            error => Failure::named("RECORDING_FAILED", error),
        }
    }
}
