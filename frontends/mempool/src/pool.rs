//! Owns the pending transactions and every index over them, as they fit to one world.
//! Promises that indices, sums and the graph say the same after each call, and that each change is noted for the record.
//! Refuses to judge: what comes in here was checked.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{OutPoint, Txid, Wtxid};
use everett_ledger::World;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::change::{Happened, Reason};
use crate::config::MempoolConfig;
use crate::entry::{Entry, mining_fee, vsize_of};
use crate::fee_rate::FeeRate;
use crate::fees::Fees;
use crate::floor::{Fill, Floor};
use crate::graph::{ClusterLimits, Graph, Plan, Slot};
use crate::usage;

/// Everything about the pending transactions.
pub(crate) struct Pool {
    pub(crate) config: MempoolConfig,
    pub(crate) graph: Graph,
    /// By slot.
    entries: Vec<Option<Entry>>,
    by_txid: HashMap<Txid, Slot, RandomState>,
    by_wtxid: HashMap<Wtxid, Slot, RandomState>,
    spends: HashMap<OutPoint, Slot, RandomState>,
    by_time: BTreeSet<(u64, Slot)>,
    /// What was added to fees by hand, also of transactions that are not here.
    pub(crate) deltas: BTreeMap<Txid, i64>,
    /// Transactions given in here that no peer has asked for yet.
    unbroadcast: BTreeSet<Txid>,
    total_vsize: i64,
    total_fee: i64,
    usage: u64,
    floor: Mutex<Floor>,
    sequence: u64,
    /// What all of it fits to.
    pub(crate) world: World,
    /// What is known of fees.
    pub(crate) fees: Fees,
    /// What happened since the last record.
    happened: Vec<Happened>,
}

impl Pool {
    pub(crate) fn new(config: MempoolConfig, world: World, now: u64) -> Pool {
        let weight = config.cluster_vbytes.saturating_mul(4);
        let limits = ClusterLimits {
            count: config.cluster_count,
            weight: i64::try_from(weight).unwrap_or(i64::MAX),
        };
        Pool {
            config,
            graph: Graph::new(limits),
            entries: Vec::new(),
            by_txid: HashMap::default(),
            by_wtxid: HashMap::default(),
            spends: HashMap::default(),
            by_time: BTreeSet::new(),
            deltas: BTreeMap::new(),
            unbroadcast: BTreeSet::new(),
            total_vsize: 0,
            total_fee: 0,
            usage: 0,
            floor: Mutex::new(Floor::new(now)),
            sequence: 1,
            world,
            fees: Fees::new(),
            happened: Vec::new(),
        }
    }

    /// A copy to move to another world. It knows nothing of fees, which nobody asks there.
    pub(crate) fn copied(&self) -> Pool {
        Pool {
            config: self.config,
            graph: self.graph.clone(),
            entries: self.entries.clone(),
            by_txid: self.by_txid.clone(),
            by_wtxid: self.by_wtxid.clone(),
            spends: self.spends.clone(),
            by_time: self.by_time.clone(),
            deltas: self.deltas.clone(),
            unbroadcast: self.unbroadcast.clone(),
            total_vsize: self.total_vsize,
            total_fee: self.total_fee,
            usage: self.usage,
            floor: Mutex::new(self.floor.lock().clone()),
            sequence: self.sequence,
            world: self.world.clone(),
            fees: Fees::new(),
            happened: Vec::new(),
        }
    }

    /// Nothing of what happened to this copy came to pass: the next change is still the one with this sequence.
    pub(crate) fn is_imagined(&mut self, sequence: u64) {
        self.sequence = sequence;
        self.happened = Vec::new();
    }

    pub(crate) fn entry(&self, slot: Slot) -> &Entry {
        self.entries[slot.index()]
            .as_ref()
            .expect("the graph and the indices name entries that are there")
    }

    pub(crate) fn entry_mut(&mut self, slot: Slot) -> &mut Entry {
        self.entries[slot.index()]
            .as_mut()
            .expect("the graph and the indices name entries that are there")
    }

