//! Owns what a wallet knows in memory: its keys, its transactions, and what every block did to it.
//! Promises that it says the same as the file after every step.
//! Refuses to be locked by itself: [`Wallet`](crate::Wallet) does that.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Script, ScriptBuf, Transaction, Txid};

use crate::coins::{Timeline, Touched};
use crate::error::WalletError;
use crate::follow::put_record;
use crate::keys::Keyring;
use crate::locked;
use crate::owed::Owed;
use crate::record::Record;
use crate::request_id::RequestId;
use crate::scanned::Scanned;
use crate::slot::Slot;
use crate::store::{Table, WalletFile};

/// An output of one of our transactions that is ours, whether any world has it or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnOutput {
    /// Whose it is.
    pub slot: Slot,
    /// What it is worth.
    pub amount: Amount,
}

/// What a wallet knows.
pub(crate) struct Book {
    pub(crate) file: WalletFile,
    pub(crate) keyring: Keyring,
    pub(crate) timeline: Timeline,
    pub(crate) scanned: Scanned,
    /// The scan that has still to be done, or to be done to its end.
    pub(crate) owed: Option<Owed>,
    /// Heights whose blocks were owed, and were not here when their turn came: what keys were paid in them may be missing.
    pub(crate) missed: Option<Range<u32>>,
    /// The transactions of ours, of all worlds and of none.
    pub(crate) records: HashMap<Txid, Record>,
    /// The records in the order in which they came.
    pub(crate) by_order: BTreeMap<u64, Txid>,
    /// Their outputs that are ours.
    pub(crate) outputs: HashMap<OutPoint, OwnOutput>,
    /// Which of them spend what: of any coin.
    pub(crate) spends: HashMap<OutPoint, Vec<Txid>>,
    /// Their outputs that are not ours: by a hash of the script, with the record's place in the order. Scripts that become ours
    /// are found in it without a look at all records.
    strangers: BTreeSet<(u64, u64)>,
    /// What the scripts in it are hashed by.
    hasher: RandomState,
    /// The records that were asked for by names.
    pub(crate) requests: HashMap<RequestId, Txid>,
    /// The records that were given up.
    pub(crate) given_up: HashSet<Txid>,
    /// The records that the best world, as it was last looked at, does not have.
    pub(crate) loose: HashSet<Txid>,
    /// That world's block.
    pub(crate) best: BlockHash,
    /// The ledger's next event when it was last looked at.
    pub(crate) event: Option<u64>,
    /// The live worlds' tips at that time: a branch that was invalidated by hand comes back without an event.
    pub(crate) tips: Vec<BlockHash>,
    /// The mempool's change up to which it was looked at; `None` before the first look.
    pub(crate) mempool_change: Option<u64>,
    /// Whether scripts are watched since that were not before, ahead of the last address: the mempool is looked through again
    /// with the next block. Nobody was given those addresses, unless by another copy of the wallet.
    pub(crate) reaches_farther: bool,
    /// Coins that are not to be chosen, and whether that outlasts this run.
    pub(crate) locked: HashMap<OutPoint, bool>,
    /// When the private part is forgotten again; `None` while it is locked, and without a passphrase. It lies here so that
    /// one lock guards it and the keys.
    pub(crate) unlocked: Option<Unlocked>,
}

/// Until when the private part is open.
pub(crate) struct Unlocked {
    /// By the machine's clock, which nobody sets.
    pub(crate) until: Instant,
    /// Seconds since 1970 by the node's clock as it was then: what is told.
    pub(crate) told: u64,
}

impl Book {
    /// One that knows its keys alone, and has looked at no world yet.
    pub(crate) fn new(file: WalletFile, keyring: Keyring, scanned: Scanned) -> Book {
        Book {
            file,
            keyring,
            timeline: Timeline::default(),
            scanned,
            owed: None,
            missed: None,
            records: HashMap::new(),
            by_order: BTreeMap::new(),
            outputs: HashMap::new(),
            spends: HashMap::new(),
            strangers: BTreeSet::new(),
            hasher: RandomState::new(),
            requests: HashMap::new(),
            given_up: HashSet::new(),
            loose: HashSet::new(),
            best: BlockHash::all_zeros(),
            event: None,
            tips: Vec::new(),
            mempool_change: None,
            reaches_farther: false,
            locked: HashMap::new(),
            unlocked: None,
        }
    }

    /// Whether the private part is open and its time is over.
    pub(crate) fn lock_is_due(&self) -> bool {
        let open = self.unlocked.as_ref();
        open.is_some_and(|open| open.until <= Instant::now())
    }

