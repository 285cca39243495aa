//! Owns the life of a node: open, start, wait, stop.
//! Promises an ordered end: the last frontend started stops first, and the ledger is let go when all have stopped.
//! Refuses to die with a frontend: one that fails while it serves is started again, the others go on.

use std::sync::Arc;
use std::time::Duration;

use everett_ledger::Ledger;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::back_off::BackOff;
use crate::config::NodeConfig;
use crate::error::NodeError;
use crate::frontend::Frontend;
use crate::handle::{CallError, Handle, NodeShape};
use crate::health::FrontendState;
use crate::indexer::build_tx_index;
use crate::initial_download;
use crate::interrupts::Interrupts;
use crate::mempool_keeper::{Kept, MempoolKeeper};
use crate::supervisor::{start, supervise};
use crate::wallet_keeper::WalletKeeper;

/// Seconds that the best block may be ahead of the clock: what blocks may be when they come.
const MAX_AHEAD: u64 = 2 * 3_600;

/// How long an acknowledged cursor may wait for a block to take it to disk before it goes there by itself.
const CURSORS_SAVED_EVERY: Duration = Duration::from_secs(5);

/// Collects what a node is made of.
pub struct NodeBuilder {
    config: NodeConfig,
    /// A ledger that is open already.
    ledger: Option<Ledger>,
    frontends: Vec<Arc<dyn Frontend>>,
}

impl NodeBuilder {
    /// Adds a frontend; they start in the order in which they are added.
    pub fn frontend(mut self, frontend: impl Frontend) -> NodeBuilder {
        self.frontends.push(Arc::new(frontend));
        self
    }

    /// Puts the node on a ledger that is open already, instead of opening the one of its settings.
    pub fn on(mut self, ledger: Ledger) -> NodeBuilder {
        self.ledger = Some(ledger);
        self
    }

    /// Opens the ledger and starts the frontends.
    ///
    /// # Errors
    ///
    /// [`NodeError`]; frontends that had started by then are stopped again.
    pub async fn start(self) -> Result<Node, NodeError> {
        self.config.check()?;
        let shape = NodeShape::from(&self.config);
        let (stop_grace, back_off) = (self.config.stop_grace, self.config.back_off);
        let kept = Kept {
            mempool: self.config.persist_mempool,
            fees: self.config.fee_file,
            stale_fees: self.config.accept_stale_fees,
        };
        let open_wallets = self.config.open_wallets;
        let refuse_future_tip = self.config.refuse_future_tip;
        let default_wallet = self.config.default_wallet;
        let opening = self.config.ledger;
        let ledger = match self.ledger {
            Some(ledger) => ledger,
            None => tokio::task::spawn_blocking(move || Ledger::open(opening))
                .await
                .map_err(|_| CallError::Panicked)??,
        };
        if refuse_future_tip {
            let tip = u64::from(ledger.best().header().time);
            let seconds = tip.saturating_sub(ledger.clock().now());
            if seconds > MAX_AHEAD {
                return Err(NodeError::FutureTip { seconds });
            }
        }
        let handle = Handle::new(ledger, shape);
        let mut node = Node {
            running: Vec::with_capacity(self.frontends.len()),
            stop_grace,
            back_off,
            cursors: tokio::spawn(keep_saving_cursors(handle.clone())),
            indexer: tokio::spawn(build_tx_index(handle.clone())),
            download: tokio::spawn(initial_download::watch(handle.clone())),
            mempool: MempoolKeeper::start(handle.clone(), kept),
            wallets: WalletKeeper::start(&handle, open_wallets, default_wallet).await?,
            handle,
        };
        for frontend in self.frontends {
            if let Err(failed) = node.start_frontend(frontend).await {
                node.stop().await;
                return Err(failed);
            }
        }
        Ok(node)
    }

    /// Starts the node and serves until it is interrupted (SIGINT, SIGTERM) or asked to stop.
    ///
    /// # Errors
    ///
    /// Those of [`NodeBuilder::start`].
    pub async fn run(self) -> Result<(), NodeError> {
        self.start().await?.wait().await;
        Ok(())
    }
}

