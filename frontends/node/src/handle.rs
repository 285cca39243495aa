//! Owns what a frontend gets of the node: the ledger, the settings, the signal to stop.
//! Promises that work on the ledger runs beside the threads that serve connections, and never without bound.
//! Refuses work once the node shuts down.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use everett_ledger::{BlockInfo, Ledger, StoreError};
use everett_mempool::{Mempool, MempoolConfig};
use everett_wallet::{WalletConfig, Wallets};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, broadcast, watch};

use crate::health::{FrontendHealth, Health};
use crate::heard::{HEARD_KEPT, HeardTransaction};
use crate::initial_download::InitialDownload;
use crate::meters::Meters;
use crate::peers::Peers;
use crate::phase::Phase;
use crate::snapshots::Snapshots;
use crate::stop::StopSignal;

/// Writes of [`Handle::write`] at once: each sees what the one before it did.
const WRITERS: usize = 1;
/// Submissions that may wait for the ledger's one writer, each on a thread; more wait without one.
const SUBMITTERS: usize = 32;

/// Why a call on the ledger gave no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// The node stops, and takes no more work.
    #[error("the node is shutting down")]
    ShuttingDown,
    /// The work panicked; the log tells where.
    #[error("the call ended in a panic, which the log has; please report it")]
    Panicked,
}

/// One frontend's hold on the node. Clones are the same hold.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    /// Given when this frontend is to stop.
    stop: StopSignal,
    /// How this frontend fares.
    health: Arc<Health>,
}

/// What the handles of all frontends share.
struct Shared {
    ledger: Ledger,
    mempool: Mempool,
    mempool_file: Option<PathBuf>,
    snapshots: Option<Snapshots>,
    wallets: Option<Wallets>,
    lab: bool,
    initial_download: InitialDownload,
    readers: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    submitters: Arc<Semaphore>,
    phase: watch::Sender<Phase>,
    /// Given when the whole node is asked to stop.
    shutdown: StopSignal,
    /// How all frontends fare, in the order in which they started.
    frontends: Mutex<Vec<Arc<Health>>>,
    /// Told when one of them changes its state.
    fared: watch::Sender<()>,
    meters: Meters,
    /// The network, once a frontend keeps one.
    peers: RwLock<Option<Arc<dyn Peers>>>,
    heard: broadcast::Sender<HeardTransaction>,
}

impl Handle {
    pub(crate) fn new(ledger: Ledger, config: NodeShape) -> Handle {
        let mempool = Mempool::new(ledger.clone(), config.mempool);
        let wallets = config.wallets;
        Handle {
            shared: Arc::new(Shared {
                wallets: wallets
                    .map(|config| Wallets::new(config, ledger.clone(), mempool.clone())),
                mempool,
                mempool_file: config.mempool_file,
                snapshots: config.snapshots,
                initial_download: InitialDownload::new(&ledger, config.max_tip_age),
                ledger,
                lab: config.lab,
                readers: Arc::new(Semaphore::new(config.readers)),
                writers: Arc::new(Semaphore::new(WRITERS)),
                submitters: Arc::new(Semaphore::new(SUBMITTERS)),
                phase: watch::Sender::new(Phase::Ready),
                shutdown: StopSignal::new(),
                frontends: Mutex::default(),
                fared: watch::Sender::new(()),
                meters: Meters::default(),
                peers: RwLock::new(None),
                heard: broadcast::Sender::new(HEARD_KEPT),
            }),
            stop: StopSignal::new(),
            health: Arc::new(Health::new("node", watch::Sender::new(()))),
        }
    }

    /// A handle on the same node with a stop signal and a health of its own.
    pub(crate) fn for_frontend(&self, name: &str) -> Handle {
        let health = Arc::new(Health::new(name, self.shared.fared.clone()));
        self.shared.frontends.lock().push(health.clone());
        Handle {
            shared: self.shared.clone(),
            stop: StopSignal::new(),
            health,
        }
    }

