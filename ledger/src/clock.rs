//! Owns the time of day that rules compare block times with.
//! Promises that a test can hold it still; refuses to be read by pure rules, which get it as an argument.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Settings of a clock that are remembered, the last ones.
const MAX_REMEMBERED: usize = 1_024;

/// Where the ledger takes the time from; clones share one clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Unix seconds; 0 follows the machine's clock.
    fixed: Arc<AtomicU64>,
    /// When it was set to what, by the machine's clock, the oldest first.
    settings: Arc<Mutex<VecDeque<(SystemTime, u64)>>>,
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
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if settings.len() >= MAX_REMEMBERED {
            settings.pop_front();
        }
        settings.push_back((SystemTime::now(), unix_seconds));
        self.fixed.store(unix_seconds, Ordering::Relaxed);
    }

    /// Unix seconds that it showed at a time of the machine's clock: for what was noted by that one. Before the first
    /// setting that is remembered, the machine's.
    pub fn showed(&self, at: SystemTime) -> u64 {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let last = settings.iter().rev().find(|(since, _)| *since <= at);
        match last {
            Some((_, fixed)) if *fixed != 0 => *fixed,
            _ => at
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_remembers_what_it_showed() {
        let clock = Clock::system();
        let before = SystemTime::now() - Duration::from_secs(10);
        clock.set(1_000);
        let held = SystemTime::now();
        clock.set(0);
        let after = SystemTime::now() + Duration::from_secs(10);
        let machine = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(clock.showed(before), machine(before));
        assert_eq!(clock.showed(held), 1_000);
        assert_eq!(clock.showed(after), machine(after));
    }
}
