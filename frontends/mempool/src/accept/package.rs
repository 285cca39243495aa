//! Owns packages: transactions that are judged together, a child with its parents.
//! Promises Bitcoin Core's `submitpackage` and, for several transactions, `testmempoolaccept`: those that stand by
//! themselves go in by themselves, the rest by the fee rate of all of them.

use std::sync::Arc;

use bitcoin::{OutPoint, Wtxid};
use everett_ledger::ReadError;
use everett_ledger::decode::DecodedTransaction;
use smallvec::SmallVec;

use super::{
    Accepted, Around, Beside, Candidate, Checked, Failure, Refused, Terms, ephemeral, prechecks,
    replace, scripts, transactions, truc,
    well_formed::{check_well_formed, is_child_with_parents},
};
use crate::fee_rate::FeeRate;
use crate::graph::{Addition, NodeRef, Plan, Slot};
use crate::pool::Pool;
use crate::rejection::{PackageRejection, Rejection, RejectionKind};

/// What became of one transaction of a package.
#[derive(Clone, Debug)]
pub enum PackageOutcome {
    /// It was let in, or would be.
    Accepted(Accepted),
    /// It was not.
    Refused(Refused),
    /// It was here before.
    Known {
        /// Its size as fees count it, in virtual bytes.
        vsize: u64,
        /// What it pays, in satoshis.
        fee: i64,
    },
    /// It was here before with other witnesses, and these stay.
    DifferentWitness(Wtxid),
}

/// What became of a package.
#[derive(Clone, Debug)]
pub struct PackageVerdict {
    /// Why not all of it is here now; `None`: it is.
    pub rejection: Option<PackageRejection>,
    /// What became of its transactions, in their order; those that nothing was found out about are missing.
    pub outcomes: Vec<(Wtxid, PackageOutcome)>,
}

impl PackageVerdict {
    fn refused(rejection: PackageRejection) -> PackageVerdict {
        PackageVerdict {
            rejection: Some(rejection),
            outcomes: Vec::new(),
        }
    }

    /// What became of one of its transactions.
    pub fn of(&self, wtxid: &Wtxid) -> Option<&PackageOutcome> {
        let found = self.outcomes.iter().find(|(of, _)| of == wtxid);
        found.map(|(_, outcome)| outcome)
    }

    fn one(rejection: PackageRejection, wtxid: Wtxid, refused: Refused) -> PackageVerdict {
        PackageVerdict {
            rejection: Some(rejection),
            outcomes: vec![(wtxid, PackageOutcome::Refused(refused))],
        }
    }
}

/// What is found out about a package before anything is changed.
pub(crate) enum Together {
    /// All of it can go in.
    Fits(Checked),
    /// It cannot.
    Refused(PackageVerdict),
}

