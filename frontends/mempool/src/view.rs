//! Owns what can be asked of the mempool: one view is one moment, however much is asked of it.
//! Promises the cost that stands at each question; n is the number of pending transactions, c that of a cluster (64).
//! Refuses to change anything. While a view is held nothing enters or leaves: it must not be kept.

use std::ops::Deref;
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid, Wtxid};
use everett_ledger::coin::ScriptPubKey;
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{Coin, ReadError, World};
use parking_lot::RwLockReadGuard;

use crate::entry::Entry;
use crate::fee_rate::{FeeRate, FeeSize};
use crate::fees::{FeeEstimate, Horizon, RawEstimate};
use crate::graph::Slot;
use crate::pool::Pool;

/// What is known of a pending transaction. Sizes are in virtual bytes as fees count them, fees in satoshis.
#[derive(Clone, Debug)]
pub struct EntryInfo {
    /// The transaction.
    pub tx: Arc<DecodedTransaction>,
    /// What it pays.
    pub fee: i64,
    /// The same with what was added by hand.
    pub modified_fee: i64,
    /// Its size.
    pub vsize: u64,
    /// Its weight.
    pub weight: u64,
    /// The cost of its signature operations.
    pub sigop_cost: u64,
    /// Unix seconds when it came.
    pub time: u64,
    /// Height of the best block when it came.
    pub height: u32,
    /// The mempool's sequence when it came; 0 for what an undone block gave back.
    pub sequence: u64,
    /// Itself and all it depends on.
    pub ancestors: Totals,
    /// Itself and all that depends on it.
    pub descendants: Totals,
    /// Pending transactions that it spends, by txid as it is shown.
    pub depends: Vec<Txid>,
    /// Pending transactions that spend it, by txid as it lies in memory.
    pub spent_by: Vec<Txid>,
    /// What the transactions pay that it is mined with, and their weight, adjusted for signature operations.
    pub chunk: FeeSize,
    /// Whether no peer has asked for it since it was given in here.
    pub unbroadcast: bool,
}

/// Sums over some transactions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// How many.
    pub count: u64,
    /// Virtual bytes.
    pub vsize: u64,
    /// Fees with what was added by hand, in satoshis.
    pub fee: i64,
}

/// A pending transaction as those see it who pass it on.
#[derive(Clone, Copy, Debug)]
pub struct Relayed<'a> {
    /// The transaction.
    pub tx: &'a Arc<DecodedTransaction>,
    /// What it pays, in satoshis, without what was added by hand.
    pub fee: i64,
    /// Its size as fees count it, in virtual bytes.
    pub vsize: u64,
    /// The mempool's sequence when it came; 0 for what an undone block gave back.
    pub sequence: u64,
}

/// Transactions that are mined together, or one of those.
#[derive(Clone, Debug)]
pub struct Chunk<'a> {
    /// What they pay in satoshis, with what was added by hand, for their weight, adjusted for signature operations.
    pub rate: FeeSize,
    /// The cluster it is of. Who leaves a chunk out leaves out the later ones of its cluster, too: they may spend it.
    pub cluster: u32,
    /// The transactions, parents first.
    pub transactions: Vec<Mined<'a>>,
}

/// A transaction as the miner sees it.
#[derive(Clone, Copy, Debug)]
pub struct Mined<'a> {
    /// The transaction.
    pub tx: &'a Arc<DecodedTransaction>,
    /// What it pays, in satoshis.
    pub fee: i64,
    /// Its weight.
    pub weight: u64,
    /// The cost of its signature operations.
    pub sigop_cost: u64,
}

/// A cluster: all that is connected.
#[derive(Clone, Debug)]
pub struct ClusterInfo {
    /// Weight of all, adjusted for signature operations.
    pub weight: i64,
    /// Its chunks, best paying first: what each pays and weighs, and its transactions.
    pub chunks: Vec<(FeeSize, Vec<Txid>)>,
}

