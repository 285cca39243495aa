//! Owns `everett lab`: a scenario, played on a private chain, shown and served.
//! Promises a fresh chain in a temporary directory unless one is named; refuses mainnet, and to
//! serve a history whose expectations do not hold.

mod chaos;
mod record;
mod replay;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use everett_lab::scenario::{SHIPPED, Step};
use everett_lab::{Played, Scenario};
use everett_ledger::{Ledger, Network};
use everett_node::{Interrupts, Node, NodeConfig, NodeError};
use everett_proto::v1::ErrorReason;
use tempfile::TempDir;

use self::show::LabView;
use super::faces::{Faces, Told};
use super::network::PeerNetwork;
use super::run::runtime;
use crate::args::lab::{LabArgs, LabCommand};
use crate::args::{FromSnapshotArgs, RunArgs, WalletArgs};
use crate::failure::Failure;
use crate::output::{show, write};
use crate::settings::Settings;

/// The scenario that is played when none is named.
const DEFAULT_SCENARIO: &str = "double-spend";

/// Runs the command.
pub(super) fn lab(settings: &Settings, args: LabArgs) -> Result<ExitCode, Failure> {
    match args.command {
        Some(LabCommand::Record(args)) => return record::record(settings, args),
        Some(LabCommand::Replay(args)) => return replay::replay(settings, *args),
        None if args.chaos => return chaos::chaos(settings, args),
        None => {}
    }
    if args.from_snapshot.is_some() {
        let run = RunArgs {
            faces: args.faces,
            lab: true,
            copy: FromSnapshotArgs {
                from_snapshot: args.from_snapshot,
            },
            p2p: args.p2p,
            wallet: WalletArgs::default(),
            ledger: args.ledger,
        };
        return super::run::run_on(settings, run, Network::Regtest);
    }
    if let Some(name) = &args.print {
        return match shipped(name) {
            Some(text) => write(text).map(|()| ExitCode::SUCCESS),
            None => Err(no_scenario(Path::new(name))),
        };
    }
    let script = Script::read(args.scenario.as_deref())?;
    let params = settings.params(Network::Regtest)?;
    let network = params.network;
    let place = Place::new(settings.named_datadir())?;
    let ledger = settings.ledger_config(params, place.path(), &args.ledger)?;
    let pruned = ledger.prune_target.is_some();
    let mut config = NodeConfig::new(ledger);
    config.lab = true;
    config.check()?;
    let view = |played: Played, told: Told| LabView {
        played,
        scenario: script.name.clone(),
        network,
        // A temporary directory is gone when this process is.
        datadir: place.lasting(args.exit),
        grpc: told.grpc,
        rpc: told.rpc,
        rpc_cookie: told.cookie,
        web: told.web,
        console: told.console,
        metrics: told.metrics,
        p2p: told.p2p,
    };
    if args.exit {
        let ledger = Ledger::open(config.ledger)?;
        let played = script.play(&ledger, settings.json)?;
        let unmet = script.unmet(&played);
        show(&view(played, Told::default()), settings.json)?;
        return unmet.map_or(Ok(ExitCode::SUCCESS), Err);
    }
    let p2p = settings.p2p(args.p2p, network, true)?;
    let p2p = PeerNetwork::new(p2p, &settings.sink, place.path(), pruned);
    let faces = Faces::new(settings, args.faces, p2p, place.path())?;
    runtime()?.block_on(async {
        // Before anybody is told that the node is ready.
        let interrupts = Interrupts::listen();
        let (builder, mut faces) = faces.add_to(Node::builder(config));
        let node = builder.start().await?;
        let (performed, quiet) = (script.clone(), settings.json);
        let played = node
            .handle()
            .write(move |ledger| performed.play(ledger, quiet))
            .await
            .map_err(NodeError::from)??;
        let unmet = script.unmet(&played);
        let told = match unmet {
            None => faces.told(),
            Some(_) => Told::default(),
        };
        show(&view(played, told), settings.json)?;
        match unmet {
            Some(failure) => {
                node.stop().await;
                Err(failure)
            }
            None => {
                node.wait_for(interrupts).await;
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

/// A scenario and what it is called in messages.
#[derive(Clone)]
struct Script {
    name: String,
    scenario: Scenario,
}

impl Script {
    /// A file, or a shipped scenario by its name.
    fn read(path: Option<&Path>) -> Result<Script, Failure> {
        let path = path.unwrap_or(Path::new(DEFAULT_SCENARIO));
        let name = path.display().to_string();
        // A file of the user's own goes before a shipped scenario of that name.
        let text = match path.to_str().and_then(shipped) {
            Some(text) if !path.is_file() => text.to_owned(),
            _ => std::fs::read_to_string(path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => no_scenario(path),
                _ => Failure::named("FILE_FAILED", format!("{name}: {error}")),
            })?,
        };
        let scenario = Scenario::parse(&text)
            .map_err(|error| Failure::named("SCENARIO_MALFORMED", format!("{name}: {error}")))?;
        Ok(Script { name, scenario })
    }

    /// Plays it, telling the story on standard error.
    fn play(&self, ledger: &Ledger, quiet: bool) -> Result<Played, Failure> {
        let mut tell = |step: &Step| {
            if !quiet && !step.say().is_empty() {
                eprintln!("{:>4}  {}", step.number(), step.say());
            }
        };
        if !quiet {
            eprintln!("{}\n", self.scenario.title());
        }
        self.scenario.play_with(ledger, &mut tell).map_err(|error| {
            let message = format!("{}: {error}", self.name);
            Failure::new(ErrorReason::ScenarioFailed, message)
        })
    }

    /// The failure that the expectations which do not hold amount to.
    fn unmet(&self, played: &Played) -> Option<Failure> {
        let lines: Vec<String> = played
            .unmet
            .iter()
            .map(|unmet| format!("\n  {unmet}"))
            .collect();
        (!lines.is_empty()).then(|| {
            Failure::named(
                "EXPECTATION_UNMET",
                format!(
                    "{}: {} expectations do not hold:{}",
                    self.name,
                    lines.len(),
                    lines.concat()
                ),
            )
        })
    }
}

/// Where the lab keeps its data: a directory that the user named, or one that goes away with it.
enum Place {
    Named(PathBuf),
    Temporary(TempDir),
}

impl Place {
    fn new(named: Option<&Path>) -> Result<Place, Failure> {
        match named {
            Some(path) => Ok(Place::Named(path.to_owned())),
            None => tempfile::Builder::new()
                .prefix("everett-lab-")
                .tempdir()
                .map(Place::Temporary)
                .map_err(|error| {
                    Failure::named(
                        "FILE_FAILED",
                        format!("no temporary directory: {error}; name one with --datadir"),
                    )
                }),
        }
    }

    /// The directory, if there will still be one for whoever reads of it.
    fn lasting(&self, ends_now: bool) -> Option<PathBuf> {
        match self {
            Place::Temporary(_) if ends_now => None,
            _ => Some(self.path().to_owned()),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Place::Named(path) => path,
            Place::Temporary(directory) => directory.path(),
        }
    }
}

/// The text of a shipped scenario, by its name with or without `.toml`.
fn shipped(name: &str) -> Option<&'static str> {
    let wanted = name.strip_suffix(".toml").unwrap_or(name);
    let found = SHIPPED
        .iter()
        .find(|(file, _)| file.strip_suffix(".toml") == Some(wanted));
    found.map(|(_, text)| *text)
}

fn no_scenario(path: &Path) -> Failure {
    let names: Vec<&str> = SHIPPED
        .iter()
        .map(|(file, _)| file.trim_end_matches(".toml"))
        .collect();
    Failure::usage(format!(
        "there is no scenario {}; name a file, or one of {}",
        path.display(),
        names.join(", ")
    ))
}
