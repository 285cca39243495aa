//! Owns what is read of a wallet at one moment, in any world.
//! Promises that one view gives one story: nothing of the wallet changes while it is held.
//! Refuses to be held long: what wants to write waits for it.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid};
use everett_ledger::{COINBASE_MATURITY, Ledger, World};
use everett_mempool::Mempool;
use parking_lot::RwLockReadGuard;

use crate::book::{Book, OwnOutput};
use crate::coins::{OwnCoin, State};
use crate::error::WalletError;
use crate::keys::{Keyring, SpentCoin};
use crate::record::Record;
use crate::slot::Slot;
use crate::spenders::Spenders;
use crate::standing::Waiting;

/// What a wallet has in one world, with what is pending there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WorldBalance {
    /// Confirmed and mature, and what of it is not spent by something pending; and the change of our own pending payments where the
    /// settings have that spent. Without what is reused.
    pub trusted: Amount,
    /// What would be trusted, were its addresses not paid from before; zero unless the wallet is to avoid those.
    pub reused: Amount,
    /// What others pay us in pending transactions, and the change of our own where it is not spent.
    pub pending: Amount,
    /// Coinbases that are too young.
    pub immature: Amount,
    /// Confirmed and mature coins, whatever is pending.
    pub confirmed: Amount,
    /// What payments of ours hold that wait, but not in the mempool; `trusted` and `pending` are without it, `immature` is not.
    pub held: Held,
    /// What of `immature` transactions of ours spend that wait in the mempool: the next block is the first that may have them.
    pub immature_spent: Amount,
    /// Coins of the world, without what is pending.
    pub coins: u64,
}

/// What payments hold that wait, but not in the mempool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Confirmed and mature coins, and change of our own pending payments where the settings have that spent.
    pub trusted: Amount,
    /// What others pay us in pending transactions, and the change of our own where it is not spent.
    pub pending: Amount,
    /// Coinbases that are too young.
    pub immature: Amount,
}

