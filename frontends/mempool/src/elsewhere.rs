//! Owns the mempools of other worlds than the best one: what would wait there, if they were it.
//! Promises what a reorganisation to that world would leave, by the very step that makes one; the pool itself stays as it
//! is. Refuses to keep more than [`MAX_ELSEWHERE`] of them, and any of them once the pool is another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bitcoin::BlockHash;
use everett_ledger::{BlockError, World};
use parking_lot::Mutex;

use crate::follow::{self, Undone};
use crate::mempool::{Mempool, MempoolError};
use crate::pool::Pool;
use crate::view::{Shown, View};

/// Worlds whose mempools are kept for the next question. Each takes what the indices of the pool take, and what undone
/// blocks give back there ([`MAX_RETURNED_BYTES`](crate::MAX_RETURNED_BYTES)); the transactions that wait here are shared.
pub const MAX_ELSEWHERE: usize = 16;
/// Of those, how many are kept however large they are; more only while they have no more transactions together than
/// [`MAX_ELSEWHERE_TRANSACTIONS`].
const ALWAYS_KEPT: usize = 4;
/// Transactions of the mempools that are kept, beyond the first few.
pub const MAX_ELSEWHERE_TRANSACTIONS: usize = 100_000;

/// The mempools that were asked for last.
#[derive(Default)]
pub(crate) struct Elsewhere {
    /// The latest one last.
    kept: Mutex<Vec<(BlockHash, Arc<Pool>)>>,
    /// Counts what happened to the pool.
    version: AtomicU64,
    /// Held while one is made: who asks meanwhile waits for it rather than making it, too.
    making: Mutex<()>,
}

impl Elsewhere {
    /// The pool is another one: nothing of this holds any more. The worlds are let go, so that the ledger can fold them.
    pub(crate) fn forget(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
        self.kept.lock().clear();
    }

    fn find(&self, hash: &BlockHash) -> Option<Arc<Pool>> {
        let kept = self.kept.lock();
        let found = kept.iter().find(|(of, _)| of == hash);
        found.map(|(_, pool)| pool.clone())
    }

    /// Keeps one that was made of the pool as it was at `version`.
    fn keep(&self, version: u64, hash: BlockHash, pool: &Arc<Pool>) {
        let mut kept = self.kept.lock();
        if self.version.load(Ordering::Acquire) != version {
            return;
        }
        kept.push((hash, pool.clone()));
        let is_full = |kept: &[(BlockHash, Arc<Pool>)]| {
            let transactions: usize = kept.iter().map(|(_, pool)| pool.len()).sum();
            kept.len() > MAX_ELSEWHERE
                || (kept.len() > ALWAYS_KEPT && transactions > MAX_ELSEWHERE_TRANSACTIONS)
        };
        while is_full(&kept) {
            kept.remove(0);
        }
    }
}

impl Mempool {
    /// One moment of the mempool as it would be if `world` were the best one: what waits and still fits there, and what
    /// the best chain has and that one has not. What a reorganisation to it would leave, that is; nothing happens.
    ///
    /// The best world's is [`Mempool::view`]. Others are made by a copy of the indices and the work of the reorganisation,
    /// and kept until the mempool changes, at most [`MAX_ELSEWHERE`] of them: who asks again pays nothing. Nobody waits
    /// for such a view.
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn view_on(&self, world: &World) -> Result<View<'_>, MempoolError> {
        let view = self.view()?;
        let hash = world.hash();
        if view.world().hash() == hash {
            return Ok(view);
        }
        let (now, change) = (view.now, view.change);
        drop(view);
        let shown = |pool| View {
            pool: Shown::Elsewhere(pool),
            now,
            change,
        };
        let elsewhere = self.elsewhere();
        if let Some(pool) = elsewhere.find(&hash) {
            return Ok(shown(pool));
        }
        let _turn = elsewhere.making.lock();
        if let Some(pool) = elsewhere.find(&hash) {
            return Ok(shown(pool));
        }
        // The version first: what changes after it makes this one too old to be kept.
        let version = elsewhere.version.load(Ordering::Acquire);
        let mut pool = self.view()?.pool.copied();
        self.move_copy(&mut pool, world)?;
        let pool = Arc::new(pool);
        elsewhere.keep(version, hash, &pool);
        Ok(shown(pool))
    }

    fn move_copy(&self, pool: &mut Pool, world: &World) -> Result<(), MempoolError> {
        let around = self.around();
        let sequence = pool.sequence();
        match follow::follow(pool, self.ledger(), around, world.clone(), Undone::Return) {
            Ok(_) => {}
            Err(BlockError::Pruned { .. }) => follow::jump(pool, world.clone())?,
            Err(error) => return Err(error.into()),
        }
        pool.is_imagined(sequence);
        Ok(())
    }
}
