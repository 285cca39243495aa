//! Owns what makes transactions a package, by themselves: number, weight, order, no conflicts, a child with its parents.

use std::collections::HashSet;
use std::sync::Arc;

use bitcoin::{OutPoint, Txid};
use everett_ledger::decode::DecodedTransaction;

use crate::rejection::PackageRejection;

#[cfg(test)]
mod tests;

/// Most transactions of a package.
pub const MAX_PACKAGE_COUNT: usize = 25;
/// Most weight of a package of several transactions.
pub const MAX_PACKAGE_WEIGHT: usize = 404_000;

/// Whether transactions make a package at all: not too many, each once, parents first, no coin spent twice.
pub fn check_well_formed(package: &[Arc<DecodedTransaction>]) -> Result<(), PackageRejection> {
    if package.len() > MAX_PACKAGE_COUNT {
        return Err(PackageRejection::policy(
            "package-too-many-transactions",
            "",
        ));
    }
    let weight: usize = package
        .iter()
        .map(|tx| tx.stripped_size * 3 + tx.size)
        .sum();
    if package.len() > 1 && weight > MAX_PACKAGE_WEIGHT {
        return Err(PackageRejection::policy("package-too-large", ""));
    }
    let mut later: HashSet<Txid> = package.iter().map(|tx| tx.txid).collect();
    if later.len() != package.len() {
        return Err(PackageRejection::policy("package-contains-duplicates", ""));
    }
    for tx in package {
        if tx
            .tx
            .input
            .iter()
            .any(|input| later.contains(&input.previous_output.txid))
        {
            return Err(PackageRejection::policy("package-not-sorted", ""));
        }
        later.remove(&tx.txid);
    }
    let mut spent: HashSet<OutPoint> = HashSet::new();
    for tx in package {
        let inputs = || tx.tx.input.iter().map(|input| input.previous_output);
        // Two inputs of one transaction with the same coin are that transaction's own fault.
        if tx.tx.input.is_empty() || inputs().any(|outpoint| spent.contains(&outpoint)) {
            return Err(PackageRejection::policy("conflict-in-package", ""));
        }
        spent.extend(inputs());
    }
    Ok(())
}

/// Whether all but the last are parents of the last.
pub fn is_child_with_parents(package: &[Arc<DecodedTransaction>]) -> bool {
    let Some((child, parents @ [_, ..])) = package.split_last() else {
        return false;
    };
    let spent = |txid: &Txid| {
        child
            .tx
            .input
            .iter()
            .any(|input| input.previous_output.txid == *txid)
    };
    parents.iter().all(|parent| spent(&parent.txid))
}

/// Whether all but the last are parents of the last, and none of them of another: what `submitpackage` takes.
pub fn is_child_with_parents_tree(package: &[Arc<DecodedTransaction>]) -> bool {
    let Some((_, parents)) = package.split_last() else {
        return false;
    };
    let txids: HashSet<Txid> = parents.iter().map(|parent| parent.txid).collect();
    let spends = |parent: &DecodedTransaction| {
        parent
            .tx
            .input
            .iter()
            .any(|input| txids.contains(&input.previous_output.txid))
    };
    is_child_with_parents(package) && !parents.iter().any(|parent| spends(parent))
}
