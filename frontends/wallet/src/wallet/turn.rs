//! Owns who may look into the blocks for a wallet: one at a time.
//! Promises that a scan in the background makes way for whoever else wants the turn, and that none begins for a wallet that is
//! not among the open ones any more.
//! Refuses to wait for somebody who has the turn in the foreground.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

use super::Wallet;
use super::scan::Scan;
use crate::error::WalletError;

/// Who looks into the blocks for one wallet. Its lock is taken last, and nothing is waited for while it is held.
#[derive(Default)]
pub(super) struct Turns {
    pub(super) place: Mutex<Place>,
    ended: Condvar,
    /// Whether what is owed could not be looked into in this run: it is not tried again before something new is owed.
    pub(super) failed: AtomicBool,
}

#[derive(Default)]
pub(super) struct Place {
    pub(super) turn: Option<Arc<Turn>>,
    /// The scan that runs, of who has the turn.
    pub(super) scan: Option<Arc<Scan>>,
    /// The wallet is not among the open ones any more.
    shut: bool,
}

pub(super) struct Turn {
    /// Whether nobody waits for it: it makes way.
    in_background: bool,
    /// Somebody wants its place.
    must_leave: AtomicBool,
}

/// The right to look into the blocks for a wallet again, and to do what no scan must meet. Nobody else has it until it is
/// dropped; and who has it in the foreground and found the wallet unlocked has it unlocked to the end.
pub struct ScanTurn {
    pub(super) wallet: Wallet,
    turn: Arc<Turn>,
}

impl Drop for ScanTurn {
    fn drop(&mut self) {
        let turns = &self.wallet.inner.turns;
        turns.place.lock().turn = None;
        turns.ended.notify_all();
    }
}

impl ScanTurn {
    /// Whether somebody wants its place.
    pub(super) fn must_leave(&self) -> bool {
        self.turn.must_leave.load(Ordering::Acquire)
    }
}

impl Turns {
    /// Whether somebody has the turn and waits for what it is taken for.
    pub(super) fn is_in_foreground(&self) -> bool {
        let place = self.place.lock();
        place.turn.as_ref().is_some_and(|turn| !turn.in_background)
    }
}

impl Wallet {
    /// Takes the turn. A scan in the background makes way, which takes as long as one of its steps.
    ///
    /// # Errors
    ///
    /// [`WalletError::Scanning`]; [`WalletError::NotOpen`] for one that was unloaded.
    pub fn scan_turn(&self) -> Result<ScanTurn, WalletError> {
        // While it is held the wallet is not locked: what is due is not put off by it.
        self.lock_when_due();
        self.take_turn(false)
    }

    pub(super) fn take_turn(&self, in_background: bool) -> Result<ScanTurn, WalletError> {
        let turns = &self.inner.turns;
        let mut place = turns.place.lock();
        while let Some(other) = &place.turn {
            if in_background || !other.in_background {
                return Err(WalletError::Scanning {
                    name: self.inner.name.clone(),
                });
            }
            other.must_leave.store(true, Ordering::Release);
            turns.ended.wait(&mut place);
        }
        if place.shut {
            return Err(WalletError::NotOpen {
                name: self.inner.name.clone(),
            });
        }
        let turn = Arc::new(Turn {
            in_background,
            must_leave: AtomicBool::new(false),
        });
        place.turn = Some(turn.clone());
        Ok(ScanTurn {
            wallet: self.clone(),
            turn,
        })
    }

    /// Lets no scan begin any more, and one that runs end: it would keep the file from whoever opens the wallet next.
    pub(super) fn shut_turns(&self) {
        let mut place = self.inner.turns.place.lock();
        place.shut = true;
        if let Some(turn) = &place.turn {
            turn.must_leave.store(true, Ordering::Release);
        }
    }
}
