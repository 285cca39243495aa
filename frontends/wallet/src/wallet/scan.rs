//! Owns the scans of blocks for a wallet: one at a time, which can be watched and ended, whoever began it.
//! Promises that the scan which keys ask for that are older than the wallet is owed by the step that took them up, until it
//! is done or ended by the wallet's owner; and that it makes way for whatever else somebody wants to do meanwhile.
//! Refuses to begin where a block is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use parking_lot::{Condvar, Mutex};

use super::Wallet;
use crate::error::WalletError;
use crate::follow::Progress;
use crate::keys::Keyring;
use crate::scanned::Scanned;

/// Parts into which the progress of a scan is counted.
const PARTS: u32 = 10_000;

/// The scan of one wallet that runs, if any.
#[derive(Default)]
pub(super) struct Scans {
    running: Mutex<Option<Arc<Running>>>,
    ended: Condvar,
    /// Whether what is owed could not be looked into in this run: it is not tried again before something new is owed.
    failed: AtomicBool,
}

struct Running {
    since: Instant,
    /// In [`PARTS`].
    progress: AtomicU32,
    /// Its owner ends it.
    aborted: AtomicBool,
    /// Whether nobody waits for it: it makes way.
    in_background: bool,
    /// Somebody wants its place.
    must_leave: AtomicBool,
}

/// How far a scan is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ScanProgress {
    /// How long it has run.
    pub elapsed: Duration,
    /// The part of the blocks that is done, from 0 to 1.
    pub part: f64,
}

/// The right to look into the blocks for a wallet again, and to do what no scan must meet. Nobody else has it until it is dropped.
pub struct ScanTurn {
    wallet: Wallet,
    running: Arc<Running>,
}

impl Drop for ScanTurn {
    fn drop(&mut self) {
        let scans = &self.wallet.inner.scans;
        *scans.running.lock() = None;
        scans.ended.notify_all();
    }
}

impl Wallet {
    /// Takes the turn. A scan in the background makes way, which takes as long as one of its steps.
    ///
    /// # Errors
    ///
    /// [`WalletError::Scanning`].
    pub fn scan_turn(&self) -> Result<ScanTurn, WalletError> {
        self.take_turn(false)
    }

    fn take_turn(&self, in_background: bool) -> Result<ScanTurn, WalletError> {
        let scans = &self.inner.scans;
        let mut place = scans.running.lock();
        while let Some(other) = &*place {
            if in_background || !other.in_background {
                return Err(WalletError::Scanning {
                    name: self.inner.name.clone(),
                });
            }
            other.must_leave.store(true, Ordering::Release);
            scans.ended.wait(&mut place);
        }
        let running = Arc::new(Running {
            since: Instant::now(),
            progress: AtomicU32::new(0),
            aborted: AtomicBool::new(false),
            in_background,
            must_leave: AtomicBool::new(false),
        });
        *place = Some(running.clone());
        Ok(ScanTurn {
            wallet: self.clone(),
            running,
        })
    }

    /// How far the scan is that runs, if one does.
    pub fn scan_progress(&self) -> Option<ScanProgress> {
        let running = self.inner.scans.running.lock();
        running.as_ref().map(|running| ScanProgress {
            elapsed: running.since.elapsed(),
            part: f64::from(running.progress.load(Ordering::Acquire)) / f64::from(PARTS),
        })
    }

    /// Ends the scan that runs; one that is owed is not owed any more then. Says whether one ran that nobody had ended yet.
    pub fn abort_scan(&self) -> bool {
        let running = self.inner.scans.running.lock();
        running
            .as_ref()
            .is_some_and(|running| !running.aborted.swap(true, Ordering::AcqRel))
    }

    /// The height from which on blocks have still to be looked into, if a scan is owed.
    pub fn owed_scan(&self) -> Option<u32> {
        self.inner.book.read().owed.as_ref().map(|owed| owed.from)
    }

    /// Whether a scan is owed that nobody does, and that [`Wallet::pay_owed_scan`] would do.
    pub fn wants_scan(&self) -> bool {
        let scans = &self.inner.scans;
        !scans.failed.load(Ordering::Acquire)
            && scans.running.lock().is_none()
            && self.owed_scan().is_some()
    }

