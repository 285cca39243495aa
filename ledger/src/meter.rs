//! Owns the figures that the writer keeps about itself: what it did and how long each part of the street took.
//! Promises that reading them waits for nobody.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How often something was done, and how long all of it took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spent {
    /// How often.
    pub count: u64,
    /// Time of all together, on the wall.
    pub time: Duration,
    /// Processor time of the writer's own thread for all together; what other threads helped with is not in it. Of
    /// things that are done in a few microseconds it is their time on the wall.
    pub cpu: Duration,
}

impl Spent {
    /// Mean time of one.
    pub fn mean(&self) -> Duration {
        if self.count == 0 {
            Duration::ZERO
        } else {
            self.time / u32::try_from(self.count).unwrap_or(u32::MAX)
        }
    }
}

/// Where the writer's time went since the ledger was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timings {
    /// Blocks decoded, with their ids.
    pub decode: Spent,
    /// Blocks checked by themselves and in their context.
    pub check: Spent,
    /// Blocks connected to their parents' worlds, scripts included.
    pub connect: Spent,
    /// Deltas written to the journal's transaction.
    pub journal: Spent,
    /// Deltas entered into the overlay.
    pub overlay: Spent,
    /// Changes of coins in those deltas.
    pub changes: u64,
    /// Looks for conflicts with other branches; none are made while there is one branch.
    pub conflicts: Spent,
    /// Changes of the best world, without their commits.
    pub best_change: Spent,
    /// Commits of groups of blocks.
    pub commit: Spent,
    /// Moves of the base.
    pub checkpoint: Spent,
}

#[derive(Default)]
pub(crate) struct Gauge {
    count: AtomicU64,
    nanos: AtomicU64,
    cpu_nanos: AtomicU64,
}

/// From so many things on that are done together, the processor's clock is looked at: a look takes as long as a few of
/// them.
const MANY: usize = 64;

impl Gauge {
    /// Does `things` together, and counts them as one, with its time.
    pub(crate) fn time<R>(&self, things: usize, work: impl FnOnce() -> R) -> R {
        let (start, cpu_start) = (Instant::now(), (things >= MANY).then(thread_cpu_nanos));
        let result = work();
        let time = match cpu_start {
            Some(cpu_start) => {
                let cpu = thread_cpu_nanos().saturating_sub(cpu_start);
                let time = start.elapsed().as_nanos() as u64;
                self.cpu_nanos.fetch_add(cpu, Ordering::Relaxed);
                time
            }
            None => {
                let time = start.elapsed().as_nanos() as u64;
                self.cpu_nanos.fetch_add(time, Ordering::Relaxed);
                time
            }
        };
        self.nanos.fetch_add(time, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        result
    }

    fn read(&self) -> Spent {
        Spent {
            count: self.count.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
            cpu: Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed)),
        }
    }
}

/// Processor time of this thread in nanoseconds.
fn thread_cpu_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) decode: Gauge,
    pub(crate) check: Gauge,
    pub(crate) connect: Gauge,
    pub(crate) journal: Gauge,
    pub(crate) overlay: Gauge,
    pub(crate) changes: AtomicU64,
    pub(crate) conflicts: Gauge,
    pub(crate) best_change: Gauge,
    pub(crate) commit: Gauge,
    pub(crate) checkpoint: Gauge,
    pub(crate) held: AtomicUsize,
    pub(crate) orphans: AtomicUsize,
}

impl Meter {
    pub(crate) fn timings(&self) -> Timings {
        Timings {
            decode: self.decode.read(),
            check: self.check.read(),
            connect: self.connect.read(),
            journal: self.journal.read(),
            overlay: self.overlay.read(),
            changes: self.changes.load(Ordering::Relaxed),
            conflicts: self.conflicts.read(),
            best_change: self.best_change.read(),
            commit: self.commit.read(),
            checkpoint: self.checkpoint.read(),
        }
    }
}
