//! Owns `everett run`: a node on a data directory, with its faces.
//! Promises one line when it is ready, and an ordered end on SIGINT and SIGTERM; refuses to start
//! where another process writes.

use std::process::ExitCode;

use everett_ledger::Network;
use everett_node::snapshots::refuse_half_restored;
use everett_node::{Interrupts, Node, NodeConfig};
use everett_proto::v1::ErrorReason;
use serde_json::json;
use tokio::runtime::Runtime;

use super::faces::Faces;
use super::network::PeerNetwork;
use super::snapshot::throw_away;
use crate::args::RunArgs;
use crate::failure::Failure;
use crate::output::write;
use crate::service::Service;
use crate::settings::Settings;
use crate::sync_line::SyncLine;

/// Runs the command.
pub(super) fn run(settings: &Settings, args: RunArgs) -> Result<ExitCode, Failure> {
    run_on(settings, args, Network::Mainnet)
}

/// The same, where `default` is the network if none is named.
pub(super) fn run_on(
    settings: &Settings,
    args: RunArgs,
    default: Network,
) -> Result<ExitCode, Failure> {
    let params = settings.params(default)?;
    let network = params.network;
    let directory = settings.datadir(network)?;
    let copy = match &args.copy.from_snapshot {
        Some(snapshot) => Some(throw_away(settings, &params, &directory, snapshot)?),
        None => None,
    };
    let directory = match &copy {
        Some(copy) => copy.directory.directory().to_owned(),
        None => directory,
    };
    let for_a_copy = copy.as_ref().map(|_| settings.for_a_copy(&directory));
    let settings = for_a_copy.as_ref().unwrap_or(settings);
    refuse_half_restored(&directory)?;
    let ledger = settings.ledger_config(params, &directory, &args.ledger)?;
    let pruned = ledger.prune_target.is_some();
    let mut config = NodeConfig::new(ledger);
    config.lab = settings.lab(args.lab);
    if let Some(copy) = &copy {
        config.snapshots = Some(copy.snapshots.clone());
    }
    let lab = config.lab;
    settings.wallets(args.wallet, &mut config);
    for name in copy.iter().flat_map(|copy| &copy.wallets) {
        if !config.open_wallets.contains(name) {
            config.open_wallets.push(name.clone());
        }
    }
    let p2p = settings.p2p(args.p2p, network, false)?;
    let p2p = PeerNetwork::new(p2p, &settings.sink, &directory, pruned);
    let faces = Faces::new(settings, args.faces, p2p, &directory)?;
    runtime()?.block_on(async {
        // Before anybody is told that the node is ready.
        let interrupts = Interrupts::listen();
        let (builder, mut faces) = faces.add_to(Node::builder(config));
        let node = builder.start().await?;
        let best = node.handle().ledger().best();
        let told = faces.told();
        let text = if settings.json {
            json!({
                "ready": true,
                "network": network.to_string(),
                "datadir": directory,
                "lab": lab,
                "grpc": told.grpc,
                "rpc": told.rpc,
                "rpc_cookie": told.cookie,
                "zmq": told.zmq,
                "web": told.web,
                "console": told.console,
                "metrics": told.metrics,
                "p2p": told.p2p,
                "best_hash": best.hash().to_string(),
                "best_height": best.height(),
            })
            .to_string()
        } else {
            let lab = if lab { " lab" } else { "" };
            format!(
                "ready: {network}{lab}, height {}, {told}, data in {}",
                best.height(),
                directory.display()
            )
        };
        write(&(text + "\n"))?;
        let mut service = Service::of_this_process();
        service.ready(node.handle());
        let _line = SyncLine::start(node.handle(), settings.json);
        // A world that is held keeps what it stands on.
        drop(best);
        node.wait_for(interrupts).await;
        service.stopped().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The threads of a node.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(ErrorReason::Internal, error))
}
