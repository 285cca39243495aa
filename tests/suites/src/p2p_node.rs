//! Owns a node on the network for tests: in this process, on a directory of its own, on loopback.
//! Promises that waiting for something ends, with the state of the node in the message where it never came.
//! Refuses to reach into the node: it is asked as any frontend would ask it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use everett_ledger::{Ledger, LedgerConfig, Network, Params};
use everett_net::Endpoint;
use everett_node::{Handle, Node, NodeConfig, PeerState, Peers};
use everett_p2p::{BoundAddresses, P2p, P2pConfig};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long anything may take that a node is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often is looked whether it has come.
const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// A regtest node with nothing but the network around its ledger.
pub struct P2pNode {
    runtime: Option<Runtime>,
    node: Option<Node>,
    bound: BoundAddresses,
    directory: TempDir,
}

/// Settings for a node that takes connections on loopback, at a free port, and calls nobody.
pub fn on_loopback() -> P2pConfig {
    let mut config = P2pConfig::new(Network::Regtest);
    config.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config
}

/// The ledger that [`P2pNode`] has, for whoever fills it beforehand.
pub fn ledger_config(directory: &Path) -> LedgerConfig {
    LedgerConfig::new(Params::new(Network::Regtest), directory)
}

impl P2pNode {
    /// A node on an empty ledger.
    pub fn start(config: P2pConfig) -> P2pNode {
        let directory = tempfile::tempdir().expect("a directory for the node");
        P2pNode::start_in(directory, config)
    }

    /// A node on a directory that may have a ledger already.
    pub fn start_in(directory: TempDir, config: P2pConfig) -> P2pNode {
        P2pNode::start_with(directory, config, |_| ())
    }

    /// A node whose ledger is set up otherwise.
    pub fn start_with(
        directory: TempDir,
        mut config: P2pConfig,
        change: impl FnOnce(&mut LedgerConfig),
    ) -> P2pNode {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        if config.directory.is_none() {
            config.directory = Some(directory.path().to_owned());
        }
        let mut ledger = ledger_config(directory.path());
        change(&mut ledger);
        let p2p = P2p::new(config);
        let bound = p2p.bound_addresses();
        let starting = Node::builder(NodeConfig::new(ledger)).frontend(p2p).start();
        let node = runtime.block_on(starting).expect("the node starts");
        P2pNode {
            runtime: Some(runtime),
            node: Some(node),
            bound,
            directory,
        }
    }

    /// What frontends get.
    pub fn handle(&self) -> &Handle {
        self.node
            .as_ref()
            .expect("it runs until it is stopped")
            .handle()
    }

    /// Its ledger.
    pub fn ledger(&self) -> &Ledger {
        self.handle().ledger()
    }

    /// Its connections.
    pub fn peers(&self) -> Arc<dyn Peers> {
        self.handle().peers().expect("it has a network")
    }

    /// Where it takes connections.
    pub fn address(&self) -> SocketAddr {
        *self.bound.get().first().expect("it listens")
    }

    /// The same, as others call it.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::from(self.address())
    }

    /// Has it call another node, and keeps the two connected.
    pub fn call(&self, address: SocketAddr) {
        let added = self.peers().add(&address.to_string(), false, false);
        added.expect("the peer is new");
    }

    /// The same without trying encryption first.
    pub fn call_in_the_clear(&self, address: SocketAddr) {
        let added = self.peers().add(&address.to_string(), false, true);
        added.expect("the peer is new");
    }

    /// Waits until it is so.
    pub fn wait_until(&self, what: &str, so: impl Fn(&P2pNode) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so(self) {
            assert!(
                Instant::now() < deadline,
                "never: {what}; best height {}, {:?}, peers {:#?}",
                self.ledger().best().height(),
                self.peers().progress(),
                self.peers().list(),
            );
            std::thread::sleep(LOOKED_EVERY);
        }
    }

    /// Waits for a peer, and gives it.
    pub fn wait_for_peer(&self, so: impl Fn(&PeerState) -> bool) -> PeerState {
        self.wait_until("such a peer", |node| node.peers().list().iter().any(&so));
        let peers = self.peers().list();
        peers
            .into_iter()
            .find(so)
            .expect("it was there a moment ago")
    }

    /// Waits until its best block is this one.
    pub fn wait_for_best(&self, hash: &str) {
        self.wait_until(&format!("best block {hash}"), |node| {
            node.ledger().best().hash().to_string() == hash
        });
    }

    /// `hash_serialized_3` of its best world.
    pub fn hash_serialized(&self) -> String {
        let info = self
            .ledger()
            .best()
            .set_info()
            .expect("the set can be read");
        info.hash_serialized_3_hex()
    }

    /// Stops it in order, and gives its directory for another start.
    pub fn stop(mut self) -> TempDir {
        self.end();
        std::mem::replace(
            &mut self.directory,
            tempfile::tempdir().expect("a directory"),
        )
    }

    fn end(&mut self) {
        if let (Some(node), Some(runtime)) = (self.node.take(), self.runtime.take()) {
            runtime.block_on(node.stop());
        }
    }
}

impl Drop for P2pNode {
    fn drop(&mut self) {
        self.end();
    }
}
