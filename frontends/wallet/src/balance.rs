//! Owns what a wallet has in a world, added up.
//! Promises that what waits and what is held by it is counted once.

use std::collections::HashSet;

use bitcoin::{Amount, Txid};
use everett_ledger::World;

use crate::error::WalletError;
use crate::trust::Trust;
use crate::view::View;

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

impl View<'_> {
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
        let taken = self.spent_by(&spenders);
        let reused = self.reused_in(world, &state, pending, &taken);
        balance.reused = reused.iter().map(|coin| coin.output.amount).sum();
        balance.trusted -= balance.reused;
        balance
    }
}
