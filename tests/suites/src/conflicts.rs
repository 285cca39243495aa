//! Owns the comparison of what events told about conflicts with what two worlds answer for themselves.

use std::collections::BTreeSet;

use bitcoin::{BlockHash, OutPoint, Txid};
use everett_ledger::{Conflict, ConflictKind, Event, Ledger, World};

/// A conflict whose sides have no order: the spend in the lower block hash comes first.
type Plain = (
    OutPoint,
    u64,
    Vec<u8>,
    (BlockHash, Txid),
    (BlockHash, Txid),
    u8,
);

fn plain(conflict: &Conflict) -> Plain {
    let a = (conflict.block_a, conflict.txid_a);
    let b = (conflict.block_b, conflict.txid_b);
    let kind = match conflict.kind {
        ConflictKind::SameRecipients => 0,
        ConflictKind::FeeBump => 1,
        ConflictKind::DoubleSpend => 2,
    };
    (
        conflict.outpoint,
        conflict.amount.to_sat(),
        conflict.script_pubkey.as_bytes().to_vec(),
        a.min(b),
        a.max(b),
        kind,
    )
}

/// The worlds that no other one is built on. Not all are tips: blocks that were never validated may follow.
fn last_worlds(ledger: &Ledger) -> Vec<World> {
    let highest = ledger.tips().iter().map(|tip| tip.height).max();
    let blocks = (0..=highest.unwrap_or(0)).flat_map(|height| ledger.blocks_at_height(height));
    let live: Vec<_> = blocks.filter(|block| block.live).collect();
    let parents: BTreeSet<BlockHash> = live
        .iter()
        .map(|block| block.header.prev_blockhash)
        .collect();
    live.iter()
        .filter(|block| !parents.contains(&block.hash))
        .filter_map(|block| ledger.world(&block.hash).ok())
        .collect()
}

/// Holds the conflicts of a ledger's events, all of which must still be there, against those of each two live worlds.
/// Answers with how many conflicts there are.
///
/// # Errors
///
/// What only one side has.
pub fn compare_conflicts(ledger: &Ledger) -> Result<usize, String> {
    let events = ledger
        .events(0, usize::MAX)
        .map_err(|error| error.to_string())?;
    compare_told(ledger, events.iter().map(|(_, event)| event))
}

fn compare_told<'e>(
    ledger: &Ledger,
    events: impl Iterator<Item = &'e Event>,
) -> Result<usize, String> {
    let live = |hash: &BlockHash| ledger.world(hash).is_ok();
    let mut told = BTreeSet::new();
    for event in events {
        for conflict in &event.conflicts {
            if (event.from, event.to) != (conflict.block_a, conflict.block_b) {
                return Err(format!("{conflict:?} is not of its event's blocks"));
            }
        }
        if event.unlisted > 0 {
            return Err(format!("{} conflicts are not listed", event.unlisted));
        }
        if live(&event.from) && live(&event.to) {
            told.extend(event.conflicts.iter().map(plain));
        }
    }
    let worlds = last_worlds(ledger);
    let mut wanted = BTreeSet::new();
    for (index, a) in worlds.iter().enumerate() {
        for b in &worlds[index + 1..] {
            let conflicts = ledger.conflicts(a, b).map_err(|error| error.to_string())?;
            wanted.extend(conflicts.iter().map(plain));
        }
    }
    if told == wanted {
        return Ok(told.len());
    }
    let only = |a: &BTreeSet<Plain>, b: &BTreeSet<Plain>| -> Vec<Plain> {
        a.difference(b).take(4).cloned().collect()
    };
    Err(format!(
        "only told by events: {:#?}\nonly between worlds: {:#?}",
        only(&told, &wanted),
        only(&wanted, &told)
    ))
}
