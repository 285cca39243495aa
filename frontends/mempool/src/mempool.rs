//! Owns the handle on the mempool: one lock around all of it, and the way to the ledger.
//! Promises that every call answers for the best world there is when it is made, or a later one.
//! Refuses threads of its own: it moves when it is called; see [`Mempool::catch_up`].

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bitcoin::{BlockHash, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{BlockError, Ledger, ReadError, World};
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard};
use thiserror::Error;
use tokio::sync::watch;

use crate::accept::{self, Around, Failure, PackageVerdict, Terms};
use crate::change::{Change, Changes, ChangesGone, Happened};
use crate::config::MempoolConfig;
use crate::elsewhere::Elsewhere;
use crate::fee_rate::FeeRate;
use crate::fees::Fees;
use crate::follow::{self, Undone};
use crate::pool::Pool;
use crate::view::{Shown, View};
use crate::{Accepted, Refused};

/// Seconds that a best block may be old for what comes then to tell of fees: three hours.
const MAX_TIP_AGE: u64 = 3 * 3_600;

/// Blocks whose transactions come back when [`Mempool::undo_with`] undoes them.
const MAX_BLOCKS_RETURNED: u32 = 10;

/// Why the mempool has no answer.
#[derive(Debug, Error)]
pub enum MempoolError {
    /// Coins could not be read.
    #[error("the mempool cannot read coins: {0}")]
    Read(#[from] ReadError),
    /// A block between two best worlds could not be read.
    #[error("the mempool cannot follow the best world: {0}")]
    Block(#[from] BlockError),
}

struct Inner {
    ledger: Ledger,
    config: MempoolConfig,
    pool: RwLock<Pool>,
    changes: Changes,
    /// See [`Mempool::run`].
    run: u64,
    elsewhere: Elsewhere,
    /// Whether the file of an earlier run was taken, or is not to be.
    loaded: AtomicBool,
    /// Held while what is known of fees is written.
    fee_file: Mutex<()>,
    /// Held while blocks are taken out by hand: the one time that who holds the pool waits for the ledger. Taken before both.
    undoing: Mutex<()>,
}

/// Transactions that wait for a block. Clones share it.
///
/// Every call is blocking and safe from any thread. Checks run while others read; only what is changed keeps readers
/// waiting.
#[derive(Clone)]
pub struct Mempool {
    inner: Arc<Inner>,
}

impl Mempool {
    /// An empty mempool on the ledger's best world.
    pub fn new(ledger: Ledger, config: MempoolConfig) -> Mempool {
        let pool = Pool::new(config, ledger.best(), ledger.clock().now());
        Mempool {
            inner: Arc::new(Inner {
                ledger,
                config,
                pool: RwLock::new(pool),
                changes: Changes::new(),
                run: RandomState::new().hash_one(0u8),
                elsewhere: Elsewhere::default(),
                loaded: AtomicBool::new(false),
                fee_file: Mutex::default(),
                undoing: Mutex::default(),
            }),
        }
    }

    /// The ledger it stands on.
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// A number of this mempool, by chance: the numbers of changes begin anew with each, and mean nothing to another.
    pub fn run(&self) -> u64 {
        self.inner.run
    }

    /// Its settings.
    pub fn config(&self) -> &MempoolConfig {
        &self.inner.config
    }

    /// Whether what an earlier run kept was taken: until then it must not be written over. O(1).
    pub fn is_loaded(&self) -> bool {
        self.inner.loaded.load(Ordering::Relaxed)
    }

    /// Says that what an earlier run kept was taken, was tried to be taken, or is not to be. O(1).
    pub fn set_loaded(&self) {
        self.inner.loaded.store(true, Ordering::Relaxed);
    }

    /// The turn of who writes what is known of fees.
    pub(crate) fn fee_file_turn(&self) -> MutexGuard<'_, ()> {
        self.inner.fee_file.lock()
    }

    /// Works on what is known of fees, while nobody reads.
    pub(crate) fn with_fees<T>(&self, work: impl FnOnce(&mut Fees) -> T) -> T {
        work(&mut self.inner.pool.write().fees)
    }

    pub(crate) fn elsewhere(&self) -> &Elsewhere {
        &self.inner.elsewhere
    }

    pub(crate) fn around(&self) -> Around<'_> {
        let ledger = &self.inner.ledger;
        let params = ledger.params();
        let now = ledger.clock().now();
        let best = ledger.best();
        let recent = u64::from(best.header().time).saturating_add(MAX_TIP_AGE) >= now;
        let known = ledger.best_header().height;
        Around {
            params,
            scripts: &**ledger.scripts(),
            now,
            up_to_date: recent
                && best.chainwork() >= params.minimum_chain_work
                && best.height().saturating_add(1) >= known,
        }
    }

