//! Owns how a wallet keeps up with the ledger and the mempool.
//! Promises that effects and the mark of how far it came are one step of the file: after a crash it goes on from there.
//! Refuses to wait for anything: who holds the wallet calls it when there is something new.

use std::collections::HashSet;
use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, OutPoint, Transaction, Txid};
use everett_ledger::decode::decode_block;
use everett_ledger::{Ledger, World};
use everett_mempool::{Happened, Mempool};

use crate::book::Book;
use crate::coins::{Touched, scan};
use crate::error::WalletError;
use crate::keys::Keyring;
use crate::locked;
use crate::owed::{Owed, put_owed};
use crate::record::Record;
use crate::scanned::{Scanned, Unscanned};
use crate::slot::Slot;
use crate::store::{Step, Table};

/// Blocks that are looked into in one step of the file.
const BLOCKS_A_STEP: u32 = 500;
/// Bytes of blocks that are looked into in one step of the file, the last block aside.
const BYTES_A_STEP: usize = 32_000_000;
/// Changes of the mempool that are looked at at once.
const CHANGES_AT_ONCE: usize = 1_000;

/// The row of the table `cursor` that says which blocks were looked into.
pub(crate) const SCANNED_KEY: &[u8] = b"scanned";

/// What a rescan is told of how far it is: the height, and the last height. It says whether to go on.
pub type Progress<'a> = &'a mut dyn FnMut(u32, u32) -> bool;

/// How far a wallet has looked.
#[derive(PartialEq, Eq)]
struct Marks {
    scanned: Scanned,
    owed: Option<Owed>,
}

/// What one step found.
#[derive(Default)]
struct Found {
    touched: Vec<Touched>,
    records: Vec<Record>,
    used: Vec<Slot>,
}

/// Transactions of ours among those that wait, as they are found: what one of them pays us, the next may spend.
#[derive(Default)]
struct Waiting {
    transactions: Vec<Arc<Transaction>>,
    txids: HashSet<Txid>,
    /// The addresses of ours that they pay.
    used: Vec<Slot>,
    /// Their outputs that are ours.
    outputs: HashSet<OutPoint>,
    /// The keys with those that are watched since an address was paid; `None` while they are the book's.
    keyring: Option<Keyring>,
}

impl Waiting {
    /// Takes a transaction along if it pays us, or spends what is ours in the book or here.
    fn look(&mut self, book: &Book, tx: &Transaction, txid: Txid) {
        let keyring = self.keyring.as_ref().unwrap_or(&book.keyring);
        let mut slots = Vec::new();
        // A transaction has fewer outputs than a u32 counts.
        for (vout, output) in (0u32..).zip(&tx.output) {
            if let Some(slot) = keyring.slot_of(&output.script_pubkey) {
                self.outputs.insert(OutPoint::new(txid, vout));
                slots.push(slot);
            }
        }
        let spends_ours = |input: &bitcoin::TxIn| {
            let spent = &input.previous_output;
            book.outputs.contains_key(spent) || self.outputs.contains(spent)
        };
        if slots.is_empty() && !tx.input.iter().any(spends_ours) {
            return;
        }
        // Also of what is known: what we send ourselves is, before it enters.
        if !slots.is_empty() {
            let keyring = self.keyring.get_or_insert_with(|| book.keyring.clone());
            keyring.mark_used(&slots);
            self.used.extend(slots);
        }
        // What left may have entered again.
        if !book.records.contains_key(&txid) && self.txids.insert(txid) {
            self.transactions.push(Arc::new(tx.clone()));
        }
    }
}

impl Book {
    /// Whether there is nothing new, as far as can be told without looking.
    pub(crate) fn is_up_to_date(&self, ledger: &Ledger, mempool: &Mempool) -> bool {
        self.event == Some(*ledger.event_seq().borrow())
            && self.tips == live_tips(ledger)
            && self.mempool_change == Some(*mempool.change_number().borrow())
    }