    pub(crate) fn find(&self, txid: &Txid) -> Option<Slot> {
        self.by_txid.get(txid).copied()
    }

    pub(crate) fn find_wtxid(&self, wtxid: &Wtxid) -> Option<Slot> {
        self.by_wtxid.get(wtxid).copied()
    }

    /// The transaction that spends an outpoint.
    pub(crate) fn spender(&self, outpoint: &OutPoint) -> Option<Slot> {
        self.spends.get(outpoint).copied()
    }

    pub(crate) fn txid(&self, slot: Slot) -> Txid {
        self.entry(slot).tx.txid
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        let there = |(slot, entry): (u32, &Option<Entry>)| entry.as_ref().map(|_| Slot(slot));
        (0..).zip(&self.entries).filter_map(there)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_txid.len()
    }

    pub(crate) fn total_vsize(&self) -> i64 {
        self.total_vsize
    }

    pub(crate) fn total_fee(&self) -> i64 {
        self.total_fee
    }

    pub(crate) fn usage(&self) -> u64 {
        self.usage + usage::DELTA * self.deltas.len() as u64
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence - 1
    }

    pub(crate) fn unbroadcast(&self) -> &BTreeSet<Txid> {
        &self.unbroadcast
    }

    pub(crate) fn unbroadcast_mut(&mut self) -> &mut BTreeSet<Txid> {
        &mut self.unbroadcast
    }

    /// What was added to a transaction's fee by hand.
    pub(crate) fn delta(&self, txid: &Txid) -> i64 {
        self.deltas.get(txid).copied().unwrap_or(0)
    }

