//! Owns what all of an import works for: a ledger, and those who watch or stop it.
//! Promises to call nobody who did not ask for it. Refuses to know files.

use std::sync::atomic::{AtomicBool, Ordering};

use everett_ledger::Ledger;

use super::progress::Progress;

/// What an import works for.
pub(super) struct Task<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) stop: Option<&'a AtomicBool>,
    pub(super) progress: Option<&'a mut dyn FnMut(&Progress)>,
}

impl Task<'_> {
    pub(super) fn stopped(&self) -> bool {
        self.stop.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    pub(super) fn tell(&mut self, progress: &Progress) {
        if let Some(watch) = &mut self.progress {
            watch(progress);
        }
    }
}
