//! Owns the time of day that rules compare block times with.
//! Promises that a test can hold it still; refuses to be read by pure rules, which get it as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the ledger takes the time from; clones share one clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Unix seconds; 0 follows the machine's clock.
    fixed: Arc<AtomicU64>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock::default()
    }

    /// A clock that stands at `unix_seconds` until it is set again.
    pub fn fixed(unix_seconds: u64) -> Clock {
        let clock = Clock::default();
        clock.set(unix_seconds);
        clock
    }

    /// Sets all clones to `unix_seconds`; 0 lets them follow the machine's clock again.
    pub fn set(&self, unix_seconds: u64) {
        self.fixed.store(unix_seconds, Ordering::Relaxed);
    }

    /// Unix seconds now.
    pub fn now(&self) -> u64 {
        match self.fixed.load(Ordering::Relaxed) {
            0 => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            fixed => fixed,
        }
    }
}
