//! Owns the named write boundaries at which a test can kill the process.
//! Promises to cost one relaxed atomic load where the hook is off, which it is outside tests.
//! Refuses to do anything but abort: no errors are made up here.
//!
//! A testing hook: start the process with `EVERETT_FAILPOINT=name:count` and it aborts, as if by
//! `kill -9`, the `count`-th time (1 is the first) that the boundary `name` is reached.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// The variable that arms a point: `name:count`, or `name` alone for the first time.
pub const VARIABLE: &str = "EVERETT_FAILPOINT";

/// The store's own boundaries, in the order in which a group and a checkpoint reach them.
pub const POINTS: &[&str] = &[
    "append-block",
    "group-written",
    "block-synced",
    "before-commit",
    "after-commit",
    "fold-started",
    "fold-before-commit",
    "fold-after-commit",
];

/// The engine's boundaries: the base lowered for a reorganisation but not committed, a part of a long reorganisation
/// committed, a group committed and published, retired branches dropped.
pub const ENGINE_POINTS: &[&str] = &["base-lowered", "part-committed", "published", "purged"];

/// The engine's boundary in a ledger that prunes: the rows of a block file are gone, the file is still there.
pub const PRUNE_POINT: &str = "pruned";

const UNKNOWN: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
static ARMED: OnceLock<Armed> = OnceLock::new();

struct Armed {
    point: String,
    /// How many times the point may still be reached; the process aborts when it falls to 0.
    left: AtomicU64,
}

/// Says that the write boundary `point` was reached; aborts the process if it is armed and due.
#[inline]
pub fn reach(point: &'static str) {
    if STATE.load(Ordering::Relaxed) != OFF {
        reach_armed(point);
    }
}

#[cold]
fn reach_armed(point: &'static str) {
    if STATE.load(Ordering::Relaxed) == UNKNOWN {
        let armed = std::env::var(VARIABLE).ok().and_then(|text| parse(&text));
        let state = if armed.is_some() { ON } else { OFF };
        if let Some(armed) = armed {
            // Another thread may have set it from the same variable: either is right.
            let _ = ARMED.set(armed);
        }
        STATE.store(state, Ordering::Relaxed);
    }
    if let Some(armed) = ARMED.get()
        && armed.point == point
        && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

fn parse(text: &str) -> Option<Armed> {
    let (point, count) = text.split_once(':').unwrap_or((text, "1"));
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    Some(Armed {
        point: point.to_owned(),
        left: AtomicU64::new(count),
    })
}

#[cfg(test)]
mod tests;
