//! Owns the daemon's life once its settings stand: start, serve, stop.
//! Promises an ordered end with exit code 0 on SIGTERM, SIGINT and `stop`, and a log in which that can be read.

use std::io::ErrorKind;
use std::process::ExitCode;

use everett_grpc::BoundAddress;
use everett_net::PoolError;
use everett_node::snapshots::refuse_half_restored;
use everett_node::{Interrupts, Node, NodeConfig, NodeError};
use everett_p2p::P2p;
use everett_rpc::Rpc;
use everett_zmq::Zmq;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::commands::{self, Runner};
use super::daemon;
use super::debug_log::DebugLog;
use super::failure::InitError;
use super::layout::Layout;
use super::node_settings::NodeSettings;
use super::tip_log::TipLog;
use super::version;
use crate::args::{GrpcArgs, WebArgs};
use crate::command::grpc_server::GrpcServer;
use crate::command::web_server::WebServer;
use crate::failure::Failure;
use crate::node_url::Announced;
use crate::service::Service;

/// What is said of a best block that is of the future: the blocks are right, and need no rebuilding.
const FUTURE_TIP: &str = "The block database contains a block which appears to be from the future. This may be due to your \
    computer's date and time being set incorrectly. Only rebuild the block database if you are sure that your computer's date \
    and time are correct.\nPlease restart with -reindex or -reindex-chainstate to recover.";

/// Serves until it is asked to stop.
///
/// # Errors
///
/// It does not start.
pub(super) fn serve(
    settings: NodeSettings,
    layout: &Layout,
    log: DebugLog,
    background: bool,
) -> Result<ExitCode, InitError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(InitError::new)?;
    runtime.block_on(async {
        info!("{}", version::line("daemon").trim_end());
        let mut interrupts = Interrupts::listen();
        reopen_on_hangup(log);
        let NodeSettings { commands, .. } = &settings;
        let (commands, runner) = (commands.clone(), Runner::new(background));
        let (node, grpc) = start(settings, layout, &commands, &runner).await?;
        // Commands of this machine find the node by the directory.
        let address = grpc.and_then(|grpc| grpc.get());
        let store = layout.store();
        let _announced = address.and_then(|address| Announced::write(&store, "http", address));
        info!("init message: Done loading");
        if let Some(command) = commands.startup {
            runner.run(command);
        }
        let mut service = Service::of_this_process();
        if background {
            daemon::tell_ready();
        } else {
            service.ready(node.handle());
        }
        tokio::select! {
            () = node.handle().shutdown().wait() => {}
            signal = interrupts.next() => info!("{signal} received"),
        }
        let shutdown = commands.shutdown;
        // A panic in there is in the log.
        let _ = tokio::task::spawn_blocking(move || runner.run_all(&shutdown)).await;
        info!("Shutdown in progress...");
        node.stop().await;
        service.stopped().await;
        info!("Shutdown done");
        Ok(ExitCode::SUCCESS)
    })
}

async fn start(
    settings: NodeSettings,
    layout: &Layout,
    commands: &commands::Commands,
    runner: &Runner,
) -> Result<(Node, Option<BoundAddress>), InitError> {
    refuse_half_restored(&layout.store()).map_err(InitError::new)?;
    let mut config = NodeConfig::new(settings.ledger);
    config.lab = settings.lab;
    config.max_tip_age = settings.max_tip_age;
    config.mempool = settings.mempool;
    config.refuse_future_tip = true;
    config.persist_mempool = settings.persist_mempool;
    config.wallets = None;
    if let Some(wallets) = settings.wallets {
        config.wallets = Some(wallets.config);
        config.open_wallets = wallets.open;
        config.default_wallet = wallets.make;
    }
    // Where Core has it, and in its format.
    config.mempool_file = Some(layout.network.join("mempool.dat"));
    config.fee_file = Some(layout.network.join("fee_estimates.dat"));
    config.accept_stale_fees = settings.accept_stale_fees;
    let mut builder = Node::builder(config).frontend(TipLog {
        command: commands.block.clone(),
        stop_at: settings.stop_at,
        runner: runner.clone(),
    });
    // Before whoever brings blocks or transactions, so that all of them are told.
    if !settings.zmq.is_empty() {
        builder = builder.frontend(Zmq::new(settings.zmq));
    }
    let wrong = |failure: Failure| InitError::new(failure);
    let mut grpc = None;
    if let Some(address) = settings.grpc {
        let args = GrpcArgs {
            grpc: Some(address),
            ..GrpcArgs::default()
        };
        let server = GrpcServer::new(&args).map_err(wrong)?;
        grpc = Some(server.address);
        builder = builder.frontend(server.server);
    }
    if let Some(address) = settings.webui {
        let args = WebArgs {
            webui: Some(address),
            ..WebArgs::default()
        };
        if let Some(web) = WebServer::new(args).map_err(wrong)? {
            builder = builder.frontend(web.server);
        }
    }
    if let Some(rpc) = settings.rpc {
        builder = builder.frontend(Rpc::new(rpc));
    }
    // Last, so that nobody calls before everything is there.
    builder = builder.frontend(P2p::new(settings.p2p));
    let node = builder.start().await.map_err(refused)?;
    Ok((node, grpc))
}

/// Why a node does not start, in Core's words where it has some.
fn refused(error: NodeError) -> InitError {
    match &error {
        NodeError::FutureTip { .. } => InitError::question(FUTURE_TIP),
        NodeError::Frontend { name, source } if name == "rpc" => {
            tracing::error!("{source}");
            InitError::new("Unable to start HTTP server. See debug log for details.")
        }
        NodeError::Frontend { name, source } if name == "p2p" => {
            tracing::error!("{source}");
            let failed = "Failed to listen on any port. Use -listen=0 if you want this.";
            let busy = match source.downcast_ref::<PoolError>() {
                Some(PoolError::Listen { address, source }) => Some((address, source)),
                _ => None,
            };
            InitError::new(match busy {
                Some((address, error)) if error.kind() == ErrorKind::AddrInUse => format!(
                    "Unable to bind to {address} on this computer. Everett is probably already running.\nError: {failed}"
                ),
                Some((address, error)) => format!(
                    "Unable to bind to {address} on this computer (bind returned error {error})\nError: {failed}"
                ),
                None => failed.to_owned(),
            })
        }
        _ => InitError::new(Failure::from(error)),
    }
}

/// Begins the log anew whenever somebody moved it away and says so.
fn reopen_on_hangup(log: DebugLog) {
    if let Ok(mut hangup) = signal(SignalKind::hangup()) {
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                log.reopen();
            }
        });
    }
}
