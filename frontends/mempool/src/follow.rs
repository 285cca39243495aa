//! Owns the step to another best world: what blocks took leaves, what undone blocks held comes back, what does not fit
//! any more goes, all at once.
//! Promises that nothing is changed before every block was read; what comes back comes in the order of the old chain.
//! Refuses to keep undone transactions without end: see [`MAX_RETURNED_BYTES`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bitcoin::{BlockHash, OutPoint, Txid};
use everett_ledger::decode::{DecodedBlock, DecodedTransaction, decode_block};
use everett_ledger::{BlockError, COINBASE_MATURITY, Comparison, Ledger, ReadError, World};
use foldhash::fast::RandomState;

use crate::accept::{self, Around, Terms};
use crate::change::Reason;
use crate::fee_rate::FeeRate;
use crate::fees::Confirmed;
use crate::graph::Slot;
use crate::locks::{LockPoints, is_final_at};
use crate::pool::Pool;
use crate::usage;

/// Most memory that transactions of undone blocks may take while they wait to come back; the youngest are given up.
pub const MAX_RETURNED_BYTES: u64 = 20_000_000;

/// Transactions of whole branches: hundreds of thousands.
type Txids = HashSet<Txid, RandomState>;

/// Transactions of undone blocks: the oldest, which comes back first, in front.
#[derive(Default)]
struct Returning {
    waiting: VecDeque<Arc<DecodedTransaction>>,
    bytes: u64,
    /// Those that were given up: how many outputs they have.
    given_up: HashMap<Txid, usize, RandomState>,
}

/// Bytes of the lists that a transaction stands in while it waits.
const WAITING: u64 = 96;

impl Returning {
    /// Takes the transactions of the block below those that it has.
    fn take(&mut self, block: DecodedBlock) {
        for tx in block.transactions.into_iter().rev() {
            self.bytes += WAITING + usage::of_alone(&tx);
            self.waiting.push_front(Arc::new(tx));
        }
        while self.bytes > MAX_RETURNED_BYTES
            && let Some(youngest) = self.waiting.pop_back()
        {
            self.bytes -= WAITING + usage::of_alone(&youngest);
            self.given_up
                .insert(youngest.txid, youngest.tx.output.len());
        }
    }

    /// Forgets what is in blocks of the new chain.
    fn confirmed(&mut self, confirmed: &Txids) {
        self.waiting.retain(|tx| !confirmed.contains(&tx.txid));
        self.given_up.retain(|txid, _| !confirmed.contains(txid));
    }
}

/// What the blocks of the new chain take out.
#[derive(Default)]
struct Taken {
    /// By block, with its height.
    leaving: Vec<(u32, Vec<(Slot, Reason)>)>,
    known: HashSet<Slot>,
    /// Transactions whose fees need not be remembered as changed by hand.
    settled: Vec<Txid>,
}

impl Taken {
    fn by(&mut self, pool: &Pool, height: u32, block: &DecodedBlock) {
        let mut leaving = Vec::new();
        for tx in &block.transactions {
            let own = pool.find(&tx.txid);
            if let Some(slot) = own
                && self.known.insert(slot)
            {
                leaving.push((slot, Reason::Block));
            }
            self.settled.push(tx.txid);
            for input in &tx.tx.input {
                let Some(spender) = pool.spender(&input.previous_output) else {
                    continue;
                };
                if Some(spender) == own || self.known.contains(&spender) {
                    continue;
                }
                self.settled.push(pool.txid(spender));
                for slot in pool.with_descendants(&[spender]) {
                    if self.known.insert(slot) {
                        leaving.push((slot, Reason::Conflict));
                    }
                }
            }
        }
        self.leaving.push((height, leaving));
    }
}

/// What becomes of transactions of undone blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Undone {
    /// They come back, if they still fit.
    Return,
    /// They go, with what spends them.
    Go,
}

