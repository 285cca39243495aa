//! Owns what the version of a transaction says of its weight and of the coins that go with it while they wait, and which coins are
//! not built upon at all.
//! Promises the topology of version 3 (BIP431): such transactions and others do not mix, and each has one parent and one child.

use std::collections::BTreeMap;

use bitcoin::Txid;

use super::candidates::Candidate;
use super::error::SpendError;
use super::request::Request;
use crate::spendable::Spendable;
use crate::view::View;

/// Version of transactions that stay small and alone, so that they can always be replaced (BIP431).
pub(super) const TRUC_VERSION: i32 = 3;
/// Most weight units of one of them.
const TRUC_WEIGHT: u64 = 40_000;
/// Most weight units of one of them that spends another that waits.
pub(super) const TRUC_CHILD_WEIGHT: u64 = 4_000;

/// Most weight units of what is asked for; `waits`: whether it spends something that waits.
pub(super) fn most_weight(request: &Request, waits: bool) -> u64 {
    let most = match (request.version == TRUC_VERSION, waits) {
        (true, true) => TRUC_CHILD_WEIGHT,
        (true, false) => TRUC_WEIGHT,
        (false, _) => u64::MAX,
    };
    request.max_weight.min(most)
}

/// Whether a transaction may spend what one of this version made and that waits.
pub(super) fn goes_with(request: &Request, theirs: i32) -> bool {
    (request.version == TRUC_VERSION) == (theirs == TRUC_VERSION)
}

impl View<'_> {
    /// Whether a coin waits whose transaction takes the place of another one, or had another take its place: the other may be
    /// confirmed instead, after a reorganisation as well, and what was built on this one would have been paid twice.
    pub fn was_bumped(&self, coin: &Spendable) -> bool {
        let record = self.record(&coin.outpoint.txid);
        let record = record.filter(|_| coin.confirmations == 0);
        record.is_some_and(|record| record.replaces.is_some() || record.replaced_by.is_some())
    }

    /// The version of the transaction that made a coin, while that waits.
    pub(super) fn waiting_version(&self, candidate: &Candidate) -> Result<Option<i32>, SpendError> {
        if candidate.confirmations > 0 {
            return Ok(None);
        }
        let txid = &candidate.outpoint.txid;
        if let Some(record) = self.record(txid) {
            return Ok(Some(record.tx.version.0));
        }
        let mempool = self.mempool.view()?;
        Ok(mempool.transaction(txid).map(|tx| tx.tx.version.0))
    }

    /// Leaves out the coins that wait and that a transaction of this version may not spend (BIP431): such transactions and others
    /// do not mix, and one of version 3 has one parent and no other child.
    pub(super) fn leave_unfit_versions(
        &self,
        request: &Request,
        candidates: Vec<Candidate>,
    ) -> Result<Vec<Candidate>, SpendError> {
        let mut fit = Vec::with_capacity(candidates.len());
        let mut worth: BTreeMap<Txid, u64> = BTreeMap::new();
        for candidate in candidates {
            let theirs = self.waiting_version(&candidate)?;
            let Some(theirs) = theirs.filter(|_| !candidate.wanted) else {
                fit.push(candidate);
                continue;
            };
            if !goes_with(request, theirs) {
                continue;
            }
            if theirs == TRUC_VERSION {
                let txid = candidate.outpoint.txid;
                let has_child = {
                    let mempool = self.mempool.view()?;
                    let others = mempool.descendants(&txid).unwrap_or_default();
                    others.iter().any(|other| Some(*other) != request.replaces)
                };
                if has_child || candidate.before.ancestors > 1 {
                    continue;
                }
                *worth.entry(txid).or_default() += candidate.output.value.to_sat();
            }
            fit.push(candidate);
        }
        // Of those of version 3 that wait the one that is worth most.
        let parent = worth.iter().max_by_key(|(_, worth)| **worth);
        let parent = parent.map(|(txid, _)| *txid);
        fit.retain(|candidate| {
            let txid = candidate.outpoint.txid;
            candidate.wanted || !worth.contains_key(&txid) || Some(txid) == parent
        });
        Ok(fit)
    }
}
