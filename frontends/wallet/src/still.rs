//! Owns the moments in which no open wallet changes: what a snapshot of a whole node is taken in.
//! Promises that what is read and copied in one belongs together, also across wallets.
//! Refuses to wait in one for anything that waits for a wallet.

use std::path::Path;

use everett_ledger::Ledger;
use parking_lot::{MutexGuard, RwLockReadGuard};

use crate::book::Book;
use crate::error::WalletError;
use crate::store::WalletFile;
use crate::wallets::Wallets;

/// An open wallet in such a moment.
pub struct Still<'w> {
    name: &'w str,
    book: RwLockReadGuard<'w, Book>,
    /// A payment is remembered first and given to the mempool then: in between, the two do not agree.
    _no_payment: MutexGuard<'w, ()>,
}

impl Still<'_> {
    /// Its name; empty for the one without.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Whether it has seen all events of a ledger that takes no blocks now, and the mempool up to this change.
    pub fn has_seen(&self, ledger: &Ledger, mempool_change: u64) -> bool {
        self.book.event == Some(*ledger.event_seq().borrow())
            && self.book.mempool_change == Some(mempool_change)
    }

    /// Writes a copy of its file; see [`Wallet::backup`](crate::Wallet::backup).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn backup(&self, path: &Path) -> Result<(), WalletError> {
        Ok(self.book.file.backup(path)?)
    }
}

impl Wallets {
    /// Does something while no open wallet changes, none pays, and none is opened or shut: questions are answered, what changes
    /// a wallet waits. No payment is halfway to the mempool then.
    pub fn while_still<T>(&self, work: impl FnOnce(&[Still<'_>]) -> T) -> T {
        let open = self.open();
        // Each waits for who changes that wallet or pays with it now; nobody does so while waiting for another wallet.
        let still: Vec<Still<'_>> = open
            .iter()
            .map(|(name, wallet)| Still {
                name,
                // In the order of those who pay.
                _no_payment: wallet.no_payment(),
                book: wallet.book(),
            })
            .collect();
        work(&still)
    }

    /// Writes a copy of the file of a wallet that is not open.
    ///
    /// # Errors
    ///
    /// [`WalletError::BadName`], [`WalletError::File`]: none there, open here or elsewhere, of another network, damaged; what
    /// the disk does.
    pub fn backup_closed(&self, name: &str, path: &Path) -> Result<(), WalletError> {
        let file = WalletFile::open(&self.path(name)?, self.config().network)?;
        Ok(file.backup(path)?)
    }
}
