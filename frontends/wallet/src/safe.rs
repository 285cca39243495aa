//! Owns what of a wallet is the same in every live world, and what a rival branch would take away.
//! Promises that a coin counted as safe can be spent in each of them: it is there, or waits there and is our own.
//! Refuses to weigh how likely a branch is: it says how many blocks it is behind.

use std::collections::HashSet;

use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use everett_ledger::{COINBASE_MATURITY, World};

use crate::coins::{OwnCoin, State};
use crate::error::WalletError;
use crate::payment::PaymentState;
use crate::record::Record;
use crate::spend::Lacking;
use crate::view::View;

/// How many blocks a rival branch may be behind the best one and still be warned of, unless somebody says otherwise.
pub const DEFAULT_WARN_BLOCKS: u32 = 6;

/// What of a wallet is the same in every live world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Safe {
    /// The mature coins of the best world that can be spent in every live world: it has them as mature, or they are of our own
    /// payments and wait there.
    pub amount: Amount,
    /// How many they are.
    pub coins: u64,
    /// The other mature coins of the best world.
    pub at_risk: Amount,
    /// Live worlds that were looked at, the best one among them.
    pub worlds: usize,
}

/// What a rival branch would change if it became the best one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// The branch's tip.
    pub tip: BlockHash,
    /// Its height.
    pub height: u32,
    /// How many blocks it is behind the best tip; negative if it is ahead in blocks and not in work.
    pub behind: i64,
    /// The last block that it shares with the best chain.
    pub fork: BlockHash,
    /// Height of that block.
    pub fork_height: u32,
    /// The coins of the best world that it does not have, by outpoint.
    pub lost: Vec<(OutPoint, OwnCoin)>,
    /// What those are worth.
    pub lost_amount: Amount,
    /// The payments that are confirmed or pending in the best world, and that something stands against there, or that cannot
    /// be there.
    pub payments: Vec<(Txid, PaymentState)>,
}

impl Warning {
    /// Whether something of ours is spent by somebody else there, or was received and is spent otherwise there.
    pub fn has_double_spend(&self) -> bool {
        let stands_against =
            |(_, state): &(Txid, PaymentState)| matches!(state, PaymentState::Conflicted { .. });
        self.payments.iter().any(stands_against)
    }
}

