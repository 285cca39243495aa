//! Owns what a wallet knows in memory: its keys, its transactions, and what every block did to it.
//! Promises that it says the same as the file after every step.
//! Refuses to be locked by itself: [`Wallet`](crate::Wallet) does that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Transaction, Txid};

use crate::coins::{Timeline, Touched};
use crate::error::WalletError;
use crate::follow::put_record;
use crate::keys::Keyring;
use crate::record::Record;
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
    /// The transactions of ours, of all worlds and of none.
    pub(crate) records: HashMap<Txid, Record>,
    /// The records in the order in which they came.
    pub(crate) by_order: BTreeMap<u64, Txid>,
    /// Their outputs that are ours.
    pub(crate) outputs: HashMap<OutPoint, OwnOutput>,
    /// Which of them spend what: of any coin.
    pub(crate) spends: HashMap<OutPoint, Vec<Txid>>,
    /// The records that the best world, as it was last looked at, does not have.
    pub(crate) loose: HashSet<Txid>,
    /// That world's block.
    pub(crate) best: BlockHash,
    /// The ledger's next event when it was last looked at.
    pub(crate) event: Option<u64>,
    /// The mempool's change up to which it was looked at; `None` before the first look.
    pub(crate) mempool_change: Option<u64>,
    /// Coins that are not to be chosen, and whether that outlasts this run.
    pub(crate) locked: HashMap<OutPoint, bool>,
    /// When the private part is forgotten again; `None` while it is locked, and without a passphrase. It lies here so that
    /// one lock guards it and the keys.
    pub(crate) unlocked_until: Option<Instant>,
}

impl Book {
    /// One that knows its keys alone, and has looked at no world yet.
    pub(crate) fn new(file: WalletFile, keyring: Keyring, scanned: Scanned) -> Book {
        Book {
            file,
            keyring,
            timeline: Timeline::default(),
            scanned,
            records: HashMap::new(),
            by_order: BTreeMap::new(),
            outputs: HashMap::new(),
            spends: HashMap::new(),
            loose: HashSet::new(),
            best: BlockHash::all_zeros(),
            event: None,
            mempool_change: None,
            locked: HashMap::new(),
            unlocked_until: None,
        }
    }

    /// Whether the private part is open and its time is over.
    pub(crate) fn lock_is_due(&self) -> bool {
        self.unlocked_until
            .is_some_and(|until| until <= Instant::now())
    }

    /// Enters a record, in memory alone. The first one of a transaction stays.
    pub(crate) fn enter(&mut self, record: Record) {
        let txid = record.txid;
        if self.records.contains_key(&txid) {
            return;
        }
        self.index(&record.tx, txid);
        self.by_order.insert(record.order, txid);
        self.loose.insert(txid);
        self.records.insert(txid, record);
    }

    /// Notes which outputs are ours, and what is spent.
    fn index(&mut self, tx: &Transaction, txid: Txid) {
        for (vout, output) in tx.output.iter().enumerate() {
            if let Some(slot) = self.keyring.slot_of(&output.script_pubkey) {
                let amount = output.value;
                // A transaction has fewer outputs than a u32 counts.
                let outpoint = OutPoint::new(txid, vout as u32);
                self.outputs.insert(outpoint, OwnOutput { slot, amount });
            }
        }
        for input in tx.input.iter().filter(|_| !tx.is_coinbase()) {
            let spenders = self.spends.entry(input.previous_output).or_default();
            if !spenders.contains(&txid) {
                spenders.push(txid);
            }
        }
    }

    /// Looks through all records again, after scripts were added.
    pub(crate) fn index_again(&mut self) {
        let transactions: Vec<(Txid, Arc<Transaction>)> = (self.records.values())
            .map(|record| (record.txid, record.tx.clone()))
            .collect();
        for (txid, tx) in transactions {
            self.index(&tx, txid);
        }
    }

    /// Puts a record in place of the one that was there, on the disk first.
    pub(crate) fn put(&mut self, record: Record) -> Result<(), WalletError> {
        self.file.write(|step| put_record(step, &record))?;
        match self.records.get_mut(&record.txid) {
            Some(known) => *known = record,
            None => self.enter(record),
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
