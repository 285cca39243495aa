//! Owns the console of a node that the command line starts: where its socket is, and how that is told.
//! Promises that a data directory whose path is too long for a socket keeps no node from running, unless a socket was
//! asked for.

use std::path::{Path, PathBuf};

use everett_console::{Console, ConsoleConfig, Listening, SOCKET_NAME};
use everett_node::NodeBuilder;

use crate::args::MonitorArgs;

/// The console before the node takes it, if there is to be one.
pub(super) struct Monitor(Option<ConsoleConfig>);

/// What is to be said of it afterwards.
pub(super) struct Attached(Option<(PathBuf, Listening)>);

impl Monitor {
    /// As the options say, for a node on this directory.
    pub(super) fn new(args: &MonitorArgs, directory: &Path) -> Monitor {
        if args.no_monitor {
            return Monitor(None);
        }
        let asked_for = args.monitor.is_some();
        let named = args.monitor.clone().flatten();
        let mut config = ConsoleConfig::new(named.unwrap_or_else(|| directory.join(SOCKET_NAME)));
        config.allow_write = args.console_allow_write;
        config.optional = !asked_for;
        Monitor(Some(config))
    }

    /// Adds it to a node.
    pub(super) fn add_to(self, node: NodeBuilder) -> (NodeBuilder, Attached) {
        let Some(config) = self.0 else {
            return (node, Attached(None));
        };
        let path = config.socket.clone();
        let console = Console::new(config);
        let listening = console.listening();
        (node.frontend(console), Attached(Some((path, listening))))
    }
}

impl Attached {
    /// The socket, if it is listened on.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let (path, listening) = self.0.as_ref()?;
        listening.get().then(|| path.clone())
    }
}
