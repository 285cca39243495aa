//! Owns how long those who did not answer are left alone.
//! Promises waits that double up to a limit, each a little different, so that no crowd calls at once.
//! Refuses to remember more than a bounded number of addresses.

use std::collections::HashMap;
use std::time::Duration;

use crate::endpoint::Endpoint;

#[cfg(test)]
mod tests;

/// Most addresses whose failures are remembered; beyond it those that may be called again are forgotten, then any.
const MAX_REMEMBERED: usize = 20_000;

/// Failures after which the wait no longer grows, whatever the limit.
const MAX_DOUBLINGS: u32 = 20;

/// How long to wait before calling again who did not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackoffConfig {
    /// After the first failure: 1 s.
    pub first: Duration,
    /// At most: 10 min.
    pub most: Duration,
}

impl Default for BackoffConfig {
    fn default() -> BackoffConfig {
        BackoffConfig {
            first: Duration::from_secs(1),
            most: Duration::from_secs(600),
        }
    }
}

/// How calls of one address have gone lately.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failures {
    /// How many have failed in a row.
    pub count: u32,
    /// Until when it is left alone, by the pool's clock.
    pub until: Duration,
    /// Why the last one failed.
    pub reason: String,
}

/// Who failed, how often, and until when each is left alone.
pub(super) struct Backoffs {
    config: BackoffConfig,
    failed: HashMap<Endpoint, Failures>,
}

impl Backoffs {
    pub(super) fn new(config: BackoffConfig) -> Backoffs {
        Backoffs {
            config,
            failed: HashMap::new(),
        }
    }

    /// Until when it is to be left alone; `None` if it may be called.
    pub(super) fn until(&self, endpoint: &Endpoint, now: Duration) -> Option<Duration> {
        let until = self.failed.get(endpoint)?.until;
        (until > now).then_some(until)
    }

    /// How its last calls failed; `None` if they did not.
    pub(super) fn failures(&self, endpoint: &Endpoint) -> Option<&Failures> {
        self.failed.get(endpoint)
    }

    /// It failed; how often in a row now. `jitter` is a random number from 0 to 1: the wait is that part of a quarter
    /// shorter. It is no longer than `most`.
    pub(super) fn failed(
        &mut self,
        endpoint: &Endpoint,
        now: Duration,
        jitter: f64,
        most: Duration,
        reason: String,
    ) -> u32 {
        if self.failed.len() >= MAX_REMEMBERED && !self.failed.contains_key(endpoint) {
            self.failed.retain(|_, failures| failures.until > now);
            if self.failed.len() >= MAX_REMEMBERED {
                self.failed.clear();
            }
        }
        let failures = self.failed.entry(endpoint.clone()).or_insert(Failures {
            count: 0,
            until: now,
            reason: String::new(),
        });
        let doubled = self.config.first * (1 << failures.count.min(MAX_DOUBLINGS));
        let wait = doubled
            .min(self.config.most)
            .min(most)
            .mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0);
        failures.count += 1;
        failures.until = now + wait;
        failures.reason = reason;
        failures.count
    }

    /// A connection that lasted is over: the next call waits as after a first failure, and none has failed yet.
    pub(super) fn lost(&mut self, endpoint: &Endpoint, now: Duration, reason: String) {
        self.failed(endpoint, now, 0.0, self.config.first, reason);
        if let Some(failures) = self.failed.get_mut(endpoint) {
            failures.count = 0;
        }
    }

    /// It was there for a while, or is to be called at once.
    pub(super) fn answered(&mut self, endpoint: &Endpoint) {
        self.failed.remove(endpoint);
    }
}
