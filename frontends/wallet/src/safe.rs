//! Owns what of a wallet is the same in every live world, and what a rival branch would take away.
//! Promises that a coin counted as safe can be spent in each of them: it is there, or waits there and is our own.
//! Refuses to weigh how likely a branch is: it says how many blocks it is behind.

use std::collections::{HashMap, HashSet};

use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use everett_ledger::{COINBASE_MATURITY, World};

use crate::coins::{OwnCoin, State, Touched};
use crate::error::WalletError;
use crate::payment::PaymentState;
use crate::record::Record;
use crate::spend::Lacking;
use crate::standing::Waiting;
use crate::view::View;

/// How many blocks a rival branch may be behind the best one and still be warned of, unless somebody says otherwise.
pub const DEFAULT_WARN_BLOCKS: u32 = 6;

/// What of a wallet is the same in every live world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Safe {
    /// What can be spent in the best world and in every other live one: it has those coins as mature and nothing that waits
    /// spends them, or they are of our own payments and wait. With what is at risk it is what can be spent in the best world. Where
    /// addresses that were paid from are avoided, what those have is in neither.
    pub amount: Amount,
    /// How many they are.
    pub coins: u64,
    /// What else can be spent in the best world.
    pub at_risk: Amount,
    /// Live worlds that were looked at, the best one among them.
    pub worlds: usize,
}

/// What can be spent in the best world, as far as it is not just what its blocks gave and did not take.
struct Spread {
    /// What is spent by what waits, or may come still.
    taken: HashSet<OutPoint>,
    /// Coins of our own payments that wait.
    waiting: HashMap<OutPoint, Amount>,
    /// What the addresses have that are avoided.
    reused: HashMap<OutPoint, Amount>,
    /// Of all that can be spent, what cannot be in some rival.
    at_risk: HashMap<OutPoint, Amount>,
    /// What of it each rival lacks.
    lacking: Vec<Missed>,
}

/// What a rival lacks.
struct Missed {
    tip: BlockHash,
    height: u32,
    coins: HashMap<OutPoint, Amount>,
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
        let mut lacking = doubtful;
        lacking.retain(|outpoint| {
            let coin = there.coin(outpoint);
            let there = coin.is_some_and(|coin| coin.is_mature(rival.height()));
            state.coin(outpoint).is_some() && !there
        });
        // What waits there and is our own can be spent there, too.
        let mut own = Own::new(self, &there, rival);
        lacking.retain(|outpoint| !own.can_come(&outpoint.txid));
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

    /// What can be spent in the best world, as far as it has to be looked at coin by coin.
    fn spread(&self) -> Result<Spread, WalletError> {
        let best = &self.best;
        let state = self.state(best);
        let pending = self.pending_on(best)?;
        let taken = self.taken_coins(best, &state, &pending);
        let trusted = self.trusted(&state, &pending);
        let waiting = trusted
            .iter()
            .flat_map(|txid| self.unspent_outputs(txid, &state, &pending));
        let waiting = waiting.filter(|(outpoint, _)| !taken.contains(outpoint));
        let waiting: HashMap<OutPoint, Amount> = waiting
            .map(|(outpoint, output)| (outpoint, output.amount))
            .collect();
        let reused = self.reused_in(best, &state, &pending, &taken).into_iter();
        let reused: HashMap<OutPoint, Amount> = reused
            .map(|coin| (coin.outpoint, coin.output.amount))
            .collect();
        let mut at_risk: HashMap<OutPoint, Amount> = HashMap::new();
        let mut lacking = Vec::new();
        for rival in &self.rivals {
            let settled = self.unsafe_against(rival, best, &state).into_iter();
            let settled = settled.filter(|outpoint| !taken.contains(outpoint));
            let mut here: HashMap<OutPoint, Amount> = settled
                .filter_map(|outpoint| {
                    let coin = state.coin(&outpoint)?;
                    (coin.is_mature(best.height())).then_some((outpoint, coin.amount))
                })
                .collect();
            let there = self.state(rival);
            let mut own = Own::new(self, &there, rival);
            for (outpoint, amount) in &waiting {
                // Over there it may be confirmed, and what it made spent again.
                let is_there = match there.place(&outpoint.txid) {
                    Some(_) => there.coin(outpoint).is_some(),
                    None => own.can_come(&outpoint.txid),
                };
                if !is_there {
                    here.insert(*outpoint, *amount);
                }
            }
            at_risk.extend(&here);
            lacking.push(Missed {
                tip: rival.hash(),
                height: rival.height(),
                coins: here,
            });
        }
        Ok(Spread {
            taken,
            waiting,
            reused,
            at_risk,
            lacking,
        })
    }

