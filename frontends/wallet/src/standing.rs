//! Owns the question what becomes of a transaction of ours in a world: confirmed, waiting, conflicted, gone.
//! Promises that a rival world is asked by the mempool that it would have, which is made once for all questions about it.
//! Refuses to keep the mempool from moving while it thinks.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};

use bitcoin::{BlockHash, OutPoint, Txid};
use everett_ledger::decode::decode_block;
use everett_ledger::{BlockError, World};

use crate::coins::State;
use crate::error::WalletError;
use crate::payment::PaymentState;
use crate::view::View;

/// What waits in a world, for those that ask several questions about it.
pub(crate) struct Waiting<'a> {
    /// The transactions of ours.
    pub(crate) ours: Cow<'a, HashSet<Txid>>,
    /// The mempool as it would be there; none for the mempool's own world, where holding it would keep it from moving.
    elsewhere: OnceCell<everett_mempool::View<'a>>,
    /// Which transactions of ours can come, as far as that was asked.
    known: RefCell<HashMap<Txid, bool>>,
}

/// What is known of whether a transaction can come.
enum Judged {
    /// Noted.
    Known,
    /// Not before these parents are.
    Depends(Vec<Txid>),
}

impl<'a> Waiting<'a> {
    /// With these of ours, as [`View::pending_on`] told them.
    pub(crate) fn of(ours: &'a HashSet<Txid>) -> Waiting<'a> {
        Waiting {
            ours: Cow::Borrowed(ours),
            elsewhere: OnceCell::new(),
            known: RefCell::default(),
        }
    }

    pub(crate) fn into_ours(self) -> HashSet<Txid> {
        self.ours.into_owned()
    }
}

impl View<'_> {
    /// What waits in a world.
    pub(crate) fn waiting_on(&self, world: &World) -> Result<Waiting<'_>, WalletError> {
        let candidates = self.loose_in(world);
        if candidates.is_empty() {
            // Nobody needs to know what waits there.
            return Ok(Waiting {
                ours: Cow::Owned(candidates),
                elsewhere: OnceCell::new(),
                known: RefCell::default(),
            });
        }
        let view = self.mempool.view_on(world)?;
        let candidates = candidates.into_iter();
        let ours = candidates.filter(|txid| view.contains(txid)).collect();
        let elsewhere = OnceCell::new();
        if !view.is_here() {
            // It is the first.
            let _ = elsewhere.set(view);
        }
        Ok(Waiting {
            ours: Cow::Owned(ours),
            elsewhere,
            known: RefCell::default(),
        })
    }

    /// The transactions of ours that no block of a world has, as far as they are not older than what it shares with the best one.
    pub(crate) fn loose_in(&self, world: &World) -> HashSet<Txid> {
        let mut loose = self.book.loose.clone();
        if world.hash() == self.book.best {
            return loose;
        }
        let state = self.state(world);
        let fork = self.ledger.fork_point(&self.book.best, &world.hash());
        let above = fork.map_or(0, |fork| fork.height);
        let undone = (self.book.timeline).between(self.ledger, &self.book.best, above);
        let theirs = undone.flat_map(|block| block.transactions.iter().map(|(_, txid)| *txid));
        loose.extend(theirs.filter(|txid| self.book.records.contains_key(txid)));
        loose.retain(|txid| state.place(txid).is_none());
        loose
    }

    /// Asks the mempool of a world.
    fn ask<T>(
        &self,
        world: &World,
        waiting: &Waiting<'_>,
        question: impl FnOnce(&everett_mempool::View<'_>) -> T,
    ) -> Result<T, WalletError> {
        match waiting.elsewhere.get() {
            Some(view) => Ok(question(view)),
            // Cheap: the mempool's own, or one that it keeps.
            None => Ok(question(&self.mempool.view_on(world)?)),
        }
    }

    /// What becomes of a transaction of ours in a world.
    ///
    /// # Errors
    ///
    /// [`WalletError::NoSuchTransaction`]; those of the ledger and of the mempool.
    pub fn payment(&self, txid: &Txid, world: &World) -> Result<PaymentState, WalletError> {
        let waiting = self.waiting_on(world)?;
        self.state_of(txid, world, &self.state(world), &waiting)
    }

    /// The same with what was looked up before, for those who ask of many: [`View::state`] and [`View::pending_on`] of the world.
    ///
    /// # Errors
    ///
    /// As [`View::payment`].
    pub fn payment_in(
        &self,
        txid: &Txid,
        world: &World,
        state: &State,
        pending: &HashSet<Txid>,
    ) -> Result<PaymentState, WalletError> {
        self.state_of(txid, world, state, &Waiting::of(pending))
    }

    /// The same with what waits.
    pub(crate) fn state_of(
        &self,
        txid: &Txid,
        world: &World,
        state: &State,
        waiting: &Waiting<'_>,
    ) -> Result<PaymentState, WalletError> {
        let Some(record) = self.record(txid) else {
            return Err(WalletError::NoSuchTransaction { txid: *txid });
        };
        if let Some(place) = state.place(txid) {
            let confirmations = (world.height() + 1).saturating_sub(place.height);
            return Ok(PaymentState::Confirmed {
                place,
                confirmations,
            });
        }
        if waiting.ours.contains(txid) {
            return Ok(PaymentState::Pending { in_mempool: true });
        }
        if record.tx.is_coinbase() {
            return Ok(PaymentState::Gone { missing: None });
        }
        let mut against = Vec::new();
        for input in &record.tx.input {
            against.extend(self.against(input.previous_output, world, state, waiting)?);
        }
        if let Some(deepest) = self.deepest(against) {
            return Ok(deepest);
        }
        let rival = self.ask(world, waiting, |view| {
            let mut spent = record.tx.input.iter().map(|input| input.previous_output);
            spent.find_map(|outpoint| {
                let by = view.spender(&outpoint).filter(|by| by != txid)?;
                Some((outpoint, by))
            })
        })?;
        Ok(match rival {
            Some((outpoint, by)) => PaymentState::Conflicted {
                outpoint,
                by: Some(by),
                block: None,
            },
            None => PaymentState::Pending { in_mempool: false },
        })
    }

    /// Of what stands against a transaction, what is in the deepest block; else what was found first.
    fn deepest(&self, against: Vec<PaymentState>) -> Option<PaymentState> {
        against.into_iter().min_by_key(|state| {
            let height = match state {
                PaymentState::Conflicted { block, .. } => {
                    block.and_then(|block| Some(self.ledger.block_info(&block)?.height))
                }
                _ => None,
            };
            height.unwrap_or(u32::MAX)
        })
    }

    /// What stands against spending a coin in a world.
    fn against(
        &self,
        outpoint: OutPoint,
        world: &World,
        state: &State,
        waiting: &Waiting<'_>,
    ) -> Result<Option<PaymentState>, WalletError> {
        if world.coin(&outpoint)?.is_some() {
            return Ok(None);
        }
        let (by, block) = match (state.spender(&outpoint), world.spent_in(&outpoint)) {
            (Some(ours), Some(block)) => (Some(ours), Some(block)),
            (Some(ours), None) => (Some(ours), state.place(&ours).map(|place| place.block)),
            (None, Some(block)) => (self.spender_in(&outpoint, &block)?, Some(block)),
            (None, None) => self.seen_spent(&outpoint, world).unzip(),
        };
        if by.is_some() || block.is_some() {
            return Ok(Some(PaymentState::Conflicted {
                outpoint,
                by,
                block,
            }));
        }
        // Made in this world, and spent so deep that nobody knows by whom.
        if state.place(&outpoint.txid).is_some() {
            return Ok(Some(PaymentState::Conflicted {
                outpoint,
                by: None,
                block: None,
            }));
        }
        // What becomes of it depends on its parent; a parent that can come is no hindrance.
        let parent_waits = waiting.ours.contains(&outpoint.txid)
            || self.ask(world, waiting, |view| view.contains(&outpoint.txid))?
            || self.can_come(&outpoint.txid, world, state, waiting)?;
        Ok(match parent_waits {
            true => None,
            false => Some(PaymentState::Gone {
                missing: Some(outpoint),
            }),
        })
    }

    /// Whether a transaction of ours that no block of a world has could still be in one: all that it spends is there, or can
    /// come, and nothing that waits spends it otherwise.
    pub(crate) fn can_come(
        &self,
        txid: &Txid,
        world: &World,
        state: &State,
        waiting: &Waiting<'_>,
    ) -> Result<bool, WalletError> {
        let mut stack = vec![*txid];
        while let Some(txid) = stack.last().copied() {
            // Parents first: a chain of them may be longer than the program's stack is deep.
            let unknown = match self.judge(&txid, world, state, waiting)? {
                Judged::Depends(parents) => parents,
                Judged::Known => {
                    stack.pop();
                    continue;
                }
            };
            stack.extend(unknown);
        }
        Ok(waiting.known.borrow().get(txid).copied().unwrap_or(false))
    }

    /// Decides whether a transaction can come, unless it depends on parents that were not decided on.
    fn judge(
        &self,
        txid: &Txid,
        world: &World,
        state: &State,
        waiting: &Waiting<'_>,
    ) -> Result<Judged, WalletError> {
        if waiting.known.borrow().contains_key(txid) {
            return Ok(Judged::Known);
        }
        let mut parents = Vec::new();
        let decided = match self.record(txid) {
            Some(_) if state.place(txid).is_some() || waiting.ours.contains(txid) => Some(true),
            Some(record) if !record.abandoned && !record.tx.is_coinbase() => {
                let mut decided = Some(true);
                for input in &record.tx.input {
                    match self.may_spend(&input.previous_output, txid, world, state, waiting)? {
                        Some(true) => {}
                        Some(false) => {
                            decided = Some(false);
                            break;
                        }
                        None => {
                            decided = None;
                            parents.push(input.previous_output.txid);
                        }
                    }
                }
                decided
            }
            _ => Some(false),
        };
        match decided {
            Some(decided) => {
                waiting.known.borrow_mut().insert(*txid, decided);
                Ok(Judged::Known)
            }
            None => Ok(Judged::Depends(parents)),
        }
    }

    /// Whether a transaction could spend a coin in a world; `None` while that hangs on a parent of ours.
    fn may_spend(
        &self,
        outpoint: &OutPoint,
        txid: &Txid,
        world: &World,
        state: &State,
        waiting: &Waiting<'_>,
    ) -> Result<Option<bool>, WalletError> {
        // Cheap first: most of what fell out of the chain is stood against by what we spent otherwise.
        let parent = &outpoint.txid;
        let taken = |other: &Txid| other != txid && waiting.ours.contains(other);
        if state.spender(outpoint).is_some() || self.spenders(outpoint).iter().any(taken) {
            return Ok(Some(false));
        }
        if state.coin(outpoint).is_some() || waiting.ours.contains(parent) {
            return Ok(Some(true));
        }
        if state.place(parent).is_none() && self.record(parent).is_some() {
            return Ok(waiting.known.borrow().get(parent).copied());
        }
        if world.coin(outpoint)?.is_some() {
            return self.ask(world, waiting, |view| {
                Some(view.spender(outpoint).is_none_or(|by| by == *txid))
            });
        }
        self.ask(world, waiting, |view| Some(view.contains(parent)))
    }

    /// Which transaction the wallet saw spend a coin of somebody's in a world, and in which block.
    fn seen_spent(&self, outpoint: &OutPoint, world: &World) -> Option<(Txid, BlockHash)> {
        let mut blocks = self.book.timeline.down_from(world, world.height());
        blocks.find_map(|block| {
            let mut spent = block.spent.iter();
            let (_, by) = spent.find(|(spent, _)| spent == outpoint)?;
            Some((*by, block.hash))
        })
    }

    /// Which transaction of a block spends a coin; nobody knows where the block was pruned.
    fn spender_in(
        &self,
        outpoint: &OutPoint,
        block: &BlockHash,
    ) -> Result<Option<Txid>, WalletError> {
        if let Some(known) = self.spenders.of(outpoint, block) {
            return Ok(known);
        }
        let raw = match self.ledger.block_bytes(block) {
            Ok(raw) => raw,
            Err(BlockError::Pruned { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (decoded, _) = decode_block(&raw).map_err(|error| WalletError::Block {
            hash: *block,
            error,
        })?;
        // What none of ours spends nobody asks for.
        let asked = |outpoint: &OutPoint| self.book.spends.contains_key(outpoint);
        let spent = decoded.transactions.iter().flat_map(|tx| {
            let spent = tx.tx.input.iter().map(|input| input.previous_output);
            spent.map(|outpoint| (outpoint, tx.txid))
        });
        let spent = spent.filter(|(outpoint, _)| asked(outpoint));
        Ok(self.spenders.note(outpoint, block, spent.collect()))
    }
}