/// Judges several transactions that are not here together; they need not depend on each other.
pub(crate) fn multiple(
    pool: &Pool,
    around: Around<'_>,
    terms: &Terms,
    package: &[Arc<DecodedTransaction>],
) -> Result<Together, ReadError> {
    if let Err(rejection) = check_well_formed(package) {
        return Ok(Together::Refused(PackageVerdict::refused(rejection)));
    }
    let failed = || PackageRejection::transaction("transaction failed");
    let alone = |wtxid, why: Rejection| {
        let refused = Refused {
            rejection: why,
            effective: None,
        };
        Ok(Together::Refused(PackageVerdict::one(
            failed(),
            wtxid,
            refused,
        )))
    };
    let mut candidates: Vec<Candidate> = Vec::with_capacity(package.len());
    let mut beside = Beside::default();
    for tx in package {
        let candidate = match prechecks::check(pool, around, terms, tx, &beside) {
            Ok(candidate) => candidate,
            Err(Failure::Read(error)) => return Err(error),
            Err(Failure::Rejected(refused)) => return alone(tx.wtxid, refused.rejection),
        };
        if let Err(why) = super::check_max_rate(terms, candidate.rate()) {
            return alone(tx.wtxid, why);
        }
        for (vout, output) in (0..).zip(&tx.tx.output) {
            beside.insert(OutPoint::new(tx.txid, vout), output.clone());
        }
        candidates.push(candidate);
    }
    for index in 0..candidates.len() {
        if let Err(text) = truc::in_package(pool, &candidates, index) {
            let rejection = PackageRejection::policy("TRUC-violation", text);
            return Ok(Together::Refused(PackageVerdict::refused(rejection)));
        }
    }
    let offer = replace::Offer {
        fee: candidates.iter().fold(0, |sum: i64, one| {
            sum.saturating_add(one.entry.modified_fee)
        }),
        vsize: candidates.iter().map(|one| one.entry.vsize()).sum(),
    };
    let together = FeeRate::paid(offer.fee, offer.vsize);
    let wtxids: Vec<Wtxid> = package.iter().map(|tx| tx.wtxid).collect();
    if terms.package_fees
        && let Err(rejection) = prechecks::fee_is_enough(pool, around.now, offer.vsize, offer.fee)
        && let Some(last) = wtxids.last().copied()
    {
        let effective = Some((together, wtxids));
        let refused = Refused {
            rejection,
            effective,
        };
        return Ok(Together::Refused(PackageVerdict::one(
            failed(),
            last,
            refused,
        )));
    }
    let (plan, replaced) = match fit(pool, &candidates, &offer, together) {
        Ok(fitting) => fitting,
        Err(rejection) => return Ok(Together::Refused(PackageVerdict::refused(rejection))),
    };
    if pool.config.require_standard
        && let Err((wtxid, rejection)) = ephemeral::check_spends(pool, &candidates)
    {
        let refused = Refused {
            rejection,
            effective: None,
        };
        let unspent = PackageRejection::transaction("unspent-dust");
        return Ok(Together::Refused(PackageVerdict::one(
            unspent, wtxid, refused,
        )));
    }
    let mut replaced_transactions = transactions(pool, &replaced);
    let mut accepted = Vec::with_capacity(candidates.len());
    for candidate in &candidates {
        if let Err(rejection) = scripts::check(around, pool, candidate) {
            let refused = Refused {
                rejection,
                effective: None,
            };
            let mut verdict = PackageVerdict::one(failed(), candidate.wtxid(), refused);
            if terms.test {
                let passed = accepted.into_iter().map(PackageOutcome::Accepted);
                verdict
                    .outcomes
                    .splice(0..0, wtxids.iter().copied().zip(passed));
            }
            return Ok(Together::Refused(verdict));
        }
        let (effective, includes) = match terms.package_fees {
            true => (together, wtxids.clone()),
            false => (candidate.rate(), vec![candidate.wtxid()]),
        };
        accepted.push(Accepted {
            vsize: candidate.entry.vsize().unsigned_abs(),
            fee: candidate.entry.fee,
            effective,
            effective_includes: includes,
            // The first one answers for all.
            replaced: std::mem::take(&mut replaced_transactions),
        });
    }
    for candidate in &candidates {
        scripts::remember(around, pool, candidate);
    }
    Ok(Together::Fits(Checked {
        plan,
        replaced,
        entries: candidates
            .into_iter()
            .map(|candidate| candidate.entry)
            .collect(),
        returned: false,
        accepted,
    }))
}

/// What would come of it if all came, and what would go for it.
fn fit(
    pool: &Pool,
    candidates: &[Candidate],
    offer: &replace::Offer,
    together: FeeRate,
) -> Result<(Plan, Vec<Slot>), PackageRejection> {
    let replaces = candidates
        .iter()
        .any(|candidate| !candidate.conflicts.is_empty());
    let leaving = match replaces {
        true => replacing(pool, candidates, offer, together)?,
        false => Vec::new(),
    };
    let plan = pool.graph.plan(additions(candidates), &leaving);
    let plan = plan.map_err(|_| PackageRejection::policy("too-large-cluster", ""))?;
    if replaces && !replace::improves(&pool.graph, &plan) {
        let reason = format!("package RBF failed: {}", replace::NO_BETTER);
        return Err(PackageRejection::policy(reason, ""));
    }
    Ok((plan, leaving))
}

