//! Owns how a wallet stood when it was last told of, and what has changed since.
//! Promises that what is told brings one picture to the next: nothing twice, nothing left out.
//! Refuses to look at what cannot have changed: payments that are as deep in the chain as they were are passed over.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bitcoin::{BlockHash, Txid};
use everett_ledger::World;

use crate::balance::WorldBalance;
use crate::coins::State;
use crate::error::WalletError;
use crate::events::{Cleared, WalletEventKind};
use crate::payment::PaymentState;
use crate::safe::Warning;
use crate::view::View;

/// How a wallet stands in the best world.
pub(crate) struct Picture {
    best: BlockHash,
    height: u32,
    state: State,
    balance: WorldBalance,
    /// The transactions that the best world does not have, and what becomes of them.
    loose: HashMap<Txid, PaymentState>,
    warnings: Vec<Arc<Warning>>,
}

impl Picture {
    /// How it stands now, without warnings: those that stand are told of first.
    pub(crate) fn first(view: &View<'_>) -> Result<Picture, WalletError> {
        let best = view.best();
        let state = view.state(best);
        let waiting = view.waiting_on(best)?;
        let balance = view.balance_in(best, &waiting.ours);
        let mut loose = HashMap::new();
        for txid in &view.book.loose {
            loose.insert(*txid, view.state_of(txid, best, &state, &waiting)?);
        }
        Ok(Picture {
            best: best.hash(),
            height: best.height(),
            state,
            balance,
            loose,
            warnings: Vec::new(),
        })
    }

    /// How it stands now, and what is to be told of the way there. `blocks`: how far behind a rival is still warned of.
    pub(crate) fn next(
        &self,
        view: &View<'_>,
        blocks: u32,
    ) -> Result<(Picture, Vec<WalletEventKind>), WalletError> {
        let best = view.best();
        let state = view.state(best);
        let waiting = view.waiting_on(best)?;
        let balance = view.balance_in(best, &waiting.ours);
        let mut loose: HashMap<Txid, PaymentState> = HashMap::new();
        for txid in &view.book.loose {
            let now = match self.loose.get(txid).filter(|before| stands(view, before)) {
                Some(before) => *before,
                None => view.state_of(txid, best, &state, &waiting)?,
            };
            loose.insert(*txid, now);
        }
        let mut events = Vec::new();
        let next = Picture {
            best: best.hash(),
            height: best.height(),
            state,
            balance,
            loose,
            warnings: Vec::new(),
        };
        events.extend(self.payments(&next, view));
        if next.balance != self.balance {
            events.push(WalletEventKind::BalanceChanged {
                before: self.balance,
                balance: next.balance,
                best: next.best,
                height: next.height,
            });
        }
        let warnings = self.warn(view, blocks, &mut events)?;
        Ok((Picture { warnings, ..next }, events))
    }

    /// What becomes of a transaction; `None` if it was not known.
    fn payment(&self, txid: &Txid) -> Option<PaymentState> {
        let place = self.state.place(txid);
        let confirmed = place.map(|place| PaymentState::Confirmed {
            place,
            confirmations: (self.height + 1).saturating_sub(place.height),
        });
        confirmed.or_else(|| self.loose.get(txid).copied())
    }

    /// The payments that stand otherwise, in the order in which the wallet came to know of them.
    fn payments(&self, next: &Picture, view: &View<'_>) -> Vec<WalletEventKind> {
        // What is loose in neither and where it was in both is as it was.
        let loose = self.loose.keys().chain(next.loose.keys()).copied();
        let candidates: HashSet<Txid> = loose.chain(self.state.moved(&next.state)).collect();
        let mut told: Vec<(u64, Txid, WalletEventKind)> = Vec::new();
        for txid in candidates {
            let order = view.record(&txid).map_or(0, |record| record.order);
            let kind = match (self.payment(&txid), next.payment(&txid)) {
                (None, None) => continue,
                (None, Some(state)) => WalletEventKind::PaymentAppeared { txid, state },
                (Some(_), None) => WalletEventKind::PaymentForgotten { txid },
                (Some(before), Some(state)) if before.is_as(&state) => continue,
                (Some(before), Some(state)) => WalletEventKind::PaymentChanged {
                    txid,
                    before,
                    state,
                },
            };
            told.push((order, txid, kind));
        }
        told.sort_by_key(|(order, txid, _)| (*order, *txid));
        told.into_iter().map(|(_, _, kind)| kind).collect()
    }

    /// The warnings that stand now, and what is to be told of the way there.
    fn warn(
        &self,
        view: &View<'_>,
        blocks: u32,
        events: &mut Vec<WalletEventKind>,
    ) -> Result<Vec<Arc<Warning>>, WalletError> {
        let mut standing: Vec<Arc<Warning>> = Vec::new();
        let mut left: Vec<&Arc<Warning>> = self.warnings.iter().collect();
        let mut news = Vec::new();
        for warning in view.warnings(blocks)? {
            // The same branch, or one that has grown out of it: it has the old tip among its blocks.
            let grown = left.iter().position(|old| {
                let there = view.ledger.ancestor(&warning.tip, old.height);
                there.is_some_and(|block| block.hash == old.tip)
            });
            let Some(place) = grown else {
                let warning = Arc::new(warning);
                news.push(WalletEventKind::WarningAppeared(warning.clone()));
                standing.push(warning);
                continue;
            };
            let before = left.remove(place).clone();
            if *before == warning {
                standing.push(before);
                continue;
            }
            let warning = Arc::new(warning);
            standing.push(warning.clone());
            news.push(WalletEventKind::WarningChanged { before, warning });
        }
        // First what is over.
        events.extend(
            left.into_iter()
                .map(|over| WalletEventKind::WarningCleared {
                    warning: over.clone(),
                    why: why_cleared(view, over, blocks),
                }),
        );
        events.append(&mut news);
        Ok(standing)
    }
}

/// Why a branch is not warned of any more.
fn why_cleared(view: &View<'_>, warning: &Warning, blocks: u32) -> Cleared {
    let best = view.best();
    if best.block_hash_at(warning.height) == Some(warning.tip) {
        return Cleared::Won;
    }
    let grown = |rival: &&World| rival.block_hash_at(warning.height) == Some(warning.tip);
    match view.rivals().iter().find(grown) {
        None => Cleared::Gone,
        Some(rival) if rival.height().saturating_add(blocks) < best.height() => Cleared::FellBehind,
        Some(_) => Cleared::Harmless,
    }
}

/// Whether what became of a transaction that no block of the best chain has is the same as before for sure.
fn stands(view: &View<'_>, before: &PaymentState) -> bool {
    match before {
        PaymentState::Conflicted {
            block: Some(block), ..
        } => view
            .ledger
            .block_info(block)
            .is_some_and(|info| view.best().block_hash_at(info.height) == Some(*block)),
        PaymentState::Gone { missing: None } => true,
        _ => false,
    }
}
