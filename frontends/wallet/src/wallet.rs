//! Owns one wallet that is open: its file, what it knows, and who may change it when.
//! Promises that every answer has seen all that the ledger and the mempool have when it is asked, and that a change is on the
//! disk before it is told of.
//! Refuses to start threads: who holds it calls [`Wallet::catch_up`], and so does every question.

mod again;
mod pay;
mod scan;
mod telling;
mod turn;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, ScriptBuf, Txid};
use everett_ledger::{Ledger, World};
use everett_mempool::Mempool;
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
use tokio::sync::watch;

use crate::book::{Book, Unlocked};
use crate::coins::Touched;
use crate::config::WalletConfig;
use crate::error::WalletError;
use crate::events::Announcer;
use crate::follow::SCANNED_KEY;
use crate::keys::{Kdf, Keyring, OutputType};
use crate::locked;
use crate::owed::{MISSED_KEY, OWED_KEY, Owed, decode_missed, put_owed};
use crate::picture::Picture;
use crate::record::Record;
use crate::scanned::Scanned;
use crate::slot::Slot;
use crate::spend::FeeSettings;
use crate::spenders::Spenders;
use crate::store::{Table, WalletFile};
use crate::view::View;

pub use pay::{Bumped, Paid, Prepared, SendTerms};
pub use scan::ScanProgress;
use scan::miss_what_is_gone;
pub use turn::ScanTurn;
use turn::Turns;

/// Times that a view looks at what is new before it goes on with what it has seen.
const MAX_LOOKS: usize = 16;

/// One wallet that is open. Clones share it; its file is shut when the last one is gone.
#[derive(Clone)]
pub struct Wallet {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    ledger: Ledger,
    mempool: Mempool,
    book: RwLock<Book>,
    /// Held from the choice of coins until they are spoken for and the mempool has what spends them, so that nobody takes them
    /// twice.
    spending: Mutex<()>,
    /// Who looks into the blocks for it.
    turns: Turns,
    revision: watch::Sender<u64>,
    /// How it stood when it was last told of; none before it is among the open ones. Held while it looks at what is new, so
    /// that what happened is told in order; taken before `book`.
    told: Mutex<Option<Picture>>,
    /// Whether something has changed since.
    untold: AtomicBool,
    /// Whether it could not be told the last time. The log has it once.
    silenced: AtomicBool,
    announcer: Announcer,
    warn_blocks: u32,
    kdf: Kdf,
    fees: FeeSettings,
    address_type: OutputType,
    change_type: Option<OutputType>,
    broadcast: bool,
    spend_pending_change: bool,
}