    /// What happened since this was last asked.
    pub(crate) fn take_happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.happened)
    }

    /// Makes a plan true: first those that go, each told with `reason`, then those that come, in their order.
    pub(crate) fn apply(
        &mut self,
        plan: Plan,
        leaving: &[Slot],
        reason: Reason,
        coming: Vec<Entry>,
    ) {
        for slot in leaving {
            self.drop_entry(*slot, reason);
        }
        let slots = self.graph.commit(plan);
        for (slot, entry) in slots.into_iter().zip(coming) {
            self.enter(slot, entry);
        }
    }

    fn enter(&mut self, slot: Slot, entry: Entry) {
        let tx = &entry.tx;
        self.by_txid.insert(tx.txid, slot);
        self.by_wtxid.insert(tx.wtxid, slot);
        for input in &tx.tx.input {
            self.spends.insert(input.previous_output, slot);
        }
        self.by_time.insert((entry.time, slot));
        self.total_vsize += entry.vsize();
        self.total_fee += entry.fee;
        self.usage += entry.usage;
        if self.entries.len() <= slot.index() {
            self.entries.resize_with(slot.index() + 1, || None);
        }
        self.entries[slot.index()] = Some(entry);
    }

    /// Tells that a transaction has entered: the last thing about its admission.
    pub(crate) fn announce(&mut self, txid: &Txid, returned: bool) {
        let Some(slot) = self.find(txid) else { return };
        let sequence = self.next_sequence();
        let entry = self.entry(slot);
        let happened = Happened::Entered {
            tx: entry.tx.clone(),
            fee: entry.fee,
            vsize: entry.vsize().unsigned_abs(),
            sequence,
            returned,
        };
        self.happened.push(happened);
    }

    /// Counts a transaction for the estimate of fees, unless it depends on others here.
    pub(crate) fn count_fee(&mut self, txid: &Txid) {
        let Some(slot) = self.find(txid) else { return };
        if self.graph.parents(slot).is_empty() {
            let entry = self.entry(slot);
            let (height, rate) = (entry.height, FeeRate::paid(entry.fee, entry.vsize()));
            self.fees.entered(*txid, height, rate);
        }
    }

    /// Takes transactions out, with nothing that depends on them: that must be among them, or be valid without.
    pub(crate) fn remove(&mut self, slots: &[Slot], reason: Reason) {
        if slots.is_empty() {
            return;
        }
        for slot in slots {
            self.drop_entry(*slot, reason);
        }
        self.graph.remove(slots);
    }

    /// Takes transactions out with all that depends on them.
    pub(crate) fn remove_with_descendants(&mut self, slots: &[Slot], reason: Reason) {
        let all = self.with_descendants(slots);
        self.remove(&all, reason);
    }

    /// The transactions and all that depends on them, each once, by txid.
    pub(crate) fn with_descendants(&self, slots: &[Slot]) -> Vec<Slot> {
        let mut all: Vec<Slot> = match slots {
            [slot] => self.graph.descendants(*slot),
            _ => {
                let below = slots.iter().flat_map(|slot| self.graph.descendants(*slot));
                let unique: hashbrown::HashSet<Slot, RandomState> = below.collect();
                unique.into_iter().collect()
            }
        };
        all.sort_unstable_by_key(|slot| self.txid(*slot));
        all
    }

    /// Forgets an entry that the graph has dropped, or is about to.
    pub(crate) fn drop_entry(&mut self, slot: Slot, reason: Reason) {
        let Some(entry) = self.entries[slot.index()].take() else {
            return;
        };
        let sequence = self.next_sequence();
        self.by_txid.remove(&entry.tx.txid);
        self.by_wtxid.remove(&entry.tx.wtxid);
        for input in &entry.tx.tx.input {
            self.spends.remove(&input.previous_output);
        }
        self.by_time.remove(&(entry.time, slot));
        self.unbroadcast.remove(&entry.tx.txid);
        if reason != Reason::Block {
            self.fees.left(&entry.tx.txid);
        }
        self.total_vsize -= entry.vsize();
        self.total_fee -= entry.fee;
        self.usage -= entry.usage;
        self.happened.push(Happened::Left {
            tx: entry.tx,
            reason,
            sequence,
        });
    }

    /// Takes out what came before `time`, with all that depends on it, then the worst chunks until the rest has room.
    pub(crate) fn limit(&mut self, now: u64) {
        let before = now.saturating_sub(self.config.expiry);
        let old = self.by_time.iter().take_while(|(time, _)| *time < before);
        let old: Vec<Slot> = old.map(|(_, slot)| *slot).collect();
        if !old.is_empty() {
            self.remove_with_descendants(&old, Reason::Expiry);
        }
        while self.usage() > self.config.max_bytes {
            let Some((worst, rate)) = self.graph.chunks().next_back() else {
                break;
            };
            let mut worst = worst.to_vec();
            let paid = FeeRate::paid(rate.fee, vsize_of(rate.size));
            // What pays as little as what had to go is not let in before the next block.
            let paid = paid.plus(self.config.incremental_relay_fee);
            self.floor.get_mut().evicted(paid);
            worst.sort_unstable_by_key(|slot| self.txid(*slot));
            self.remove(&worst, Reason::SizeLimit);
        }
    }

    /// The fee rate that what comes must have because others had to go.
    pub(crate) fn min_fee(&self, now: u64) -> FeeRate {
        let fill = Fill {
            used: self.usage(),
            limit: self.config.max_bytes,
        };
        let incremental = self.config.incremental_relay_fee;
        self.floor.lock().current(now, fill, incremental)
    }

    /// Tells the minimum fee that a block came.
    pub(crate) fn block_came(&mut self, now: u64) {
        self.floor.get_mut().block(now);
    }

    /// Adds to a transaction's fee as the miner counts it, whether it is here or not.
    pub(crate) fn prioritise(&mut self, txid: Txid, sat: i64) {
        let delta = self.deltas.entry(txid).or_insert(0);
        *delta = delta.saturating_add(sat);
        if *delta == 0 {
            self.deltas.remove(&txid);
        }
        if let Some(slot) = self.find(&txid) {
            let entry = self.entry_mut(slot);
            entry.modified_fee = entry.modified_fee.saturating_add(sat);
            let fee = mining_fee(entry.modified_fee);
            self.graph.set_fee(slot, fee);
        }
    }
}