/// Figures of the mempool: what `getmempoolinfo` tells.
#[derive(Clone, Copy, Debug)]
pub struct MempoolInfo {
    /// Transactions.
    pub size: u64,
    /// Their virtual bytes.
    pub vbytes: u64,
    /// Estimated memory in bytes.
    pub usage: u64,
    /// Fees in satoshis, without what was added by hand.
    pub total_fee: i64,
    /// Most memory in bytes.
    pub max_bytes: u64,
    /// Least fee rate that is let in now.
    pub min_fee: FeeRate,
    /// Least fee rate that is let in at all.
    pub min_relay_fee: FeeRate,
    /// What a replacement has to pay on top.
    pub incremental_relay_fee: FeeRate,
    /// Transactions that no peer has asked for since they were given in here.
    pub unbroadcast: u64,
    /// Most transactions of a cluster.
    pub cluster_count: u64,
    /// Most virtual bytes of a cluster.
    pub cluster_vbytes: u64,
    /// Whether bare multisigs are standard.
    pub permit_bare_multisig: bool,
    /// Most bytes of OP_RETURN scripts; 0 if none are standard.
    pub max_datacarrier_bytes: u64,
    /// Whether every cluster is known to be in its best order.
    pub optimal: bool,
}

/// A fee changed by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prioritised {
    /// Of this transaction.
    pub txid: Txid,
    /// By so many satoshis.
    pub delta: i64,
    /// What it counts as paying, if it is pending.
    pub modified_fee: Option<i64>,
}

/// What a view shows.
pub(crate) enum Shown<'a> {
    /// The pool, which nobody changes meanwhile.
    Here(RwLockReadGuard<'a, Pool>),
    /// What it would be elsewhere.
    Elsewhere(Arc<Pool>),
}

impl Deref for Shown<'_> {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        match self {
            Shown::Here(pool) => pool,
            Shown::Elsewhere(pool) => pool,
        }
    }
}

/// One moment of the mempool, at the best world or as it would be at another one.
pub struct View<'a> {
    pub(crate) pool: Shown<'a>,
    pub(crate) now: u64,
    pub(crate) change: u64,
}

