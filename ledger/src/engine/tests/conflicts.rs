//! What events tell of coins that two branches spend.

use bitcoin::{OutPoint, ScriptBuf, transaction::Version};

use super::*;
use crate::conflict::{Conflict, ConflictKind};
use crate::engine::conflicts::{MAX_CONFLICTS_A_BLOCK, MAX_CONFLICTS_AN_EVENT};
use crate::events::{Event, EventKind};
use crate::rules::fixtures::{outpoint, transaction};

/// Coins in the last block of the trunk.
const COINS: usize = 300;

/// A chain whose last block has many coins, and those coins.
fn trunk(ledger: &Ledger) -> (ListChain, Vec<OutPoint>) {
    let mut chain = genesis();
    let mut first = None;
    for _ in 0..100 {
        let block = child(&chain, 5_000_000_000);
        assert!(matches!(submit(ledger, &block), Outcome::Accepted { .. }));
        first.get_or_insert(outpoint(&block.transactions[0].tx, 0));
        chain = with(&chain, &block);
    }
    let split = transaction(&[first.unwrap()], &[10_000; COINS]);
    let coins = (0..COINS as u32)
        .map(|vout| outpoint(&split, vout))
        .collect();
    (grow(ledger, &chain, vec![split]), coins)
}

fn grow(ledger: &Ledger, chain: &ListChain, transactions: Vec<Transaction>) -> ListChain {
    let mut all = vec![coinbase(chain.0.len() as u32, 1)];
    all.extend(transactions);
    let block = block(chain, all);
    let outcome = submit(ledger, &block);
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    with(chain, &block)
}

/// The conflicts told since event `from`.
fn told(ledger: &Ledger, from: u64) -> Vec<Event> {
    let events = ledger.events(from, usize::MAX).unwrap();
    let events = events.into_iter().map(|(_, event)| event);
    events
        .filter(|event| event.kind == EventKind::ConflictFound)
        .collect()
}

fn next(ledger: &Ledger) -> u64 {
    ledger.event_log().unwrap().next
}

#[test]
fn many_conflicts_of_a_block_are_told_in_several_events_and_beyond_the_limit_counted() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let (chain, coins) = trunk(&ledger);
    let branch = |fee: u64| -> ListChain {
        let each = coins
            .iter()
            .map(|coin| transaction(&[*coin], &[10_000 - fee]));
        grow(&ledger, &chain, each.collect())
    };
    branch(0);
    assert_eq!(told(&ledger, 0), []);

    let from = next(&ledger);
    branch(1);
    let events = told(&ledger, from);
    let lengths: Vec<usize> = events.iter().map(|event| event.conflicts.len()).collect();
    assert_eq!(
        lengths,
        [MAX_CONFLICTS_AN_EVENT, COINS - MAX_CONFLICTS_AN_EVENT]
    );
    let conflicts: Vec<&Conflict> = events.iter().flat_map(|event| &event.conflicts).collect();
    assert!(conflicts.is_sorted_by_key(|conflict| conflict.outpoint));
    assert!(
        conflicts
            .iter()
            .all(|conflict| conflict.kind == ConflictKind::FeeBump)
    );
    // Tip, conflicts, then the best world if it changed.
    let kinds: Vec<EventKind> = ledger
        .events(from, 10)
        .unwrap()
        .iter()
        .map(|(_, event)| event.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            EventKind::TipAdded,
            EventKind::ConflictFound,
            EventKind::ConflictFound
        ]
    );

    branch(2);
    let from = next(&ledger);
    branch(3);
    let events = told(&ledger, from);
    let listed: usize = events.iter().map(|event| event.conflicts.len()).sum();
    let unlisted: u32 = events.iter().map(|event| event.unlisted).sum();
    assert_eq!(listed, MAX_CONFLICTS_A_BLOCK);
    assert_eq!(listed + unlisted as usize, 3 * COINS);
    let rivals: std::collections::HashSet<_> = events.iter().map(|event| event.from).collect();
    assert_eq!(rivals.len(), 3, "each of them is named");
}

#[test]
fn each_kind_of_conflict_is_told_as_that_and_the_same_transaction_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let (chain, coins) = trunk(&ledger);
    let spend = |coin: usize, sat| transaction(&[coins[coin]], &[sat]);
    let first = vec![
        spend(0, 9_000),
        spend(1, 9_000),
        spend(2, 9_000),
        spend(3, 9_000),
    ];
    grow(&ledger, &chain, first.clone());
    let mut second = first;
    second[1].version = Version(7);
    second[2] = spend(2, 8_000);
    second[3].output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x52]);
    let from = next(&ledger);
    grow(&ledger, &chain, second.clone());
    let events = told(&ledger, from);
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    let mut found: Vec<_> = event
        .conflicts
        .iter()
        .map(|conflict| (conflict.outpoint.vout, conflict.kind, conflict.txid_b))
        .collect();
    found.sort_by_key(|(vout, ..)| *vout);
    let kinds = [
        ConflictKind::SameRecipients,
        ConflictKind::FeeBump,
        ConflictKind::DoubleSpend,
    ];
    let wanted: Vec<_> = (1..4)
        .map(|coin| (coin as u32, kinds[coin - 1], second[coin].compute_txid()))
        .collect();
    assert_eq!(found, wanted);
    assert!(
        event
            .conflicts
            .iter()
            .all(|conflict| conflict.amount.to_sat() == 10_000)
    );
}

#[test]
fn a_coin_that_is_made_and_spent_in_one_block_is_in_conflict_too_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path());
    let (chain, coins) = trunk(&ledger);
    let made = transaction(&[coins[0]], &[9_000]);
    let coin = outpoint(&made, 0);
    let spends = [8_000, 7_000, 6_000].map(|sat| transaction(&[coin], &[sat]));
    // Made and spent at once; made and then spent; made and spent at once again.
    grow(&ledger, &chain, vec![made.clone(), spends[0].clone()]);
    drop(ledger);
    ledger = open(directory.path());
    let from = next(&ledger);
    let second = grow(&ledger, &chain, vec![made.clone()]);
    assert_eq!(told(&ledger, from), [], "the same transaction is none");
    grow(&ledger, &second, vec![spends[1].clone()]);
    let txids = |event: &Event| -> Vec<_> {
        let each = event.conflicts.iter();
        each.map(|conflict| (conflict.outpoint, conflict.txid_a, conflict.txid_b))
            .collect()
    };
    let pair =
        |a: usize, b: usize| vec![(coin, spends[a].compute_txid(), spends[b].compute_txid())];
    let events = told(&ledger, from);
    assert_eq!(events.iter().map(txids).collect::<Vec<_>>(), [pair(0, 1)]);
    let from = next(&ledger);
    grow(&ledger, &chain, vec![made, spends[2].clone()]);
    let mut found: Vec<_> = told(&ledger, from).iter().map(txids).collect();
    found.sort();
    let mut wanted = vec![pair(0, 2), pair(1, 2)];
    wanted.sort();
    assert_eq!(found, wanted);
}
