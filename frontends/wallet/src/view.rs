//! Owns what is read of a wallet at one moment, in any world.
//! Promises that one view gives one story: nothing of the wallet changes while it is held.
//! Refuses to be held long: what wants to write waits for it.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::{OutPoint, ScriptBuf, TxOut, Txid};
use everett_ledger::{Ledger, World};
use everett_mempool::Mempool;
use parking_lot::RwLockReadGuard;

use crate::book::{Book, OwnOutput};
use crate::coins::State;
use crate::error::WalletError;
use crate::keys::{Keyring, SpentCoin};
use crate::record::Record;
use crate::spenders::Spenders;

/// What is read of a wallet at one moment.
pub struct View<'a> {
    pub(crate) book: RwLockReadGuard<'a, Book>,
    /// The best world when it was taken.
    pub(crate) best: World,
    /// The other live ones at that time.
    pub(crate) rivals: Vec<World>,
    pub(crate) ledger: &'a Ledger,
    pub(crate) mempool: &'a Mempool,
    /// Who spends what in blocks that were read for it.
    pub(crate) spenders: Spenders,
    /// Whether change of our own pending payments is spent, see
    /// [`WalletConfig::spend_pending_change`](crate::WalletConfig::spend_pending_change).
    pub(crate) spends_pending: bool,
}

impl View<'_> {
    /// The height from which on blocks have still to be looked into, if a scan is owed.
    pub fn owed_scan(&self) -> Option<u32> {
        self.book.owed.as_ref().map(|owed| owed.from)
    }

    /// The heights that were missed by it, see [`Wallet::missed_scan`](crate::Wallet::missed_scan).
    pub fn missed_scan(&self) -> Option<Range<u32>> {
        self.book.missed.clone()
    }

    /// The best world at the view's moment.
    pub fn best(&self) -> &World {
        &self.best
    }

    /// The other live worlds at that moment: the validated ends of all branches inside the horizon.
    pub fn rivals(&self) -> &[World] {
        &self.rivals
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.book.keyring
    }

    /// How long the private part stays open: `None` while it is locked, and without a passphrase.
    pub fn unlocked_for(&self) -> Option<Duration> {
        let open = self.book.unlocked.as_ref()?;
        // Its time may be over while somebody has the turn to look into blocks with it.
        Some(open.until.saturating_duration_since(Instant::now()))
    }

    /// Until when the private part stays open, in seconds since 1970 by the node's clock as it was when it was opened: `None`
    /// while it is locked, and without a passphrase.
    pub fn unlocked_until(&self) -> Option<u64> {
        self.book.unlocked.as_ref().map(|open| open.told)
    }

    /// What is remembered of a transaction.
    pub fn record(&self, txid: &Txid) -> Option<&Record> {
        self.book.records.get(txid)
    }

    /// All transactions, in the order in which the wallet came to know of them.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        let known = self.book.by_order.values();
        known.filter_map(|txid| self.book.records.get(txid))
    }

    /// An output of one of our transactions, if it is ours.
    pub fn output(&self, outpoint: &OutPoint) -> Option<OwnOutput> {
        self.book.outputs.get(outpoint).copied()
    }

    /// What a coin is, ours or not, with the transaction that made it where the wallet or the mempool has that.
    pub fn spent_coin(&self, outpoint: &OutPoint) -> Option<SpentCoin> {
        let ours = self.record(&outpoint.txid).map(|record| record.tx.clone());
        let known = ours.or_else(|| {
            let view = self.mempool.view().ok()?;
            let waits = view.transaction(&outpoint.txid)?;
            Some(Arc::new(waits.tx.clone()))
        });
        if let Some(tx) = known {
            return Some(SpentCoin {
                output: tx.output.get(outpoint.vout as usize)?.clone(),
                transaction: Some((*tx).clone()),
            });
        }
        let coin = self.best.coin(outpoint).ok()??;
        let script_pubkey = ScriptBuf::from_bytes(coin.script_pubkey.as_bytes().to_vec());
        Some(SpentCoin {
            output: TxOut {
                value: coin.amount,
                script_pubkey,
            },
            transaction: None,
        })
    }

    /// The transactions of ours that spend an output, of whatever world.
    pub fn spenders(&self, outpoint: &OutPoint) -> &[Txid] {
        self.book.spends.get(outpoint).map_or(&[], Vec::as_slice)
    }

    /// Whether the owner locked a coin; and if so whether that outlasts the run.
    pub fn lock_of(&self, outpoint: &OutPoint) -> Option<bool> {
        self.book.locked.get(outpoint).copied()
    }

    /// The locked coins, by outpoint.
    pub fn locked(&self) -> Vec<OutPoint> {
        let mut locked: Vec<OutPoint> = self.book.locked.keys().copied().collect();
        locked.sort();
        locked
    }

    /// What blocks gave and took, in a world.
    pub fn state(&self, world: &World) -> State {
        self.book.timeline.at(world)
    }

    /// The transactions of ours that wait, and that the block after `world` could have.
    ///
    /// # Errors
    ///
    /// Those of the mempool.
    pub fn pending_on(&self, world: &World) -> Result<HashSet<Txid>, WalletError> {
        Ok(self.waiting_on(world)?.into_ours())
    }

    /// A transaction of ours, and all of ours that are built on it.
    pub fn family(&self, txid: Txid) -> HashSet<Txid> {
        let mut family = HashSet::from([txid]);
        let mut waiting = vec![txid];
        while let Some(txid) = waiting.pop() {
            let outputs = self
                .record(&txid)
                .map_or(0, |record| record.tx.output.len());
            // A transaction has fewer outputs than a u32 counts.
            for vout in 0..outputs as u32 {
                let spenders = self.spenders(&OutPoint::new(txid, vout));
                waiting.extend(spenders.iter().filter(|spender| family.insert(**spender)));
            }
        }
        family
    }
}