impl View<'_> {
    /// The world that all of it fits to: the best one, unless another was asked for. O(1).
    pub fn world(&self) -> &World {
        &self.pool.world
    }

    /// Whether this is the mempool itself, in which nothing enters or leaves while the view is held; or what it would be at
    /// another world, for which nobody waits. O(1).
    pub fn is_here(&self) -> bool {
        matches!(self.pool, Shown::Here(_))
    }

    /// How many transactions are pending. O(1).
    pub fn len(&self) -> usize {
        self.pool.len()
    }

    /// Whether none is. O(1).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of the last change that is in it: what to follow changes from. O(1).
    pub fn change_number(&self) -> u64 {
        self.change
    }

    /// Bitcoin Core's mempool sequence: the next one to be given. O(1).
    pub fn sequence(&self) -> u64 {
        self.pool.sequence()
    }

    /// Whether a transaction is pending. O(1).
    pub fn contains(&self, txid: &Txid) -> bool {
        self.pool.find(txid).is_some()
    }

    /// Whether it is, with these witnesses. O(1).
    pub fn contains_wtxid(&self, wtxid: &Wtxid) -> bool {
        self.pool.find_wtxid(wtxid).is_some()
    }

    /// A pending transaction. O(1).
    pub fn transaction(&self, txid: &Txid) -> Option<&Arc<DecodedTransaction>> {
        self.pool.find(txid).map(|slot| &self.pool.entry(slot).tx)
    }

    /// The same by wtxid. O(1).
    pub fn transaction_by_wtxid(&self, wtxid: &Wtxid) -> Option<&Arc<DecodedTransaction>> {
        self.pool
            .find_wtxid(wtxid)
            .map(|slot| &self.pool.entry(slot).tx)
    }

    /// All that is known of a pending transaction. O(c).
    pub fn entry(&self, txid: &Txid) -> Option<EntryInfo> {
        let slot = self.pool.find(txid)?;
        let entry = self.pool.entry(slot);
        let mut depends = self.txids_of(self.pool.graph.parents(slot));
        depends.sort_unstable_by_key(|txid| {
            let mut shown = *AsRef::<[u8; 32]>::as_ref(txid);
            shown.reverse();
            shown
        });
        let mut spent_by = self.txids_of(self.pool.graph.children(slot));
        spent_by.sort_unstable();
        Some(EntryInfo {
            tx: entry.tx.clone(),
            fee: entry.fee,
            modified_fee: entry.modified_fee,
            vsize: entry.vsize().unsigned_abs(),
            weight: entry.weight.unsigned_abs(),
            sigop_cost: entry.sigop_cost,
            time: entry.time,
            height: entry.height,
            sequence: entry.sequence,
            ancestors: self.totals(&self.pool.graph.ancestors(slot)),
            descendants: self.totals(&self.pool.graph.descendants(slot)),
            depends,
            spent_by,
            chunk: self.pool.graph.chunk_rate(slot),
            unbroadcast: self.pool.unbroadcast().contains(txid),
        })
    }

    fn txids_of(&self, slots: &[Slot]) -> Vec<Txid> {
        slots.iter().map(|slot| self.pool.txid(*slot)).collect()
    }

    fn totals(&self, slots: &[Slot]) -> Totals {
        let mut totals = Totals::default();
        for slot in slots {
            let entry = self.pool.entry(*slot);
            totals.count += 1;
            totals.vsize += entry.vsize().unsigned_abs();
            totals.fee = totals.fee.saturating_add(entry.modified_fee);
        }
        totals
    }

    /// All that a pending transaction depends on, by txid as it lies in memory; not itself. O(c).
    pub fn ancestors(&self, txid: &Txid) -> Option<Vec<Txid>> {
        let slot = self.pool.find(txid)?;
        Some(self.others(slot, &self.pool.graph.ancestors(slot)))
    }

    /// All that depends on a pending transaction, by txid as it lies in memory; not itself. O(c).
    pub fn descendants(&self, txid: &Txid) -> Option<Vec<Txid>> {
        let slot = self.pool.find(txid)?;
        Some(self.others(slot, &self.pool.graph.descendants(slot)))
    }

    fn others(&self, own: Slot, slots: &[Slot]) -> Vec<Txid> {
        let others = slots.iter().filter(|slot| **slot != own);
        let mut txids: Vec<Txid> = others.map(|slot| self.pool.txid(*slot)).collect();
        txids.sort_unstable();
        txids
    }

    /// The cluster of a pending transaction. O(c).
    pub fn cluster(&self, txid: &Txid) -> Option<ClusterInfo> {
        let slot = self.pool.find(txid)?;
        let chunks = self.pool.graph.cluster_chunks(slot);
        let chunks: Vec<(FeeSize, Vec<Txid>)> = chunks
            .into_iter()
            .map(|(slots, rate)| (rate, self.txids_of(slots)))
            .collect();
        Some(ClusterInfo {
            weight: chunks.iter().map(|(rate, _)| rate.size).sum(),
            chunks,
        })
    }

    /// All transactions in mining order, which is Bitcoin Core's order of `getrawmempool`. O(n).
    pub fn txids(&self) -> Vec<Txid> {
        self.transactions().map(|tx| tx.txid).collect()
    }

    /// The same, one after the other. O(1) for each.
    pub fn transactions(&self) -> impl Iterator<Item = &Arc<DecodedTransaction>> {
        let slots = self.pool.graph.chunks().flat_map(|(slots, _)| slots);
        slots.map(|slot| &self.pool.entry(*slot).tx)
    }

    /// The same with what those need to know who pass them on. O(1) for each.
    pub fn relayed(&self) -> impl Iterator<Item = Relayed<'_>> {
        let slots = self.pool.graph.chunks().flat_map(|(slots, _)| slots);
        slots.map(|slot| {
            let entry = self.pool.entry(*slot);
            Relayed {
                tx: &entry.tx,
                fee: entry.fee,
                vsize: entry.vsize().unsigned_abs(),
                sequence: entry.sequence,
            }
        })
    }

    /// All chunks, best paying first: what to fill a block with. O(1) for each transaction.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk<'_>> {
        self.pool.graph.chunks().map(|(slots, rate)| Chunk {
            rate,
            cluster: slots
                .first()
                .map_or(0, |slot| self.pool.graph.cluster_number(*slot)),
            transactions: slots
                .iter()
                .map(|slot| mined(self.pool.entry(*slot)))
                .collect(),
        })
    }

    /// Sorts transactions into mining order, in which they are told to peers; those that are not here come last.
    /// O(c + log) for each.
    pub fn sort_for_mining(&self, wtxids: &mut [Wtxid]) {
        let place = |wtxid: &Wtxid| {
            let slot = self.pool.find_wtxid(wtxid);
            let place = slot.and_then(|slot| self.pool.graph.mining_place(slot));
            (place.is_none(), place)
        };
        wtxids.sort_by_cached_key(place);
    }

    /// The pending transaction that spends an outpoint. O(1).
    pub fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.pool.spender(outpoint).map(|slot| self.pool.txid(slot))
    }

    /// A coin of the pending world: confirmed or an output of a pending transaction, and not spent by one. A pending coin
    /// has the height of the next block. O(1), and a read of the world where it is not pending.
    pub fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ReadError> {
        if self.pool.spender(outpoint).is_some() {
            return Ok(None);
        }
        let Some(slot) = self.pool.find(&outpoint.txid) else {
            return self.pool.world.coin(outpoint);
        };
        let outputs = &self.pool.entry(slot).tx.tx.output;
        Ok(outputs.get(outpoint.vout as usize).map(|output| Coin {
            amount: Amount::from_sat(output.value.to_sat()),
            script_pubkey: ScriptPubKey::new(output.script_pubkey.as_bytes()),
            height: self.pool.world.height().saturating_add(1),
            coinbase: false,
        }))
    }

    /// Figures. O(1).
    pub fn info(&self) -> MempoolInfo {
        let pool = &*self.pool;
        let config = &pool.config;
        MempoolInfo {
            size: pool.len() as u64,
            vbytes: pool.total_vsize().unsigned_abs(),
            usage: pool.usage(),
            total_fee: pool.total_fee(),
            max_bytes: config.max_bytes,
            min_fee: self.min_fee(),
            min_relay_fee: config.min_relay_fee,
            incremental_relay_fee: config.incremental_relay_fee,
            unbroadcast: pool.unbroadcast().len() as u64,
            cluster_count: config.cluster_count as u64,
            cluster_vbytes: config.cluster_vbytes,
            permit_bare_multisig: config.standard.permit_bare_multisig,
            max_datacarrier_bytes: config.standard.max_datacarrier_bytes.unwrap_or(0) as u64,
            optimal: pool.graph.is_optimal(),
        }
    }

    /// What has to be paid to be confirmed within so many blocks, 1 to 1,008, as far as this run knows; `conservative` looks
    /// back farther. Some reads of each of some 240 buckets of fee rates for each block of the target.
    pub fn fee_estimate(&self, blocks: u32, conservative: bool) -> FeeEstimate {
        self.pool.fees.smart(blocks, conservative)
    }

    /// What one horizon says, where this part of transactions (0 to 1) has to be confirmed within so many blocks; nothing
    /// of more blocks than it tells of. As costly.
    pub fn raw_fee_estimate(
        &self,
        horizon: Horizon,
        blocks: u32,
        success: f64,
    ) -> Option<RawEstimate> {
        self.pool.fees.raw(horizon, blocks, success)
    }

    /// Least fee rate that is let in now. O(1).
    pub fn min_fee(&self) -> FeeRate {
        self.crowding_fee().max(self.pool.config.min_relay_fee)
    }

    /// The fee rate that what comes must have because others had to go: none while nothing had to, whatever the least rate is that
    /// is relayed. O(1).
    pub fn crowding_fee(&self) -> FeeRate {
        self.pool.min_fee(self.now)
    }

    /// Fees changed by hand, by txid as it lies in memory. O(their number).
    pub fn prioritised(&self) -> Vec<Prioritised> {
        let modified = |txid| {
            self.pool
                .find(txid)
                .map(|slot| self.pool.entry(slot).modified_fee)
        };
        let deltas = self.pool.deltas.iter();
        deltas
            .map(|(txid, delta)| Prioritised {
                txid: *txid,
                delta: *delta,
                modified_fee: modified(txid),
            })
            .collect()
    }

    /// All transactions in mining order with the unix seconds when they came. O(1) for each.
    pub fn with_times(&self) -> impl Iterator<Item = (Arc<DecodedTransaction>, u64)> {
        let slots = self.pool.graph.chunks().flat_map(|(slots, _)| slots);
        slots.map(|slot| {
            let entry = self.pool.entry(*slot);
            (entry.tx.clone(), entry.time)
        })
    }

    pub(crate) fn deltas(&self) -> crate::persist::Deltas {
        self.pool.deltas.clone()
    }

    /// Transactions that no peer has asked for since they were given in here. O(their number).
    pub fn unbroadcast(&self) -> Vec<Txid> {
        self.pool.unbroadcast().iter().copied().collect()
    }
}

fn mined(entry: &Entry) -> Mined<'_> {
    Mined {
        tx: &entry.tx,
        fee: entry.fee,
        weight: entry.weight.unsigned_abs(),
        sigop_cost: entry.sigop_cost,
    }
}