    pub(crate) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// How each frontend fares, in the order in which they started. Reads the time of an event for each that follows
    /// events; no more than some microseconds.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn frontends(&self) -> Result<Vec<FrontendHealth>, StoreError> {
        let frontends = self.shared.frontends.lock().clone();
        let look = |health: &Arc<Health>| health.look(&self.shared.ledger);
        frontends.iter().map(look).collect()
    }

    /// Is told whenever a frontend changes its state; [`Handle::frontends`] then says to which. Changes that follow
    /// each other faster than the receiver looks are one.
    pub fn frontend_changes(&self) -> watch::Receiver<()> {
        self.shared.fared.subscribe()
    }

    /// The counts and times that frontends keep, for whoever shows them.
    pub fn meters(&self) -> &Meters {
        &self.shared.meters
    }

    /// The node's connections; none on a node without a network.
    pub fn peers(&self) -> Option<Arc<dyn Peers>> {
        self.shared.peers.read().clone()
    }

    /// Tells everyone whom to ask about peers; for the frontend that keeps the connections.
    pub fn serve_peers(&self, peers: Arc<dyn Peers>) {
        *self.shared.peers.write() = Some(peers);
    }

    /// Transactions that peers send from now on, whether the mempool takes them or not; none during the first download, and
    /// none on a node for blocks alone. Who does not take them in time misses some, and is told how many.
    pub fn heard_transactions(&self) -> broadcast::Receiver<HeardTransaction> {
        self.shared.heard.subscribe()
    }

    /// Passes a transaction on to whoever wants to hear of it; for the frontend that keeps the connections.
    pub fn hear_transaction(&self, heard: HeardTransaction) {
        // Nobody needs to listen.
        let _ = self.shared.heard.send(heard);
    }

    /// The ledger. Its calls block: from async code go through [`Handle::read`] and [`Handle::write`].
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Transactions that wait for a block. Its calls block, as those of the ledger do: from async code go through
    /// [`Handle::read`].
    pub fn mempool(&self) -> &Mempool {
        &self.shared.mempool
    }

    /// The wallets; `None` on a node that keeps none.
    pub fn wallets(&self) -> Option<&Wallets> {
        self.shared.wallets.as_ref()
    }

    /// The node's snapshots; none of a node in memory.
    pub fn snapshots(&self) -> Option<&Snapshots> {
        self.shared.snapshots.as_ref()
    }

    /// Where the mempool is kept from one run to the next, if it is.
    pub fn mempool_file(&self) -> Option<&Path> {
        self.shared.mempool_file.as_deref()
    }

    /// The sequence that the ledger's next event will get: changes after each commit that wrote one. A frontend that
    /// waits for it to change and then asks for events up to it misses none.
    pub fn event_seq(&self) -> watch::Receiver<u64> {
        self.shared.ledger.event_seq()
    }

    /// Whether history may be made by hand.
    pub fn lab(&self) -> bool {
        self.shared.lab
    }

    /// Whether the node is in its initial download: since it started, its best block was never young enough and of enough
    /// work ([`NodeConfig::max_tip_age`](crate::NodeConfig::max_tip_age), the network's minimum). It is looked at when the best
    /// block changes; once it is over, it is for good. Does not block.
    pub fn initial_download(&self) -> bool {
        self.shared.initial_download.runs(&self.shared.ledger)
    }

    /// Whether a block that is or was the best one became so after the initial download, and so is news to others. For who
    /// follows changes, and so comes later than they do. Does not block.
    pub fn is_news(&self, block: &BlockInfo) -> bool {
        self.shared
            .initial_download
            .was_over_at(&self.shared.ledger, block)
    }

    /// Given when this frontend is to stop.
    pub fn stop_signal(&self) -> &StopSignal {
        &self.stop
    }

    /// Asks the whole node to stop, in order.
    pub fn shut_down(&self) {
        self.shared.shutdown.give();
    }

    /// Given when the whole node is asked to stop.
    pub fn shutdown(&self) -> &StopSignal {
        &self.shared.shutdown
    }

    /// Whether the node is up to date.
    pub fn phase(&self) -> Phase {
        *self.shared.phase.borrow()
    }

    /// Follows [`Handle::phase`].
    pub fn watch_phase(&self) -> watch::Receiver<Phase> {
        self.shared.phase.subscribe()
    }

    /// Tells everyone how far the node has come; for the one that feeds it blocks.
    pub fn set_phase(&self, phase: Phase) {
        self.shared.phase.send_replace(phase);
    }

    /// Runs a read of the ledger on a thread of its own, when one of the readers is free.
    ///
    /// Dropping the future leaves a queued read undone; one that runs ends by itself.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        self.run(&self.shared.readers, work).await
    }

    /// Runs a write to the ledger on a thread of its own, after those that came before.
    ///
    /// Dropping the future leaves a queued write undone; one that runs ends by itself.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        self.run(&self.shared.writers, work).await
    }

    /// Runs the submission of blocks or headers on a thread of its own. Of those that wait for the ledger, blocks that
    /// may become the best chain go first, whoever came first.
    ///
    /// Dropping the future leaves a queued submission undone; one that runs ends by itself.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        self.run(&self.shared.submitters, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        work: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let place = places
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| CallError::ShuttingDown)?;
        let ledger = self.shared.ledger.clone();
        tokio::task::spawn_blocking(move || {
            let answer = work(&ledger);
            // Held to the end of the work, also when nobody waits for the answer any more.
            drop(place);
            answer
        })
        .await
        .map_err(|error| match error.is_panic() {
            true => CallError::Panicked,
            false => CallError::ShuttingDown,
        })
    }

    /// Takes no more work, and waits until what runs has ended.
    pub(crate) async fn close(&self) {
        self.shared.readers.close();
        // A write in flight holds its place until it is durable.
        for (places, all) in [
            (&self.shared.writers, WRITERS),
            (&self.shared.submitters, SUBMITTERS),
        ] {
            let _ = places.acquire_many(all as u32).await;
            places.close();
        }
    }
}

/// What of the settings outlives the opening of the ledger.
pub(crate) struct NodeShape {
    pub(crate) mempool: MempoolConfig,
    pub(crate) mempool_file: Option<PathBuf>,
    pub(crate) snapshots: Option<Snapshots>,
    pub(crate) wallets: Option<WalletConfig>,
    pub(crate) lab: bool,
    pub(crate) max_tip_age: i64,
    pub(crate) readers: usize,
}