    /// Moves to the best world, if it is not there: costs a read of each block in between and a check of what these held,
    /// and where blocks were undone a look at every pending transaction. Every other call does this first.
    ///
    /// Who runs a mempool calls this whenever [`Ledger::event_seq`] changes: the mempool holds on to the world it stands
    /// at, which keeps the ledger from folding what came after.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]; the mempool stays where it was.
    pub fn catch_up(&self) -> Result<(), MempoolError> {
        drop(self.view()?);
        Ok(())
    }

    fn is_behind(&self, pool: &Pool) -> bool {
        pool.world.hash() != self.inner.ledger.best().hash()
    }

    fn move_on(&self, pool: &mut Pool) -> Result<(), MempoolError> {
        let best = self.inner.ledger.best();
        if best.hash() == pool.world.hash() {
            return Ok(());
        }
        let stop = self.stop_on_the_way(&pool.world, &best);
        let (mut undone, mut applied) = (Vec::new(), Vec::new());
        for to in stop.into_iter().chain([best.clone()]) {
            let ledger = &self.inner.ledger;
            match follow::follow(pool, ledger, self.around(), to, Undone::Return) {
                Ok(step) => {
                    undone.extend(step.undone);
                    applied.extend(step.applied);
                }
                Err(BlockError::Pruned { .. }) => {
                    follow::jump(pool, best)?;
                    // Told also where nothing came or went: who follows learns that the world is another.
                    let happened = pool.take_happened();
                    self.record(pool, undone, applied, happened);
                    return Ok(());
                }
                Err(error) => {
                    self.tell(pool, undone, applied);
                    return Err(error.into());
                }
            }
        }
        self.tell(pool, undone, applied);
        Ok(())
    }

    /// Where Bitcoin Core rests on the way to another chain, and gives back what undone blocks held: at the first block
    /// with more work than where it comes from. Blocks beyond are then taken as any others.
    fn stop_on_the_way(&self, from: &World, to: &World) -> Option<World> {
        let ledger = &self.inner.ledger;
        let way = ledger.compare(from, to);
        if way.undone.is_empty() {
            return None;
        }
        let more = |hash: &&BlockHash| {
            let info = ledger.block_info(hash);
            info.is_some_and(|info| info.chainwork > from.chainwork())
        };
        let stop = way.applied.iter().find(more)?;
        ledger.world(stop).ok()
    }

    /// Takes blocks out of the best chain by hand, as Bitcoin Core's `invalidateblock` does it: first the mempool goes back
    /// block by block from the best one to below `block`, each a step of its own, and what the eleventh and later blocks
    /// held does not come back. Then `what` is run, which has to take `block` out of the ledger's best chain, and the
    /// mempool moves to the best world that there is then. Where `block` is not in the best chain, the ledger says that it
    /// cannot be taken out, or a world below it is not kept any more, that is all.
    ///
    /// Nobody else can ask the mempool meanwhile, and `what` must not.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]; from the last move `what` has been run all the same.
    pub fn undo_with<R>(
        &self,
        block: &BlockHash,
        what: impl FnOnce() -> R,
    ) -> Result<R, MempoolError> {
        let ledger = &self.inner.ledger;
        let _gate = self.inner.undoing.lock();
        let mut pool = self.inner.pool.write();
        self.move_on(&mut pool)?;
        let may = ledger.may_invalidate_block(block).is_ok();
        let mut undone = 0;
        while let Some(below) = self.below(&pool.world, block).filter(|_| may) {
            undone += 1;
            let fate = match undone <= MAX_BLOCKS_RETURNED {
                true => Undone::Return,
                false => Undone::Go,
            };
            let step = follow::follow(&mut pool, ledger, self.around(), below, fate)?;
            self.tell(&mut pool, step.undone, step.applied);
        }
        let answer = what();
        self.move_on(&mut pool)?;
        Ok(answer)
    }

