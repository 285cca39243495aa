//! Owns the rules for transactions of version 3, which stay topologically restricted until confirmation (BIP431).
//! Promises that such a transaction has one unconfirmed parent or one unconfirmed child at most, is not large, and may
//! take the place of its only sibling.

use std::fmt::Display;

use super::Candidate;
use crate::graph::Slot;
use crate::pool::Pool;

/// The version that asks for these rules.
const VERSION: i32 = 3;
/// Most transactions of a family: the parent and its child.
const FAMILY: usize = 2;
/// Most virtual bytes of such a transaction.
const MAX_VSIZE: i64 = 10_000;
/// Most virtual bytes of one with an unconfirmed parent.
const MAX_CHILD_VSIZE: i64 = 1_000;

/// A rule is broken.
pub(super) struct Violation {
    /// Bitcoin Core's words.
    pub(super) text: String,
    /// The sibling whose eviction would mend it.
    pub(super) sibling: Option<Slot>,
}

impl Violation {
    fn plain(text: String) -> Violation {
        Violation {
            text,
            sibling: None,
        }
    }
}

/// A transaction by both its ids.
fn named(txid: impl Display, wtxid: impl Display) -> String {
    format!("tx {txid} (wtxid={wtxid})")
}

fn pending(pool: &Pool, slot: Slot) -> String {
    let tx = &pool.entry(slot).tx;
    named(tx.txid, tx.wtxid)
}

fn own(candidate: &Candidate) -> String {
    named(candidate.entry.tx.txid, candidate.entry.tx.wtxid)
}

fn is_truc(tx: &bitcoin::Transaction) -> bool {
    tx.version.0 == VERSION
}

fn too_many_ancestors(who: &str) -> String {
    format!("{who} would have too many ancestors")
}

fn too_many_descendants(who: &str) -> String {
    format!("{who} would exceed descendant count limit")
}

fn too_big(candidate: &Candidate) -> Option<String> {
    let vsize = candidate.entry.vsize();
    (vsize > MAX_VSIZE).then(|| {
        format!(
            "version=3 {} is too big: {vsize} > {MAX_VSIZE} virtual bytes",
            own(candidate)
        )
    })
}

fn too_big_a_child(candidate: &Candidate) -> Option<String> {
    let vsize = candidate.entry.vsize();
    (vsize > MAX_CHILD_VSIZE).then(|| {
        let own = own(candidate);
        format!("version=3 child {own} is too big: {vsize} > {MAX_CHILD_VSIZE} virtual bytes")
    })
}

/// Whether parent and child are both of version 3 or neither; else the words for it.
fn unlike(own: &str, truc: bool, parent: &str, parent_truc: bool) -> Option<String> {
    match (truc, parent_truc) {
        (false, true) => Some(format!(
            "non-version=3 {own} cannot spend from version=3 {parent}"
        )),
        (true, false) => Some(format!(
            "version=3 {own} cannot spend from non-version=3 {parent}"
        )),
        _ => None,
    }
}