    /// Looks at everything that is new, as long as it `goes_on`, which is asked before each step of blocks. Says whether anything
    /// of ours changed; where it fails, or is left, something may have.
    pub(crate) fn catch_up(
        &mut self,
        ledger: &Ledger,
        mempool: &Mempool,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<bool, WalletError> {
        let mut changed = false;
        // Read before what it counts: what comes meanwhile is looked at again.
        let event = *ledger.event_seq().borrow();
        let tips = live_tips(ledger);
        while let Some(Unscanned { world, from, last }) = self.scanned.next(ledger) {
            let mut height = from;
            while height <= last {
                if !goes_on() {
                    return Err(WalletError::ScanLeft { height });
                }
                let (found, next) = self.look(ledger, &world, height, last)?;
                let mut marks = self.marks();
                marks.scanned.advance(ledger, &world, next - 1);
                changed |= self.keep(ledger, found, marks)?;
                height = next;
            }
        }
        if self.event != Some(event) && std::mem::take(&mut self.reaches_farther) {
            self.mempool_change = None;
        }
        changed |= self.follow_best(ledger);
        changed |= self.follow_mempool(ledger, mempool)?;
        changed |= self.settle(ledger, mempool)?;
        // Last: what fails on the way is done the next time.
        self.event = Some(event);
        self.tips = tips;
        Ok(changed)
    }

    /// Ends what a transaction that the best world has, or that waits, brings to an end: the locks of the coins that it spends,
    /// and that it was given up. Looks at nothing unless there are such.
    pub(crate) fn settle(
        &mut self,
        ledger: &Ledger,
        mempool: &Mempool,
    ) -> Result<bool, WalletError> {
        let spent = |outpoint: &&OutPoint| self.spends.contains_key(outpoint);
        let locked: Vec<OutPoint> = self.locked.keys().filter(spent).copied().collect();
        if locked.is_empty() && self.given_up.is_empty() {
            return Ok(false);
        }
        let Ok(best) = ledger.world(&self.best) else {
            return Ok(false);
        };
        let state = self.timeline.at(&best);
        let (unlocked, revived): (Vec<OutPoint>, Vec<Txid>) = {
            let waiting = mempool.view()?;
            let lives = |txid: &Txid| state.place(txid).is_some() || waiting.contains(txid);
            let is_spent = |outpoint: &OutPoint| {
                let spenders = self.spends.get(outpoint);
                spenders.is_some_and(|spenders| spenders.iter().any(lives))
            };
            let unlocked = locked.into_iter().filter(is_spent).collect();
            let revived = self.given_up.iter().copied().filter(|txid| lives(txid));
            (unlocked, revived.collect())
        };
        let revived: Vec<Record> = (revived.iter())
            .filter_map(|txid| self.records.get(txid).cloned())
            .map(|record| Record {
                abandoned: false,
                ..record
            })
            .collect();
        if unlocked.is_empty() && revived.is_empty() {
            return Ok(false);
        }
        self.file.write(|step| -> Result<(), WalletError> {
            for outpoint in &unlocked {
                step.delete(Table::Locked, &locked::encode(outpoint))?;
            }
            revived
                .iter()
                .try_for_each(|record| put_record(step, record))
        })?;
        for outpoint in &unlocked {
            self.locked.remove(outpoint);
        }
        for record in revived {
            self.given_up.remove(&record.txid);
            self.records.insert(record.txid, record);
        }
        Ok(true)
    }

    /// Looks into a step's worth of blocks again, from `height` on; the next height. Where it is the scan that is `owed`, how far
    /// that came is kept with what is found.
    pub(crate) fn look_again(
        &mut self,
        ledger: &Ledger,
        stretch: &Unscanned,
        height: u32,
        owed: bool,
    ) -> Result<u32, WalletError> {
        let world = &stretch.world;
        let (found, next) = self.look(ledger, world, height, stretch.last)?;
        let mut marks = self.marks();
        if let Some(owed) = marks.owed.as_mut().filter(|_| owed) {
            owed.looked.advance(ledger, world, next - 1);
        }
        self.keep(ledger, found, marks)?;
        Ok(next)
    }

    /// How far it has looked.
    fn marks(&self) -> Marks {
        Marks {
            scanned: self.scanned.clone(),
            owed: self.owed.clone(),
        }
    }

    /// Looks into blocks from `height` on, as many as fit into a step; the next height with what was found.
    fn look(
        &self,
        ledger: &Ledger,
        world: &World,
        height: u32,
        last: u32,
    ) -> Result<(Found, u32), WalletError> {
        let now = ledger.clock().now();
        let mut keyring = self.keyring.clone();
        let mut found = Found::default();
        let mut known: HashSet<Txid> = HashSet::new();
        let mut state = self.timeline.at_height(world, height - 1);
        let mut order = self.next_order();
        let is_rival = |outpoint: &OutPoint, txid: &Txid| {
            let spenders = self.spends.get(outpoint);
            spenders.is_some_and(|spenders| spenders.iter().any(|spender| spender != txid))
        };
        let (mut next, mut bytes) = (height, 0);
        while next <= last && next - height < BLOCKS_A_STEP && bytes < BYTES_A_STEP {
            let Some(hash) = world.block_hash_at(next) else {
                break;
            };
            let raw = ledger.block_bytes(&hash)?;
            bytes += raw.len();
            let (block, _) =
                decode_block(&raw).map_err(|error| WalletError::Block { hash, error })?;
            let touched = loop {
                let slot_of = |script: &bitcoin::Script| keyring.slot_of(script);
                let touched = scan::of_block(&block, next, &state, &slot_of, &is_rival);
                let Some(touched) = touched else {
                    break None;
                };
                let used: Vec<Slot> = touched.created.iter().map(|(_, coin)| coin.slot).collect();
                // Addresses that are watched from now on may be paid in the same block. It ends, for a block pays only so
                // many scripts.
                if keyring.mark_used(&used) == 0 {
                    break Some(touched);
                }
            };
            if let Some(touched) = touched {
                for (index, txid) in &touched.transactions {
                    if self.records.contains_key(txid) || !known.insert(*txid) {
                        continue;
                    }
                    let tx = Arc::new(block.transactions[*index as usize].tx.clone());
                    let time = now.min(u64::from(block.header.time));
                    found.records.push(Record::new(tx, order, now, time));
                    order += 1;
                }
                found
                    .used
                    .extend(touched.created.iter().map(|(_, coin)| coin.slot));
                state = state.after(&touched);
                found.touched.push(touched);
            }
            next += 1;
        }
        Ok((found, next))
    }

    /// Keeps what was found, on the disk first.
    fn keep(&mut self, ledger: &Ledger, found: Found, marks: Marks) -> Result<bool, WalletError> {
        let changed = !found.touched.is_empty() || !found.records.is_empty();
        let mut keyring = self.keyring.clone();
        keyring.mark_used(&found.used);
        if !changed && marks == self.marks() && keyring.is_saved() {
            return Ok(false);
        }
        let added = keyring.unsaved_scripts();
        self.file.write(|step| -> Result<(), WalletError> {
            for record in &found.records {
                put_record(step, record)?;
            }
            for touched in &found.touched {
                step.put(Table::Blocks, &touched.key(), &touched.encode())?;
            }
            step.put(Table::Cursor, SCANNED_KEY, &marks.scanned.encode())?;
            if marks.owed != self.owed {
                put_owed(step, marks.owed.as_ref())?;
            }
            Ok(keyring.save(step)?)
        })?;
        self.keyring = keyring;
        self.scanned = marks.scanned;
        self.owed = marks.owed;
        for record in found.records {
            self.enter(record);
        }
        for touched in found.touched {
            let on_best = ledger.ancestor(&self.best, touched.height);
            if on_best.is_some_and(|block| block.hash == touched.hash) {
                for (_, txid) in &touched.transactions {
                    self.loose.remove(txid);
                }
            }
            self.timeline.enter(touched);
        }
        self.index_scripts(&added);
        self.reaches_farther |= !added.is_empty();
        Ok(changed)
    }

    /// Brings up to date which records the best world does not have.
    fn follow_best(&mut self, ledger: &Ledger) -> bool {
        let best = ledger.best();
        if best.hash() == self.best {
            return false;
        }
        let old = self.best;
        self.best = best.hash();
        let fork = ledger.fork_point(&old, &self.best);
        let Some(fork) = fork else {
            let state = self.timeline.at(&best);
            let records = self.records.keys();
            self.loose = records
                .filter(|txid| state.place(txid).is_none())
                .copied()
                .collect();
            return true;
        };
        for touched in self.timeline.between(ledger, &old, fork.height) {
            self.loose
                .extend(touched.transactions.iter().map(|(_, txid)| *txid));
        }
        for touched in self.timeline.between(ledger, &self.best, fork.height) {
            for (_, txid) in &touched.transactions {
                self.loose.remove(txid);
            }
        }
        true
    }

    /// Looks at what entered the mempool since the last look.
    fn follow_mempool(&mut self, ledger: &Ledger, mempool: &Mempool) -> Result<bool, WalletError> {
        let mut changed = false;
        loop {
            let latest = *mempool.change_number().borrow();
            let Some(from) = self.mempool_change.filter(|from| *from <= latest) else {
                // What is there now; what enters meanwhile is looked at again with the next change.
                let view = mempool.view()?;
                let mut waiting = Waiting::default();
                // Parents come before their children.
                for tx in view.transactions() {
                    waiting.look(self, &tx.tx, tx.txid);
                }
                let change = view.change_number();
                drop(view);
                changed |= self.keep_pending(ledger, waiting)?;
                self.mempool_change = Some(change);
                return Ok(changed);
            };
            let Ok(changes) = mempool.changes_after(from, CHANGES_AT_ONCE) else {
                self.mempool_change = None;
                continue;
            };
            let Some(last) = changes.last().map(|change| change.number) else {
                return Ok(changed);
            };
            let mut waiting = Waiting::default();
            for happened in changes.iter().flat_map(|change| &change.happened) {
                // Something that has left may concern us, too: it says that a payment is not on its way any more. So may
                // what spends the same as one of ours.
                let tx = happened.tx();
                let spent =
                    |input: &bitcoin::TxIn| self.spends.contains_key(&input.previous_output);
                changed |= self.records.contains_key(&tx.txid) || tx.tx.input.iter().any(spent);
                if let Happened::Entered { tx, .. } = happened {
                    waiting.look(self, &tx.tx, tx.txid);
                }
            }
            changed |= self.keep_pending(ledger, waiting)?;
            self.mempool_change = Some(last);
        }
    }

    /// Keeps transactions of ours that wait.
    fn keep_pending(&mut self, ledger: &Ledger, waiting: Waiting) -> Result<bool, WalletError> {
        let now = ledger.clock().now();
        let mut found = Found {
            used: waiting.used,
            ..Found::default()
        };
        for (order, tx) in (self.next_order()..).zip(waiting.transactions) {
            found.records.push(Record::new(tx, order, now, now));
        }
        self.keep(ledger, found, self.marks())
    }
}

/// The tips of the live worlds, the best one first.
fn live_tips(ledger: &Ledger) -> Vec<BlockHash> {
    let tips = ledger.validated_tips().into_iter();
    tips.map(|tip| tip.hash).collect()
}

/// Writes a record.
pub(crate) fn put_record(step: &mut Step<'_>, record: &Record) -> Result<(), WalletError> {
    Ok(step.put(
        Table::Transactions,
        record.txid.as_byte_array(),
        &record.encode(),
    )?)
}