impl View<'_> {
    /// The coins of the best world that could not be spent in a rival: it does not have them, they are not mature there, or they
    /// wait there and are not our own, so that their sender can still pay somebody else.
    ///
    /// They are among those that the best branch made since the fork and those that the rival spent since, and coinbases:
    /// nothing else is looked at.
    fn unsafe_against(&self, rival: &World, best: &World, state: &State) -> HashSet<OutPoint> {
        let there = self.state(rival);
        let fork_height = self.ledger.compare(best, rival).fork_height;
        let timeline = &self.book.timeline;
        let made = timeline
            .down_from(best, best.height())
            .take_while(|block| block.height > fork_height)
            .flat_map(|block| block.created.iter().map(|(outpoint, _)| *outpoint));
        let spent = timeline
            .down_from(rival, rival.height())
            .take_while(|block| block.height > fork_height)
            .flat_map(|block| block.spent.iter().map(|(outpoint, _)| *outpoint));
        let young = state.coinbases_since((rival.height() + 1).saturating_sub(COINBASE_MATURITY));
        let doubtful: HashSet<OutPoint> = made.chain(spent).chain(young).collect();
        let mut lacking: HashSet<OutPoint> = doubtful
            .into_iter()
            .filter(|outpoint| state.coin(outpoint).is_some())
            .filter(|outpoint| {
                let coin = there.coin(outpoint);
                !coin.is_some_and(|coin| coin.is_mature(rival.height()))
            })
            .collect();
        let not_made = |outpoint: &OutPoint| there.place(&outpoint.txid).is_none();
        if lacking.iter().any(not_made)
            // Where that cannot be told nothing waits.
            && let Ok(pending) = self.pending_on(rival)
        {
            let trusted = self.trusted(&there, &pending);
            let taken: HashSet<OutPoint> = (pending.iter())
                .filter_map(|txid| self.record(txid))
                .flat_map(|record| record.tx.input.iter().map(|input| input.previous_output))
                .collect();
            lacking.retain(|outpoint| {
                !not_made(outpoint) || !trusted.contains(&outpoint.txid) || taken.contains(outpoint)
            });
        }
        lacking
    }

    /// The coins of the best world that could not be spent in some live world: it does not have them, they are not mature there,
    /// or they wait there and are not our own.
    pub fn unsafe_coins(&self) -> HashSet<OutPoint> {
        let best = &self.best;
        let state = self.state(best);
        let each = (self.rivals.iter()).map(|rival| self.unsafe_against(rival, best, &state));
        each.flatten().collect()
    }

    /// The live world that lacks most of what the best one has, with what that is worth.
    pub(crate) fn world_that_lacks(&self, best: &World) -> Option<Lacking> {
        let state = self.state(best);
        let lacking = self.rivals.iter().map(|rival| {
            let coins = self.unsafe_against(rival, best, &state);
            let amounts = coins.iter().filter_map(|outpoint| state.coin(outpoint));
            Lacking {
                tip: rival.hash(),
                height: rival.height(),
                amount: amounts.map(|coin| coin.amount).sum(),
            }
        });
        let lacking = lacking.filter(|lacking| lacking.amount > Amount::ZERO);
        lacking.max_by_key(|lacking| lacking.amount)
    }

    /// What of the wallet is the same in every live world, without what is pending.
    pub fn safe(&self) -> Safe {
        let best = &self.best;
        let state = self.state(best);
        let settled = state.balance(best.height());
        let mature = |outpoint: &OutPoint| {
            let coin = state.coin(outpoint)?;
            coin.is_mature(best.height()).then_some(coin.amount)
        };
        let (mut at_risk, mut coins_at_risk) = (Amount::ZERO, 0);
        for amount in self.unsafe_coins().iter().filter_map(mature) {
            at_risk += amount;
            coins_at_risk += 1;
        }
        let immature = state.immature_coins(best.height());
        Safe {
            amount: settled.confirmed - at_risk,
            coins: settled.coins - immature - coins_at_risk,
            at_risk,
            worlds: self.rivals.len() + 1,
        }
    }

    /// What every rival branch that is at most `blocks` behind the best tip would change, the one with the most work first.
    /// Those that change nothing are left out.
    ///
    /// # Errors
    ///
    /// Those of the ledger and of the mempool.
    pub fn warnings(&self, blocks: u32) -> Result<Vec<Warning>, WalletError> {
        let best = &self.best;
        let state = self.state(best);
        let close = |rival: &&World| rival.height().saturating_add(blocks) >= best.height();
        let mut rivals = self.rivals.iter().filter(close).peekable();
        if rivals.peek().is_none() {
            return Ok(Vec::new());
        }
        let pending = self.pending_on(best)?;
        let mut warnings = Vec::new();
        for rival in rivals {
            warnings.extend(self.warning(rival, best, &state, &pending)?);
        }
        Ok(warnings)
    }

    fn warning(
        &self,
        rival: &World,
        best: &World,
        state: &State,
        pending: &HashSet<Txid>,
    ) -> Result<Option<Warning>, WalletError> {
        let comparison = self.ledger.compare(best, rival);
        let there = self.state(rival);
        let mut lost: Vec<(OutPoint, OwnCoin)> = (self.unsafe_against(rival, best, state).iter())
            .filter(|outpoint| there.coin(outpoint).is_none())
            .filter_map(|outpoint| Some((*outpoint, *state.coin(outpoint)?)))
            .collect();
        lost.sort_by_key(|(outpoint, _)| *outpoint);
        let undone = self.book.timeline.down_from(best, best.height());
        let undone = undone.take_while(|block| block.height > comparison.fork_height);
        let mut txids: Vec<Txid> = undone
            .flat_map(|block| block.transactions.iter().map(|(_, txid)| *txid))
            .collect();
        // What waits on the best chain may be spent otherwise over there.
        let mut waiting: Vec<&Record> = (pending.iter())
            .filter_map(|txid| self.record(txid))
            .collect();
        waiting.sort_by_key(|record| record.order);
        txids.extend(waiting.iter().map(|record| record.txid));
        // Those that it has, too, need no look at what would wait there.
        txids.retain(|txid| self.record(txid).is_some() && there.place(txid).is_none());
        let mut payments = Vec::new();
        if !txids.is_empty() {
            let waiting = self.waiting_on(rival)?;
            for txid in txids {
                match self.state_of(&txid, rival, &there, &waiting)? {
                    PaymentState::Confirmed { .. } | PaymentState::Pending { .. } => {}
                    against => payments.push((txid, against)),
                }
            }
        }
        if lost.is_empty() && payments.is_empty() {
            return Ok(None);
        }
        Ok(Some(Warning {
            tip: rival.hash(),
            height: rival.height(),
            behind: i64::from(best.height()) - i64::from(rival.height()),
            fork: comparison.fork_hash,
            fork_height: comparison.fork_height,
            lost_amount: lost.iter().map(|(_, coin)| coin.amount).sum(),
            lost,
            payments,
        }))
    }
}
