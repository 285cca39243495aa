//! Owns `everett lab replay`: a recording, handed to a chain of its own, and served.
//! Promises that the chain can be watched while the blocks come; refuses recordings that are damaged.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use everett_lab::recording::{
    Ending, Head, Pace, RecordingReader, Replay, ReplayError, ReplayProgress, Replayed,
};
use everett_ledger::{Ledger, Network, Params};
use everett_node::{Interrupts, Node, NodeConfig, NodeError};
use indicatif::ProgressBar;
use serde::Serialize;

use super::Place;
use super::record::bar;
use crate::args::lab::ReplayArgs;
use crate::command::faces::{Faces, Told};
use crate::command::network::PeerNetwork;
use crate::command::run::runtime;
use crate::failure::Failure;
use crate::output::{View, show};
use crate::settings::Settings;

/// Blocks that were refused and are printed one by one; JSON has more.
const SHOWN_REFUSALS: usize = 20;

/// What became of a recording.
#[derive(Serialize)]
struct ReplayView {
    file: PathBuf,
    network: String,
    entries: u64,
    blocks: u64,
    accepted: u64,
    known: u64,
    waiting: u64,
    refused: u64,
    refusals: Vec<Refusal>,
    best_hash: String,
    best_height: u32,
    tips: usize,
    recorded_seconds: f64,
    seconds: f64,
    /// `whole`, `torn` or `stopped`.
    ending: &'static str,
    /// Bytes behind the last whole frame of a recording that was cut off.
    torn_bytes: u64,
    #[serde(flatten)]
    faces: FacesView,
}

/// A block that was refused.
#[derive(Serialize)]
struct Refusal {
    block_hash: Option<String>,
    reason: String,
}

/// Where the chain is served.
#[derive(Default, Serialize)]
struct FacesView {
    datadir: Option<PathBuf>,
    grpc: Option<String>,
    rpc: Option<String>,
    rpc_cookie: Option<PathBuf>,
    web: Option<String>,
    console: Option<PathBuf>,
    metrics: Option<String>,
}

impl FacesView {
    fn new(told: Told, datadir: Option<PathBuf>) -> FacesView {
        FacesView {
            datadir,
            grpc: told.grpc,
            rpc: told.rpc,
            rpc_cookie: told.cookie,
            web: told.web,
            console: told.console,
            metrics: told.metrics,
        }
    }
}

impl ReplayView {
    fn new(file: PathBuf, ledger: &Ledger, replayed: Replayed, faces: FacesView) -> ReplayView {
        let torn_bytes = match replayed.ending {
            Ending::Torn { bytes, .. } if !replayed.stopped => bytes,
            _ => 0,
        };
        ReplayView {
            file,
            network: ledger.params().network.to_string(),
            entries: replayed.entries,
            blocks: replayed.blocks,
            accepted: replayed.accepted,
            known: replayed.known,
            waiting: replayed.waiting,
            refused: replayed.refused,
            refusals: replayed
                .refusals
                .into_iter()
                .map(|(hash, reason)| Refusal {
                    block_hash: hash.map(|hash| hash.to_string()),
                    reason,
                })
                .collect(),
            best_hash: replayed.best_hash.to_string(),
            best_height: replayed.best_height,
            tips: ledger.tips().len(),
            recorded_seconds: replayed.span.as_secs_f64(),
            seconds: replayed.took.as_secs_f64(),
            ending: match replayed.ending {
                _ if replayed.stopped => "stopped",
                Ending::Whole => "whole",
                Ending::Torn { .. } => "torn",
            },
            torn_bytes,
            faces,
        }
    }
}

impl View for ReplayView {
    fn text(&self) -> String {
        let mut text = format!(
            "{} blocks of {:.0} s in {:.1} s: {} accepted, {} known before",
            self.blocks, self.recorded_seconds, self.seconds, self.accepted, self.known
        );
        for (count, what) in [
            (self.refused, "refused"),
            (self.waiting, "waiting for their parent"),
        ] {
            if count > 0 {
                text += &format!(", {count} {what}");
            }
        }
        text.push('\n');
        for refusal in self.refusals.iter().take(SHOWN_REFUSALS) {
            let hash = refusal.block_hash.as_deref().unwrap_or("a block");
            text += &format!("  {hash} {}\n", refusal.reason);
        }
        if self.ending == "torn" {
            text += &format!(
                "the recording was cut off while it was written: {} bytes behind its last whole frame are left out\n",
                self.torn_bytes
            );
        }
        if self.ending == "stopped" {
            text += "stopped before its end\n";
        }
        text += &format!(
            "best {} (height {}), {} tips\n",
            self.best_hash, self.best_height, self.tips
        );
        for (what, place) in [("gRPC on", &self.faces.grpc), ("web page", &self.faces.web)] {
            if let Some(place) = place {
                text += &format!("{what} {place}\n");
            }
        }
        text
    }
}

