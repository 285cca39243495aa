//! Owns the arguments of `everett log`, and those by which a node writes one.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// How what goes on is written to standard error.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people; in colours on a terminal.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// The binary log of a node.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Binary log")]
pub(crate) struct NodeLogArgs {
    /// Write no binary log
    #[arg(long)]
    pub(crate) no_log: bool,
    /// Begin the next file of the binary log after so many bytes [default: 16777216]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1_024..))]
    pub(crate) log_size: Option<u64>,
    /// Keep so many files of the binary log; the oldest go [default: 8]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) log_files: Option<u32>,
}

/// `everett log`.
#[derive(Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    pub(crate) command: LogCommand,
}

/// What can be done with a log.
#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Show what is in the log
    #[command(after_help = "\
Examples:
  everett log cat --network regtest                    all of it
  everett log cat --since 10m --kind best-changed --kind conflict-found
  everett log cat --json | jq .kind                    an object a line
  everett log cat --message block --peer 192.0.2.7     blocks from and to a peer (run --log-packets)
  ssh node cat 'log/*.log' | everett log cat -         from a pipe

Kinds: node-started, node-stopped, tip-added, tip-extended, best-changed, tip-retired, \
block-invalid, checkpointed, conflict-found, frontend, message, dropped, packet; and the groups \
node, event, warning, error.

What is torn or damaged is skipped; how much that was is said on standard error.")]
    Cat(ReadArgs),
    /// Show what comes into the log, until Ctrl-C
    #[command(after_help = "\
Examples:
  everett log follow --network regtest
  everett log follow --kind event --json
  everett log follow --since 1h                        and what there was in the last hour
  everett log follow --kind packet --peer 7            what peer 7 and the node say (run --log-packets)")]
    Follow(FollowArgs),
}

#[derive(Args)]
pub(crate) struct ReadArgs {
    /// Files or directories of a log, or - for standard input [default: log in the data directory]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only what was written since: 2026-11-21T06:00:00Z, @1700000000, or 10m, 2h, 1d ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only records of this kind; may be given several times
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Vec<String>,
    /// Only messages of the network of this name, such as inv; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) message: Vec<String>,
    /// Only messages of the network from and to this peer: its address, with or without the port, or
    /// its number in `everett peers`; may be given several times
    #[arg(long, value_name = "PEER")]
    pub(crate) peer: Vec<String>,
}

#[derive(Args)]
pub(crate) struct FollowArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// How many records to show of what is there already
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    pub(crate) lines: usize,
}