    /// Does work that keeps others from the ledger and asks the mempool: blocks are not taken out by hand meanwhile, which
    /// would wait for the one with the other held.
    pub fn while_none_are_undone<T>(&self, work: impl FnOnce() -> T) -> T {
        let _gate = self.inner.undoing.lock();
        work()
    }

    /// The world below one that has `block`.
    fn below(&self, world: &World, block: &BlockHash) -> Option<World> {
        let ledger = &self.inner.ledger;
        let height = ledger.block_info(block)?.height;
        if world.block_hash_at(height)? != *block {
            return None;
        }
        let below = world.block_hash_at(world.height().checked_sub(1)?)?;
        ledger.world(&below).ok()
    }

    fn tell(&self, pool: &mut Pool, undone: Vec<BlockHash>, applied: Vec<BlockHash>) {
        let happened = pool.take_happened();
        if !happened.is_empty() || !undone.is_empty() || !applied.is_empty() {
            self.record(pool, undone, applied, happened);
        }
    }

    fn record(
        &self,
        pool: &Pool,
        undone: Vec<BlockHash>,
        applied: Vec<BlockHash>,
        happened: Vec<Happened>,
    ) {
        self.inner.changes.push(Change {
            number: 0,
            world: pool.world.hash(),
            undone,
            applied,
            happened,
        });
        self.inner.elsewhere.forget();
    }

    /// Does something to the pool, at the best world, and tells what happened.
    fn change<R>(
        &self,
        what: impl FnOnce(&mut Pool, Around<'_>) -> Result<R, MempoolError>,
    ) -> Result<R, MempoolError> {
        let mut pool = self.inner.pool.write();
        self.move_on(&mut pool)?;
        let answer = what(&mut pool, self.around());
        self.tell(&mut pool, Vec::new(), Vec::new());
        answer
    }

    /// Lets a transaction in, if all rules allow it. Costs a read of each coin and its scripts; in the pool, the work of
    /// the clusters it touches.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]; what is wrong with the transaction is in the answer.
    pub fn accept(
        &self,
        tx: &Arc<DecodedTransaction>,
    ) -> Result<Result<Accepted, Refused>, MempoolError> {
        let now = self.inner.ledger.clock().now();
        self.accept_at(tx, now)
    }

    /// The same for one that was given in here: it is noted at once that no peer has asked for it yet, so that it is told
    /// again until one does.
    ///
    /// # Errors
    ///
    /// As [`Mempool::accept`].
    pub fn accept_own(
        &self,
        tx: &Arc<DecodedTransaction>,
    ) -> Result<Result<Accepted, Refused>, MempoolError> {
        let now = self.inner.ledger.clock().now();
        self.let_in(tx, now, true)
    }

    /// The same for a transaction that came at another time, unix seconds: one that was kept over a restart.
    ///
    /// # Errors
    ///
    /// As [`Mempool::accept`].
    pub fn accept_at(
        &self,
        tx: &Arc<DecodedTransaction>,
        time: u64,
    ) -> Result<Result<Accepted, Refused>, MempoolError> {
        self.let_in(tx, time, false)
    }

    fn let_in(
        &self,
        tx: &Arc<DecodedTransaction>,
        time: u64,
        unbroadcast: bool,
    ) -> Result<Result<Accepted, Refused>, MempoolError> {
        let mut guard = self.inner.pool.upgradable_read();
        if self.is_behind(&guard) {
            let mut pool = RwLockUpgradableReadGuard::upgrade(guard);
            self.move_on(&mut pool)?;
            guard = RwLockWriteGuard::downgrade_to_upgradable(pool);
        }
        let around = self.around();
        let checked = match accept::single(&guard, around, &Terms::single(time), tx) {
            Ok(checked) => checked,
            Err(Failure::Rejected(refused)) => return Ok(Err(*refused)),
            Err(Failure::Read(error)) => return Err(error.into()),
        };
        let mut pool = RwLockUpgradableReadGuard::upgrade(guard);
        let answer = checked.commit_limited(&mut pool, around);
        if unbroadcast && answer.is_ok() {
            pool.unbroadcast_mut().insert(tx.txid);
        }
        self.tell(&mut pool, Vec::new(), Vec::new());
        Ok(answer)
    }

    /// Lets a child and its parents in, as far as the rules allow: Bitcoin Core's `submitpackage`. Costs as much as
    /// accepting each of them twice.
    ///
    /// `max_fee_rate`: a transaction that pays more is taken for a mistake.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]; what is wrong with the package is in the answer.
    pub fn accept_package(
        &self,
        package: &[Arc<DecodedTransaction>],
        max_fee_rate: Option<FeeRate>,
    ) -> Result<PackageVerdict, MempoolError> {
        self.change(|pool, around| Ok(accept::package(pool, around, max_fee_rate, package)?))
    }

    /// One moment of the mempool, at the best world. While it is held nothing can enter or leave.
    ///
    /// # Errors
    ///
    /// [`MempoolError`], as [`Mempool::catch_up`].
    pub fn view(&self) -> Result<View<'_>, MempoolError> {
        let mut guard = self.inner.pool.read();
        if self.is_behind(&guard) {
            drop(guard);
            let mut pool = self.inner.pool.write();
            self.move_on(&mut pool)?;
            guard = RwLockWriteGuard::downgrade(pool);
        }
        Ok(View {
            pool: Shown::Here(guard),
            now: self.inner.ledger.clock().now(),
            change: self.inner.changes.latest(),
        })
    }

