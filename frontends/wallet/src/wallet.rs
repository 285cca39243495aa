//! Owns one wallet that is open: its file, what it knows, and who may change it when.
//! Promises that every answer has seen all that the ledger and the mempool have when it is asked, and that a change is on the
//! disk before it is told of.
//! Refuses to start threads: who holds it calls [`Wallet::catch_up`], and so does every question.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, OutPoint, Psbt, ScriptBuf, Transaction, TxOut, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{Ledger, World};
use everett_mempool::Mempool;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::book::Book;
use crate::coins::Touched;
use crate::config::WalletConfig;
use crate::error::WalletError;
use crate::follow::{Progress, SCANNED_KEY};
use crate::keys::{Chain, Kdf, KeyError, Keyring, OutputType, Process};
use crate::locked;
use crate::record::Record;
use crate::scanned::Scanned;
use crate::slot::Slot;
use crate::spend::{ChangeTo, FeeSettings, Plan, Request, SpendError};
use crate::store::{Table, WalletFile};
use crate::view::View;

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
    /// Held from the choice of coins until they are spoken for, so that nobody takes them twice.
    spending: Mutex<()>,
    revision: watch::Sender<u64>,
    kdf: Kdf,
    fees: FeeSettings,
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
    pub fn load(
        name: &str,
        file: WalletFile,
        config: &WalletConfig,
        ledger: Ledger,
        mempool: Mempool,
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
        Ok(Wallet {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                ledger,
                mempool,
                book: RwLock::new(book),
                spending: Mutex::new(()),
                revision: watch::Sender::new(0),
                kdf: config.kdf,
                fees: config.fees,
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
        change_keys(&mut book, |keyring| {
            Ok::<(), WalletError>(keyring.unlock(passphrase)?)
        })?;
        book.unlocked_until = Instant::now().checked_add(time);
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
        book.unlocked_until = None;
        Ok(book.keyring.lock()?)
    }

    /// Locks it if its time is over. Questions do that first; who holds the wallet does it now and then.
    pub fn lock_when_due(&self) {
        // Who does not have to write does not wait for those that read.
        if !self.inner.book.read().lock_is_due() {
            return;
        }
        let mut book = self.inner.book.write();
        // It may have been unlocked again meanwhile.
        if book.lock_is_due() {
            book.unlocked_until = None;
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

    /// What payments pay to miners where nobody says.
    pub fn fees(&self) -> &FeeSettings {
        &self.inner.fees
    }

    fn changed(&self) {
        self.inner.revision.send_modify(|revision| *revision += 1);
    }

    /// Looks at everything that is new in the ledger and in the mempool.
    ///
    /// # Errors
    ///
    /// Blocks that were pruned before they were looked into, what the disk does.
    pub fn catch_up(&self) -> Result<(), WalletError> {
        let inner = &*self.inner;
        if inner
            .book
            .read()
            .is_up_to_date(&inner.ledger, &inner.mempool)
        {
            return Ok(());
        }
        let changed = inner.book.write().catch_up(&inner.ledger, &inner.mempool)?;
        if changed {
            self.changed();
        }
        Ok(())
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
                    book,
                    best,
                    rivals,
                    ledger: &inner.ledger,
                    mempool: &inner.mempool,
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
        let mut book = self.inner.book.write();
        let done = change_keys(&mut book, change)?;
        drop(book);
        self.changed();
        Ok(done)
    }

    /// Looks into the blocks of every live world from height `from` up to `to` or its tip again. `progress` is told the height
    /// and the last one of each stretch, and says whether to go on.
    ///
    /// # Errors
    ///
    /// [`WalletError::ScanAborted`], blocks that were pruned, what the disk does.
    pub fn rescan(
        &self,
        from: u32,
        to: Option<u32>,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        self.catch_up()?;
        let scanned = self.scan_again(from, to, progress);
        {
            let mut book = self.inner.book.write();
            // So that the next look goes through all of it again, also where the scan came only half its way: what waits
            // may spend coins that are known only now.
            book.best = BlockHash::all_zeros();
            book.event = None;
            book.mempool_change = None;
        }
        self.changed();
        scanned?;
        self.catch_up()
    }

    fn scan_again(
        &self,
        from: u32,
        to: Option<u32>,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        let inner = &*self.inner;
        let mut seen: Vec<World> = Vec::new();
        // Blocks that came meanwhile were looked into while coins below them were not known yet: again, until none came.
        loop {
            let known = seen.len();
            for tip in inner.ledger.validated_tips() {
                if seen.iter().any(|world| world.hash() == tip.hash) {
                    continue;
                }
                let Ok(world) = inner.ledger.world(&tip.hash) else {
                    continue;
                };
                // What it shares with one that was looked into is done.
                let shared = seen
                    .iter()
                    .map(|other| inner.ledger.compare(other, &world).fork_height);
                let first = shared.max().map_or(from, |fork| from.max(fork + 1)).max(1);
                let last = to.unwrap_or(world.height()).min(world.height());
                // A step at a time, so that others get their turn.
                let mut height = first;
                while height <= last {
                    if !progress(height, last) {
                        return Err(WalletError::ScanAborted { height });
                    }
                    let mut book = inner.book.write();
                    height = book.look_again(&inner.ledger, &world, height, last)?;
                }
                seen.push(world);
            }
            if to.is_some() || seen.len() == known {
                return Ok(());
            }
        }
    }

    /// Plans a payment and, where it has change, keeps the address of that for it. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SpendError`].
    pub fn plan(&self, request: &Request) -> Result<Plan, SpendError> {
        let _turn = self.inner.spending.lock();
        self.plan_in_turn(request)
    }

    fn plan_in_turn(&self, request: &Request) -> Result<Plan, SpendError> {
        let view = self.view()?;
        let mut keyring = view.keyring().clone();
        let change = match &request.change {
            // Nothing comes back.
            _ if request.everything => (None, ScriptBuf::new()),
            ChangeTo::Script(script) => (None, script.clone()),
            ChangeTo::Kind(kind) => new_change(&mut keyring, *kind)?,
            ChangeTo::Automatic => {
                let kind = self.inner.change_type;
                let kind = kind.unwrap_or_else(|| change_kind(&keyring, request));
                new_change(&mut keyring, kind)?
            }
        };
        let mut request = Cow::Borrowed(request);
        if !self.inner.spend_pending_change && !request.include_unsafe {
            let least = request.min_confirmations.max(1);
            request.to_mut().min_confirmations = least;
        }
        let plan = view.plan(&request, &self.inner.fees, &change.1)?;
        drop(view);
        if let (Some(slot), true) = (change.0, plan.change.is_some()) {
            self.change_keys(|keyring| -> Result<(), WalletError> {
                keyring.mark_used(&[slot]);
                Ok(())
            })?;
        }
        Ok(plan)
    }

    /// Plans a payment, signs it, and sends it.
    ///
    /// # Errors
    ///
    /// [`SpendError`]: then nothing was sent.
    pub fn pay(&self, request: &Request) -> Result<Paid, SpendError> {
        let _turn = self.inner.spending.lock();
        {
            let view = self.view()?;
            if view.keyring().is_locked() {
                return Err(WalletError::from(KeyError::Locked).into());
            }
        }
        let plan = self.plan_in_turn(request)?;
        let tx = self.sign_plan(&plan)?;
        let txid = self.send_in_turn(tx.clone(), &request.notes, request.replaces)?;
        Ok(Paid { tx, txid, plan })
    }

    /// Plans a payment and signs it as far as the keys go; with `send` it is sent where that is all the way, and with `lock` its
    /// coins are locked. Nobody else takes them meanwhile.
    ///
    /// # Errors
    ///
    /// [`SpendError`]: then nothing was sent.
    pub fn prepare(
        &self,
        request: &Request,
        send: bool,
        lock: bool,
    ) -> Result<Prepared, SpendError> {
        let _turn = self.inner.spending.lock();
        let plan = self.plan_in_turn(request)?;
        let mut psbt = self.psbt(&plan)?;
        let complete = {
            let view = self.view()?;
            let process = Process {
                sign: !view.keyring().is_locked(),
                ..Process::default()
            };
            let spent = |outpoint: &OutPoint| view.spent_coin(outpoint);
            let processed = view.keyring().process_psbt(&mut psbt, spent, process);
            processed.map_err(WalletError::from)?
        };
        let tx = complete.then(|| finished(&psbt));
        if let (true, Some(tx)) = (send, &tx) {
            self.send_in_turn(tx.clone(), &request.notes, request.replaces)?;
        }
        if lock {
            self.lock_plan(&plan)?;
        }
        Ok(Prepared { plan, psbt, tx })
    }

    /// The same as [`Wallet::plan`], and locks the coins that it takes, before anybody else takes them.
    ///
    /// # Errors
    ///
    /// [`SpendError`].
    pub fn plan_and_lock(&self, request: &Request) -> Result<Plan, SpendError> {
        let _turn = self.inner.spending.lock();
        let plan = self.plan_in_turn(request)?;
        self.lock_plan(&plan)?;
        Ok(plan)
    }

    fn lock_plan(&self, plan: &Plan) -> Result<(), WalletError> {
        let mut coins = plan.tx.input.iter().map(|input| input.previous_output);
        coins.try_for_each(|outpoint| self.lock_coin(outpoint, true, false))
    }

    /// The plan as a PSBT, with all that is known of its coins and of our keys.
    ///
    /// # Errors
    ///
    /// [`WalletError::Keys`].
    pub fn psbt(&self, plan: &Plan) -> Result<Psbt, WalletError> {
        let view = self.view()?;
        let failed = |error: bitcoin::psbt::Error| KeyError::Psbt {
            input: 0,
            detail: error.to_string(),
        };
        let mut psbt = Psbt::from_unsigned_tx(plan.tx.clone()).map_err(failed)?;
        let process = Process {
            sign: false,
            finalize: false,
            ..Process::default()
        };
        let spent = |outpoint: &OutPoint| view.spent_coin(outpoint);
        view.keyring().process_psbt(&mut psbt, spent, process)?;
        Ok(psbt)
    }

    fn sign_plan(&self, plan: &Plan) -> Result<Transaction, SpendError> {
        let view = self.view()?;
        let coins = plan.tx.input.iter().zip(&plan.spent);
        let spent: HashMap<OutPoint, TxOut> = coins
            .map(|(input, coin)| (input.previous_output, coin.clone()))
            .collect();
        let signed = (view.keyring())
            .sign_transaction(&plan.tx, |outpoint| spent.get(outpoint).cloned(), None)
            .map_err(WalletError::from)?;
        match signed.unsigned.first() {
            Some(input) => Err(SpendError::Unsigned { input: *input }),
            None => Ok(signed.transaction),
        }
    }

    /// Gives a transaction to the mempool, and remembers it as ours. `replaces`: the one that it takes the place of.
    ///
    /// # Errors
    ///
    /// [`SpendError::Refused`], [`SpendError::Mempool`]: then nothing is remembered; what the disk does.
    pub fn send(
        &self,
        tx: Transaction,
        notes: &std::collections::BTreeMap<String, String>,
        replaces: Option<Txid>,
    ) -> Result<Txid, SpendError> {
        let _turn = self.inner.spending.lock();
        self.send_in_turn(tx, notes, replaces)
    }

    fn send_in_turn(
        &self,
        tx: Transaction,
        notes: &std::collections::BTreeMap<String, String>,
        replaces: Option<Txid>,
    ) -> Result<Txid, SpendError> {
        let inner = &*self.inner;
        let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
        let txid = decoded.txid;
        // Remembered first: what was sent and then forgotten could be paid twice.
        let mut book = inner.book.write();
        let now = inner.ledger.clock().now();
        let known = book.records.get(&txid).cloned();
        let fresh = || Record::new(Arc::new(tx), book.next_order(), now, now);
        let mut record = known.clone().unwrap_or_else(fresh);
        record.ours = true;
        record.abandoned = false;
        record.notes.clone_from(notes);
        record.replaces = replaces.or(record.replaces);
        book.put(record)?;
        drop(book);
        // Without broadcasting it stays here, until its owner gives it to somebody.
        let sent = match inner.broadcast {
            true => match inner.mempool.accept_own(&decoded) {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(refused)) => Err(SpendError::Refused(refused.rejection)),
                Err(error) => Err(SpendError::from(error)),
            },
            false => Ok(()),
        };
        if let Err(error) = sent
            && !(inner.mempool.view()).is_ok_and(|waiting| waiting.contains(&txid))
        {
            self.inner.book.write().take_back(&txid, known)?;
            return Err(error);
        }
        if let Some(old) = replaces {
            let mut book = inner.book.write();
            if let Some(old) = book.records.get(&old).cloned() {
                let replaced_by = Some(txid);
                book.put(Record { replaced_by, ..old })?;
            }
        }
        self.changed();
        Ok(txid)
    }

    /// Gives our transactions that wait, and that the mempool does not have, to it again: what was refused or fell out, unless
    /// another one waits that spends the same. Says how many it took.
    ///
    /// # Errors
    ///
    /// Those of the mempool, and what the disk does.
    pub fn send_again(&self) -> Result<usize, WalletError> {
        if !self.inner.broadcast {
            return Ok(0);
        }
        let waiting: Vec<Arc<DecodedTransaction>> = {
            let view = self.view()?;
            let pending = view.pending_on(view.best())?;
            let waits = |record: &&Record| {
                let given_up = record.abandoned || record.replaced_by.is_some();
                let stays = record.tx.is_coinbase() || given_up || pending.contains(&record.txid);
                view.book.loose.contains(&record.txid) && !stays
            };
            // Parents came before their children.
            let records = view.records().filter(waits);
            records
                .map(|record| Arc::new(DecodedTransaction::new((*record.tx).clone())))
                .collect()
        };
        let mut taken = 0;
        for tx in waiting {
            let stands_against_another = {
                let mempool = self.inner.mempool.view()?;
                let mut spent = tx.tx.input.iter().map(|input| input.previous_output);
                spent.any(|outpoint| mempool.spender(&outpoint).is_some())
            };
            // What a rival branch has must not push out what waits for this one.
            if stands_against_another {
                continue;
            }
            taken += usize::from(self.inner.mempool.accept_own(&tx)?.is_ok());
        }
        Ok(taken)
    }

    /// Gives a transaction up that waits in no mempool, with all of ours that are built on it: their coins are free again.
    ///
    /// # Errors
    ///
    /// [`WalletError::NoSuchTransaction`], [`WalletError::NotAbandoned`], what the disk does.
    pub fn abandon(&self, txid: &Txid) -> Result<(), WalletError> {
        let family = {
            let view = self.view()?;
            let pending = view.pending_on(view.best())?;
            let family = view.family(*txid);
            let fail = |why| WalletError::NotAbandoned { txid: *txid, why };
            if view.record(txid).is_none() {
                return Err(WalletError::NoSuchTransaction { txid: *txid });
            }
            if !view.book.loose.contains(txid) {
                return Err(fail("a block of the best chain has it"));
            }
            if family.iter().any(|txid| pending.contains(txid)) {
                return Err(fail("it waits in the mempool"));
            }
            family
        };
        let mut book = self.inner.book.write();
        for txid in family {
            if let Some(record) = book.records.get(&txid).cloned() {
                let abandoned = true;
                book.put(Record {
                    abandoned,
                    ..record
                })?;
            }
        }
        drop(book);
        self.changed();
        Ok(())
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

/// What was planned and signed as far as the keys go.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    /// How it came to be.
    pub plan: Plan,
    /// The payment with its signatures.
    pub psbt: Psbt,
    /// The transaction where it has all of them.
    pub tx: Option<Transaction>,
}

/// The transaction of a PSBT whose inputs are all finished.
fn finished(psbt: &Psbt) -> Transaction {
    let mut tx = psbt.unsigned_tx.clone();
    for (input, told) in tx.input.iter_mut().zip(&psbt.inputs) {
        input.script_sig = told.final_script_sig.clone().unwrap_or_default();
        input.witness = told.final_script_witness.clone().unwrap_or_default();
    }
    tx
}

/// What was paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paid {
    /// The transaction.
    pub tx: Transaction,
    /// Its id.
    pub txid: Txid,
    /// How it came to be.
    pub plan: Plan,
}

/// Changes the keys, on the disk first.
fn change_keys<T, E: From<WalletError>>(
    book: &mut Book,
    change: impl FnOnce(&mut Keyring) -> Result<T, E>,
) -> Result<T, E> {
    let mut keyring = book.keyring.clone();
    let scripts = keyring.script_count();
    let done = change(&mut keyring)?;
    let saved = book.file.write(|step| keyring.save(step));
    saved.map_err(WalletError::from)?;
    let more = keyring.script_count() != scripts;
    book.keyring = keyring;
    if more {
        book.index_again();
        // What waits may be ours now.
        book.mempool_change = None;
    }
    Ok(done)
}

fn new_change(
    keyring: &mut Keyring,
    kind: OutputType,
) -> Result<(Option<Slot>, ScriptBuf), WalletError> {
    let (slot, script) = keyring.new_script(kind, Chain::Internal)?;
    Ok((Some(slot), script))
}

/// The kind of change that tells least which output it is: that of a payee, or else the newest that the wallet has.
fn change_kind(keyring: &Keyring, request: &Request) -> OutputType {
    let has = |kind: &OutputType| keyring.active(*kind, Chain::Internal).is_some();
    let of_payees = request.payees.iter().filter_map(|payee| {
        let script = &payee.script_pubkey;
        match () {
            () if script.is_p2tr() => Some(OutputType::Bech32m),
            () if script.is_p2wpkh() || script.is_p2wsh() => Some(OutputType::Bech32),
            () => None,
        }
    });
    let mut kinds = of_payees
        .chain([OutputType::Bech32])
        .chain(OutputType::ALL.into_iter().rev());
    kinds.find(has).unwrap_or(OutputType::Bech32)
}