/// The rules for a package that takes the place of others: a parent and its child, with nothing pending above them,
/// whose child pays for more than relay.
fn replacing(
    pool: &Pool,
    candidates: &[Candidate],
    offer: &replace::Offer,
    together: FeeRate,
) -> Result<Vec<Slot>, PackageRejection> {
    let fail = |reason: &'static str, debug: String| Err(PackageRejection::policy(reason, debug));
    let package: Vec<Arc<DecodedTransaction>> = candidates
        .iter()
        .map(|candidate| candidate.entry.tx.clone())
        .collect();
    let (parent, child) = match candidates {
        [parent, child] if is_child_with_parents(&package) => (parent, child),
        _ => {
            return fail(
                "package RBF failed: package must be 1-parent-1-child",
                String::new(),
            );
        }
    };
    if candidates
        .iter()
        .any(|candidate| !candidate.parents.is_empty())
    {
        let reason = "package RBF failed: new transaction cannot have mempool ancestors";
        return fail(reason, String::new());
    }
    let mut conflicts: Vec<Slot> = candidates
        .iter()
        .flat_map(|candidate| candidate.conflicts.iter().copied())
        .collect();
    conflicts.sort_unstable();
    conflicts.dedup();
    let txid = child.entry.tx.txid;
    let leaving = match replace::leaving(pool, &txid, &conflicts) {
        Ok(leaving) => leaving,
        Err(debug) => return fail("package RBF failed: too many potential replacements", debug),
    };
    if let Err(debug) = replace::pays(pool, &txid, &leaving, offer) {
        return fail("package RBF failed: insufficient anti-DoS fees", debug);
    }
    if together <= parent.rate() {
        let debug = format!(
            "package feerate {together} <= parent feerate is {}",
            parent.rate()
        );
        let reason = "package RBF failed: package feerate is less than or equal to parent feerate";
        return fail(reason, debug);
    }
    Ok(leaving)
}

/// The transactions with what they spend of the pool and of each other.
fn additions(candidates: &[Candidate]) -> SmallVec<[Addition; 1]> {
    let mut additions = SmallVec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let mut parents: SmallVec<[NodeRef; 2]> = candidate
            .parents
            .iter()
            .copied()
            .map(NodeRef::Old)
            .collect();
        for (number, other) in (0..).zip(&candidates[..index]) {
            let txid = other.entry.tx.txid;
            let inputs = &candidate.entry.tx.tx.input;
            if inputs
                .iter()
                .any(|input| input.previous_output.txid == txid)
            {
                parents.push(NodeRef::New(number));
            }
        }
        additions.push(candidate.addition(parents));
    }
    additions
}

