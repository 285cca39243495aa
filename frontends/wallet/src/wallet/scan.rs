//! Owns the scans of blocks for a wallet, which can be watched and ended, whoever began them.
//! Promises that the scan which keys ask for that are older than the wallet is owed by the step that took them up, until it
//! is done or ended by the wallet's owner; and that nothing is struck off which was looked into without the keys for it.
//! Refuses to take keys up where a block is missing that they may be paid in.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use everett_ledger::Ledger;

use super::{ScanTurn, Wallet};
use crate::book::Book;
use crate::error::WalletError;
use crate::follow::Progress;
use crate::keys::{KeyError, Keyring};
use crate::owed::Owed;
use crate::scanned::Scanned;

/// Parts into which the progress of a scan is counted.
const PARTS: u32 = 10_000;

/// A scan that runs.
pub(super) struct Scan {
    since: Instant,
    /// In [`PARTS`].
    progress: AtomicU32,
    /// Its owner ends it.
    aborted: AtomicBool,
}

/// How far a scan is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ScanProgress {
    /// How long it has run.
    pub elapsed: Duration,
    /// The part of the blocks that is done, from 0 to 1.
    pub part: f64,
}

/// The scan of who has the turn; none when it is dropped.
struct Running<'a> {
    turn: &'a ScanTurn,
    scan: Arc<Scan>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.turn.wallet.inner.turns.place.lock().scan = None;
    }
}

impl Wallet {
    /// How far the scan is that runs, if one does.
    pub fn scan_progress(&self) -> Option<ScanProgress> {
        let place = self.inner.turns.place.lock();
        place.scan.as_ref().map(|scan| ScanProgress {
            elapsed: scan.since.elapsed(),
            part: f64::from(scan.progress.load(Ordering::Acquire)) / f64::from(PARTS),
        })
    }