/// Brings the pool from its world to `to`; which blocks lie between.
///
/// # Errors
///
/// A block could not be read. Nothing is changed then.
pub(crate) fn follow(
    pool: &mut Pool,
    ledger: &Ledger,
    around: Around<'_>,
    to: World,
    undone: Undone,
) -> Result<Comparison, BlockError> {
    let comparison = ledger.compare(&pool.world, &to);
    let mut returning = Returning::default();
    for hash in &comparison.undone {
        returning.take(read(ledger, hash)?);
    }
    let mut taken = Taken::default();
    let mut confirmed = Txids::default();
    let nothing_here = pool.len() == 0 && pool.deltas.is_empty();
    for (height, hash) in (comparison.fork_height + 1..).zip(&comparison.applied) {
        if nothing_here && comparison.undone.is_empty() {
            taken.leaving.push((height, Vec::new()));
            continue;
        }
        let block = read(ledger, hash)?;
        taken.by(pool, height, &block);
        if !comparison.undone.is_empty() {
            confirmed.extend(block.transactions.iter().map(|tx| tx.txid));
        }
    }
    returning.confirmed(&confirmed);

    pool.world = to;
    take_out(pool, &taken.leaving);
    for txid in taken.settled {
        pool.deltas.remove(&txid);
    }
    if !comparison.applied.is_empty() {
        pool.block_came(around.now);
    }
    if !comparison.undone.is_empty() {
        for (txid, outputs) in &returning.given_up {
            without(pool, txid, *outputs);
        }
        match undone {
            Undone::Return => come_back(pool, around, returning.waiting),
            Undone::Go => {
                for tx in returning.waiting {
                    without(pool, &tx.txid, tx.tx.output.len());
                }
            }
        }
        let unfit = unfit(pool, comparison.fork_height);
        pool.remove_with_descendants(&unfit, Reason::Reorg);
        pool.limit(around.now);
    }
    Ok(comparison)
}

fn read(ledger: &Ledger, hash: &BlockHash) -> Result<DecodedBlock, BlockError> {
    let bytes = ledger.block_bytes(hash)?;
    let decoded = decode_block(&bytes).map_err(|source| BlockError::Undecodable {
        hash: *hash,
        source,
    })?;
    Ok(decoded.0)
}

/// Takes out what blocks of these heights have, or make impossible.
fn take_out(pool: &mut Pool, blocks: &[(u32, Vec<(Slot, Reason)>)]) {
    let mut slots: Vec<Slot> = Vec::new();
    for (height, leaving) in blocks {
        let mut confirmed = Vec::new();
        for (slot, reason) in leaving {
            if *reason == Reason::Block {
                let entry = pool.entry(*slot);
                confirmed.push(Confirmed {
                    txid: entry.tx.txid,
                    height: entry.height,
                    rate: FeeRate::paid(entry.fee, entry.vsize()),
                });
            }
            pool.drop_entry(*slot, *reason);
            slots.push(*slot);
        }
        pool.fees.block(*height, &confirmed);
    }
    if !slots.is_empty() {
        pool.graph.remove(&slots);
    }
}

/// Lets transactions of undone blocks in again; what spends one that does not come in goes.
fn come_back(pool: &mut Pool, around: Around<'_>, waiting: VecDeque<Arc<DecodedTransaction>>) {
    let terms = Terms {
        bypass_limits: true,
        ..Terms::single(around.now)
    };
    let mut returned: Vec<Arc<DecodedTransaction>> = Vec::new();
    for tx in waiting {
        let checked = match tx.is_coinbase() {
            true => None,
            // Coins that cannot be read now make it no worse than one that does not fit.
            false => accept::single(pool, around, &terms, &tx).ok(),
        };
        match checked {
            Some(checked) => {
                checked.commit(pool);
                returned.push(tx);
            }
            None => without(pool, &tx.txid, tx.tx.output.len()),
        }
    }
    let mut pairs: Vec<(Slot, Slot)> = Vec::new();
    for tx in &returned {
        let Some(parent) = pool.find(&tx.txid) else {
            continue;
        };
        for child in spenders(pool, &tx.txid, tx.tx.output.len()) {
            if !pool.graph.parents(child).contains(&parent) {
                pairs.push((parent, child));
            }
        }
    }
    if !pairs.is_empty() {
        let mut too_many = pool.graph.link(&pairs);
        too_many.sort_unstable_by_key(|slot| pool.txid(*slot));
        for slot in too_many {
            pool.drop_entry(slot, Reason::SizeLimit);
        }
    }
}