/// A coin of ours that may be spent, or is about to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spendable {
    /// Where it is.
    pub outpoint: OutPoint,
    /// Whose it is, and what it is worth.
    pub output: OwnOutput,
    /// The confirmed coin; `None` while its transaction is pending.
    pub coin: Option<OwnCoin>,
    /// Blocks from the one that made it up to the tip; 0 while it is pending.
    pub confirmations: u32,
    /// Whether it is confirmed, or change of our own payments alone where the settings have such spent.
    pub trusted: bool,
    /// Whether its owner locked it.
    pub locked: bool,
    /// Whether its address was paid from before; only looked at where the wallet is to avoid that.
    pub reused: bool,
}

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

    /// What the wallet has in a world, with what is pending there.
    ///
    /// # Errors
    ///
    /// Those of the mempool.
    pub fn balance(&self, world: &World) -> Result<WorldBalance, WalletError> {
        Ok(self.balance_in(world, &self.pending_on(world)?))
    }

    /// The same with what waits there, as [`View::pending_on`] tells it: for those that ask several questions about one moment.
    pub fn balance_in(&self, world: &World, pending: &HashSet<Txid>) -> WorldBalance {
        let state = self.state(world);
        let settled = state.balance(world.height());
        let mut balance = WorldBalance {
            trusted: settled.confirmed,
            reused: Amount::ZERO,
            pending: Amount::ZERO,
            immature: settled.immature,
            confirmed: settled.confirmed,
            held: Held::default(),
            immature_spent: Amount::ZERO,
            coins: settled.coins,
        };
        let mut trust = Trust::new(self, &state, pending);
        let spenders = self.unconfirmed_spenders(world, &state, pending);
        // Those in the mempool first: what they spend is not held by the others.
        let (waiting, held): (Vec<Txid>, Vec<Txid>) =
            spenders.iter().partition(|txid| pending.contains(*txid));
        for txid in waiting.into_iter().chain(held) {
            let Some(record) = self.record(&txid) else {
                continue;
            };
            for input in &record.tx.input {
                let Some(coin) = state.coin(&input.previous_output) else {
                    continue;
                };
                if !trust.take(input.previous_output) {
                    continue;
                }
                match (coin.is_mature(world.height()), pending.contains(&txid)) {
                    (true, true) => balance.trusted -= coin.amount,
                    (true, false) => {
                        balance.trusted -= coin.amount;
                        balance.held.trusted += coin.amount;
                    }
                    (false, true) => balance.immature_spent += coin.amount,
                    (false, false) => balance.held.immature += coin.amount,
                }
            }
        }
        for txid in pending {
            let trusted = trust.is_trusted(txid);
            for (outpoint, output) in self.unspent_outputs(txid, &state, pending) {
                let mut holders = self.spenders(&outpoint).iter();
                let is_held = holders.any(|txid| spenders.contains(txid));
                *match (trusted, is_held) {
                    (true, false) => &mut balance.trusted,
                    (false, false) => &mut balance.pending,
                    (true, true) => &mut balance.held.trusted,
                    (false, true) => &mut balance.held.pending,
                } += output.amount;
            }
        }
        let reused = self.reused_in(world, pending);
        balance.reused = reused.iter().map(|coin| coin.output.amount).sum();
        balance.trusted -= balance.reused;
        balance
    }

    /// The coins of a world that nothing of ours spends, and pending ones, by outpoint. Immature coinbases are left out.
    ///
    /// # Errors
    ///
    /// Those of the mempool.
    pub fn spendable(&self, world: &World) -> Result<Vec<Spendable>, WalletError> {
        self.spendable_without(world, None)
    }

    /// The same with what waits there, as [`View::pending_on`] tells it.
    pub fn spendable_in(&self, world: &World, pending: &HashSet<Txid>) -> Vec<Spendable> {
        self.spendable_beside(world, pending, &HashSet::new())
    }

    /// The coinbases of ours that are too young to be spent in a world, and that nothing of ours spends that waits.
    ///
    /// # Errors
    ///
    /// Those of the mempool.
    pub fn immature(&self, world: &World) -> Result<Vec<Spendable>, WalletError> {
        let state = self.state(world);
        let taken = self.taken_coins(world, &state, &self.pending_on(world)?, &HashSet::new());
        let young = state.coinbases_since((world.height() + 1).saturating_sub(COINBASE_MATURITY));
        let young = young.filter(|outpoint| !taken.contains(outpoint));
        let reused = self.paid_from();
        let coins = young.filter_map(|outpoint| Some((outpoint, *state.coin(&outpoint)?)));
        let told = coins.map(|(outpoint, coin)| Spendable {
            outpoint,
            output: OwnOutput {
                slot: coin.slot,
                amount: coin.amount,
            },
            coin: Some(coin),
            confirmations: world.height() + 1 - coin.height,
            trusted: true,
            locked: self.lock_of(&outpoint).is_some(),
            reused: reused.contains(&coin.slot),
        });
        Ok(told.collect())
    }

    /// The same as if one of our transactions, and what is built on it, did not wait.
    pub(crate) fn spendable_without(
        &self,
        world: &World,
        without: Option<Txid>,
    ) -> Result<Vec<Spendable>, WalletError> {
        let left_out: HashSet<Txid> = without.map(|txid| self.family(txid)).unwrap_or_default();
        let mut pending = self.pending_on(world)?;
        pending.retain(|txid| !left_out.contains(txid));
        Ok(self.spendable_beside(world, &pending, &left_out))
    }

    fn spendable_beside(
        &self,
        world: &World,
        pending: &HashSet<Txid>,
        left_out: &HashSet<Txid>,
    ) -> Vec<Spendable> {
        let state = self.state(world);
        let mut trust = Trust::new(self, &state, pending);
        let taken = self.taken_coins(world, &state, pending, left_out);
        let reused = self.paid_from();
        let mut spendable: BTreeMap<OutPoint, Spendable> = BTreeMap::new();
        for (outpoint, coin) in state.coins() {
            if taken.contains(outpoint) || !coin.is_mature(world.height()) {
                continue;
            }
            let found = Spendable {
                outpoint: *outpoint,
                output: OwnOutput {
                    slot: coin.slot,
                    amount: coin.amount,
                },
                coin: Some(*coin),
                confirmations: world.height() + 1 - coin.height,
                trusted: true,
                locked: self.lock_of(outpoint).is_some(),
                reused: reused.contains(&coin.slot),
            };
            spendable.insert(*outpoint, found);
        }
        for txid in pending {
            let trusted = trust.is_trusted(txid);
            for (outpoint, output) in self.unspent_outputs(txid, &state, pending) {
                if taken.contains(&outpoint) {
                    continue;
                }
                let found = Spendable {
                    outpoint,
                    output,
                    coin: None,
                    confirmations: 0,
                    trusted,
                    locked: self.lock_of(&outpoint).is_some(),
                    reused: reused.contains(&output.slot),
                };
                spendable.insert(outpoint, found);
            }
        }
        spendable.into_values().collect()
    }

    /// What would be trusted in a world, were its addresses not paid from before: nothing unless the wallet is to avoid those.
    pub(crate) fn reused_in(&self, world: &World, pending: &HashSet<Txid>) -> Vec<Spendable> {
        if !self.keyring().flags().avoid_reuse {
            return Vec::new();
        }
        let mut coins = self.spendable_in(world, pending);
        coins.retain(|coin| coin.reused && coin.trusted);
        coins
    }

    /// The addresses that were paid from, where the wallet is to avoid those.
    fn paid_from(&self) -> HashSet<Slot> {
        if !self.keyring().flags().avoid_reuse {
            return HashSet::new();
        }
        let spent = self.book.spends.iter().filter(|(_, by)| !by.is_empty());
        let ours = spent.filter_map(|(outpoint, _)| self.book.outputs.get(outpoint));
        ours.map(|output| output.slot).collect()
    }

    /// Which of the pending transactions count as ours already: they spend our own coins alone, that are confirmed or as good. None
    /// does where the settings do not have such spent.
    pub fn trusted(&self, state: &State, pending: &HashSet<Txid>) -> HashSet<Txid> {
        let mut trust = Trust::new(self, state, pending);
        let pending = pending.iter().copied();
        pending.filter(|txid| trust.is_trusted(txid)).collect()
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

    /// The records which are not confirmed in a world and hold on to what they spend: those that wait there, and those that were
    /// neither given up nor replaced and can still come: nothing that the world or the mempool has stands against them, or against
    /// what they are built on.
    pub(crate) fn unconfirmed_spenders(
        &self,
        world: &World,
        state: &State,
        pending: &HashSet<Txid>,
    ) -> HashSet<Txid> {
        let waiting = Waiting::of(pending);
        let held = |txid: &Txid| {
            let given_up = |record: &Record| record.abandoned || record.replaced_by.is_some();
            // What cannot be read is held: it must not be spent twice.
            !self.record(txid).is_none_or(given_up)
                && self.can_come(txid, world, state, &waiting).unwrap_or(true)
        };
        let loose = self.loose_in(world).into_iter();
        let loose = loose.filter(|txid| !pending.contains(txid) && held(txid));
        loose.chain(pending.iter().copied()).collect()
    }

    /// What those of them spend that are not left out.
    pub(crate) fn taken_coins(
        &self,
        world: &World,
        state: &State,
        pending: &HashSet<Txid>,
        left_out: &HashSet<Txid>,
    ) -> HashSet<OutPoint> {
        let spenders = self.unconfirmed_spenders(world, state, pending);
        let spenders = spenders.iter().filter(|txid| !left_out.contains(*txid));
        let records = spenders.filter_map(|txid| self.record(txid));
        let inputs = records.flat_map(|record| record.tx.input.iter());
        inputs.map(|input| input.previous_output).collect()
    }

    /// The outputs of a pending record that are ours and that none of these spends.
    pub(crate) fn unspent_outputs(
        &self,
        txid: &Txid,
        state: &State,
        by: &HashSet<Txid>,
    ) -> Vec<(OutPoint, OwnOutput)> {
        let Some(record) = self.record(txid) else {
            return Vec::new();
        };
        (0..record.tx.output.len() as u32)
            .map(|vout| OutPoint::new(*txid, vout))
            .filter(|outpoint| {
                let spenders = self.spenders(outpoint);
                state.spender(outpoint).is_none() && !spenders.iter().any(|txid| by.contains(txid))
            })
            .filter_map(|outpoint| Some((outpoint, self.output(&outpoint)?)))
            .collect()
    }
}