    /// Does the scan that is owed, from where it was left; it makes way for who takes the [turn](Wallet::scan_turn). One that fails
    /// stays owed, and is not wanted any more in this run. Says whether all is done.
    ///
    /// # Errors
    ///
    /// As [`ScanTurn::pay_owed`].
    pub fn pay_owed_scan(&self, progress: Progress<'_>) -> Result<bool, WalletError> {
        let turn = match self.take_turn(true) {
            Ok(turn) => turn,
            Err(WalletError::Scanning { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        match turn.pay_owed(progress) {
            Ok(()) => Ok(true),
            Err(WalletError::ScanLeft { .. } | WalletError::ScanAborted { .. }) => Ok(false),
            Err(error) => {
                self.inner.scans.failed.store(true, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Looks into the blocks again as [`ScanTurn::run`] does.
    ///
    /// # Errors
    ///
    /// As [`Wallet::scan_turn`] and [`ScanTurn::run`].
    pub fn rescan(
        &self,
        from: u32,
        to: Option<u32>,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        self.scan_turn()?.run(from, to, progress)
    }
}

impl ScanTurn {
    /// Takes up keys that may have been paid since height `from`: [`Wallet::change_keys`], and the scan from there on is owed as
    /// soon as they are there. `None`: they are younger than all blocks, or their owner wants no scan.
    ///
    /// # Errors
    ///
    /// [`WalletError::BlocksMissing`], and those of [`Wallet::change_keys`]; nothing has changed then.
    pub fn take_up<T, E: From<WalletError>>(
        &self,
        from: Option<u32>,
        change: impl FnOnce(&mut Keyring) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(from) = from {
            Scanned::default().check_blocks(&self.wallet.inner.ledger, from, None)?;
        }
        let done = self.wallet.change_keys_and_owe(from, change)?;
        if from.is_some() {
            let scans = &self.wallet.inner.scans;
            scans.failed.store(false, Ordering::Release);
        }
        Ok(done)
    }

    /// Does the scan that is owed, from where it was left. `progress` is told the height and the last one of each stretch, and
    /// says whether to go on.
    ///
    /// # Errors
    ///
    /// [`WalletError::ScanAborted`] (nothing is owed any more), [`WalletError::ScanLeft`], [`WalletError::BlocksMissing`], what the
    /// disk does.
    pub fn pay_owed(&self, progress: Progress<'_>) -> Result<(), WalletError> {
        match self.wallet.owed_scan() {
            Some(from) => self.scan(from, None, true, progress),
            None => Ok(()),
        }
    }

    /// Looks into the blocks of every live world from height `from` up to `to` or its tip again. What is owed is done with it
    /// where it goes as far, or as far as there are blocks.
    ///
    /// # Errors
    ///
    /// As [`ScanTurn::pay_owed`].
    pub fn run(
        &self,
        from: u32,
        to: Option<u32>,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        let missing_below = |owed| {
            let ledger = &self.wallet.inner.ledger;
            match Scanned::default().check_blocks(ledger, owed, None) {
                Err(WalletError::BlocksMissing { first, .. }) => first,
                _ => owed,
            }
        };
        let owed = self.wallet.owed_scan();
        let pays = to.is_none() && owed.is_some_and(|owed| from <= missing_below(owed));
        self.scan(from, to, false, progress)?;
        match pays {
            true => self.wallet.inner.book.write().owe(None),
            false => Ok(()),
        }
    }

    fn scan(
        &self,
        from: u32,
        to: Option<u32>,
        owed: bool,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        self.wallet.catch_up()?;
        let scanned = self.look(from, to, owed, progress);
        {
            let mut book = self.wallet.inner.book.write();
            // So that the next look goes through all of it again, also where the scan came only half its way: what waits
            // may spend coins that are known only now.
            book.best = BlockHash::all_zeros();
            book.event = None;
            book.mempool_change = None;
            if owed && matches!(scanned, Ok(()) | Err(WalletError::ScanAborted { .. })) {
                book.owe(None)?;
            }
        }
        self.wallet.changed();
        scanned?;
        self.wallet.catch_up()
    }

    fn look(
        &self,
        from: u32,
        to: Option<u32>,
        owed: bool,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        let inner = &*self.wallet.inner;
        let mut looked = match &inner.book.read().owed {
            Some(debt) if owed => debt.looked.clone(),
            _ => Scanned::default(),
        };
        looked.check_blocks(&inner.ledger, from, to)?;
        // Blocks that came meanwhile were looked into while coins below them were not known yet: until none came.
        loop {
            let next = looked.stretches(&inner.ledger, from.max(1), to).next();
            let Some(stretch) = next else {
                return Ok(());
            };
            // A step at a time, so that others get their turn.
            let mut height = stretch.from;
            while height <= stretch.last {
                self.told(from, height, stretch.last);
                if !progress(height, stretch.last)
                    || self.running.must_leave.load(Ordering::Acquire)
                {
                    return Err(WalletError::ScanLeft { height });
                }
                if self.running.aborted.load(Ordering::Acquire) {
                    return Err(WalletError::ScanAborted { height });
                }
                let mut book = inner.book.write();
                height = book.look_again(&inner.ledger, &stretch, height, owed)?;
            }
            looked.advance(&inner.ledger, &stretch.world, stretch.last);
        }
    }

    /// Notes how far it is.
    fn told(&self, from: u32, height: u32, last: u32) {
        let whole = u64::from(last.saturating_sub(from)) + 1;
        let part = u64::from(height.saturating_sub(from)) * u64::from(PARTS) / whole;
        let part = u32::try_from(part).unwrap_or(PARTS).min(PARTS);
        self.running.progress.store(part, Ordering::Release);
    }
}
