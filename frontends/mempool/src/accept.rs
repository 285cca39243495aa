//! Owns the judgement of transactions that want in: one by one, replacing others, and in packages.
//! Promises Bitcoin Core's order of checks and its answer; nothing is changed until all checks are passed.
//! Refuses to touch the pool: a [`Checked`] says what would change.
//!
//! ```text
//!   prechecks (shape, standardness, locks, coins, fees, TRUC) -> replacement -> clusters -> dust -> scripts
//! ```

mod ephemeral;
mod package;
mod prechecks;
mod replace;
mod scripts;
mod truc;
mod well_formed;

use std::sync::Arc;

use bitcoin::{OutPoint, TxOut, Wtxid};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::rules::ScriptCheck;
use everett_ledger::{Params, ReadError};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};
use thiserror::Error;

use crate::change::Reason;
use crate::entry::Entry;
use crate::fee_rate::FeeRate;
use crate::graph::{Addition, NodeRef, Plan, Slot};
use crate::pool::Pool;
use crate::rejection::Rejection;
pub use package::{PackageOutcome, PackageVerdict};
pub(crate) use package::{Together, multiple, package};
pub use well_formed::{
    MAX_PACKAGE_COUNT, MAX_PACKAGE_WEIGHT, check_well_formed, is_child_with_parents,
    is_child_with_parents_tree,
};

/// What the checks need beside the pool.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) params: &'a Params,
    pub(crate) scripts: &'a dyn ScriptCheck,
    /// Unix seconds.
    pub(crate) now: u64,
    /// Whether the best world is of now: what comes then tells of fees.
    pub(crate) up_to_date: bool,
}

/// How a transaction is let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Given back by an undone block: fees and TRUC do not count.
    pub(crate) bypass_limits: bool,
    pub(crate) replacement: bool,
    pub(crate) sibling_eviction: bool,
    /// The fees of the whole package count, not those of each.
    pub(crate) package_fees: bool,
    /// Nothing is to come of it: of a package, all that is found out is told.
    pub(crate) test: bool,
    /// More than this is taken for a mistake.
    pub(crate) max_fee_rate: Option<FeeRate>,
    /// Unix seconds that it gets as the time when it came.
    pub(crate) time: u64,
}

impl Terms {
    /// One transaction by itself.
    pub(crate) fn single(time: u64) -> Terms {
        Terms {
            bypass_limits: false,
            replacement: true,
            sibling_eviction: true,
            package_fees: false,
            test: false,
            max_fee_rate: None,
            time,
        }
    }
}

/// Why the checks came to an end.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The transaction is not let in.
    #[error("{}", .0.rejection)]
    Rejected(Box<Refused>),
    /// The coins could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Failure {
        Failure::Rejected(Box::new(Refused {
            rejection,
            effective: None,
        }))
    }
}

/// A transaction that was let in, or would be.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its size as fees count it, in virtual bytes.
    pub vsize: u64,
    /// What it pays, in satoshis.
    pub fee: i64,
    /// The fee rate that it was judged by, with what was added by hand.
    pub effective: FeeRate,
    /// The transactions whose fees and sizes are in that rate.
    pub effective_includes: Vec<Wtxid>,
    /// What it takes the place of, by txid.
    pub replaced: Vec<Arc<DecodedTransaction>>,
}

/// A transaction that was not let in.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub rejection: Rejection,
    /// Where the fee was too low: the fee rate that it was judged by, and the transactions in it.
    pub effective: Option<(FeeRate, Vec<Wtxid>)>,
}

/// A transaction on its way through the checks.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) entry: Entry,
    /// What its inputs spend, in their order.
    pub(crate) spent: Vec<everett_ledger::Coin>,
    /// Pending transactions that spend the same, and a sibling to be evicted.
    pub(crate) conflicts: Vec<Slot>,
    pub(crate) evicts_sibling: bool,
    /// Pending transactions that it spends, by txid.
    pub(crate) parents: Vec<Slot>,
}

impl Candidate {
    pub(crate) fn rate(&self) -> FeeRate {
        FeeRate::paid(self.entry.modified_fee, self.entry.vsize())
    }

    fn wtxid(&self) -> Wtxid {
        self.entry.tx.wtxid
    }

    fn addition(&self, parents: SmallVec<[NodeRef; 2]>) -> Addition {
        Addition {
            rate: self.entry.mining_rate(),
            txid: self.entry.tx.txid,
            parents,
        }
    }
}

/// What would change, and what would be answered.
pub(crate) struct Checked {
    plan: Plan,
    replaced: Vec<Slot>,
    entries: Vec<Entry>,
    returned: bool,
    pub(crate) accepted: Vec<Accepted>,
}

