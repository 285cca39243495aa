//! Owns the measuring of how long calls take, and how much of that was waiting for a core.
//! Promises percentiles of every call, none left out.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// Measures calls of one thread.
pub struct Stopwatch {
    /// Linux's figures on this thread; without them waiting for a core cannot be told from waiting for a lock.
    schedule: Option<File>,
}

/// How long a call took.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Taken {
    /// Without the time in which the thread was ready to run and had no core.
    pub own: Duration,
    /// From call to return.
    pub whole: Duration,
}

impl Stopwatch {
    /// For the calling thread.
    pub fn new() -> Stopwatch {
        Stopwatch {
            schedule: File::open("/proc/thread-self/schedstat").ok(),
        }
    }

    /// Makes the call and says how long it took.
    pub fn time<R>(&self, call: impl FnOnce() -> R) -> (R, Taken) {
        let queued = self.queued();
        let start = Instant::now();
        let result = call();
        let whole = start.elapsed();
        let queued = self.queued().saturating_sub(queued);
        let own = whole.saturating_sub(queued);
        (result, Taken { own, whole })
    }

    /// How long this thread has waited for a core so far.
    fn queued(&self) -> Duration {
        let read = || {
            let mut text = [0; 96];
            let length = self.schedule.as_ref()?.read_at(&mut text, 0).ok()?;
            let text = std::str::from_utf8(&text[..length]).ok()?;
            text.split_whitespace().nth(1)?.parse().ok()
        };
        Duration::from_nanos(read().unwrap_or(0))
    }
}

impl Default for Stopwatch {
    fn default() -> Stopwatch {
        Stopwatch::new()
    }
}

/// What share of `taken`, in thousandths, was no longer than the answer; sorts.
pub fn percentile(taken: &mut [Duration], thousandths: usize) -> Duration {
    taken.sort_unstable();
    let last = taken.len().saturating_sub(1);
    let index = (taken.len() * thousandths).div_ceil(1000).saturating_sub(1);
    taken.get(index.min(last)).copied().unwrap_or_default()
}

/// One line: how many calls, and how long they took at most, up to the shares that matter.
pub fn summary(name: &str, taken: &[Taken]) -> String {
    let of = |part: &dyn Fn(&Taken) -> Duration| {
        let mut parts: Vec<Duration> = taken.iter().map(part).collect();
        let [median, most, nearly_all, all] =
            [500, 990, 999, 1000].map(|share| percentile(&mut parts, share));
        format!("50 % {median:.1?}, 99 % {most:.1?}, 99.9 % {nearly_all:.1?}, max {all:.1?}")
    };
    format!(
        "{name}: {} calls; {}; with waiting for a core: {}",
        taken.len(),
        of(&|taken| taken.own),
        of(&|taken| taken.whole)
    )
}
