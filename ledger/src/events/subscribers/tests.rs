//! Limits of subscribers, and wake-ups.

use bitcoin::consensus::serialize;
use bitcoin::{Block, Transaction};

use super::*;
use crate::params::{Network, Params};
use crate::rules::fixtures::{ListChain, block, coinbase};
use crate::{Clock, LedgerConfig};

fn open(directory: &std::path::Path) -> Ledger {
    let params = Params::new(Network::Regtest);
    let now = u64::from(params.genesis.header.time) + 86_400;
    let mut config = LedgerConfig::new(params, directory);
    config.clock = Clock::fixed(now);
    Ledger::open(config).unwrap()
}

fn first_block(sat: u64) -> Vec<u8> {
    let chain = ListChain::regular(&Params::new(Network::Regtest), 0, 0x207f_ffff);
    let block = block(&chain, vec![coinbase(1, sat)]);
    let txdata: Vec<Transaction> = block.transactions.iter().map(|tx| tx.tx.clone()).collect();
    serialize(&Block {
        header: block.header,
        txdata,
    })
}

#[test]
fn no_more_subscribers_are_taken_than_there_may_be() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let subscribe =
        |number: usize| ledger.subscribe(&number.to_string(), Policy::Conflating, Start::Now);
    for number in 0..MAX_SUBSCRIBERS {
        subscribe(number).unwrap();
    }
    let error = subscribe(MAX_SUBSCRIBERS).err().unwrap();
    assert!(matches!(error, EventsError::TooMany { .. }), "{error}");
    // Who is known comes back, and whoever goes makes room.
    subscribe(3).unwrap();
    ledger.unregister("3").unwrap();
    subscribe(MAX_SUBSCRIBERS).unwrap();
}

#[test]
fn who_waits_is_woken_after_a_commit_with_an_event_and_only_then() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let mut woken = ledger.event_seq();
    assert_eq!(*woken.borrow_and_update(), 0);
    let block = first_block(1);
    ledger.submit_block(&block).unwrap();
    assert!(woken.has_changed().unwrap());
    assert_eq!(*woken.borrow_and_update(), 2);
    // Known already: a commit, but nothing new.
    ledger.submit_block(&block).unwrap();
    assert!(!woken.has_changed().unwrap());
    ledger.invalidate_block(&ledger.best().hash()).unwrap();
    assert_eq!(*woken.borrow_and_update(), 4);
    drop(ledger);
    let ledger = open(directory.path());
    assert_eq!(
        *ledger.event_seq().borrow(),
        4,
        "it is the same after a restart"
    );
}

#[test]
fn an_acknowledgement_is_on_disk_with_the_next_block_or_when_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let mut subscription = ledger
        .subscribe("indexer", Policy::Lossless, Start::Now)
        .unwrap();
    let on_disk = || {
        let reader = ledger.shared.store.read().unwrap();
        reader.cursor("indexer").unwrap().unwrap().seq
    };
    ledger.submit_block(&first_block(1)).unwrap();
    let batch = subscription.next_batch(10).unwrap();
    subscription.acknowledge(batch[0].cursor).unwrap();
    assert!(ledger.has_unsaved_cursors());
    assert_eq!(on_disk(), 0);
    ledger.submit_block(&first_block(2)).unwrap();
    assert!(!ledger.has_unsaved_cursors());
    assert_eq!(on_disk(), 1);
    subscription.acknowledge(batch[1].cursor).unwrap();
    ledger.save_cursors().unwrap();
    assert_eq!(on_disk(), 2);
    assert_eq!(ledger.subscribers().unwrap()[0].cursor, batch[1].cursor);
}