    /// The same without waiting and without moving: `None` while somebody changes the mempool, and a moment that may lie
    /// behind the best world otherwise. For threads that must not wait. O(1).
    pub fn try_view(&self) -> Option<View<'_>> {
        Some(View {
            pool: Shown::Here(self.inner.pool.try_read()?),
            now: self.inner.ledger.clock().now(),
            change: self.inner.changes.latest(),
        })
    }

    /// What would wait at `world`, if it were the best one, in mining order: see [`Mempool::view_on`].
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn pending_on(&self, world: &World) -> Result<Vec<Arc<DecodedTransaction>>, MempoolError> {
        let view = self.view_on(world)?;
        Ok(view.transactions().cloned().collect())
    }

    /// Adds `sat` to what a transaction counts as paying, now or when it comes. Costs the linearisation of its cluster.
    ///
    /// What was added is kept until a block has the transaction, or one that it conflicts with: how much of it there is
    /// is for the operator to know.
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn prioritise(&self, txid: Txid, sat: i64) -> Result<(), MempoolError> {
        self.change(|pool, _| {
            pool.prioritise(txid, sat);
            Ok(())
        })?;
        self.inner.elsewhere.forget();
        Ok(())
    }

    /// Notes that a pending transaction was given in here and that no peer has asked for it yet; `false` takes the note
    /// back. O(1). Nothing happens where the transaction is not pending.
    pub fn set_unbroadcast(&self, txid: &Txid, unbroadcast: bool) {
        let mut pool = self.inner.pool.write();
        if !unbroadcast {
            pool.unbroadcast_mut().remove(txid);
        } else if pool.find(txid).is_some() {
            pool.unbroadcast_mut().insert(*txid);
        }
        drop(pool);
        self.inner.elsewhere.forget();
    }

    /// Takes out what waited too long, and what there is no room for. Others do this on the way; a node that nobody
    /// gives transactions calls it now and then.
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn expire(&self) -> Result<(), MempoolError> {
        self.change(|pool, around| {
            pool.limit(around.now);
            Ok(())
        })
    }

    /// At most `limit` changes after the one with this number; 0 is before the first.
    ///
    /// # Errors
    ///
    /// [`ChangesGone`]: so old ones are not kept.
    pub fn changes_after(
        &self,
        number: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, ChangesGone> {
        self.inner.changes.after(number, limit)
    }

    /// The number of the latest change; wakes those who wait for another.
    pub fn change_number(&self) -> watch::Receiver<u64> {
        self.inner.changes.watch()
    }
}
