//! Owns the question what becomes of a transaction of ours in a world: confirmed, waiting, conflicted, gone.
//! Promises that a rival world is asked by the mempool that it would have, which is made once for all questions about it.
//! Refuses to keep the mempool from moving while it thinks.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;

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
}

impl<'a> Waiting<'a> {
    /// With these of ours, as [`View::pending_on`] told them.
    fn of(ours: &'a HashSet<Txid>) -> Waiting<'a> {
        Waiting {
            ours: Cow::Borrowed(ours),
            elsewhere: OnceCell::new(),
        }
    }

    pub(crate) fn into_ours(self) -> HashSet<Txid> {
        self.ours.into_owned()
    }
}

impl View<'_> {
    /// What waits in a world.
    pub(crate) fn waiting_on(&self, world: &World) -> Result<Waiting<'_>, WalletError> {
        let view = self.mempool.view_on(world)?;
        let candidates = self.loose_in(world).into_iter();
        let ours = candidates.filter(|txid| view.contains(txid)).collect();
        let elsewhere = OnceCell::new();
        if !view.is_here() {
            // It is the first.
            let _ = elsewhere.set(view);
        }
        Ok(Waiting {
            ours: Cow::Owned(ours),
            elsewhere,
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
        for input in &record.tx.input {
            let against = self.against(input.previous_output, world, state, waiting)?;
            if let Some(against) = against {
                return Ok(against);
            }
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
        let block = world.spent_in(&outpoint);
        let by = match (state.spender(&outpoint), block) {
            (Some(ours), _) => Some(ours),
            (None, Some(block)) => self.spender_in(&outpoint, &block)?,
            (None, None) => None,
        };
        if by.is_some() || block.is_some() {
            let block = block.or_else(|| Some(state.place(&by?)?.block));
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
        // What becomes of it depends on its parent; a parent that can wait here is no hindrance.
        let parent_waits = waiting.ours.contains(&outpoint.txid)
            || self.ask(world, waiting, |view| view.contains(&outpoint.txid))?;
        Ok(match parent_waits {
            true => None,
            false => Some(PaymentState::Gone {
                missing: Some(outpoint),
            }),
        })
    }

    /// Which transaction of a block spends a coin; nobody knows where the block was pruned.
    fn spender_in(
        &self,
        outpoint: &OutPoint,
        block: &BlockHash,
    ) -> Result<Option<Txid>, WalletError> {
        let raw = match self.ledger.block_bytes(block) {
            Ok(raw) => raw,
            Err(BlockError::Pruned { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (decoded, _) = decode_block(&raw).map_err(|error| WalletError::Block {
            hash: *block,
            error,
        })?;
        let spends = |input: &bitcoin::TxIn| input.previous_output == *outpoint;
        let spender = (decoded.transactions.iter()).find(|tx| tx.tx.input.iter().any(spends));
        Ok(spender.map(|tx| tx.txid))
    }
}
