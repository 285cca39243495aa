//! Owns what all calls share: the node, the settings that methods tell of, the scans and commands that run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use bitcoin::BlockHash;
use everett_mining::Miner;
use everett_node::Handle;
use parking_lot::Mutex;

use crate::blockchain::FilterHeaders;
use crate::config::RpcConfig;
use crate::json::{Json, object};
use crate::mining::Templates;

/// What all calls share.
pub(crate) struct Site {
    pub(crate) handle: Handle,
    pub(crate) config: RpcConfig,
    started: Instant,
    active: Mutex<Active>,
    /// A scan of the coins that runs.
    pub(crate) coin_scan: Scan,
    /// A scan of blocks that runs.
    pub(crate) block_scan: Scan,
    /// Transactions of chains up to blocks that were asked for.
    pub(crate) counts: Mutex<Counts>,
    /// Headers of filters that were made.
    pub(crate) filter_headers: Mutex<FilterHeaders>,
    /// Core's categories of log lines that were asked for.
    pub(crate) logged: Mutex<BTreeSet<&'static str>>,
    /// Makes blocks.
    pub(crate) miner: Miner,
    /// The template that was made last.
    pub(crate) templates: Templates,
    /// How often somebody changed what a pending transaction counts as paying.
    pub(crate) prioritised: AtomicU64,
}

#[derive(Default)]
struct Active {
    last: u64,
    commands: BTreeMap<u64, (&'static str, Instant)>,
}

/// Blocks whose count is remembered, at most.
const MAX_COUNTS: usize = 1024;

/// How many transactions chains have up to some of their blocks.
#[derive(Default)]
pub(crate) struct Counts(HashMap<BlockHash, u64>);

impl Counts {
    pub(crate) fn get(&self, hash: &BlockHash) -> Option<u64> {
        self.0.get(hash).copied()
    }

    pub(crate) fn insert(&mut self, hash: BlockHash, count: u64) {
        if self.0.len() >= MAX_COUNTS {
            self.0.clear();
        }
        self.0.insert(hash, count);
    }
}

/// One scan at a time.
#[derive(Default)]
pub(crate) struct Scan {
    runs: AtomicBool,
    aborted: AtomicBool,
    progress: AtomicU64,
    height: AtomicU32,
}

impl Scan {
    /// Begins one, unless one runs.
    pub(crate) fn begin(&self) -> Option<Scanning<'_>> {
        if self.runs.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.aborted.store(false, Ordering::Release);
        self.progress.store(0, Ordering::Release);
        Some(Scanning(self))
    }

    /// How far the one that runs has come, in percent.
    pub(crate) fn progress(&self) -> Option<u64> {
        let runs = self.runs.load(Ordering::Acquire);
        runs.then(|| self.progress.load(Ordering::Acquire))
    }

    /// The height of the block that it was at last.
    pub(crate) fn height(&self) -> u32 {
        self.height.load(Ordering::Acquire)
    }

    /// Ends the one that runs; whether one did.
    pub(crate) fn abort(&self) -> bool {
        let runs = self.runs.load(Ordering::Acquire);
        if runs {
            self.aborted.store(true, Ordering::Release);
        }
        runs
    }
}

/// A scan that runs, until it is dropped.
pub(crate) struct Scanning<'a>(&'a Scan);

impl Scanning<'_> {
    /// Tells how far it is, in percent.
    pub(crate) fn at(&self, percent: u64) {
        self.0.progress.store(percent, Ordering::Release);
    }

    /// Tells at which block it is.
    pub(crate) fn at_height(&self, height: u32) {
        self.0.height.store(height, Ordering::Release);
    }

    /// Whether somebody wants it to end.
    pub(crate) fn aborted(&self) -> bool {
        self.0.aborted.load(Ordering::Acquire)
    }
}

impl Drop for Scanning<'_> {
    fn drop(&mut self) {
        self.0.runs.store(false, Ordering::Release);
    }
}

impl Site {
    pub(crate) fn new(handle: Handle, config: RpcConfig) -> Site {
        Site {
            miner: Miner::new(handle.mempool().clone(), config.mining),
            templates: Templates::default(),
            prioritised: AtomicU64::new(0),
            handle,
            config,
            started: Instant::now(),
            active: Mutex::default(),
            coin_scan: Scan::default(),
            block_scan: Scan::default(),
            counts: Mutex::default(),
            filter_headers: Mutex::default(),
            logged: Mutex::default(),
        }
    }

    /// Counts what changed in the mempool, so that a template can be told from an older one.
    pub(crate) fn mempool_updates(&self) -> u64 {
        let changes = *self.handle.mempool().change_number().borrow();
        changes + self.prioritised.load(Ordering::Relaxed)
    }

    /// Seconds since the start.
    pub(crate) fn uptime(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Counts a command as running, until what is given back is dropped.
    pub(crate) fn enter(&self, method: &'static str) -> Running<'_> {
        let mut active = self.active.lock();
        active.last += 1;
        let number = active.last;
        active.commands.insert(number, (method, Instant::now()));
        Running { site: self, number }
    }

    /// The commands that run, the oldest first.
    pub(crate) fn active(&self) -> Json {
        let active = self.active.lock();
        let command = |(method, since): &(&'static str, Instant)| {
            object! {
                "method" => *method,
                "duration" => u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
            }
        };
        active.commands.values().map(command).collect()
    }
}

/// A command that runs.
pub(crate) struct Running<'a> {
    site: &'a Site,
    number: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.site.active.lock().commands.remove(&self.number);
    }
}

/// Unix seconds.
pub(crate) fn unix(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
