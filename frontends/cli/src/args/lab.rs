//! Owns the options of `everett lab` and of what it can do beside playing a scenario.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use everett_lab::recording::Pace;

use super::{ConnectArgs, FaceArgs, LedgerArgs, P2pArgs};

/// Steps of chaos a second unless told otherwise.
pub(crate) const DEFAULT_RATE: f64 = 0.5;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LabCommand>,
    /// A scenario file, or the name of a shipped one [default: double-spend]
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: Option<PathBuf>,
    /// Stop after showing the worlds
    #[arg(long)]
    pub(crate) exit: bool,
    /// Print a shipped scenario instead of playing it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scenario", "exit"])]
    pub(crate) print: Option<String>,
    /// Reorganise the chain at random, with forks and double spends, until Ctrl-C; branches that
    /// fork off more than 100 blocks down are retired unless --horizon says otherwise
    #[arg(long, conflicts_with_all = ["scenario", "exit", "print"])]
    pub(crate) chaos: bool,
    /// What chaos follows from: the same number does the same things [default: 0]
    #[arg(long, value_name = "N", requires = "chaos")]
    pub(crate) seed: Option<u64>,
    /// How many things chaos does a second [default: 0.5]
    #[arg(long, value_name = "PER_SECOND", requires = "chaos", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Serve a copy of a snapshot that is thrown away at the end, instead of a scenario: as
    /// `everett run --lab --from-snapshot` does
    #[arg(long, value_name = "NAME|DIRECTORY", conflicts_with_all = ["scenario", "exit", "print", "chaos"])]
    pub(crate) from_snapshot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) p2p: P2pArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    #[command(flatten)]
    pub(crate) faces: FaceArgs,
}

/// What the lab can do beside playing a scenario.
#[derive(Subcommand)]
pub(crate) enum LabCommand {
    /// Record the blocks of a data directory or a running node into a file
    #[command(after_help = "\
Examples:
  everett lab record --network regtest --datadir D fork.everett
  everett lab record --connect http://127.0.0.1:8390 fork.everett
  everett lab record --connect http://127.0.0.1:8390 --follow fork.everett    until Ctrl-C

Blocks of all branches, in the order in which they came; the book says what the file looks like.")]
    Record(RecordArgs),
    /// Hand the blocks of a recording to a chain of its own, and serve it
    #[command(after_help = "\
Examples:
  everett lab replay fork.everett                      then serves until Ctrl-C
  everett lab replay fork.everett --exit --json        what became of it
  everett lab replay fork.everett --pace original      with the time that lay between the blocks
  everett lab replay fork.everett --pace 60            sixty times as fast")]
    Replay(Box<ReplayArgs>),
}

#[derive(Args)]
pub(crate) struct RecordArgs {
    /// The file to write; there must be none yet
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Leave out blocks below this height: the recording can then be replayed only where they are
    #[arg(long, value_name = "HEIGHT", default_value_t = 1)]
    pub(crate) from: u32,
    /// With --connect: go on with what comes, until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// The recording
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// full, original, or how many times as fast as it was
    #[arg(long, value_name = "PACE", default_value = "full", value_parser = pace)]
    pub(crate) pace: Pace,
    /// Stop after it was replayed, without serving
    #[arg(long)]
    pub(crate) exit: bool,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    #[command(flatten)]
    pub(crate) faces: FaceArgs,
}

/// Most things a second: more, and block times would run ahead of the clock.
const MAX_RATE: f64 = 20.0;

fn rate(text: &str) -> Result<f64, String> {
    let rate = f64::from_str(text).ok();
    rate.filter(|rate| *rate > 0.0 && *rate <= MAX_RATE)
        .ok_or_else(|| format!("`{text}` is no rate above 0 and up to {MAX_RATE} a second"))
}

fn pace(text: &str) -> Result<Pace, String> {
    match text {
        "full" => Ok(Pace::Full),
        "original" => Ok(Pace::Times(1.0)),
        number => match f64::from_str(number) {
            Ok(times) if times > 0.0 && times.is_finite() => Ok(Pace::Times(times)),
            _ => Err(format!(
                "`{text}` is no pace; write full, original, or a number above 0"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_full_original_or_a_number() {
        assert_eq!(pace("full"), Ok(Pace::Full));
        assert_eq!(pace("original"), Ok(Pace::Times(1.0)));
        assert_eq!(pace("2.5"), Ok(Pace::Times(2.5)));
        for wrong in ["", "0", "-1", "inf", "NaN", "fast"] {
            assert!(pace(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rate_is_above_nothing_and_bounded() {
        assert_eq!(rate("0.1"), Ok(0.1));
        for wrong in ["", "0", "-1", "21", "NaN"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
