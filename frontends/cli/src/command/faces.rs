//! Owns the faces of a node that the command line starts: gRPC, JSON-RPC, the web page, the console, the metrics, the binary
//! log.
//! Promises that each is made before the ledger is opened, so that a wrong option costs nothing, and says afterwards
//! where each is found.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use everett_grpc::BoundAddress;
use everett_log::Log;
use everett_metrics::Metrics;
use everett_node::NodeBuilder;
use everett_rpc::Rpc;
use everett_zmq::Zmq;

use super::grpc_server::{GrpcServer, url};
use super::monitor::{Attached, Monitor};
use super::network::{Listening, PeerNetwork};
use super::web_server::WebServer;
use crate::args::FaceArgs;
use crate::failure::Failure;
use crate::node_url::Announced;
use crate::settings::{Settings, zmq_publishers};

/// The faces before a node takes them.
pub(super) struct Faces {
    log: Option<Log>,
    grpc: GrpcServer,
    rpc: Option<Rpc>,
    zmq: Option<Zmq>,
    web: Option<WebServer>,
    monitor: Monitor,
    metrics: Option<Metrics>,
    p2p: PeerNetwork,
    directory: PathBuf,
}

/// The faces of a node, to be asked where they are.
pub(super) struct Started {
    grpc: (&'static str, BoundAddress),
    rpc: Option<everett_rpc::BoundAddress>,
    zmq: Option<everett_zmq::BoundAddresses>,
    web: Option<everett_web::BoundAddress>,
    console: Attached,
    metrics: Option<everett_metrics::BoundAddress>,
    p2p: Listening,
    directory: PathBuf,
    /// The word in the data directory of where the node is, once it was told.
    announced: Option<Announced>,
}

/// Where each face is.
#[derive(Default)]
pub(super) struct Told {
    pub(super) grpc: Option<String>,
    pub(super) rpc: Option<String>,
    /// The file by which callers of JSON-RPC log in, if there is one.
    pub(super) cookie: Option<PathBuf>,
    /// Where messages are published over ZeroMQ, if they are.
    pub(super) zmq: Vec<String>,
    pub(super) web: Option<String>,
    pub(super) console: Option<PathBuf>,
    pub(super) metrics: Option<String>,
    /// Where peers may call; `None` for a node that is off the network.
    pub(super) p2p: Option<Vec<SocketAddr>>,
}

impl Faces {
    /// As the options and the file say, for a node on this directory.
    pub(super) fn new(
        settings: &Settings,
        args: FaceArgs,
        p2p: PeerNetwork,
        directory: &Path,
    ) -> Result<Faces, Failure> {
        let log = settings.log(&args.log, directory);
        if log.is_none() && p2p.logs_packets {
            return Err(Failure::usage(
                "--log-packets writes to the binary log, which no_log keeps from being; leave one of them out",
            ));
        }
        let metrics = settings.metrics(&args.metrics);
        let zmq = settings.zmq(args.zmq)?;
        let mut rpc = settings.rpc(args.rpc, directory);
        if let Some(rpc) = &mut rpc {
            rpc.zmq = zmq_publishers(&zmq);
        }
        Ok(Faces {
            log: log.map(|config| Log::new(config, settings.sink.clone())),
            grpc: GrpcServer::new(&settings.grpc(args.grpc))?,
            rpc: rpc.map(Rpc::new),
            zmq: (!zmq.is_empty()).then(|| Zmq::new(zmq)),
            web: WebServer::new(settings.web(args.web))?,
            monitor: Monitor::new(&settings.monitor(args.monitor), directory),
            metrics: metrics.map(Metrics::new),
            p2p,
            directory: directory.to_owned(),
        })
    }

    /// Adds them to a node.
    pub(super) fn add_to(self, mut node: NodeBuilder) -> (NodeBuilder, Started) {
        // First, so that it stops last.
        if let Some(log) = self.log {
            node = node.frontend(log);
        }
        let grpc = (self.grpc.scheme, self.grpc.address);
        let mut node = node.frontend(self.grpc.server);
        // Before whoever brings blocks or transactions, so that all of them are told.
        let zmq = self.zmq.map(|zmq| {
            let addresses = zmq.bound_addresses();
            (zmq, addresses)
        });
        let (publishers, zmq) = zmq.unzip();
        if let Some(publishers) = publishers {
            node = node.frontend(publishers);
        }
        let rpc = self.rpc.map(|rpc| {
            let address = rpc.bound_address();
            (rpc, address)
        });
        let (server, rpc) = rpc.unzip();
        if let Some(server) = server {
            node = node.frontend(server);
        }
        let web = self.web.map(|web| (web.server, web.address));
        let (server, web) = web.unzip();
        if let Some(server) = server {
            node = node.frontend(server);
        }
        let (mut node, console) = self.monitor.add_to(node);
        let metrics = self.metrics.map(|metrics| {
            let address = metrics.bound_address();
            (metrics, address)
        });
        let (server, metrics) = metrics.unzip();
        if let Some(server) = server {
            node = node.frontend(server);
        }
        // Last, so that nobody calls before everything is there.
        let (node, p2p) = self.p2p.add_to(node);
        let started = Started {
            grpc,
            rpc,
            zmq,
            web,
            console,
            metrics,
            p2p,
            directory: self.directory,
            announced: None,
        };
        (node, started)
    }
}

impl Started {
    /// Where they are, once the node has started; from now on, and until this is dropped, the data directory tells it
    /// as well.
    pub(super) fn told(&mut self) -> Told {
        let (scheme, address) = &self.grpc;
        if let (None, Some(bound)) = (&self.announced, address.get()) {
            self.announced = Announced::write(&self.directory, scheme, bound);
        }
        Told {
            grpc: Some(url(scheme, address)),
            rpc: self.rpc.as_ref().and_then(everett_rpc::BoundAddress::url),
            cookie: self.rpc.as_ref().and_then(|rpc| rpc.cookie().cloned()),
            zmq: self.zmq.iter().flat_map(published).collect(),
            web: self.web.as_ref().and_then(everett_web::BoundAddress::url),
            console: self.console.path(),
            metrics: self
                .metrics
                .as_ref()
                .and_then(everett_metrics::BoundAddress::url),
            p2p: self.p2p.addresses(),
        }
    }
}

fn published(addresses: &everett_zmq::BoundAddresses) -> Vec<String> {
    addresses.get().iter().map(ToString::to_string).collect()
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let console = self.console.as_ref().map(|path| path.display().to_string());
        let zmq = Some(self.zmq.join(" ")).filter(|text| !text.is_empty());
        let peers = self.p2p.as_ref().map(|addresses| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            match addresses.is_empty() {
                true => "nobody can call".to_owned(),
                false => format!("on {}", addresses.join(" ")),
            }
        });
        let faces = [
            ("gRPC on", &self.grpc),
            ("JSON-RPC on", &self.rpc),
            ("ZeroMQ on", &zmq),
            ("web page", &self.web),
            ("console on", &console),
            ("metrics on", &self.metrics),
            ("peers:", &peers),
        ];
        let told = faces.iter().filter_map(|(name, place)| {
            let place = place.as_ref()?;
            Some(format!("{name} {place}"))
        });
        f.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}
