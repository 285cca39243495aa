//! Owns the settings of a node on a copy of a snapshot.
//! Promises that it stands in nobody's way: free ports and no network, as far as the command line does not say otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::Settings;

/// Longest path of a copy's directory, in bytes, in which a console's socket finds room: its own path has at most 107.
const MAX_PATH_FOR_SOCKETS: usize = 80;

/// A port that is free.
const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Settings {
    /// These settings for a node on this directory, without the places that belong to the node whose file they are in.
    pub(crate) fn for_a_copy(&self, directory: &Path) -> Settings {
        let mut settings = self.clone();
        let file = &mut settings.file;
        file.grpc = Some(FREE);
        file.webui = Some(FREE);
        file.rpcport = Some(0);
        file.rpcbind = Vec::new();
        file.rpccookiefile = None;
        file.metrics = file.metrics.map(|_| FREE);
        file.monitor = None;
        if directory.as_os_str().len() > MAX_PATH_FOR_SOCKETS {
            file.no_monitor = Some(true);
        }
        file.zmqpubhashblock = Vec::new();
        file.zmqpubhashtx = Vec::new();
        file.zmqpubrawblock = Vec::new();
        file.zmqpubrawtx = Vec::new();
        file.zmqpubsequence = Vec::new();
        file.serve = Vec::new();
        // A peer option on the command line weighs more.
        file.no_p2p = Some(true);
        settings
    }
}