    /// Which coins can be spent in every live world: those that [`View::safe`] counts, and those that it leaves out as their
    /// addresses are avoided.
    ///
    /// # Errors
    ///
    /// Those of the mempool.
    pub fn is_safe(&self) -> Result<impl Fn(&OutPoint) -> bool + use<>, WalletError> {
        let state = self.state(&self.best);
        let height = self.best.height();
        let spread = self.spread()?;
        Ok(move |outpoint: &OutPoint| {
            let coin = state.coin(outpoint);
            let is_settled =
                coin.is_some_and(|coin| coin.is_mature(height)) && !spread.taken.contains(outpoint);
            (is_settled || spread.waiting.contains_key(outpoint))
                && !spread.at_risk.contains_key(outpoint)
        })
    }

    /// The coins that can be spent in the best world, and not in every live one: those that [`Safe::at_risk`] counts, and those
    /// that it leaves out as their addresses are avoided.
    ///
    /// # Errors
    ///
    /// Those of the mempool.
    pub fn coins_at_risk(&self) -> Result<HashSet<OutPoint>, WalletError> {
        Ok(self.spread()?.at_risk.into_keys().collect())
    }

    /// The live world that lacks most of what can be spent in the best one, with what that is worth; `use_reused`: also what is
    /// at addresses that are avoided.
    pub(crate) fn world_that_lacks(
        &self,
        use_reused: bool,
    ) -> Result<Option<Lacking>, WalletError> {
        let spread = self.spread()?;
        let counts = |outpoint: &OutPoint| use_reused || !spread.reused.contains_key(outpoint);
        let lacking = spread.lacking.iter().map(|missed| {
            let coins = missed.coins.iter();
            let coins = coins.filter(|(outpoint, _)| counts(outpoint));
            Lacking {
                tip: missed.tip,
                height: missed.height,
                amount: coins.map(|(_, amount)| *amount).sum(),
            }
        });
        let lacking = lacking.filter(|lacking| lacking.amount > Amount::ZERO);
        Ok(lacking.max_by_key(|lacking| lacking.amount))
    }

