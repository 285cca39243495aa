//! Owns the arguments of `everett console`, and those by which a node has one.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// The console of a node.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Console")]
pub(crate) struct MonitorArgs {
    /// Where consoles attach: a Unix socket for this user alone [default: console.sock in the data
    /// directory]
    #[arg(short, long, value_name = "PATH", num_args = 0..=1)]
    pub(crate) monitor: Option<Option<PathBuf>>,
    /// Have no socket for consoles
    #[arg(long, conflicts_with = "monitor")]
    pub(crate) no_monitor: bool,
    /// Let scripts of attached consoles change the ledger, and use the wallets
    #[arg(long, visible_alias = "allow-write", conflicts_with = "no_monitor")]
    pub(crate) console_allow_write: bool,
}

/// `everett console`.
#[derive(Args)]
pub(crate) struct ConsoleArgs {
    /// A script to run, or - for standard input; without, and on a terminal, there is a prompt
    #[arg(value_name = "FILE", conflicts_with = "expression")]
    pub(crate) file: Option<PathBuf>,
    /// Run this and show what it comes to; may be given several times
    #[arg(
        short = 'e',
        long = "eval",
        value_name = "EXPRESSION",
        allow_hyphen_values = true
    )]
    pub(crate) expression: Vec<String>,
    /// Attach to this socket, and to nothing else [default: console.sock in the data directory]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Attach to no node: read the data directory
    #[arg(long, conflicts_with = "socket")]
    pub(crate) offline: bool,
    /// Let scripts change the ledger: of a data directory that no node has; a node decides for itself
    #[arg(long)]
    pub(crate) allow_write: bool,
    /// Without a node: let scripts mine (not on mainnet)
    #[arg(long, requires = "allow_write")]
    pub(crate) lab: bool,
    /// How long a script may run, in seconds [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Where lines of the prompt are kept [default: everett/console-history in $XDG_STATE_HOME or
    /// ~/.local/state]
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds: f64| {
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        (!time.is_zero()).then_some(time)
    });
    time.ok_or_else(|| format!("`{text}` is no time in seconds"))
}
