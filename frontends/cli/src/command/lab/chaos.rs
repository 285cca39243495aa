//! Owns `everett lab --chaos`: a live regtest that reorganises itself, served like a node's.
//! Promises a line for each thing it does, and an ordered end on Ctrl-C.
//! Refuses networks where a block costs work.

use std::process::ExitCode;
use std::time::Duration;

use everett_lab::Chaos;
use everett_lab::chaos::Stirred;
use everett_ledger::Network;
use everett_node::{Handle, Interrupts, Node, NodeConfig, NodeError};
use serde_json::json;

use super::Place;
use crate::args::lab::{DEFAULT_RATE, LabArgs};
use crate::command::faces::Faces;
use crate::command::network::PeerNetwork;
use crate::command::run::runtime;
use crate::failure::Failure;
use crate::output::write;
use crate::settings::Settings;

/// Blocks behind the best tip at which branches are retired, so that it can run for days.
const HORIZON: u32 = 100;

/// Runs the command.
pub(super) fn chaos(settings: &Settings, args: LabArgs) -> Result<ExitCode, Failure> {
    let params = settings.params(Network::Regtest)?;
    if params.network != Network::Regtest {
        return Err(Failure::usage(
            "chaos makes its own blocks, which only regtest allows; leave --network out",
        ));
    }
    let place = Place::new(settings.named_datadir())?;
    let mut ledger = settings.ledger_config(params, place.path(), &args.ledger)?;
    ledger.horizon = ledger.horizon.or(Some(HORIZON));
    let pruned = ledger.prune_target.is_some();
    let mut config = NodeConfig::new(ledger);
    config.lab = true;
    let (seed, rate) = (args.seed.unwrap_or(0), args.rate.unwrap_or(DEFAULT_RATE));
    let p2p = settings.p2p(args.p2p, Network::Regtest, true)?;
    let p2p = PeerNetwork::new(p2p, &settings.sink, place.path(), pruned);
    let faces = Faces::new(settings, args.faces, p2p, place.path())?;
    let json = settings.json;
    runtime()?.block_on(async {
        let interrupts = Interrupts::listen();
        let (builder, mut faces) = faces.add_to(Node::builder(config));
        let node = builder.start().await?;
        let told = faces.told();
        let begin = match json {
            true => json!({
                "ready": true,
                "seed": seed,
                "rate": rate,
                "datadir": place.path(),
                "grpc": told.grpc,
                "rpc": told.rpc,
                "rpc_cookie": told.cookie,
                "web": told.web,
                "console": told.console,
                "metrics": told.metrics,
                "p2p": told.p2p,
            })
            .to_string(),
            false => format!(
                "chaos on regtest, seed {seed}, {rate} a second, until Ctrl-C: {told}, data in {}",
                place.path().display()
            ),
        };
        write(&(begin + "\n"))?;
        let handle = node.handle().clone();
        let stirring = tokio::spawn(stir(handle, seed, rate, json));
        node.wait_for(interrupts).await;
        // It has ended with the node, or with an error of its own.
        match stirring.await {
            Ok(Err(failure)) => Err(failure),
            _ => Ok(ExitCode::SUCCESS),
        }
    })
}

/// Does one thing after the other until the node is asked to stop.
async fn stir(handle: Handle, seed: u64, rate: f64, json: bool) -> Result<(), Failure> {
    let mut chaos = Some(Chaos::new(handle.ledger().clone(), seed));
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = handle.shutdown().wait() => return Ok(()),
        }
        let Some(mut taken) = chaos.take() else {
            return Ok(());
        };
        let step = handle.write(move |_| {
            let stirred = taken.step();
            (taken, stirred)
        });
        let (taken, stirred) = match step.await {
            Ok(done) => done,
            // The node is shutting down.
            Err(_) if handle.shutdown().is_given() => return Ok(()),
            Err(error) => return Err(NodeError::from(error).into()),
        };
        chaos = Some(taken);
        match stirred {
            Ok(stirred) => write(&(line(&stirred, json) + "\n"))?,
            Err(error) => {
                handle.shut_down();
                return Err(Failure::named("CHAOS_FAILED", error));
            }
        }
    }
}

fn line(stirred: &Stirred, json: bool) -> String {
    match json {
        false => stirred.to_string(),
        true => json!({
            "what": stirred.kind.as_str(),
            "hash": stirred.hash.to_string(),
            "height": stirred.height,
            "blocks": stirred.blocks,
            "undone": stirred.undone,
            "payments": stirred.payments,
            "double_spends": stirred.double_spends,
            "best_height": stirred.best_height,
        })
        .to_string(),
    }
}
