//! Owns the question whether a script may go on: its time, its client, its memory, its output.
//! Promises that a script which may not go on is told why, once, and can catch nothing of it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use everett_proto::v1::ErrorReason;

use crate::fault::Fault;
use crate::limits::MAX_GROWTH_BYTES;

/// Operations between two looks at the clock and the client.
const LOOK_EVERY: u64 = 64;
/// Operations between two looks at the process's memory.
const WEIGH_EVERY: u64 = 512;
/// Longest nap between two looks, where a script sleeps.
const NAP: Duration = Duration::from_millis(20);

/// What the running script may use up. One a session; [`Patience::renew`] begins it anew for each script.
pub(crate) struct Patience {
    deadline: Cell<Instant>,
    time: Cell<Duration>,
    cancelled: RefCell<Arc<AtomicBool>>,
    memory_at_start: Cell<Option<u64>>,
    /// Why it is over, once it is.
    over: RefCell<Option<Fault>>,
}

impl Patience {
    pub(crate) fn new() -> Patience {
        Patience {
            deadline: Cell::new(Instant::now()),
            time: Cell::new(Duration::ZERO),
            cancelled: RefCell::default(),
            memory_at_start: Cell::new(None),
            over: RefCell::new(None),
        }
    }

    /// For a script that may run so long, and whose client gives it up by this flag.
    pub(crate) fn renew(&self, time: Duration, cancelled: Arc<AtomicBool>) {
        let now = Instant::now();
        self.deadline.set(now.checked_add(time).unwrap_or(now));
        self.time.set(time);
        self.cancelled.replace(cancelled);
        self.memory_at_start.set(resident_bytes());
        self.over.replace(None);
    }

    /// Ends it for a reason of the caller's.
    pub(crate) fn end(&self, why: Fault) {
        self.over.borrow_mut().get_or_insert(why);
    }

    /// Why it is over, if it is.
    pub(crate) fn over(&self) -> Option<Fault> {
        self.over.borrow().clone()
    }

    /// Fails when it is over; for loops of our own.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.cancelled.borrow().load(Ordering::Relaxed) {
            self.end(Fault::named("CANCELLED", "it was cancelled"));
        } else if Instant::now() >= self.deadline.get() {
            let message = format!(
                "it was stopped after {:?}, the time that it had; ask for more with --timeout",
                self.time.get()
            );
            self.end(Fault::new(ErrorReason::DeadlineExceeded, message));
        }
        self.over().map_or(Ok(()), Err)
    }

    /// Whether the script may go on after so many operations.
    pub(crate) fn lasts(&self, operations: u64) -> bool {
        if operations.is_multiple_of(LOOK_EVERY) && self.check().is_err() {
            return false;
        }
        if operations.is_multiple_of(WEIGH_EVERY) {
            self.weigh();
        }
        self.over.borrow().is_none()
    }

    /// Sleeps, as long as there is patience for it.
    pub(crate) fn sleep(&self, time: Duration) -> Result<(), Fault> {
        let end = Instant::now().checked_add(time);
        loop {
            self.check()?;
            let left = end.map_or(NAP, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(NAP));
        }
    }

    fn weigh(&self) {
        let (Some(before), Some(now)) = (self.memory_at_start.get(), resident_bytes()) else {
            return;
        };
        if now.saturating_sub(before) > MAX_GROWTH_BYTES {
            let message = format!(
                "it was stopped because the process's memory grew by more than {} MiB while it ran",
                MAX_GROWTH_BYTES >> 20
            );
            self.end(Fault::named("TOO_MUCH_MEMORY", message));
        }
    }
}

/// Bytes of memory that this process has, where the system tells.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