impl Wallet {
    /// What lies in a file.
    ///
    /// # Errors
    ///
    /// Rows that are damaged, and what the disk does.
    pub(crate) fn load(
        name: &str,
        file: WalletFile,
        config: &WalletConfig,
        ledger: Ledger,
        mempool: Mempool,
        announcer: Announcer,
    ) -> Result<Wallet, WalletError> {
        let keyring = Keyring::load(&file, config.keypool)?;
        let reading = file.read()?;
        let mut records: Vec<Record> = Vec::new();
        reading.each(Table::Transactions, |key, row| -> Result<(), WalletError> {
            let damaged = |detail: String| reading.damaged(Table::Transactions, key, detail);
            let txid = Txid::from_slice(key).map_err(|error| damaged(error.to_string()))?;
            let record = Record::decode(txid, row).map_err(|fault| damaged(fault.to_string()))?;
            records.push(record);
            Ok(())
        })?;
        records.sort_by_key(|record| record.order);
        let mut blocks: Vec<Touched> = Vec::new();
        reading.each(Table::Blocks, |key, row| -> Result<(), WalletError> {
            let touched = Touched::decode(key, row)
                .map_err(|fault| reading.damaged(Table::Blocks, key, fault.to_string()))?;
            blocks.push(touched);
            Ok(())
        })?;
        let mut locked: Vec<OutPoint> = Vec::new();
        reading.each(Table::Locked, |key, _| -> Result<(), WalletError> {
            let outpoint = locked::decode(key)
                .map_err(|fault| reading.damaged(Table::Locked, key, fault.to_string()))?;
            locked.push(outpoint);
            Ok(())
        })?;
        let scanned = reading.get(Table::Cursor, SCANNED_KEY)?;
        let scanned = scanned.map(|row| {
            let cut = || reading.damaged(Table::Cursor, SCANNED_KEY, "it is cut");
            Scanned::decode(row).ok_or_else(cut)
        });
        let scanned = scanned.transpose()?;
        let owed = reading.get(Table::Cursor, OWED_KEY)?;
        let owed = owed.map(|row| {
            Owed::decode(row)
                .map_err(|fault| reading.damaged(Table::Cursor, OWED_KEY, fault.to_string()))
        });
        let owed = owed.transpose()?;
        let missed = reading.get(Table::Cursor, MISSED_KEY)?;
        let missed = missed.map(|row| {
            decode_missed(row)
                .map_err(|fault| reading.damaged(Table::Cursor, MISSED_KEY, fault.to_string()))
        });
        let missed = missed.transpose()?;
        drop(reading);
        let scanned = match scanned {
            Some(scanned) => scanned,
            // A new one. It is noted at once: blocks that come while it is shut are looked into then.
            None => {
                let scanned = Scanned::all_of(&ledger);
                file.write(|step| step.put(Table::Cursor, SCANNED_KEY, &scanned.encode()))?;
                scanned
            }
        };
        let mut book = Book::new(file, keyring, scanned);
        book.owed = owed;
        book.missed = missed;
        for record in records {
            book.enter(record);
        }
        for touched in blocks {
            book.timeline.enter(touched);
        }
        book.locked = locked
            .into_iter()
            .map(|outpoint| (outpoint, true))
            .collect();
        book.owe_what_came_back(&ledger)?;
        // Before it looks into blocks that it has not seen, and after what it knows was entered: addresses that are watched
        // from now on may be paid by that. A locked one does what it can.
        if book.keyring.is_short() {
            change_keys(&mut book, &mut |_, _| None, |keyring| {
                keyring.top_up(None);
                Ok::<(), WalletError>(())
            })?;
        }
        Ok(Wallet {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                ledger,
                mempool,
                book: RwLock::new(book),
                spending: Mutex::new(()),
                turns: Turns::default(),
                revision: watch::Sender::new(0),
                told: Mutex::new(None),
                untold: AtomicBool::new(true),
                silenced: AtomicBool::new(false),
                announcer,
                warn_blocks: config.warn_blocks,
                kdf: config.kdf,
                fees: config.fees,
                address_type: config.address_type,
                change_type: config.change_type,
                broadcast: config.broadcast,
                spend_pending_change: config.spend_pending_change,
            }),
        })
    }

    /// Its name; empty for the one without.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// A number that rises whenever something of it changes.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.inner.revision.subscribe()
    }

    /// Seals the private part by a passphrase; the wallet is locked then.
    ///
    /// # Errors
    ///
    /// [`WalletError::Keys`]: it has one already, there is nothing to seal; what the disk does.
    pub fn encrypt(&self, passphrase: &str) -> Result<(), WalletError> {
        let mut book = self.inner.book.write();
        let book = &mut *book;
        book.keyring
            .encrypt(&mut book.file, passphrase, self.inner.kdf)?;
        Ok(())
    }

    /// Opens the private part for so long; any earlier end is forgotten.
    ///
    /// # Errors
    ///
    /// [`WalletError::Keys`]: no passphrase, the wrong one; what the disk does.
    pub fn unlock(&self, passphrase: &str, time: Duration) -> Result<(), WalletError> {
        let mut book = self.inner.book.write();
        change_keys(&mut book, &mut |_, _| None, |keyring| {
            Ok::<(), WalletError>(keyring.unlock(passphrase)?)
        })?;
        let until = Instant::now().checked_add(time);
        let told = self.inner.ledger.clock().now();
        book.unlocked = until.map(|until| Unlocked {
            until,
            told: told.saturating_add(time.as_secs()),
        });
        drop(book);
        self.changed();
        Ok(())
    }

    /// Forgets the private part until the next [`Wallet::unlock`].
    ///
    /// # Errors
    ///
    /// [`WalletError::Keys`]: no passphrase.
    pub fn lock(&self) -> Result<(), WalletError> {
        let mut book = self.inner.book.write();
        book.unlocked = None;
        Ok(book.keyring.lock()?)
    }

    /// Locks it if its time is over, and nobody has the [turn](Wallet::scan_turn) in the foreground, who may need its keys to the
    /// end. Questions do that first; who holds the wallet does it now and then.
    pub fn lock_when_due(&self) {
        let inner = &*self.inner;
        let is_due = |book: &Book| book.lock_is_due() && !inner.turns.is_in_foreground();
        // Who does not have to write does not wait for those that read.
        if !is_due(&inner.book.read()) {
            return;
        }
        let mut book = inner.book.write();
        // It may have been unlocked again meanwhile, or somebody was let in.
        if is_due(&book) {
            book.unlocked = None;
            // It has a passphrase, for it was unlocked.
            let _ = book.keyring.lock();
        }
    }

    /// Writes a copy of the wallet's file as it is now; see [`Wallets::restore`](crate::Wallets::restore).
    ///
    /// # Errors
    ///
    /// [`WalletError::File`]: there is something already, what the disk does.
    pub fn backup(&self, path: &Path) -> Result<(), WalletError> {
        Ok(self.inner.book.read().file.backup(path)?)
    }

    /// The same; a file that is there is replaced by the copy when that is whole.
    ///
    /// # Errors
    ///
    /// [`WalletError::File`]: what the disk does. What was there is there then.
    pub fn backup_over(&self, path: &Path) -> Result<(), WalletError> {
        Ok(self.inner.book.read().file.backup_over(path)?)
    }

    /// What payments pay to miners where nobody says.
    pub fn fees(&self) -> &FeeSettings {
        &self.inner.fees
    }

    /// What it knows, which does not change while this is held.
    pub(crate) fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.inner.book.read()
    }

    /// The mempool that it asks.
    pub(crate) fn mempool(&self) -> &Mempool {
        &self.inner.mempool
    }

    /// Waits for who pays; nobody does while this is held.
    pub(crate) fn no_payment(&self) -> MutexGuard<'_, ()> {
        self.inner.spending.lock()
    }

    /// What it has and knows now.
    ///
    /// # Errors
    ///
    /// As [`Wallet::catch_up`].
    pub fn view(&self) -> Result<View<'_>, WalletError> {
        self.lock_when_due();
        let inner = &*self.inner;
        let mut looks = 0;
        loop {
            self.catch_up()?;
            let book = inner.book.read();
            let best = inner.ledger.best();
            let rivals = rivals(&inner.ledger, &best);
            looks += 1;
            // Asked after the worlds were taken: they are those that the book has looked at.
            let has_seen_all =
                best.hash() == book.best && book.is_up_to_date(&inner.ledger, &inner.mempool);
            if has_seen_all || looks >= MAX_LOOKS {
                return Ok(View {
                    spenders: Spenders::default(),
                    book,
                    best,
                    rivals,
                    ledger: &inner.ledger,
                    mempool: &inner.mempool,
                    spends_pending: inner.spend_pending_change,
                });
            }
        }
    }

    /// Changes the keys or the labels, and keeps the change. Nothing is changed where `change` or the disk fails.
    ///
    /// # Errors
    ///
    /// What `change` returns, and what the disk does.
    pub fn change_keys<T, E: From<WalletError>>(
        &self,
        change: impl FnOnce(&mut Keyring) -> Result<T, E>,
    ) -> Result<T, E> {
        let (done, _) = self.change_keys_and_owe(None, change)?;
        Ok(done)
    }

    /// The same; a scan of the blocks from a height on is owed then, by the same step of the file. Says also from which one: where
    /// a transaction of ours pays the new keys, from its block at the latest, or from as near to it as all blocks are here: whoever
    /// takes keys up is not to owe what cannot be looked into.
    fn change_keys_and_owe<T, E: From<WalletError>>(
        &self,
        owe: Option<u32>,
        change: impl FnOnce(&mut Keyring) -> Result<T, E>,
    ) -> Result<(T, Option<u32>), E> {
        let ledger = &self.inner.ledger;
        let mut book = self.inner.book.write();
        if owe.is_some() {
            // What cannot be looked into any more keeps nothing else from being looked into.
            miss_what_is_gone(&mut book, &self.inner.name, ledger)?;
        }
        let mut since = owe;
        let mut owed = |book: &Book, added: &[ScriptBuf]| {
            let paid = owe.and_then(|_| book.paid_since(added));
            let paid = paid.map(|from| {
                let missing = Owed::from_height(from).missing(ledger);
                missing.map_or(from, |missing| missing.end)
            });
            since = [owe, paid].into_iter().flatten().min();
            since.map(|from| Owed::from_height(from).and(book.owed.as_ref(), ledger))
        };
        let (done, found) = change_keys(&mut book, &mut owed, change)?;
        drop(book);
        match found {
            true => self.changed(),
            // Neither payments nor balances are others for it.
            false => self.revise(),
        }
        Ok((done, since))
    }

    /// Forgets a transaction, with all that it did in whatever world. It is found again when its blocks are looked into again.
    ///
    /// # Errors
    ///
    /// [`WalletError::NoSuchTransaction`], what the disk does.
    pub fn forget(&self, txid: &Txid) -> Result<(), WalletError> {
        self.catch_up()?;
        let mut book = self.inner.book.write();
        if !book.records.contains_key(txid) {
            return Err(WalletError::NoSuchTransaction { txid: *txid });
        }
        book.forget(txid)?;
        drop(book);
        self.changed();
        Ok(())
    }

    /// Locks a coin, so that it is not chosen, or unlocks it. What is kept outlasts the run.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn lock_coin(&self, outpoint: OutPoint, lock: bool, keep: bool) -> Result<(), WalletError> {
        let mut book = self.inner.book.write();
        let key = locked::encode(&outpoint);
        book.file.write(|step| -> Result<(), WalletError> {
            match lock && keep {
                true => step.put(Table::Locked, &key, &[])?,
                false => {
                    step.delete(Table::Locked, &key)?;
                }
            }
            Ok(())
        })?;
        match lock {
            true => book.locked.insert(outpoint, keep),
            false => book.locked.remove(&outpoint),
        };
        Ok(())
    }
}

