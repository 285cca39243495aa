//! Owns replacement: which pending transactions go for one that spends the same, and whether it is worth it.
//! Promises Bitcoin Core's rules: any transaction can be replaced, by one that pays at least as much, pays for its own
//! relay on top, and leaves the miner better off at every size of block.

use std::cmp::Ordering;

use smallvec::smallvec;

use super::{Candidate, too_large};
use crate::fee_rate::money;
use crate::graph::diagram::compare_chunks;
use crate::graph::{Addition, Graph, Plan, Slot};
use crate::pool::Pool;
use crate::rejection::{Rejection, RejectionKind};

/// Most clusters that one replacement may touch.
pub(crate) const MAX_REPLACED_CLUSTERS: usize = 100;

/// What an offer is compared with.
pub(super) struct Offer {
    /// Of all that comes, with what was added by hand, in satoshis.
    pub(super) fee: i64,
    pub(super) vsize: i64,
}

/// Checks a transaction that conflicts with pending ones; what would come of it, and what would go.
pub(super) fn single(
    pool: &Pool,
    candidate: &Candidate,
    addition: Addition,
) -> Result<(Plan, Vec<Slot>), super::Failure> {
    let including = match candidate.evicts_sibling {
        true => " (including sibling eviction)",
        false => "",
    };
    let txid = candidate.entry.tx.txid;
    let leaving = leaving(pool, &txid, &candidate.conflicts).map_err(|debug| {
        Rejection::policy(format!("too many potential replacements{including}"), debug)
    })?;
    let offer = Offer {
        fee: candidate.entry.modified_fee,
        vsize: candidate.entry.vsize(),
    };
    pays(pool, &txid, &leaving, &offer)
        .map_err(|debug| Rejection::fee(format!("insufficient fee{including}"), debug))?;
    let plan = pool.graph.plan(smallvec![addition], &leaving);
    let plan = plan.map_err(|_| too_large())?;
    if !improves(&pool.graph, &plan) {
        return Err(Rejection::fee("replacement-failed", NO_BETTER).into());
    }
    Ok((plan, leaving))
}

/// Bitcoin Core's words for a diagram that is not improved.
pub(super) const NO_BETTER: &str = "insufficient feerate: does not improve feerate diagram";

/// Whether the miner is nowhere worse off and somewhere better.
pub(super) fn improves(graph: &Graph, plan: &Plan) -> bool {
    compare_chunks(&plan.after(), &graph.before(plan)) == Some(Ordering::Greater)
}

/// All that has to go for these conflicts, by txid.
pub(super) fn leaving(
    pool: &Pool,
    txid: &bitcoin::Txid,
    conflicts: &[Slot],
) -> Result<Vec<Slot>, String> {
    let clusters = pool.graph.distinct_clusters(conflicts);
    if clusters > MAX_REPLACED_CLUSTERS {
        return Err(format!(
            "rejecting replacement {txid}; too many conflicting clusters ({clusters} > {MAX_REPLACED_CLUSTERS})"
        ));
    }
    Ok(pool.with_descendants(conflicts))
}

/// Whether an offer pays for what goes and for its own relay.
pub(super) fn pays(
    pool: &Pool,
    txid: &bitcoin::Txid,
    leaving: &[Slot],
    offer: &Offer,
) -> Result<(), String> {
    let fees = leaving.iter().map(|slot| pool.entry(*slot).modified_fee);
    let old = fees.fold(0i64, i64::saturating_add);
    if offer.fee < old {
        return Err(format!(
            "rejecting replacement {txid}, less fees than conflicting txs; {} < {}",
            money(offer.fee),
            money(old)
        ));
    }
    let more = offer.fee.saturating_sub(old);
    let relay = pool.config.incremental_relay_fee.fee(offer.vsize);
    if more < relay {
        return Err(format!(
            "rejecting replacement {txid}, not enough additional fees to relay; {} < {}",
            money(more),
            money(relay)
        ));
    }
    Ok(())
}

/// Whether a transaction depends on nothing that it conflicts with.
pub(super) fn spends_no_conflict(pool: &Pool, candidate: &Candidate) -> Result<(), Rejection> {
    let above = candidate
        .parents
        .iter()
        .flat_map(|slot| pool.graph.ancestors(*slot));
    let conflicting = above.filter(|slot| candidate.conflicts.contains(slot));
    match conflicting.map(|slot| pool.txid(slot)).min() {
        None => Ok(()),
        Some(other) => {
            let txid = candidate.entry.tx.txid;
            let debug = format!("{txid} spends conflicting transaction {other}");
            let kind = RejectionKind::Consensus;
            Err(Rejection::new(
                kind,
                "bad-txns-spends-conflicting-tx",
                debug,
            ))
        }
    }
}