    /// Enters a record, in memory alone. The first one of a transaction stays.
    pub(crate) fn enter(&mut self, record: Record) {
        let txid = record.txid;
        if self.records.contains_key(&txid) {
            return;
        }
        self.index(&record.tx, txid, record.order);
        self.by_order.insert(record.order, txid);
        self.loose.insert(txid);
        if record.abandoned {
            self.given_up.insert(txid);
        }
        for request in &record.requests {
            self.requests.insert(request.clone(), txid);
        }
        self.records.insert(txid, record);
    }

    fn hash(&self, script: &Script) -> u64 {
        self.hasher.hash_one(script.as_bytes())
    }

    /// Notes which outputs are ours, and what is spent.
    fn index(&mut self, tx: &Transaction, txid: Txid, order: u64) {
        for (vout, output) in tx.output.iter().enumerate() {
            match self.keyring.slot_of(&output.script_pubkey) {
                Some(slot) => {
                    let amount = output.value;
                    // A transaction has fewer outputs than a u32 counts.
                    let outpoint = OutPoint::new(txid, vout as u32);
                    self.outputs.insert(outpoint, OwnOutput { slot, amount });
                }
                None => {
                    let hash = self.hash(&output.script_pubkey);
                    self.strangers.insert((hash, order));
                }
            }
        }
        for input in tx.input.iter().filter(|_| !tx.is_coinbase()) {
            let spenders = self.spends.entry(input.previous_output).or_default();
            if !spenders.contains(&txid) {
                spenders.push(txid);
            }
        }
    }