/// Which pending transactions are as good as confirmed: our own, of coins that are confirmed or as good, where the settings have
/// such spent.
struct Trust<'a> {
    book: &'a Book,
    spends_pending: bool,
    state: &'a State,
    pending: &'a HashSet<Txid>,
    known: std::collections::HashMap<Txid, bool>,
    taken: HashSet<OutPoint>,
}

impl<'a> Trust<'a> {
    fn new(view: &'a View<'_>, state: &'a State, pending: &'a HashSet<Txid>) -> Trust<'a> {
        Trust {
            book: &view.book,
            spends_pending: view.spends_pending,
            state,
            pending,
            known: Default::default(),
            taken: HashSet::new(),
        }
    }

    /// Notes that a coin is spoken for; whether it was free.
    fn take(&mut self, outpoint: OutPoint) -> bool {
        self.taken.insert(outpoint)
    }

    /// A chain of pending transactions is as long as the mempool lets it be, so that going down is not deep.
    fn is_trusted(&mut self, txid: &Txid) -> bool {
        if self.state.place(txid).is_some() {
            return true;
        }
        if !self.spends_pending {
            return false;
        }
        if let Some(known) = self.known.get(txid) {
            return *known;
        }
        // Against a loop, which no chain of transactions has.
        self.known.insert(*txid, false);
        let record = self
            .book
            .records
            .get(txid)
            .filter(|_| self.pending.contains(txid));
        let inputs: Vec<OutPoint> = match record {
            Some(record) => record
                .tx
                .input
                .iter()
                .map(|input| input.previous_output)
                .collect(),
            None => return false,
        };
        let trusted = inputs.iter().all(|outpoint| {
            self.book.outputs.contains_key(outpoint) && self.is_trusted(&outpoint.txid)
        });
        self.known.insert(*txid, trusted);
        trusted
    }
}