/// What spends outputs of a transaction.
fn spenders(pool: &Pool, txid: &Txid, outputs: usize) -> Vec<Slot> {
    let outpoints = (0..outputs as u32).map(|vout| OutPoint::new(*txid, vout));
    let mut slots: Vec<Slot> = outpoints
        .filter_map(|outpoint| pool.spender(&outpoint))
        .collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// Takes out a transaction that is no more, if it is pending, and what spends it.
fn without(pool: &mut Pool, txid: &Txid, outputs: usize) {
    let slots = match pool.find(txid) {
        Some(slot) => vec![slot],
        None => spenders(pool, txid, outputs),
    };
    pool.remove_with_descendants(&slots, Reason::Reorg);
}

/// What cannot be in the next block any more, after blocks above `fork_height` were undone.
fn unfit(pool: &mut Pool, fork_height: u32) -> Vec<Slot> {
    let slots: Vec<Slot> = pool.slots().collect();
    let mut unfit = Vec::new();
    let next = pool.world.height().saturating_add(1);
    for slot in slots {
        let entry = pool.entry(slot);
        let mut locks = Some(entry.locks);
        if entry.locks.highest > fork_height {
            locks = locks_anew(pool, slot).ok().flatten();
        }
        let mature = pool
            .entry(slot)
            .coinbase_height
            .is_none_or(|height| next.saturating_sub(height) >= COINBASE_MATURITY);
        let is_final = is_final_at(&pool.entry(slot).tx.tx, &pool.world);
        match locks {
            Some(locks) if mature && is_final && locks.pass(&pool.world) => {
                pool.entry_mut(slot).locks = locks;
            }
            _ => unfit.push(slot),
        }
    }
    unfit
}

fn locks_anew(pool: &Pool, slot: Slot) -> Result<Option<LockPoints>, ReadError> {
    let tx = &pool.entry(slot).tx.tx;
    let mut heights = Vec::with_capacity(tx.input.len());
    for input in &tx.input {
        let outpoint = input.previous_output;
        if pool.find(&outpoint.txid).is_some() {
            heights.push(None);
        } else if let Some(coin) = pool.world.coin(&outpoint)? {
            heights.push(Some(coin.height));
        } else {
            return Ok(None);
        }
    }
    Ok(Some(LockPoints::of(tx, heights, &pool.world)))
}

/// Which pending transactions can wait at `world`, all together, in mining order. Reads every coin that they spend at that world.
fn fitting(pool: &Pool, world: &World) -> Result<Vec<Slot>, ReadError> {
    let next = world.height().saturating_add(1);
    let mut fitting = HashSet::new();
    let mut order = Vec::new();
    for (chunk, _) in pool.graph.chunks() {
        'next: for slot in chunk {
            let tx = &pool.entry(*slot).tx.tx;
            let mut heights = Vec::with_capacity(tx.input.len());
            for input in &tx.input {
                let outpoint = input.previous_output;
                let parent = pool.find(&outpoint.txid);
                if parent.is_some_and(|parent| fitting.contains(&parent)) {
                    heights.push(None);
                    continue;
                }
                let Some(coin) = world.coin(&outpoint)? else {
                    continue 'next;
                };
                if coin.coinbase && next.saturating_sub(coin.height) < COINBASE_MATURITY {
                    continue 'next;
                }
                heights.push(Some(coin.height));
            }
            if is_final_at(tx, world) && LockPoints::of(tx, heights, world).pass(world) {
                fitting.insert(*slot);
                order.push(*slot);
            }
        }
    }
    Ok(order)
}

/// Brings the pool to `to` by looking at every transaction: for when blocks in between cannot be read any more.
pub(crate) fn jump(pool: &mut Pool, to: World) -> Result<(), ReadError> {
    let fitting: HashSet<Slot> = fitting(pool, &to)?.into_iter().collect();
    let leaving: Vec<(Slot, Reason)> = pool
        .slots()
        .filter(|slot| !fitting.contains(slot))
        .map(|slot| (slot, Reason::Reorg))
        .collect();
    let height = to.height();
    pool.world = to;
    take_out(pool, &[(height, leaving)]);
    Ok(())
}
