//! Owns what is known of the mempool without asking it: its transactions, as its changes tell of them.
//! Promises never to wait for the mempool, and that what is in it is what some moment of the mempool was.
//! Refuses to order them: who needs the mining order looks into the mempool, when that is to be had.

use std::collections::HashMap;
use std::sync::Arc;

use bitcoin::{BlockHash, Txid, Wtxid};
use everett_ledger::decode::DecodedTransaction;
use everett_mempool::{Change, Happened, Mempool};
use foldhash::fast::RandomState;

use super::requests::TransactionId;

/// Changes that are taken at a time.
const CHANGES_TAKEN: usize = 1_000;

/// A transaction that the mempool holds.
#[derive(Clone, Debug)]
pub(crate) struct Relayed {
    pub(crate) tx: Arc<DecodedTransaction>,
    /// Satoshis.
    pub(crate) fee: i64,
    /// Virtual bytes.
    pub(crate) vsize: i64,
    /// The mempool's sequence when it came; 0 for what an undone block gave back.
    pub(crate) sequence: u64,
    /// Some peer has taken it since it came or was told anew.
    pub(crate) taken: bool,
}

/// What has changed since it was last looked at.
#[derive(Default, Debug)]
pub(crate) struct News {
    /// The changes that were heard, oldest first.
    pub(crate) changes: Vec<Arc<Change>>,
    /// The mempool stands on another world, and no change says by which blocks it came there.
    pub(crate) leap: Option<Leap>,
}

/// A step from world to world whose blocks were not told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Leap {
    /// Where it stood before; `None` if it was never looked at.
    pub(crate) from: Option<BlockHash>,
    /// Where it stands.
    pub(crate) to: BlockHash,
    /// The number of the change by which it did at the latest.
    pub(crate) change: u64,
}

impl News {
    fn leapt(&mut self, leap: Leap) {
        // Several are one: what is between was not heard either.
        let from = self.leap.take().map_or(leap.from, |first| first.from);
        self.leap = Some(Leap { from, ..leap });
    }
}

/// What the mempool holds, as far as it was heard.
#[derive(Default)]
pub(crate) struct Pending {
    by_txid: HashMap<Txid, Relayed, RandomState>,
    by_wtxid: HashMap<Wtxid, Txid, RandomState>,
    /// Number of the last change that is in it.
    change: u64,
    /// The world that it fits to; `None` before it was read.
    world: Option<BlockHash>,
    /// The mempool's next sequence.
    sequence: u64,
    /// Changes were missed: all is to be read anew.
    stale: bool,
}

impl Pending {
    /// What a mempool holds; read as soon as it can be without waiting.
    pub(crate) fn new() -> Pending {
        Pending {
            stale: true,
            sequence: 1,
            ..Pending::default()
        }
    }

    /// Takes what has changed. If so much was missed that all had to be read anew, there are no changes to tell, but maybe a
    /// leap.
    pub(crate) fn follow(&mut self, mempool: &Mempool) -> News {
        let mut news = News::default();
        if self.stale && !self.read(mempool, &mut news) {
            return news;
        }
        loop {
            match mempool.changes_after(self.change, CHANGES_TAKEN) {
                Ok(changes) if changes.is_empty() => return news,
                Ok(changes) => {
                    for change in &changes {
                        self.take(change, &mut news);
                    }
                    news.changes.extend(changes);
                }
                Err(_) => {
                    self.stale = true;
                    self.read(mempool, &mut news);
                    return news;
                }
            }
        }
    }

    /// Whether it could be read.
    fn read(&mut self, mempool: &Mempool, news: &mut News) -> bool {
        let Some(view) = mempool.try_view() else {
            return false;
        };
        let from = self.world;
        *self = Pending {
            change: view.change_number(),
            world: Some(view.world().hash()),
            sequence: view.sequence(),
            ..Pending::default()
        };
        for one in view.relayed() {
            self.insert(Relayed {
                tx: one.tx.clone(),
                fee: one.fee,
                vsize: one.vsize as i64,
                sequence: one.sequence,
                taken: false,
            });
        }
        if from != self.world {
            news.leapt(Leap {
                from,
                to: view.world().hash(),
                change: self.change,
            });
        }
        true
    }

    /// As if more had changed than the mempool keeps.
    #[cfg(test)]
    pub(crate) fn lose_track(&mut self) {
        self.stale = true;
    }

    fn insert(&mut self, one: Relayed) {
        self.by_wtxid.insert(one.tx.wtxid, one.tx.txid);
        self.by_txid.insert(one.tx.txid, one);
    }

    fn take(&mut self, change: &Change, news: &mut News) {
        self.change = change.number;
        let from = self.world.replace(change.world);
        // So it is when the blocks on the way are pruned.
        if from != self.world && change.undone.is_empty() && change.applied.is_empty() {
            news.leapt(Leap {
                from,
                to: change.world,
                change: change.number,
            });
        }
        for happened in &change.happened {
            self.sequence = self.sequence.max(happened.sequence() + 1);
            match happened {
                Happened::Entered {
                    tx,
                    fee,
                    vsize,
                    sequence,
                    returned,
                } => self.insert(Relayed {
                    tx: tx.clone(),
                    fee: *fee,
                    vsize: *vsize as i64,
                    sequence: if *returned { 0 } else { *sequence },
                    taken: false,
                }),
                Happened::Left { tx, .. } => {
                    self.by_txid.remove(&tx.txid);
                    self.by_wtxid.remove(&tx.wtxid);
                }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_txid.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_txid.is_empty()
    }

    /// The mempool's next sequence.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn contains(&self, id: &TransactionId) -> bool {
        match id {
            TransactionId::Txid(txid) => self.by_txid.contains_key(txid),
            TransactionId::Wtxid(wtxid) => self.by_wtxid.contains_key(wtxid),
        }
    }

    pub(crate) fn get(&self, id: &TransactionId) -> Option<&Relayed> {
        match id {
            TransactionId::Txid(txid) => self.by_txid.get(txid),
            TransactionId::Wtxid(wtxid) => self.by_txid.get(self.by_wtxid.get(wtxid)?),
        }
    }

    pub(crate) fn get_mut(&mut self, txid: &Txid) -> Option<&mut Relayed> {
        self.by_txid.get_mut(txid)
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Relayed> {
        self.by_txid.values()
    }
}

#[cfg(test)]
mod tests;
