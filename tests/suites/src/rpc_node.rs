//! Owns a node with JSON-RPC for tests: a regtest ledger with the network and the server around it, in this process.
//! Promises the transaction index, a free port, and that all of it is stopped when it is dropped.
//! Refuses to be asked by other ways than clients have.

use crate::p2p_node::on_loopback;
use crate::rpc_client::RpcClient;
use everett_ledger::{LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig};
use everett_p2p::{P2p, P2pConfig};
use everett_rpc::{Rpc, RpcConfig};
use everett_zmq::Zmq;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A node, until it is dropped.
pub struct RpcNode {
    runtime: Runtime,
    node: Option<Node>,
    /// Where its cookie lies.
    pub directory: TempDir,
    /// The port of its server, on loopback.
    pub port: u16,
}

impl RpcNode {
    /// One with Core's defaults on a free port, without wallets.
    pub fn start() -> RpcNode {
        RpcNode::start_with(|_| ())
    }

    /// One whose server is set up otherwise.
    pub fn start_with(change: impl FnOnce(&mut RpcConfig)) -> RpcNode {
        RpcNode::start_with_zmq(change, None)
    }

    /// The same, with notifications as well.
    pub fn start_with_zmq(change: impl FnOnce(&mut RpcConfig), zmq: Option<Zmq>) -> RpcNode {
        RpcNode::start_whole(change, zmq, |node| node.wallets = None)
    }

    /// One with wallets, which are set up otherwise.
    pub fn start_with_wallets(wallets: impl FnOnce(&mut NodeConfig)) -> RpcNode {
        RpcNode::start_whole(|_| (), None, wallets)
    }

    fn start_whole(
        change: impl FnOnce(&mut RpcConfig),
        zmq: Option<Zmq>,
        wallets: impl FnOnce(&mut NodeConfig),
    ) -> RpcNode {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory for the node");
        let params = Params::new(Network::Regtest);
        let mut ledger = LedgerConfig::new(params, directory.path());
        ledger.tx_index = true;
        let mut network: P2pConfig = on_loopback();
        network.directory = Some(directory.path().to_owned());
        let mut config = RpcConfig::new(directory.path());
        config.port = Some(0);
        change(&mut config);
        let rpc = Rpc::new(config);
        let bound = rpc.bound_address();
        let mut node_config = NodeConfig::new(ledger);
        wallets(&mut node_config);
        let mut node = Node::builder(node_config);
        if let Some(zmq) = zmq {
            node = node.frontend(zmq);
        }
        let starting = node.frontend(rpc).frontend(P2p::new(network)).start();
        let node = runtime.block_on(starting).expect("the node starts");
        let port = bound.get().first().expect("the server listens").port();
        RpcNode {
            runtime,
            node: Some(node),
            directory,
            port,
        }
    }

    /// What its cookie holds.
    pub fn cookie(&self) -> String {
        let path = self.directory.path().join(".cookie");
        std::fs::read_to_string(path).expect("it runs, so there is a cookie")
    }

    /// A client that logs in by the cookie.
    pub fn client(&self) -> RpcClient {
        RpcClient::new(self.port, &self.cookie())
    }
}

impl Drop for RpcNode {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            self.runtime.block_on(node.stop());
        }
    }
}