/// Runs the command.
pub(super) fn replay(settings: &Settings, args: ReplayArgs) -> Result<ExitCode, Failure> {
    let recording = RecordingReader::open(&args.file)?;
    let params = settings.params(network_of(recording.head()))?;
    let place = Place::new(settings.named_datadir())?;
    let ledger = settings.ledger_config(params, place.path(), &args.ledger)?;
    let bar = bar(settings.json);
    if args.exit {
        let ledger = Ledger::open(ledger)?;
        let runtime = runtime()?;
        let stop = crate::interrupt::flag(&runtime);
        let replayed = run(&ledger, recording, args.pace, &stop, &bar)?;
        let (accepted, waiting) = (replayed.accepted + replayed.known, replayed.waiting);
        let faces = FacesView::new(Told::default(), place.lasting(true));
        show(
            &ReplayView::new(args.file, &ledger, replayed, faces),
            settings.json,
        )?;
        if accepted == 0 && waiting > 0 {
            return Err(Failure::named(
                "REPLAY_FAILED",
                "every block waits for its parent: the recording leaves the first blocks out (record --from), so replay it \
                 onto a chain that has them (--datadir)",
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut config = NodeConfig::new(ledger);
    config.lab = config.ledger.params.network != Network::Mainnet;
    let faces = Faces::new(settings, args.faces, PeerNetwork::off(), place.path())?;
    runtime()?.block_on(async {
        let mut interrupts = Interrupts::listen();
        let (builder, mut faces) = faces.add_to(Node::builder(config));
        let node = builder.start().await?;
        if !settings.json {
            eprintln!("{}", faces.told());
        }
        let handle = node.handle().clone();
        let stop = Arc::new(AtomicBool::new(false));
        let job = {
            let (stop, bar) = (stop.clone(), bar.clone());
            handle.write(move |ledger| run(ledger, recording, args.pace, &stop, &bar))
        };
        // A node that is asked to stop does not wait for a replay at its original pace.
        let stopping = async {
            tokio::select! {
                () = handle.shutdown().wait() => {}
                _ = interrupts.next() => handle.shut_down(),
            }
            stop.store(true, Ordering::Relaxed);
            std::future::pending::<()>().await;
        };
        let replayed = tokio::select! {
            replayed = job => replayed.map_err(NodeError::from)?,
            () = stopping => return Ok(ExitCode::SUCCESS),
        };
        let replayed = match replayed {
            Ok(replayed) => replayed,
            Err(failure) => {
                node.stop().await;
                return Err(failure);
            }
        };
        let stopped = replayed.stopped;
        let faces = FacesView::new(faces.told(), place.lasting(false));
        let view = ReplayView::new(args.file, handle.ledger(), replayed, faces);
        show(&view, settings.json)?;
        match stopped {
            true => node.stop().await,
            false => node.wait().await,
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn run(
    ledger: &Ledger,
    recording: RecordingReader,
    pace: Pace,
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> Result<Replayed, Failure> {
    let mut watch = |progress: &ReplayProgress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
        bar.set_message(format!("height {}", progress.height));
    };
    let replay = Replay::new(ledger).pace(pace).stop_when(stop);
    let replayed = replay.watched_by(&mut watch).run(recording);
    bar.finish_and_clear();
    replayed.map_err(Failure::from)
}

/// The network that a recording is of, as far as its head tells.
fn network_of(head: &Head) -> Network {
    let of_genesis = |params: &Params| params.genesis_hash() == head.genesis;
    let all = Network::ALL.into_iter().map(Params::new);
    let found = all.into_iter().find(of_genesis);
    found.map_or(Network::Regtest, |params| params.network)
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Failure {
        match error {
            ReplayError::Recording(error) => {
                Failure::from(error).while_doing("what came before was handed in")
            }
            ReplayError::Store(error) => error.into(),
            ReplayError::OtherNetwork { .. } => Failure::named("OTHER_NETWORK", error),
            error => Failure::named("REPLAY_FAILED", error),
        }
    }
}