/// A running node. Dropping it without [`Node::stop`] leaves its frontends running.
pub struct Node {
    handle: Handle,
    /// In the order in which they started.
    running: Vec<Running>,
    stop_grace: Duration,
    back_off: BackOff,
    /// Takes acknowledged cursors to disk.
    cursors: JoinHandle<()>,
    /// Builds the transaction index, if there is one to build.
    indexer: JoinHandle<()>,
    /// Looks whether the initial download is over.
    download: JoinHandle<()>,
    /// Moves the mempool with the best world.
    mempool: MempoolKeeper,
    /// Moves the wallets with all worlds.
    wallets: WalletKeeper,
}

/// A frontend that was started.
struct Running {
    frontend: Arc<dyn Frontend>,
    handle: Handle,
    supervisor: JoinHandle<()>,
}

impl Node {
    /// Begins to compose a node.
    pub fn builder(config: NodeConfig) -> NodeBuilder {
        NodeBuilder {
            config,
            ledger: None,
            frontends: Vec::new(),
        }
    }

    /// What frontends get: for the program around the node.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Serves until the process is interrupted (SIGINT, SIGTERM) or [`Handle::shut_down`] is called, then stops.
    ///
    /// Signals before this call end the process: who tells others that the node is ready before it waits takes
    /// [`Interrupts`] first, and [`Node::wait_for`].
    pub async fn wait(self) {
        self.wait_for(Interrupts::listen()).await;
    }

    /// As [`Node::wait`], for signals since `interrupts` was made.
    pub async fn wait_for(self, mut interrupts: Interrupts) {
        tokio::select! {
            () = self.handle.shutdown().wait() => info!("asked to shut down"),
            signal = interrupts.next() => info!(signal, "shutting down"),
        }
        self.stop().await;
    }

    /// Stops the frontends, the last one first, and lets go of the ledger.
    pub async fn stop(mut self) {
        self.handle.shut_down();
        while let Some(running) = self.running.pop() {
            running.stop(self.stop_grace).await;
        }
        self.cursors.abort();
        self.indexer.abort();
        self.download.abort();
        self.wallets.abort();
        self.mempool.stop(&self.handle).await;
        save_cursors(&self.handle).await;
        self.handle.close().await;
    }

    async fn start_frontend(&mut self, frontend: Arc<dyn Frontend>) -> Result<(), NodeError> {
        let handle = self.handle.for_frontend(frontend.name());
        let task = start(&frontend, &handle)
            .await
            .map_err(|source| NodeError::Frontend {
                name: frontend.name().to_owned(),
                source,
            })?;
        handle.health().set_state(FrontendState::Running);
        info!(frontend = frontend.name(), "started");
        let supervised = supervise(frontend.clone(), handle.clone(), task, self.back_off);
        let supervisor = tokio::spawn(supervised);
        self.running.push(Running {
            frontend,
            handle,
            supervisor,
        });
        Ok(())
    }
}

impl Running {
    async fn stop(mut self, grace: Duration) {
        let name = self.frontend.name();
        self.handle.stop_signal().give();
        let end = async {
            self.frontend.stop().await;
            let _ = (&mut self.supervisor).await;
        };
        if tokio::time::timeout(grace, end).await.is_err() {
            warn!(
                frontend = name,
                ?grace,
                "did not stop in time and is cut off"
            );
            self.supervisor.abort();
            self.handle.health().set_state(FrontendState::Stopped);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.cursors.abort();
        self.download.abort();
        self.mempool.abort();
        self.wallets.abort();
    }
}

/// Takes acknowledged cursors to disk now and then.
async fn keep_saving_cursors(handle: Handle) {
    loop {
        tokio::time::sleep(CURSORS_SAVED_EVERY).await;
        save_cursors(&handle).await;
    }
}

/// Takes acknowledged cursors to disk, if there are any that are not there yet.
async fn save_cursors(handle: &Handle) {
    if !handle.ledger().has_unsaved_cursors() {
        return;
    }
    match handle.write(|ledger| ledger.save_cursors()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "cursors were not saved; it is tried again"),
        Err(error) => warn!(%error, "cursors were not saved"),
    }
}

#[cfg(test)]
mod tests;