    /// Ends the scan that runs; one that is owed is not owed any more then. Where none runs, what is owed and what was missed is
    /// done without. Says whether there was something that nobody had ended yet.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn abort_scan(&self) -> Result<bool, WalletError> {
        if let Some(scan) = &self.inner.turns.place.lock().scan {
            return Ok(!scan.aborted.swap(true, Ordering::AcqRel));
        }
        // Who has it is about to begin, or wants something else.
        let Ok(_turn) = self.take_turn(true) else {
            return Ok(false);
        };
        let mut book = self.inner.book.write();
        if book.owed.is_none() && book.missed.is_none() {
            return Ok(false);
        }
        book.owe_and_miss(None, None)?;
        drop(book);
        self.revise();
        Ok(true)
    }

    /// The height from which on blocks have still to be looked into, if a scan is owed.
    pub fn owed_scan(&self) -> Option<u32> {
        self.inner.book.read().owed.as_ref().map(|owed| owed.from)
    }

    /// The heights whose blocks would have had to be looked into, and were not here (pruned) when their turn came: what keys were
    /// paid in them may be missing. They are owed again when the wallet is loaded and they are here, done with a
    /// [scan](ScanTurn::run) over all of them, and done without by [`Wallet::abort_scan`].
    pub fn missed_scan(&self) -> Option<Range<u32>> {
        self.inner.book.read().missed.clone()
    }

    /// Whether a scan is owed that nobody does, and that [`Wallet::pay_owed_scan`] would do: none while the wallet is locked, if
    /// it may need its private keys to watch further addresses.
    pub fn wants_scan(&self) -> bool {
        let turns = &self.inner.turns;
        if turns.failed.load(Ordering::Acquire) || turns.place.lock().turn.is_some() {
            return false;
        }
        let book = self.inner.book.read();
        book.owed.is_some() && !book.keyring.needs_unlocking()
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
            Err(WalletError::Scanning { .. } | WalletError::NotOpen { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        match turn.pay_owed(progress) {
            Ok(()) => Ok(true),
            Err(
                WalletError::ScanLeft { .. }
                | WalletError::ScanAborted { .. }
                | WalletError::Keys(KeyError::Locked),
            ) => Ok(false),
            Err(error) => {
                self.inner.turns.failed.store(true, Ordering::Release);
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
    /// soon as they are there. `None`: they are younger than all blocks, or their owner wants no scan. Says also from where on it
    /// is owed: from further below where a payment of ours that a block there has pays them, too, as far as blocks are here.
    ///
    /// # Errors
    ///
    /// [`WalletError::BlocksMissing`], and those of [`Wallet::change_keys`]; nothing has changed then.
    pub fn take_up<T, E: From<WalletError>>(
        &self,
        from: Option<u32>,
        change: impl FnOnce(&mut Keyring) -> Result<T, E>,
    ) -> Result<(T, Option<u32>), E> {
        if let Some(from) = from {
            Scanned::default().check_blocks(&self.wallet.inner.ledger, from, None)?;
        }
        let done = self.wallet.change_keys_and_owe(from, change)?;
        if from.is_some() {
            let turns = &self.wallet.inner.turns;
            turns.failed.store(false, Ordering::Release);
        }
        Ok(done)
    }

    /// Does what keys ask for that were [taken up](ScanTurn::take_up): looks into the blocks from height `from` on. What is owed
    /// for others from further below stays so: it is done in the background, and nobody waits for it here.
    ///
    /// # Errors
    ///
    /// As [`ScanTurn::pay_owed`]; a scan that is ended or left may have been done for nothing where there is one from below.
    pub fn pay_since(&self, from: u32, progress: Progress<'_>) -> Result<(), WalletError> {
        let inner = &*self.wallet.inner;
        let others = {
            let book = inner.book.read();
            let owed = book.owed.as_ref();
            owed.is_some_and(|owed| owed.has_left_below(&inner.ledger, from))
        };
        match others {
            true => self.scan(from, None, false, progress),
            false => self.pay_owed(progress),
        }
    }

    /// Does the scan that is owed, from where it was left. `progress` is told the height and the last one of each stretch, and
    /// says whether to go on. Blocks that are not here are [missed](Wallet::missed_scan), and those above are looked into.
    ///
    /// # Errors
    ///
    /// [`WalletError::ScanAborted`] (nothing is owed any more), [`WalletError::ScanLeft`], [`KeyError::Locked`] where private
    /// keys may be needed to watch further addresses, what the disk does.
    pub fn pay_owed(&self, progress: Progress<'_>) -> Result<(), WalletError> {
        self.miss_what_is_gone()?;
        loop {
            let Some(from) = self.wallet.owed_scan() else {
                return Ok(());
            };
            match self.scan(from, None, true, &mut *progress) {
                // Pruned while it was on its way there: it goes on with what is here.
                Err(WalletError::BlockRead(_) | WalletError::BlocksMissing { .. })
                    if self.miss_what_is_gone()? => {}
                done => return done,
            }
        }
    }

    /// Sets the blocks apart that are owed and not here; whether there were some.
    fn miss_what_is_gone(&self) -> Result<bool, WalletError> {
        let inner = &*self.wallet.inner;
        miss_what_is_gone(&mut inner.book.write(), &inner.name, &inner.ledger)
    }

    /// Looks into the blocks of every live world from height `from` up to `to` or its tip again. What is owed is done with it
    /// where it goes as far, or as far as there are blocks.
    ///
    /// # Errors
    ///
    /// [`WalletError::ScanAborted`], [`WalletError::ScanLeft`], [`WalletError::BlocksMissing`], what the disk does.
    pub fn run(
        &self,
        from: u32,
        to: Option<u32>,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        let inner = &*self.wallet.inner;
        let (pays, finds) = {
            let book = inner.book.read();
            // Further addresses are not watched while it is locked.
            let whole = to.is_none() && !book.keyring.needs_unlocking();
            let all_here = |owed: &Owed| {
                let missing = owed.missing(&inner.ledger);
                missing.map_or(owed.from, |missing| missing.end)
            };
            let owed = book.owed.as_ref().map(all_here);
            let missed = book.missed.as_ref().map(|missed| missed.start);
            (
                whole && owed.is_some_and(|owed| from <= owed),
                whole && missed.is_some_and(|missed| from <= missed),
            )
        };
        self.scan(from, to, false, progress)?;
        let mut book = inner.book.write();
        let owed = book.owed.clone().filter(|_| !pays);
        let missed = book.missed.clone().filter(|_| !finds);
        book.owe_and_miss(owed, missed)
    }

    /// Notes that a scan runs.
    fn begin(&self) -> Running<'_> {
        let scan = Arc::new(Scan {
            since: Instant::now(),
            progress: AtomicU32::new(0),
            aborted: AtomicBool::new(false),
        });
        self.wallet.inner.turns.place.lock().scan = Some(scan.clone());
        Running { turn: self, scan }
    }

    fn scan(
        &self,
        from: u32,
        to: Option<u32>,
        owed: bool,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        let running = self.begin();
        let scanned = match self.wallet.catch_up_while(&|| !self.must_leave()) {
            Ok(()) => running.look(from, to, owed, progress),
            Err(WalletError::ScanLeft { height }) if running.is_aborted() => {
                Err(WalletError::ScanAborted { height })
            }
            Err(error) => return Err(error),
        };
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
        drop(running);
        self.wallet.changed();
        scanned?;
        self.wallet.catch_up()
    }
}

/// Sets the blocks apart that a wallet owes and that are not here, and says so in the log; whether there were some.
pub(super) fn miss_what_is_gone(
    book: &mut Book,
    name: &str,
    ledger: &Ledger,
) -> Result<bool, WalletError> {
    let Some(gone) = book.miss_what_is_gone(ledger)? else {
        return Ok(false);
    };
    tracing::warn!(
        wallet = name,
        from = gone.start,
        below = gone.end,
        "blocks that its keys may be paid in are pruned; what they were paid there is missing, and coins that it shows may be \
         spent there: fetch those blocks again and load the wallet anew, or do without (abortrescan, `everett wallet rescan \
         --abort`)"
    );
    Ok(true)
}

impl Running<'_> {
    fn look(
        &self,
        from: u32,
        to: Option<u32>,
        owed: bool,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        let inner = &*self.turn.wallet.inner;
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
                let goes_on = progress(height, stretch.last);
                // First: whoever else wants it to end, its owner was told that it is ended for good.
                if self.is_aborted() {
                    return Err(WalletError::ScanAborted { height });
                }
                if !goes_on || self.turn.must_leave() {
                    return Err(WalletError::ScanLeft { height });
                }
                let mut book = inner.book.write();
                // It may have been locked since the last step: what this one finds would not be watched further.
                if owed && book.keyring.needs_unlocking() {
                    return Err(KeyError::Locked.into());
                }
                height = book.look_again(&inner.ledger, &stretch, height, owed)?;
            }
            looked.advance(&inner.ledger, &stretch.world, stretch.last);
        }
    }

    fn is_aborted(&self) -> bool {
        self.scan.aborted.load(Ordering::Acquire)
    }

    /// Notes how far it is.
    fn told(&self, from: u32, height: u32, last: u32) {
        let whole = u64::from(last.saturating_sub(from)) + 1;
        let part = u64::from(height.saturating_sub(from)) * u64::from(PARTS) / whole;
        let part = u32::try_from(part).unwrap_or(PARTS).min(PARTS);
        self.scan.progress.store(part, Ordering::Release);
    }
}
