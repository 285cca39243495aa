//! Owns the rules for ephemeral dust: an output too small to be worth its fee, made to be spent at once.
//! Promises that no such output is left behind: its transaction pays nothing, so that only a child that spends it pays.

use std::collections::{HashMap, HashSet};

use bitcoin::{OutPoint, Txid, Wtxid};
use everett_ledger::decode::DecodedTransaction;
use everett_script::policy::is_dust;

use super::Candidate;
use crate::pool::Pool;
use crate::rejection::{Rejection, RejectionKind};

/// A transaction with dust pays no fee.
pub(super) fn check_fee(pool: &Pool, candidate: &Candidate) -> Result<(), Rejection> {
    let entry = &candidate.entry;
    let pays = entry.fee != 0 || entry.modified_fee != 0;
    if pays && dust(pool, &entry.tx).next().is_some() {
        let kind = RejectionKind::NotStandard;
        return Err(Rejection::new(
            kind,
            "dust",
            "tx with dust output must be 0-fee",
        ));
    }
    Ok(())
}

/// Who spends of a parent spends all its dust. On failure, the transaction that does not.
pub(super) fn check_spends(pool: &Pool, package: &[Candidate]) -> Result<(), (Wtxid, Rejection)> {
    let together: HashMap<Txid, &DecodedTransaction> = package
        .iter()
        .map(|candidate| (candidate.entry.tx.txid, &*candidate.entry.tx))
        .collect();
    for candidate in package {
        let tx = &candidate.entry.tx;
        let parents: HashSet<Txid> = tx
            .tx
            .input
            .iter()
            .map(|input| input.previous_output.txid)
            .collect();
        let mut unspent: HashSet<OutPoint> = HashSet::new();
        for txid in parents {
            let pending = || pool.find(&txid).map(|slot| &*pool.entry(slot).tx);
            if let Some(parent) = together.get(&txid).copied().or_else(pending) {
                unspent.extend(dust(pool, parent));
            }
        }
        for input in &tx.tx.input {
            unspent.remove(&input.previous_output);
        }
        if !unspent.is_empty() {
            let debug = format!(
                "tx {} (wtxid={}) did not spend parent's ephemeral dust",
                tx.txid, tx.wtxid
            );
            return Err((
                tx.wtxid,
                Rejection::policy("missing-ephemeral-spends", debug),
            ));
        }
    }
    Ok(())
}

fn dust<'a>(pool: &Pool, tx: &'a DecodedTransaction) -> impl Iterator<Item = OutPoint> + 'a {
    let rate = pool.config.standard.dust_relay_fee;
    let outputs = (0..).zip(&tx.tx.output);
    outputs
        .filter(move |(_, output)| is_dust(output, rate))
        .map(|(vout, _)| OutPoint::new(tx.txid, vout))
}
