//! A full quota: the node goes on, and who was too slow learns exactly what is gone.

use everett_ledger::{EventKind, EventsError, Ledger, LedgerConfig, Policy, Start};

use super::sink::{State, chain_to};
use super::support::{config, mine_chain, mine_on, place};

fn small(directory: &std::path::Path, quota: u64, retained: u64) -> LedgerConfig {
    LedgerConfig {
        event_quota: quota,
        retained_events: retained,
        ..config(directory)
    }
}

#[test]
fn what_a_lossless_subscriber_has_not_acknowledged_is_kept_up_to_the_quota_and_no_further() {
    let place = place();
    let ledger = Ledger::open(small(place.path(), 40, 4)).unwrap();
    let mut slow = ledger
        .subscribe("slow", Policy::Lossless, Start::Oldest)
        .unwrap();
    let mut quick = ledger
        .subscribe("quick", Policy::Lossless, Start::Oldest)
        .unwrap();
    // Two events a block.
    let mut tip = mine_chain(&ledger, &ledger.best(), 1, 19).pop().unwrap();
    assert_eq!(
        ledger.event_log().unwrap().oldest,
        0,
        "38 of 40: nothing went"
    );
    let cursor = quick.next_batch(1_000).unwrap().last().unwrap().cursor;
    quick.acknowledge(cursor).unwrap();
    tip = mine_chain(&ledger, &tip, 1, 30).pop().unwrap();

    let log = ledger.event_log().unwrap();
    assert_eq!(log.next, 98);
    assert!((40..=42).contains(&(log.next - log.oldest)), "{log:?}");
    let error = slow.next_batch(10).unwrap_err();
    let EventsError::CursorExpired { cursor, oldest } = error else {
        panic!("{error}");
    };
    assert_eq!((cursor.seq, oldest), (0, log.oldest));
    let text = error.to_string();
    assert!(text.contains(&format!("{oldest} were missed")), "{text}");
    // As often as it asks.
    assert!(slow.next_batch(10).is_err());
    let status = ledger.subscribers().unwrap();
    let missed: Vec<_> = status
        .iter()
        .map(|each| (&*each.name, each.missed))
        .collect();
    assert_eq!(missed, [("quick", oldest - 38), ("slow", oldest)]);

    // From its block there is one step to the present, and then every event again.
    let mut again = ledger
        .subscribe("slow", Policy::Lossless, Start::After(vec![cursor.block]))
        .unwrap();
    let batch = again.next_batch(10).unwrap();
    assert_eq!(batch.len(), 1);
    assert_eq!((batch[0].seq, batch[0].event.to), (None, tip.hash()));
    assert_eq!(batch[0].event.applied.len(), 49);
    again.acknowledge(batch[0].cursor).unwrap();
    let next = mine_on(&ledger, &tip, 1);
    let batch = again.next_batch(10).unwrap();
    let kinds: Vec<_> = batch.iter().map(|delivery| delivery.event.kind).collect();
    assert_eq!(kinds, [EventKind::TipExtended, EventKind::BestChanged]);
    assert_eq!((batch[0].seq, batch[1].event.to), (Some(98), next.hash()));
}

#[test]
fn who_acknowledges_lets_events_go_and_who_is_unregistered_keeps_none() {
    let place = place();
    let ledger = Ledger::open(small(place.path(), 1_000, 4)).unwrap();
    let mut subscription = ledger
        .subscribe("indexer", Policy::Lossless, Start::Now)
        .unwrap();
    ledger
        .subscribe("conflating", Policy::Conflating, Start::Now)
        .unwrap();
    let mut tip = mine_chain(&ledger, &ledger.best(), 1, 50).pop().unwrap();
    assert_eq!(ledger.event_log().unwrap().oldest, 0, "all of it is kept");
    let cursor = subscription.next_batch(60).unwrap().last().unwrap().cursor;
    subscription.acknowledge(cursor).unwrap();
    tip = mine_chain(&ledger, &tip, 1, 2).pop().unwrap();
    assert_eq!(ledger.event_log().unwrap().oldest, 60, "from its cursor on");
    // An older cursor changes nothing.
    let older = everett_ledger::Cursor { seq: 3, ..cursor };
    subscription.acknowledge(older).unwrap();
    assert_eq!(ledger.subscribers().unwrap()[1].cursor, cursor);
    assert!(ledger.unregister("indexer").unwrap());
    assert!(!ledger.unregister("indexer").unwrap());
    mine_on(&ledger, &tip, 1);
    let log = ledger.event_log().unwrap();
    assert_eq!(log.next - log.oldest, 4, "what is retained for nobody");
    let error = subscription.acknowledge(cursor).unwrap_err();
    assert!(matches!(error, EventsError::Unregistered { .. }), "{error}");
}

#[test]
fn a_quota_of_bytes_holds_whoever_needs_what() {
    let place = place();
    let mut config = small(place.path(), 1_000_000, 1_000_000);
    config.event_quota_bytes = 10_000;
    let ledger = Ledger::open(config.clone()).unwrap();
    ledger
        .subscribe("slow", Policy::Lossless, Start::Oldest)
        .unwrap();
    let mut tip = ledger.best();
    for _ in 0..200 {
        tip = mine_on(&ledger, &tip, 1);
        assert!(ledger.event_log().unwrap().bytes <= 10_000);
    }
    let log = ledger.event_log().unwrap();
    assert!(log.bytes > 9_000 && log.oldest > 300, "{log:?}");
    drop((ledger, tip));
    let ledger = Ledger::open(config).unwrap();
    assert_eq!(
        ledger.event_log().unwrap(),
        log,
        "it is the same after a restart"
    );
}

#[test]
fn a_conflating_subscriber_goes_its_one_step_whatever_was_trimmed() {
    let place = place();
    let ledger = Ledger::open(small(place.path(), 10, 2)).unwrap();
    let genesis = ledger.best();
    let mut subscription = ledger
        .subscribe("wallet", Policy::Conflating, Start::Now)
        .unwrap();
    let mut state = State::new(genesis.hash());
    state.whole = false;
    let trunk = mine_chain(&ledger, &genesis, 1, 30);
    let mut follow = |state: &mut State| {
        let batch = subscription.next_batch(10).unwrap();
        assert!(batch.len() <= 1, "one net step");
        for delivery in &batch {
            state.take(delivery.seq, &delivery.event, delivery.cursor);
        }
        assert_eq!(state.chain, chain_to(&ledger, ledger.best().hash()));
        batch.first().map(|delivery| delivery.event.undone.len())
    };
    assert_eq!(follow(&mut state), Some(0));
    // Two branches, one after the other: of the first one nothing is told.
    mine_chain(&ledger, &trunk[20], 2, 12);
    mine_chain(&ledger, &trunk[25], 3, 15);
    assert_eq!(follow(&mut state), Some(4));
    assert_eq!(follow(&mut state), None);
}

#[test]
fn a_quota_without_room_is_refused() {
    let place = place();
    for (quota, bytes) in [(0, 1_000), (10, 0)] {
        let mut config = small(place.path(), quota, 1);
        config.event_quota_bytes = bytes;
        let error = Ledger::open(config).err().unwrap().to_string();
        assert!(error.contains("room for one"), "{error}");
    }
}