/// Outputs of transactions of the same package.
pub(crate) type Beside = HashMap<OutPoint, TxOut, RandomState>;

/// Judges one transaction by itself.
pub(crate) fn single(
    pool: &Pool,
    around: Around<'_>,
    terms: &Terms,
    tx: &Arc<DecodedTransaction>,
) -> Result<Checked, Failure> {
    let candidate = prechecks::check(pool, around, terms, tx, &Beside::default())?;
    let by_fee = |failure: Failure| fee_failure(failure, candidate.rate(), vec![tx.wtxid]);
    let parents: SmallVec<[NodeRef; 2]> = candidate
        .parents
        .iter()
        .copied()
        .map(NodeRef::Old)
        .collect();
    let addition = candidate.addition(parents);
    let (plan, replaced) = match candidate.conflicts.is_empty() {
        true => {
            let plan = pool.graph.plan(smallvec![addition], &[]);
            (plan.map_err(|_| too_large())?, Vec::new())
        }
        false => replace::single(pool, &candidate, addition).map_err(by_fee)?,
    };
    if !candidate.conflicts.is_empty() {
        replace::spends_no_conflict(pool, &candidate)?;
    }
    check_max_rate(terms, candidate.rate())?;
    if !terms.bypass_limits && pool.config.require_standard {
        ephemeral::check_spends(pool, std::slice::from_ref(&candidate)).map_err(|(_, why)| why)?;
    }
    scripts::check(around, pool, &candidate)?;
    scripts::remember(around, pool, &candidate);
    let accepted = Accepted {
        vsize: candidate.entry.vsize().unsigned_abs(),
        fee: candidate.entry.fee,
        effective: candidate.rate(),
        effective_includes: vec![tx.wtxid],
        replaced: transactions(pool, &replaced),
    };
    Ok(Checked {
        plan,
        replaced,
        entries: vec![candidate.entry],
        returned: terms.bypass_limits,
        accepted: vec![accepted],
    })
}

impl Checked {
    /// Makes it so. Room is not made yet, and nobody told that they entered.
    fn enter(self, pool: &mut Pool) -> (Vec<bitcoin::Txid>, Vec<Accepted>, bool) {
        let txids = self.entries.iter().map(|entry| entry.tx.txid).collect();
        pool.apply(self.plan, &self.replaced, Reason::Replaced, self.entries);
        (txids, self.accepted, self.returned)
    }

    /// Makes it so and tells it; room is for the caller to make.
    pub(crate) fn commit(self, pool: &mut Pool) -> Vec<Accepted> {
        let (txids, accepted, returned) = self.enter(pool);
        for txid in txids {
            pool.announce(&txid, returned);
        }
        accepted
    }

    /// Makes one transaction's admission so, makes room, and tells it if it is still there then.
    pub(crate) fn commit_limited(
        self,
        pool: &mut Pool,
        around: Around<'_>,
    ) -> Result<Accepted, Refused> {
        let (txids, mut accepted, returned) = self.enter(pool);
        pool.limit(around.now);
        match (txids.first(), accepted.pop()) {
            (Some(txid), Some(accepted)) if pool.find(txid).is_some() => {
                pool.announce(txid, returned);
                if around.up_to_date && !returned {
                    pool.count_fee(txid);
                }
                Ok(accepted)
            }
            (_, accepted) => Err(Refused {
                rejection: Rejection::fee("mempool full", ""),
                effective: accepted.map(|one| (one.effective, one.effective_includes)),
            }),
        }
    }
}

fn transactions(pool: &Pool, slots: &[Slot]) -> Vec<Arc<DecodedTransaction>> {
    slots
        .iter()
        .map(|slot| pool.entry(*slot).tx.clone())
        .collect()
}

fn too_large() -> Rejection {
    Rejection::policy("too-large-cluster", "")
}

fn check_max_rate(terms: &Terms, rate: FeeRate) -> Result<(), Rejection> {
    match terms.max_fee_rate {
        Some(most) if rate > most => Err(Rejection::policy("max feerate exceeded", "")),
        _ => Ok(()),
    }
}

/// Says by which rate a fee was too low.
fn fee_failure(failure: Failure, rate: FeeRate, includes: Vec<Wtxid>) -> Failure {
    match failure {
        Failure::Rejected(mut refused)
            if refused.rejection.kind == crate::RejectionKind::Reconsiderable =>
        {
            refused.effective = Some((rate, includes));
            Failure::Rejected(refused)
        }
        other => other,
    }
}
