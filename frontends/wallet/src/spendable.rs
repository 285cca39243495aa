//! Owns which coins a wallet could spend in a world.
//! Promises that what waits, or may come still, has what it spends.
//! Refuses to choose among them, which [`spend`](crate::spend) does.

use std::collections::{BTreeMap, HashSet};

use bitcoin::{OutPoint, Txid};
use everett_ledger::{COINBASE_MATURITY, World};

use crate::book::OwnOutput;
use crate::coins::{OwnCoin, State};
use crate::error::WalletError;
use crate::record::Record;
use crate::slot::Slot;
use crate::standing::Waiting;
use crate::trust::Trust;
use crate::view::View;

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

impl View<'_> {
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
        let state = self.state(world);
        let taken = self.taken_coins(world, &state, pending);
        self.spendable_beside(world, &state, pending, &taken)
    }

    /// The coinbases of ours that are too young to be spent in a world, and that nothing of ours spends that waits.
    ///
    /// # Errors
    ///
    /// Those of the mempool.
    pub fn immature(&self, world: &World) -> Result<Vec<Spendable>, WalletError> {
        let state = self.state(world);
        let taken = self.taken_coins(world, &state, &self.pending_on(world)?);
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
        let state = self.state(world);
        let mut spenders = self.unconfirmed_spenders(world, &state, &pending);
        spenders.retain(|txid| !left_out.contains(txid));
        let taken = self.spent_by(&spenders);
        Ok(self.spendable_beside(world, &state, &pending, &taken))
    }

    /// Those coins of a world, and of what waits there, that are not taken.
    fn spendable_beside(
        &self,
        world: &World,
        state: &State,
        pending: &HashSet<Txid>,
        taken: &HashSet<OutPoint>,
    ) -> Vec<Spendable> {
        let mut trust = Trust::new(self, state, pending);
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
            for (outpoint, output) in self.unspent_outputs(txid, state, pending) {
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
    /// `taken`: what is spent there. It is given, for the mempool may have changed since its owner asked.
    pub(crate) fn reused_in(
        &self,
        world: &World,
        state: &State,
        pending: &HashSet<Txid>,
        taken: &HashSet<OutPoint>,
    ) -> Vec<Spendable> {
        if !self.keyring().flags().avoid_reuse {
            return Vec::new();
        }
        let mut coins = self.spendable_beside(world, state, pending, taken);
        coins.retain(|coin| coin.reused && coin.trusted);
        coins
    }

    /// Whether a coin of ours is at an address that was paid from, where the wallet is to avoid those.
    pub fn was_paid_from(&self) -> impl Fn(&OutPoint) -> bool {
        let reused = self.paid_from();
        move |outpoint| {
            let output = self.output(outpoint);
            output.is_some_and(|output| reused.contains(&output.slot))
        }
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

    /// What they spend.
    pub(crate) fn taken_coins(
        &self,
        world: &World,
        state: &State,
        pending: &HashSet<Txid>,
    ) -> HashSet<OutPoint> {
        self.spent_by(&self.unconfirmed_spenders(world, state, pending))
    }

    /// What transactions of ours spend.
    pub(crate) fn spent_by(&self, spenders: &HashSet<Txid>) -> HashSet<OutPoint> {
        let records = spenders.iter().filter_map(|txid| self.record(txid));
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
