//! Owns one node: its directory, and while it runs its ledger and its protocol.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bytes::Bytes;
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use everett_mempool::{Mempool, MempoolConfig};
use everett_p2p::protocol::{Protocol, ProtocolConfig};

/// What waits for the thread that writes.
pub(crate) enum Work {
    Headers(Vec<Header>),
    Block(BlockHash, Bytes),
}

/// What runs while a node is up.
pub(crate) struct Running {
    pub(crate) ledger: Ledger,
    pub(crate) mempool: Mempool,
    pub(crate) protocol: Protocol,
    /// In the order in which it was handed over; gone with a crash.
    pub(crate) work: VecDeque<Work>,
    pub(crate) busy: bool,
}

pub(crate) struct Node {
    directory: PathBuf,
    clock: Clock,
    horizon: Option<u32>,
    pub(crate) running: Option<Running>,
    /// How often it was started: what was meant for an earlier life is dropped.
    pub(crate) life: u64,
}

/// How a node's ledger is set up.
pub(crate) fn settings(
    directory: &Path,
    clock: Option<Clock>,
    horizon: Option<u32>,
) -> LedgerConfig {
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    if let Some(clock) = clock {
        config.clock = clock;
    }
    config.horizon = horizon;
    config.map_size = 64 << 20;
    config.block_file_size = 1 << 20;
    config
}

impl Node {
    pub(crate) fn new(directory: PathBuf, clock: Clock, horizon: Option<u32>) -> Node {
        Node {
            directory,
            clock,
            horizon,
            running: None,
            life: 0,
        }
    }

    /// Opens the directory, as after a crash or for the first time.
    pub(crate) fn start(&mut self, seed: u64, now: Duration) {
        let config = settings(&self.directory, Some(self.clock.clone()), self.horizon);
        let ledger = Ledger::open(config).expect("the directory opens again after a crash");
        // The mint's scripts are none that nodes relay.
        let config = MempoolConfig {
            require_standard: false,
            ..MempoolConfig::default()
        };
        let mempool = Mempool::new(ledger.clone(), config);
        mempool.set_loaded();
        let protocol = Protocol::new(ProtocolConfig::default(), mempool.clone(), seed, now);
        self.life += 1;
        self.running = Some(Running {
            ledger,
            mempool,
            protocol,
            work: VecDeque::new(),
            busy: false,
        });
    }

    /// What was not committed is lost.
    pub(crate) fn crash(&mut self) {
        self.running = None;
    }
}
