//! Owns the faces of a node that the command line starts: gRPC, the web page, the console.
//! Promises that each is made before the ledger is opened, so that a wrong option costs nothing, and says afterwards
//! where each is found.

use std::fmt;
use std::path::{Path, PathBuf};

use everett_grpc::BoundAddress;
use everett_node::NodeBuilder;

use super::monitor::{Attached, Monitor};
use super::run::{GrpcServer, WebServer, url};
use crate::args::{GrpcArgs, MonitorArgs, WebArgs};
use crate::failure::Failure;
use crate::settings::Settings;

/// The faces before a node takes them.
pub(super) struct Faces {
    grpc: GrpcServer,
    web: Option<WebServer>,
    monitor: Monitor,
}

/// The faces of a node, to be asked where they are.
pub(super) struct Started {
    grpc: (&'static str, BoundAddress),
    web: Option<everett_web::BoundAddress>,
    console: Attached,
}

/// Where each face is.
#[derive(Default)]
pub(super) struct Told {
    pub(super) grpc: Option<String>,
    pub(super) web: Option<String>,
    pub(super) console: Option<PathBuf>,
}

impl Faces {
    /// As the options and the file say, for a node on this directory.
    pub(super) fn new(
        settings: &Settings,
        (grpc, web, monitor): (GrpcArgs, WebArgs, MonitorArgs),
        directory: &Path,
    ) -> Result<Faces, Failure> {
        Ok(Faces {
            grpc: GrpcServer::new(&settings.grpc(grpc))?,
            web: WebServer::new(settings.web(web))?,
            monitor: Monitor::new(&settings.monitor(monitor), directory),
        })
    }

    /// Adds them to a node.
    pub(super) fn add_to(self, node: NodeBuilder) -> (NodeBuilder, Started) {
        let grpc = (self.grpc.scheme, self.grpc.address);
        let mut node = node.frontend(self.grpc.server);
        let web = self.web.map(|web| (web.server, web.address));
        let (server, web) = web.unzip();
        if let Some(server) = server {
            node = node.frontend(server);
        }
        let (node, console) = self.monitor.add_to(node);
        (node, Started { grpc, web, console })
    }
}

impl Started {
    /// Where they are, once the node has started.
    pub(super) fn told(&self) -> Told {
        let (scheme, address) = &self.grpc;
        Told {
            grpc: Some(url(scheme, address)),
            web: self.web.as_ref().and_then(everett_web::BoundAddress::url),
            console: self.console.path(),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let console = self.console.as_ref().map(|path| path.display().to_string());
        let faces = [
            ("gRPC on", &self.grpc),
            ("web page", &self.web),
            ("console on", &console),
        ];
        let told = faces.iter().filter_map(|(name, place)| {
            let place = place.as_ref()?;
            Some(format!("{name} {place}"))
        });
        f.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}