/// The live worlds beside the best one: the validated ends of all branches inside the horizon.
fn rivals(ledger: &Ledger, best: &World) -> Vec<World> {
    let tips = ledger.validated_tips().into_iter();
    let rivals = tips.filter(|tip| tip.hash != best.hash());
    // One that was retired this moment is none any more.
    rivals
        .filter_map(|tip| ledger.world(&tip.hash).ok())
        .collect()
}

/// Changes the keys, on the disk first, and which scan is owed for the scripts that are watched from now on, unless that stays as
/// it is. Says also whether that made outputs ours that were not.
fn change_keys<T, E: From<WalletError>>(
    book: &mut Book,
    owed: &mut dyn FnMut(&Book, &[ScriptBuf]) -> Option<Owed>,
    change: impl FnOnce(&mut Keyring) -> Result<T, E>,
) -> Result<(T, bool), E> {
    let mut keyring = book.keyring.clone();
    let descriptors = keyring.descriptors().count();
    let done = change(&mut keyring)?;
    let mut added = keyring.unsaved_scripts();
    // What a transaction of ours pays is not given out any more; and more may be watched then, which one of them pays, too.
    loop {
        let paid = book.paid_already(&added);
        let slots: Vec<Slot> = paid.filter_map(|script| keyring.slot_of(script)).collect();
        if keyring.mark_used(&slots) == 0 {
            break;
        }
        added = keyring.unsaved_scripts();
    }
    let imported = keyring.descriptors().count() != descriptors;
    let owe = owed(book, &added);
    book.file.write(|step| {
        keyring.save(step).map_err(WalletError::from)?;
        match &owe {
            Some(_) => put_owed(step, owe.as_ref()),
            None => Ok(()),
        }
    })?;
    book.keyring = keyring;
    if owe.is_some() {
        book.owed = owe;
    }
    let found = book.index_scripts(&added);
    if imported {
        // What waits may be ours now.
        book.mempool_change = None;
    }
    book.reaches_farther |= !added.is_empty();
    Ok((done, found || imported))
}
