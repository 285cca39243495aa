//! Owns `everett run`: a node on a data directory, with its faces.
//! Promises one line when it is ready, and an ordered end on SIGINT and SIGTERM; refuses to start
//! where another process writes.

use std::process::ExitCode;

use everett_grpc::{BearerToken, BoundAddress, Grpc, GrpcConfig, TlsFiles};
use everett_ledger::Network;
use everett_node::{Interrupts, Node, NodeConfig};
use everett_proto::v1::ErrorReason;
use everett_web::{Login, Web, WebConfig};
use serde_json::json;
use tokio::runtime::Runtime;

use super::faces::Faces;
use super::network::PeerNetwork;
use crate::args::{GrpcArgs, RunArgs, WebArgs};
use crate::failure::Failure;
use crate::output::write;
use crate::settings::Settings;
use crate::sync_line::SyncLine;

/// Runs the command.
pub(super) fn run(settings: &Settings, args: RunArgs) -> Result<ExitCode, Failure> {
    let params = settings.params(Network::Mainnet)?;
    let network = params.network;
    let directory = settings.datadir(network)?;
    let ledger = settings.ledger_config(params, &directory, &args.ledger)?;
    let pruned = ledger.prune_target.is_some();
    let mut config = NodeConfig::new(ledger);
    config.lab = settings.lab(args.lab);
    let lab = config.lab;
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
        let _line = SyncLine::start(node.handle(), settings.json);
        // A world that is held keeps what it stands on.
        drop(best);
        node.wait_for(interrupts).await;
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

/// The gRPC server before the node takes it, and what is to be said of it afterwards.
pub(super) struct GrpcServer {
    pub(super) server: Grpc,
    pub(super) address: BoundAddress,
    pub(super) scheme: &'static str,
}

impl GrpcServer {
    /// As the options say.
    pub(super) fn new(args: &GrpcArgs) -> Result<GrpcServer, Failure> {
        let mut config = GrpcConfig::default();
        if let Some(listen) = args.grpc {
            config.listen = listen;
        }
        config.allow_open = args.grpc_allow_open;
        config.token = args
            .grpc_token
            .as_ref()
            .map(|token| BearerToken::new(token))
            .transpose()
            .map_err(Failure::usage)?;
        config.tls = match (&args.grpc_tls_cert, &args.grpc_tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (None, None) => None,
            _ => {
                return Err(Failure::usage(
                    "TLS needs both a certificate and its key: grpc_tls_cert and grpc_tls_key",
                ));
            }
        };
        let scheme = if config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let server = Grpc::new(config);
        Ok(GrpcServer {
            address: server.bound_address(),
            server,
            scheme,
        })
    }
}

/// The web server before the node takes it, and what is to be said of it afterwards.
pub(super) struct WebServer {
    pub(super) server: Web,
    pub(super) address: everett_web::BoundAddress,
}

impl WebServer {
    /// As the options say; none where they say so.
    pub(super) fn new(args: WebArgs) -> Result<Option<WebServer>, Failure> {
        if args.no_web {
            return Ok(None);
        }
        let mut config = WebConfig::default();
        if let Some(listen) = args.webui {
            config.listen = listen;
        }
        let text = match (args.user, args.user_file) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "the login is given twice: --user (or EVERETT_USER) and --user-file; leave one of them out",
                ));
            }
            (Some(user), None) => Some(user),
            (None, Some(path)) => Some(std::fs::read_to_string(&path).map_err(|error| {
                Failure::usage(format!("--user-file {}: {error}", path.display()))
            })?),
            (None, None) => None,
        };
        config.login = text
            .map(|text| text.parse::<Login>())
            .transpose()
            .map_err(|error| Failure::usage(format!("{error} (--user, --user-file)")))?;
        let server = Web::new(config);
        Ok(Some(WebServer {
            address: server.bound_address(),
            server,
        }))
    }
}

/// Where clients find the server.
pub(super) fn url(scheme: &str, address: &BoundAddress) -> String {
    match address.get() {
        Some(address) => format!("{scheme}://{address}"),
        None => "no address".to_owned(),
    }
}
