//! Owns `everett snapshot`, and the copies that `--from-snapshot` runs on.
//! Promises that a node which runs on the data directory saves its snapshot itself; refuses to make a ledger where there is none.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use everett_ledger::{Ledger, Network, Params, StoreError};
use everett_mempool::{Mempool, MempoolConfig};
use everett_node::snapshots::{
    Parts, SnapshotManifest, SnapshotProgress, Snapshots, ThrowAway, mempool_file,
    refuse_half_restored,
};
use everett_proto::v1::ErrorReason;
use everett_wallet::{WalletConfig, Wallets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::{ConnectArgs, LedgerArgs, RestoreArgs, SaveArgs, SnapshotArgs, SnapshotCommand};
use crate::failure::Failure;
use crate::output::show;
use crate::settings::Settings;
use crate::source::Server;
use crate::view::snapshot::{DeletedView, RestoredView, SavedView, SnapshotsView};
use crate::{interrupt, node_url};

/// `everett snapshot`.
pub(super) fn snapshot(settings: &Settings, args: SnapshotArgs) -> Result<ExitCode, Failure> {
    match args.command {
        SnapshotCommand::Save(args) => save(settings, args)?,
        SnapshotCommand::List(args) => list(settings, args.connect)?,
        SnapshotCommand::Restore(args) => restore(settings, &args)?,
        SnapshotCommand::Delete(args) => {
            match settings.server(args.connect.clone())? {
                Some(_) => settings.node(args.connect)?.delete_snapshot(&args.name)?,
                // The directory is all that it needs, whoever else uses it.
                None => Snapshots::of(&directory(settings)?.1).delete(&args.name)?,
            }
            let deleted = args.name;
            show(&DeletedView { deleted }, settings.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The network's parameters and the data directory.
fn directory(settings: &Settings) -> Result<(Params, PathBuf), Failure> {
    let params = settings.params(Network::Mainnet)?;
    let directory = settings.datadir(params.network)?;
    Ok((params, directory))
}

fn list(settings: &Settings, connect: ConnectArgs) -> Result<(), Failure> {
    if settings.server(connect.clone())?.is_some() {
        return show(&settings.node(connect)?.snapshots()?, settings.json);
    }
    let snapshots = Snapshots::of(&directory(settings)?.1);
    let view = SnapshotsView {
        directory: snapshots.directory().display().to_string(),
        snapshots: snapshots.list()?.into_iter().map(Into::into).collect(),
    };
    show(&view, settings.json)
}

fn save(settings: &Settings, args: SaveArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let bar = Bar::new("saving", settings);
    let saved = match node(settings, args.connect)? {
        Some(node) => node.save_snapshot(args.name, &mut |progress| bar.show(progress))?,
        None => {
            let stop = Stop::listen()?;
            let mut told = |progress| {
                bar.show(progress);
                stop.go_on()
            };
            save_offline(settings, &args.name, &mut told)?.into()
        }
    };
    drop(bar);
    let seconds = started.elapsed().as_secs_f64();
    show(&SavedView { saved, seconds }, settings.json)
}

/// The node that saves it: the one that is named, or one that runs on the data directory.
fn node(settings: &Settings, connect: ConnectArgs) -> Result<Option<Server>, Failure> {
    if settings.server(connect.clone())?.is_none() {
        let (_, directory) = directory(settings)?;
        if node_url::find(&directory).is_none() {
            return Ok(None);
        }
    }
    let named = settings.server(connect.clone())?.is_some();
    match settings.node(connect) {
        // Word of one that was killed.
        Err(failure) if !named && failure.is_for("UNREACHABLE") => Ok(None),
        node => node.map(Some),
    }
}

/// Saves one of a data directory that no node uses.
fn save_offline(
    settings: &Settings,
    name: &str,
    told: everett_node::snapshots::Told<'_>,
) -> Result<SnapshotManifest, Failure> {
    let (params, directory) = directory(settings)?;
    refuse_half_restored(&directory)?;
    let snapshots = Snapshots::of(&directory);
    snapshots.path(name)?;
    if !directory.join("data.mdb").is_file() {
        return Err(StoreError::NoLedger { path: directory }.into());
    }
    let network = params.network.to_bitcoin();
    let config = settings.ledger_config(params, &directory, &LedgerArgs::default())?;
    let ledger = Ledger::open(config).map_err(|error| {
        Failure::from(error).advise_for(
            "IN_USE",
            "a node without gRPC cannot be asked: stop it, or run it with --grpc",
        )
    })?;
    // Not taken from its file, so that the file is what is saved.
    let mempool = Mempool::new(ledger.clone(), MempoolConfig::default());
    let wallets = WalletConfig::new(directory.join("wallets"), network);
    let wallets = Wallets::new(wallets, ledger.clone(), mempool.clone());
    let file = mempool_file(&directory);
    let parts = Parts {
        ledger: &ledger,
        mempool: &mempool,
        mempool_file: Some(&file),
        wallets: Some(&wallets),
        peers: None,
    };
    Ok(snapshots.save(name, &parts, told)?)
}

fn restore(settings: &Settings, args: &RestoreArgs) -> Result<(), Failure> {
    let (params, directory) = directory(settings)?;
    let (snapshots, name) = locate(&directory, &args.snapshot)?;
    let started = Instant::now();
    let (bar, stop) = (Bar::new("restoring", settings), Stop::listen()?);
    let restored = snapshots.restore(&name, &directory, &params, args.force, &mut |progress| {
        bar.show(progress);
        stop.go_on()
    })?;
    drop(bar);
    let seconds = started.elapsed().as_secs_f64();
    show(
        &RestoredView::new(restored, directory, seconds),
        settings.json,
    )
}

/// A snapshot by its name among those of a data directory, or by its own directory.
fn locate(data_directory: &Path, text: &Path) -> Result<(Snapshots, String), Failure> {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    if text.as_os_str().to_string_lossy().contains('/') {
        let path =
            std::path::absolute(text).map_err(|error| Failure::named("FILE_FAILED", error))?;
        if let (Some(parent), Some(name)) = (path.parent(), name(&path)) {
            return Ok((Snapshots::at(parent), name));
        }
    }
    Ok((
        Snapshots::of(data_directory),
        text.to_string_lossy().into_owned(),
    ))
}

/// What a node runs on until it is thrown away.
pub(super) struct Copy {
    /// Its data directory.
    pub(super) directory: ThrowAway,
    /// Where the node's own snapshots go: to those that it comes from.
    pub(super) snapshots: PathBuf,
    /// The wallets that were open.
    pub(super) wallets: Vec<String>,
}

/// Makes a copy of a snapshot to run on.
pub(super) fn throw_away(
    settings: &Settings,
    params: &Params,
    data_directory: &Path,
    snapshot: &Path,
) -> Result<Copy, Failure> {
    let (snapshots, name) = locate(data_directory, snapshot)?;
    let (bar, stop) = (Bar::new("copying", settings), Stop::listen()?);
    let (copy, manifest) = snapshots.throw_away(&name, params, &mut |progress| {
        bar.show(progress);
        stop.go_on()
    })?;
    let wallets = manifest.wallets.into_iter();
    Ok(Copy {
        directory: copy,
        snapshots: snapshots.directory().to_owned(),
        wallets: wallets
            .filter(|wallet| wallet.open)
            .map(|wallet| wallet.name)
            .collect(),
    })
}

/// Whether Ctrl-C was pressed.
struct Stop {
    pressed: std::sync::Arc<AtomicBool>,
    _runtime: tokio::runtime::Runtime,
}

impl Stop {
    fn listen() -> Result<Stop, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Failure::new(ErrorReason::Internal, error))?;
        Ok(Stop {
            pressed: interrupt::flag(&runtime),
            _runtime: runtime,
        })
    }

    fn go_on(&self) -> bool {
        !self.pressed.load(Ordering::Relaxed)
    }
}

/// How far it is, on a terminal; gone when it is dropped.
struct Bar(ProgressBar);

impl Bar {
    fn new(doing: &'static str, settings: &Settings) -> Bar {
        let shown = !settings.json && std::io::stderr().is_terminal();
        let target = match shown {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style =
            ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}");
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Bar(bar.with_message(doing))
    }

    fn show(&self, progress: SnapshotProgress) {
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
