//! Owns what an import tells while it runs.

use std::time::Duration;

/// What an import is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Looking for blocks in the files.
    Scanning,
    /// Handing them to the ledger.
    Submitting,
}

/// How far an import has come.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Blocks found, or done with.
    pub blocks: u64,
    /// Blocks in all; while scanning, those found so far.
    pub blocks_total: u64,
    /// Bytes of the files scanned, or of the blocks done with.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// Height of the best world's tip.
    pub height: u32,
    /// Since the phase began.
    pub elapsed: Duration,
}

impl Progress {
    /// Megabytes (10^6 bytes) a second in this phase.
    pub fn megabytes_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.bytes as f64 / 1e6 / seconds
        } else {
            0.0
        }
    }
}
