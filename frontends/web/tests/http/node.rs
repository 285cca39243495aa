//! A real node with a web page on a free port, and a ledger in a directory that goes away with it.

use std::net::SocketAddr;
use std::time::Duration;

use bitcoin::{BlockHash, ScriptBuf};
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Outcome, Params};
use everett_node::{Handle, Node, NodeConfig};
use everett_wallet::keys::Kdf;
use everett_web::{Limits, Web, WebConfig};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A time after all blocks of the tests' data.
const NOW: u64 = 1_900_000_000;
/// How long the node waits for a frontend that does not stop: longer than a test waits for the node.
const GRACE: Duration = Duration::from_secs(120);

pub(crate) struct TestNode {
    runtime: Runtime,
    node: Option<Node>,
    pub(crate) ledger: Ledger,
    pub(crate) at: SocketAddr,
    _directory: TempDir,
}

/// Limits that no test reaches by accident.
pub(crate) fn generous() -> Limits {
    Limits {
        burst: 1_000_000,
        rate: 1_000_000,
        ..Limits::default()
    }
}

pub(crate) fn config(listen: &str) -> WebConfig {
    WebConfig {
        listen: listen.parse().expect("an address"),
        limits: generous(),
        ..WebConfig::default()
    }
}

impl TestNode {
    /// On regtest, for anyone on this machine.
    pub(crate) fn new() -> TestNode {
        TestNode::with(config("127.0.0.1:0"))
    }

    pub(crate) fn with(web: WebConfig) -> TestNode {
        TestNode::start(web).expect("the node starts")
    }

    /// The same, which warns of branches that are at most so many blocks behind.
    pub(crate) fn warning_of(blocks: u32) -> TestNode {
        TestNode::begin(config("127.0.0.1:0"), Some(blocks)).expect("the node starts")
    }

    pub(crate) fn start(web: WebConfig) -> Result<TestNode, String> {
        TestNode::begin(web, None)
    }

    fn begin(web: WebConfig, warn_blocks: Option<u32>) -> Result<TestNode, String> {
        let directory = TempDir::new().expect("a directory");
        let mut ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
        ledger.clock = Clock::fixed(NOW);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("threads");
        let web = Web::new(web);
        let address = web.bound_address();
        let mut config = NodeConfig::new(ledger);
        config.stop_grace = GRACE;
        if let Some(wallets) = &mut config.wallets {
            // Few addresses ahead and a passphrase that costs nothing, so that wallets are made quickly.
            wallets.keypool = 5;
            wallets.warn_blocks = warn_blocks.unwrap_or(wallets.warn_blocks);
            wallets.kdf = Kdf {
                memory: 64,
                passes: 1,
                lanes: 1,
            };
        }
        let node = Node::builder(config).frontend(web);
        let node = runtime
            .block_on(node.start())
            .map_err(|error| error.to_string())?;
        Ok(TestNode {
            ledger: node.handle().ledger().clone(),
            node: Some(node),
            at: address.get().expect("bound"),
            runtime,
            _directory: directory,
        })
    }

    /// Submits a block that has to be accepted.
    #[track_caller]
    pub(crate) fn submit(&self, block: &[u8]) -> BlockHash {
        match self.ledger.submit_block(block).expect("a commit").outcome {
            Outcome::Accepted { hash, .. } | Outcome::Known { hash, .. } => hash,
            other => panic!("{other:?}"),
        }
    }

    /// Mines empty blocks on a block, each told apart by `mark`.
    pub(crate) fn mine(&self, on: BlockHash, count: usize, mark: u32) -> Vec<BlockHash> {
        let mut at = on;
        let blocks = (0..count).map(|_| {
            let world = self.ledger.world(&at).expect("a world");
            let payout = ScriptBuf::from_bytes([&[4][..], &mark.to_le_bytes()].concat());
            let block = everett_lab::mine(&self.ledger, &world, Vec::new(), &payout, None);
            at = self.submit(&block.expect("a block"));
            at
        });
        blocks.collect()
    }

    pub(crate) fn genesis(&self) -> BlockHash {
        self.ledger.params().genesis_hash()
    }

    /// The node that runs.
    pub(crate) fn handle(&self) -> &Handle {
        self.node.as_ref().expect("it was not stopped").handle()
    }

    /// Stops the node as its program would.
    pub(crate) fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            self.runtime.block_on(node.stop());
        }
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.stop();
    }
}
