//! Owns how long a frontend that failed rests before it is started again.
//! Promises longer waits after each failure, up to a limit. Refuses to wait by itself.

use std::time::Duration;

/// How long to wait before a frontend that failed is started again, the first time, unless it is configured otherwise.
pub const FIRST_BACK_OFF: Duration = Duration::from_millis(250);
/// Longest such wait: it doubles with each failure up to here.
pub const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// How long a frontend must run for its earlier failures to be forgotten.
pub const RAN_WELL: Duration = Duration::from_secs(120);

/// When a frontend that failed is started again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackOff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait; each is twice the one before, up to this.
    pub longest: Duration,
    /// Running this long makes the next wait the first one again.
    pub ran_well: Duration,
}

impl Default for BackOff {
    fn default() -> BackOff {
        BackOff {
            first: FIRST_BACK_OFF,
            longest: LONGEST_BACK_OFF,
            ran_well: RAN_WELL,
        }
    }
}

impl BackOff {
    /// The wait after a failure that came after `ran`, when the last wait was `last`.
    pub(crate) fn next(&self, last: Option<Duration>, ran: Duration) -> Duration {
        match last {
            Some(last) if ran < self.ran_well => last.saturating_mul(2).min(self.longest),
            _ => self.first.min(self.longest),
        }
    }
}