    /// What of the wallet can be spent in every live world.
    ///
    /// # Errors
    ///
    /// Those of the mempool.
    pub fn safe(&self) -> Result<Safe, WalletError> {
        let height = self.best.height();
        let state = self.state(&self.best);
        let settled = state.balance(height);
        let spread = self.spread()?;
        let mut amount = settled.confirmed;
        let mut coins = settled.coins - state.immature_coins(height);
        let spent = spread
            .taken
            .iter()
            .filter_map(|outpoint| state.coin(outpoint));
        for coin in spent.filter(|coin| coin.is_mature(height)) {
            amount -= coin.amount;
            coins -= 1;
        }
        for own in spread.waiting.values() {
            amount += *own;
            coins += 1;
        }
        for (outpoint, reused) in &spread.reused {
            if !spread.at_risk.contains_key(outpoint) {
                amount -= *reused;
                coins -= 1;
            }
        }
        let all_at_risk: Amount = spread.at_risk.values().copied().sum();
        let at_risk =
            (spread.at_risk.iter()).filter(|(outpoint, _)| !spread.reused.contains_key(*outpoint));
        Ok(Safe {
            amount: amount - all_at_risk,
            coins: coins - spread.at_risk.len() as u64,
            at_risk: at_risk.map(|(_, amount)| *amount).sum(),
            worlds: self.rivals.len() + 1,
        })
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

    /// What a rival would change. Of what would wait there as little is looked at as will do: most payments spend coins that the
    /// rival has, and can come there whatever else does.
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
        let mut undone: Vec<&Touched> = undone.map(|block| &**block).collect();
        undone.reverse();
        let undone = undone.into_iter();
        let mut txids: Vec<Txid> = undone
            .flat_map(|block| block.transactions.iter().map(|(_, txid)| *txid))
            .collect();
        // What waits on the best chain may be spent otherwise over there.
        let mut waiting: Vec<&Record> = (pending.iter())
            .filter_map(|txid| self.record(txid))
            .collect();
        waiting.sort_by_key(|record| record.order);
        txids.extend(waiting.iter().map(|record| record.txid));
        let mut can_come: HashSet<Txid> = HashSet::new();
        let mut elsewhere: Option<Waiting<'_>> = None;
        let mut payments = Vec::new();
        for txid in txids {
            let Some(record) = self.record(&txid).filter(|_| there.place(&txid).is_none()) else {
                continue;
            };
            if !record.tx.is_coinbase() && self.has_all(rival, record, &can_come)? {
                can_come.insert(txid);
                continue;
            }
            if elsewhere.is_none() {
                elsewhere = Some(self.waiting_on(rival)?);
            }
            let Some(waiting) = &elsewhere else {
                continue;
            };
            match self.state_of(&txid, rival, &there, waiting)? {
                PaymentState::Confirmed { .. } | PaymentState::Pending { .. } => {}
                against => payments.push((txid, against)),
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

impl View<'_> {
    /// Whether a world has all that a transaction spends, or gets it from these. They come out of one chain and one mempool: none
    /// of them spends what another does.
    fn has_all(
        &self,
        world: &World,
        record: &Record,
        can_come: &HashSet<Txid>,
    ) -> Result<bool, WalletError> {
        for input in &record.tx.input {
            let spent = &input.previous_output;
            if !can_come.contains(&spent.txid) && world.coin(spent)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Which transactions of ours, of the best world, are our own in another one, as far as that was asked.
pub(crate) struct Own<'a> {
    view: &'a View<'a>,
    there: &'a State,
    world: &'a World,
    known: HashMap<Txid, bool>,
}

impl<'a> Own<'a> {
    pub(crate) fn new(view: &'a View<'a>, there: &'a State, world: &'a World) -> Own<'a> {
        Own {
            view,
            there,
            world,
            known: HashMap::new(),
        }
    }

    /// Whether a transaction is our own there, too, and can come: it spends our coins alone, that are there and mature, or come
    /// likewise.
    pub(crate) fn can_come(&mut self, txid: &Txid) -> bool {
        let mut stack = vec![*txid];
        while let Some(txid) = stack.last().copied() {
            // Parents first: a chain of them may be longer than the program's stack is deep.
            match self.judge(&txid) {
                Ok(can_come) => {
                    self.known.insert(txid, can_come);
                    stack.pop();
                }
                Err(parent) => stack.push(parent),
            }
        }
        self.known.get(txid).copied().unwrap_or(false)
    }

    /// Whether it can come, or a parent that has to be judged before.
    fn judge(&self, txid: &Txid) -> Result<bool, Txid> {
        if let Some(known) = self.known.get(txid) {
            return Ok(*known);
        }
        let record = self.view.record(txid);
        let Some(record) = record.filter(|record| !record.tx.is_coinbase()) else {
            return Ok(false);
        };
        if self.there.place(txid).is_some() {
            // It is there, and what it made is spent or too young.
            return Ok(false);
        }
        for input in &record.tx.input {
            let spent = &input.previous_output;
            let coin = self.there.coin(spent);
            if coin.is_some_and(|coin| coin.is_mature(self.world.height())) {
                continue;
            }
            if self.view.output(spent).is_none() || coin.is_some() {
                return Ok(false);
            }
            match self.known.get(&spent.txid) {
                Some(true) => {}
                Some(false) => return Ok(false),
                None => return Err(spent.txid),
            }
        }
        Ok(true)
    }
}