/// Takes a child with its parents, as far as they can be taken: what `submitpackage` does.
pub(crate) fn package(
    pool: &mut Pool,
    around: Around<'_>,
    max_fee_rate: Option<FeeRate>,
    package: &[Arc<DecodedTransaction>],
) -> Result<PackageVerdict, ReadError> {
    if let Err(rejection) = check_well_formed(package) {
        return Ok(PackageVerdict::refused(rejection));
    }
    if package.len() > 1 && !is_child_with_parents(package) {
        let rejection = PackageRejection::policy("package-not-child-with-parents", "");
        return Ok(PackageVerdict::refused(rejection));
    }
    let alone = Terms {
        max_fee_rate,
        ..Terms::single(around.now)
    };
    let mut rejection = None;
    let mut outcomes: Vec<(Wtxid, PackageOutcome)> = Vec::with_capacity(package.len());
    let mut rest: Vec<Arc<DecodedTransaction>> = Vec::new();
    for tx in package {
        let outcome = if let Some(slot) = pool.find_wtxid(&tx.wtxid) {
            let entry = pool.entry(slot);
            PackageOutcome::Known {
                vsize: entry.vsize().unsigned_abs(),
                fee: entry.fee,
            }
        } else if let Some(slot) = pool.find(&tx.txid) {
            PackageOutcome::DifferentWitness(pool.entry(slot).tx.wtxid)
        } else {
            match super::single(pool, around, &alone, tx) {
                Ok(checked) => {
                    let mut accepted = checked.commit(pool);
                    let Some(accepted) = accepted.pop() else {
                        continue;
                    };
                    PackageOutcome::Accepted(accepted)
                }
                Err(Failure::Read(error)) => return Err(error),
                Err(Failure::Rejected(refused)) => {
                    let may_pass = matches!(
                        refused.rejection.kind,
                        RejectionKind::Reconsiderable | RejectionKind::MissingInputs
                    );
                    if package.len() == 1 || !may_pass {
                        rejection = Some(PackageRejection::transaction("transaction failed"));
                    } else {
                        rest.push(tx.clone());
                    }
                    PackageOutcome::Refused(*refused)
                }
            }
        };
        outcomes.push((tx.wtxid, outcome));
    }
    if rejection.is_none() && !rest.is_empty() {
        rejection = the_rest(pool, around, max_fee_rate, &rest, &mut outcomes)?;
    }
    pool.limit(around.now);
    for (tx, (wtxid, outcome)) in package.iter().zip(&mut outcomes) {
        let gone = match outcome {
            PackageOutcome::Accepted(_) => pool.find_wtxid(wtxid).is_none(),
            PackageOutcome::Refused(_) => false,
            PackageOutcome::Known { .. } | PackageOutcome::DifferentWitness(_) => {
                pool.find(&tx.txid).is_none()
            }
        };
        if gone {
            rejection = Some(PackageRejection::transaction("transaction failed"));
            *outcome = PackageOutcome::Refused(Refused {
                rejection: Rejection::policy("mempool full", ""),
                effective: None,
            });
        }
    }
    Ok(PackageVerdict {
        rejection,
        outcomes,
    })
}

/// Takes those that did not stand by themselves, together.
fn the_rest(
    pool: &mut Pool,
    around: Around<'_>,
    max_fee_rate: Option<FeeRate>,
    rest: &[Arc<DecodedTransaction>],
    outcomes: &mut [(Wtxid, PackageOutcome)],
) -> Result<Option<PackageRejection>, ReadError> {
    let mut set = |wtxid: Wtxid, new: PackageOutcome| {
        if let Some((_, outcome)) = outcomes.iter_mut().find(|(of, _)| *of == wtxid) {
            *outcome = new;
        }
    };
    if let [tx] = rest {
        // Judged once more by itself: what came in meanwhile may help it.
        let alone = Terms {
            max_fee_rate,
            ..Terms::single(around.now)
        };
        return match super::single(pool, around, &alone, tx) {
            Ok(checked) => {
                if let Some(accepted) = checked.commit(pool).pop() {
                    set(tx.wtxid, PackageOutcome::Accepted(accepted));
                }
                Ok(None)
            }
            Err(Failure::Read(error)) => Err(error),
            Err(Failure::Rejected(refused)) => {
                set(tx.wtxid, PackageOutcome::Refused(*refused));
                Ok(Some(PackageRejection::transaction("transaction failed")))
            }
        };
    }
    let terms = Terms {
        package_fees: true,
        sibling_eviction: false,
        max_fee_rate,
        ..Terms::single(around.now)
    };
    match multiple(pool, around, &terms, rest)? {
        Together::Fits(checked) => {
            for (tx, accepted) in rest.iter().zip(checked.commit(pool)) {
                set(tx.wtxid, PackageOutcome::Accepted(accepted));
            }
            Ok(None)
        }
        Together::Refused(verdict) => {
            for (wtxid, outcome) in verdict.outcomes {
                set(wtxid, outcome);
            }
            Ok(verdict.rejection)
        }
    }
}