    /// Those of some scripts that transactions of ours pay, although the scripts were not ours so far.
    pub(crate) fn paid_already<'a>(
        &'a self,
        scripts: &'a [ScriptBuf],
    ) -> impl Iterator<Item = &'a ScriptBuf> {
        let is_paid = |script: &&ScriptBuf| self.paying(script).next().is_some();
        scripts.iter().filter(is_paid)
    }

    /// The height of the lowest block, of whatever branch, that has a transaction of ours which pays one of some scripts that were
    /// not ours so far.
    pub(crate) fn paid_since(&self, scripts: &[ScriptBuf]) -> Option<u32> {
        let paying = scripts.iter().flat_map(|script| self.paying(script));
        let paying: HashSet<Txid> = paying.map(|record| record.txid).collect();
        match paying.is_empty() {
            true => None,
            false => self.timeline.first_with(&paying),
        }
    }

    /// Transactions of ours that pay a script which is not ours so far.
    fn paying<'a>(&'a self, script: &'a Script) -> impl Iterator<Item = &'a Record> {
        let hash = self.hash(script);
        let orders = self.strangers.range((hash, 0)..=(hash, u64::MAX));
        let records = orders.filter_map(|(_, order)| self.records.get(self.by_order.get(order)?));
        records.filter(move |record| {
            let mut outputs = record.tx.output.iter();
            outputs.any(|output| output.script_pubkey == *script)
        })
    }

    /// Looks through the records that pay these scripts, which are ours since just now. Says whether there are any.
    pub(crate) fn index_scripts(&mut self, scripts: &[ScriptBuf]) -> bool {
        let mut orders: BTreeSet<u64> = BTreeSet::new();
        for script in scripts {
            let hash = self.hash(script);
            orders.extend(
                self.strangers
                    .range((hash, 0)..=(hash, u64::MAX))
                    .map(|(_, order)| *order),
            );
        }
        let records: Vec<(Txid, Arc<Transaction>, u64)> = (orders.iter())
            .filter_map(|order| self.records.get(self.by_order.get(order)?))
            .map(|record| (record.txid, record.tx.clone(), record.order))
            .collect();
        for (txid, tx, order) in &records {
            // What of it is a stranger's still is noted anew.
            for output in &tx.output {
                let hash = self.hash(&output.script_pubkey);
                self.strangers.remove(&(hash, *order));
            }
            self.index(tx, *txid, *order);
        }
        !records.is_empty()
    }

    /// Puts a record in place of the one that was there, on the disk first.
    pub(crate) fn put(&mut self, record: Record) -> Result<(), WalletError> {
        self.file.write(|step| put_record(step, &record))?;
        match record.abandoned {
            true => self.given_up.insert(record.txid),
            false => self.given_up.remove(&record.txid),
        };
        match self.records.get_mut(&record.txid) {
            Some(known) => {
                for request in &known.requests {
                    self.requests.remove(request);
                }
                for request in &record.requests {
                    self.requests.insert(request.clone(), record.txid);
                }
                *known = record;
            }
            None => self.enter(record),
        }
        Ok(())
    }

    /// Locks coins until the program ends, in memory alone; what is locked already stays so as it is.
    pub(crate) fn lock_for_now(&mut self, outpoints: impl IntoIterator<Item = OutPoint>) {
        for outpoint in outpoints {
            self.locked.entry(outpoint).or_insert(false);
        }
    }

    /// What a payment was replaced by in the end, unless the best chain has it after all.
    pub(crate) fn stands_for(&self, txid: Txid) -> Txid {
        let mut stands = txid;
        // No more steps than there are records, were they to go in a circle.
        for _ in 0..self.records.len() {
            let record = self.records.get(&stands);
            let record = record.filter(|record| self.loose.contains(&record.txid));
            let next = record.and_then(|record| record.replaced_by);
            match next.and_then(|next| self.records.get(&next)) {
                Some(next) if !next.abandoned => stands = next.txid,
                _ => break,
            }
        }
        stands
    }

    /// Ends the locks of coins, as far as there are such.
    pub(crate) fn unlock(
        &mut self,
        outpoints: impl IntoIterator<Item = OutPoint>,
    ) -> Result<(), WalletError> {
        let outpoints = outpoints.into_iter();
        let locked: Vec<OutPoint> = outpoints
            .filter(|outpoint| self.locked.contains_key(outpoint))
            .collect();
        if locked.is_empty() {
            return Ok(());
        }
        self.file.write(|step| -> Result<(), WalletError> {
            for outpoint in &locked {
                step.delete(Table::Locked, &locked::encode(outpoint))?;
            }
            Ok(())
        })?;
        for outpoint in &locked {
            self.locked.remove(outpoint);
        }
        Ok(())
    }

    /// Forgets a record.
    pub(crate) fn remove(&mut self, txid: &Txid) -> Result<(), WalletError> {
        self.file
            .write(|step| step.delete(Table::Transactions, txid.as_byte_array()))?;
        self.leave(txid);
        Ok(())
    }

    /// Forgets a record, in memory alone.
    fn leave(&mut self, txid: &Txid) {
        let Some(record) = self.records.remove(txid) else {
            return;
        };
        self.by_order.remove(&record.order);
        self.loose.remove(txid);
        self.given_up.remove(txid);
        for request in &record.requests {
            self.requests.remove(request);
        }
        for output in &record.tx.output {
            let hash = self.hash(&output.script_pubkey);
            self.strangers.remove(&(hash, record.order));
        }
        self.outputs.retain(|outpoint, _| outpoint.txid != *txid);
        for input in &record.tx.input {
            if let Some(spenders) = self.spends.get_mut(&input.previous_output) {
                spenders.retain(|spender| spender != txid);
            }
        }
    }

    /// Undoes what was noted of a transaction because it was to be sent; `before` is its record as it was until then.
    pub(crate) fn take_back(
        &mut self,
        txid: &Txid,
        before: Option<Record>,
    ) -> Result<(), WalletError> {
        let Some(now) = self.records.get(txid).cloned() else {
            return Ok(());
        };
        match before {
            Some(before) => self.put(Record {
                ours: before.ours,
                abandoned: before.abandoned,
                notes: before.notes,
                replaces: before.replaces,
                requests: before.requests,
                ..now
            }),
            // A block had it meanwhile, and what that did is told by the record.
            None if self.timeline.having(txid).next().is_some() => Ok(()),
            None => self.remove(txid),
        }
    }

    /// Forgets a record and the coins that it made in blocks, in one step. What it spent stays spent.
    pub(crate) fn forget(&mut self, txid: &Txid) -> Result<(), WalletError> {
        let touched: Vec<Touched> = (self.timeline.having(txid))
            .map(|touched| touched.without(txid))
            .collect();
        self.file.write(|step| -> Result<(), WalletError> {
            for touched in &touched {
                match touched.is_empty() {
                    true => {
                        step.delete(Table::Blocks, &touched.key())?;
                    }
                    false => step.put(Table::Blocks, &touched.key(), &touched.encode())?,
                }
            }
            step.delete(Table::Transactions, txid.as_byte_array())?;
            Ok(())
        })?;
        for touched in touched {
            self.timeline.enter(touched);
        }
        self.leave(txid);
        Ok(())
    }

    /// The number for the next record.
    pub(crate) fn next_order(&self) -> u64 {
        self.by_order
            .last_key_value()
            .map_or(0, |(last, _)| last + 1)
    }
}
