//! Owns the options of `everett snapshot`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConnectArgs;

#[derive(Args)]
pub(crate) struct SnapshotArgs {
    #[command(subcommand)]
    pub(crate) command: SnapshotCommand,
}

/// What can be done with snapshots.
#[derive(Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Save blocks, worlds, cursors, mempool, wallets and peers as they are at one moment
    #[command(after_help = "\
Examples:
  everett snapshot save before-fork --network regtest --datadir D
  everett snapshot save monday --connect http://127.0.0.1:8390

A node that runs on the data directory saves it itself, and goes on meanwhile; where none runs, this \
command does. Snapshots lie in DATADIR/snapshots. They have the wallets' keys: those with a passphrase \
stay sealed by it, the others are in the clear, for the owner of the files alone.")]
    Save(SaveArgs),
    /// List the snapshots
    List(ListArgs),
    /// Make a data directory what a snapshot has; no node may run on it
    #[command(after_help = "\
Examples:
  everett snapshot restore monday --network regtest --datadir D --force
  everett snapshot restore D/snapshots/monday --network regtest --datadir ELSEWHERE

With --force, what is there is moved to replaced-1, replaced-2 … in the data directory.")]
    Restore(RestoreArgs),
    /// Delete a snapshot
    Delete(DeleteArgs),
}

#[derive(Args)]
pub(crate) struct SaveArgs {
    /// The snapshot's name: at most 64 of a-z A-Z 0-9 . _ -
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// The snapshot's name, or its directory where that has a / in it
    #[arg(value_name = "NAME|DIRECTORY")]
    pub(crate) snapshot: PathBuf,
    /// Move data that is there aside
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// The snapshot's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// A copy of a snapshot to run on.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Snapshots")]
pub(crate) struct FromSnapshotArgs {
    /// Run on a copy of a snapshot that is thrown away at the end: on free ports and off the P2P network
    /// unless the command line says otherwise. Its name, or its directory where that has a / in it
    #[arg(long, value_name = "NAME|DIRECTORY")]
    pub(crate) from_snapshot: Option<PathBuf>,
}