/// The rules for a transaction with the parents that are pending.
pub(super) fn single(pool: &Pool, candidate: &Candidate) -> Result<(), Violation> {
    let truc = is_truc(&candidate.entry.tx.tx);
    for parent in &candidate.parents {
        let parent_truc = is_truc(&pool.entry(*parent).tx.tx);
        if truc != parent_truc
            && let Some(text) = unlike(&own(candidate), truc, &pending(pool, *parent), parent_truc)
        {
            return Err(Violation::plain(text));
        }
    }
    if !truc {
        return Ok(());
    }
    if let Some(text) = too_big(candidate) {
        return Err(Violation::plain(text));
    }
    if candidate.parents.len() + 1 > FAMILY {
        return Err(Violation::plain(too_many_ancestors(&own(candidate))));
    }
    let Some(parent) = candidate.parents.first().copied() else {
        return Ok(());
    };
    if pool.graph.ancestors(parent).len() + 1 > FAMILY {
        return Err(Violation::plain(too_many_ancestors(&own(candidate))));
    }
    if let Some(text) = too_big_a_child(candidate) {
        return Err(Violation::plain(text));
    }
    let family = pool.graph.descendants(parent);
    let mut others: Vec<Slot> = family
        .iter()
        .copied()
        .filter(|slot| *slot != parent)
        .collect();
    others.sort_unstable_by_key(|slot| pool.txid(*slot));
    let replaced = others.iter().any(|slot| candidate.conflicts.contains(slot));
    if family.len() + 1 > FAMILY && !replaced {
        let sibling = match others.first() {
            Some(sibling)
                if others.len() == 1 && pool.graph.ancestors(*sibling).len() == FAMILY =>
            {
                Some(*sibling)
            }
            _ => None,
        };
        return Err(Violation {
            text: too_many_descendants(&pending(pool, parent)),
            sibling,
        });
    }
    Ok(())
}

/// The rules for the transaction at `index` of a package, whose transactions each passed [`single`].
pub(super) fn in_package(pool: &Pool, package: &[Candidate], index: usize) -> Result<(), String> {
    let candidate = &package[index];
    let tx = &candidate.entry.tx;
    let spends = |other: &Candidate, txid: &bitcoin::Txid| {
        let inputs = &other.entry.tx.tx.input;
        inputs
            .iter()
            .any(|input| input.previous_output.txid == *txid)
    };
    let beside: Vec<&Candidate> = package[..index]
        .iter()
        .filter(|other| spends(candidate, &other.entry.tx.txid))
        .collect();
    if !is_truc(&tx.tx) {
        let truc = candidate
            .parents
            .iter()
            .find(|slot| is_truc(&pool.entry(**slot).tx.tx));
        let truc = truc.map(|slot| pending(pool, *slot));
        let among = || {
            beside
                .iter()
                .find(|other| is_truc(&other.entry.tx.tx))
                .map(|other| own(other))
        };
        return match truc.or_else(among) {
            None => Ok(()),
            Some(parent) => Err(unlike(&own(candidate), false, &parent, true).unwrap_or_default()),
        };
    }
    if let Some(text) = too_big(candidate) {
        return Err(text);
    }
    if candidate.parents.len() + beside.len() + 1 > FAMILY {
        return Err(too_many_ancestors(&own(candidate)));
    }
    if let Some(parent) = candidate.parents.first()
        && pool.graph.ancestors(*parent).len() + beside.len() + 1 > FAMILY
    {
        return Err(too_many_ancestors(&own(candidate)));
    }
    let (parent, parent_txid, parent_truc, has_child) =
        match (candidate.parents.first(), beside.first()) {
            (Some(slot), _) => {
                let parent = &pool.entry(*slot).tx;
                let has_child = pool.graph.descendants(*slot).len() > 1;
                (
                    pending(pool, *slot),
                    parent.txid,
                    is_truc(&parent.tx),
                    has_child,
                )
            }
            (None, Some(other)) => {
                let parent = &other.entry.tx;
                (own(other), parent.txid, is_truc(&parent.tx), false)
            }
            (None, None) => return Ok(()),
        };
    if let Some(text) = too_big_a_child(candidate) {
        return Err(text);
    }
    if let Some(text) = unlike(&own(candidate), true, &parent, parent_truc) {
        return Err(text);
    }
    for (other_index, other) in package.iter().enumerate() {
        if other_index == index {
            continue;
        }
        for input in &other.entry.tx.tx.input {
            if input.previous_output.txid == parent_txid {
                return Err(too_many_descendants(&parent));
            }
            if input.previous_output.txid == tx.txid {
                return Err(too_many_ancestors(&own(other)));
            }
        }
    }
    match has_child {
        true => Err(too_many_descendants(&parent)),
        false => Ok(()),
    }
}
