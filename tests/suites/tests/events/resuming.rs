//! Where a subscription begins, and what it is told from there.

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use everett_ledger::{
    Access, Cursor, EventKind, EventsError, Ledger, LedgerConfig, Policy, Start, WorldError,
};

use super::sink::{State, chain_to};
use super::support::{config, hashes, mine_chain, mine_on, place};

fn nowhere() -> BlockHash {
    BlockHash::from_byte_array([9; 32])
}

#[test]
fn a_locator_counts_from_its_first_block_that_was_ever_in_a_world() {
    let place = place();
    let ledger = Ledger::open(config(place.path())).unwrap();
    let genesis = ledger.best();
    let trunk = hashes(&mine_chain(&ledger, &genesis, 1, 10));
    let rival = mine_chain(&ledger, &ledger.world(&trunk[5]).unwrap(), 2, 8);
    let best = rival.last().unwrap().hash();
    let cases = [
        // The tip of the branch that lost: four back, eight on.
        (vec![nowhere(), trunk[9], trunk[5]], 4, 8),
        (vec![trunk[3]], 0, 10),
        (vec![best], 0, 0),
        (vec![genesis.hash()], 0, 14),
    ];
    for (locator, undone, applied) in cases {
        for policy in [Policy::Lossless, Policy::Conflating] {
            let mut followed = ledger
                .follow(policy, Start::After(locator.clone()))
                .unwrap();
            let batch = followed.next_batch(100).unwrap();
            assert_eq!(followed.position().block, best);
            if undone + applied == 0 {
                assert!(batch.is_empty());
                continue;
            }
            let [delivery] = &batch[..] else {
                panic!("{batch:?}")
            };
            let event = &delivery.event;
            assert_eq!(event.kind, EventKind::BestChanged);
            assert_eq!((event.undone.len(), event.applied.len()), (undone, applied));
            assert_eq!(event.applied.last(), Some(&best));
            assert_eq!(delivery.to.as_ref().unwrap().hash(), best);
            assert!(followed.next_batch(100).unwrap().is_empty());
        }
    }
    let error = |start| ledger.follow(Policy::Lossless, start).err().unwrap();
    let unknown = error(Start::After(vec![nowhere(), nowhere()]));
    assert!(
        matches!(unknown, EventsError::UnknownBlocks { asked: 2, .. }),
        "{unknown}"
    );
    let empty = error(Start::After(vec![]));
    assert!(matches!(empty, EventsError::EmptyLocator), "{empty}");
}

#[test]
fn a_header_without_its_block_is_no_place_to_resume_from() {
    let (place, other) = (place(), super::support::place());
    let ledger = Ledger::open(config(place.path())).unwrap();
    let elsewhere = Ledger::open(config(other.path())).unwrap();
    let there = mine_on(&elsewhere, &elsewhere.best(), 1);
    ledger.submit_headers(&[there.header()]).unwrap().unwrap();
    let start = |locator| ledger.follow(Policy::Lossless, Start::After(locator));
    assert!(start(vec![there.hash()]).is_err());
    let genesis = ledger.best().hash();
    let followed = start(vec![there.hash(), genesis]).unwrap();
    assert_eq!(followed.position().block, genesis);
}

#[test]
fn a_subscriber_resumes_from_the_cursor_that_it_acknowledged_also_after_a_restart() {
    let place = place();
    let ledger = Ledger::open(config(place.path())).unwrap();
    let genesis = ledger.best();
    let mut subscription = ledger
        .subscribe("indexer", Policy::Lossless, Start::Stored)
        .unwrap();
    let tip = mine_chain(&ledger, &genesis, 1, 5).pop().unwrap();
    let batch = subscription.next_batch(4).unwrap();
    assert_eq!(batch.len(), 4);
    // Delivered is not acknowledged.
    subscription.acknowledge(batch[1].cursor).unwrap();
    assert_eq!(subscription.position(), batch[3].cursor);
    drop((ledger, subscription, genesis, batch, tip));

    let ledger = Ledger::open(config(place.path())).unwrap();
    let status = ledger.subscribers().unwrap();
    assert_eq!(status[0].name, "indexer");
    assert_eq!((status[0].cursor.seq, status[0].lag_events), (2, 8));
    let mut subscription = ledger
        .subscribe("indexer", Policy::Lossless, Start::Stored)
        .unwrap();
    let batch = subscription.next_batch(1_000).unwrap();
    let seqs: Vec<_> = batch.iter().filter_map(|delivery| delivery.seq).collect();
    assert_eq!(seqs, (2..10).collect::<Vec<_>>());
    let error = ledger
        .subscribe("indexer", Policy::Conflating, Start::Stored)
        .err()
        .unwrap();
    assert!(matches!(error, EventsError::OtherPolicy { .. }), "{error}");
}

#[test]
fn a_cursor_whose_block_is_not_where_the_best_tip_was_is_taken_there_first() {
    let place = place();
    let ledger = Ledger::open(config(place.path())).unwrap();
    let genesis = ledger.best();
    let trunk = hashes(&mine_chain(&ledger, &genesis, 1, 6));
    let fork = ledger.world(&trunk[1]).unwrap();
    let rival = mine_chain(&ledger, &fork, 2, 3);
    // Sequence 6 is the fourth block's extension: the best tip was the third block.
    let cursor = Cursor {
        seq: 6,
        block: rival.last().unwrap().hash(),
    };
    for limit in [1, 100] {
        let mut followed = ledger.follow(Policy::Lossless, Start::At(cursor)).unwrap();
        let mut state = State::new(genesis.hash());
        state.whole = false;
        state.chain = chain_to(&ledger, cursor.block);
        state.cursor = cursor;
        let mut first = None;
        loop {
            let batch = followed.next_batch(limit).unwrap();
            if batch.is_empty() {
                break;
            }
            for delivery in batch {
                first.get_or_insert((delivery.seq, delivery.event.to));
                state.take(delivery.seq, &delivery.event, delivery.cursor);
            }
        }
        assert_eq!(first, Some((None, trunk[2])));
        assert_eq!(state.chain, chain_to(&ledger, ledger.best().hash()));
        assert_eq!(state.cursor.seq, ledger.event_log().unwrap().next);
    }
}

#[test]
fn a_cursor_from_another_ledger_is_refused() {
    let place = place();
    let ledger = Ledger::open(config(place.path())).unwrap();
    let genesis = ledger.best().hash();
    let at = |seq, block| {
        let start = Start::At(Cursor { seq, block });
        ledger
            .subscribe("sink", Policy::Lossless, start)
            .err()
            .unwrap()
    };
    let ahead = at(1_000, genesis);
    assert!(
        matches!(
            ahead,
            EventsError::CursorAhead {
                seq: 1_000,
                next: 0
            }
        ),
        "{ahead}"
    );
    let unknown = at(0, nowhere());
    assert!(
        matches!(unknown, EventsError::UnknownBlocks { .. }),
        "{unknown}"
    );
    assert!(
        ledger.subscribers().unwrap().is_empty(),
        "nothing was registered"
    );
}

#[test]
fn each_event_brings_its_worlds_or_says_why_there_is_none() {
    let place = place();
    let mut config = config(place.path());
    config.horizon = Some(4);
    let ledger = Ledger::open(config).unwrap();
    let genesis = ledger.best();
    let trunk = mine_chain(&ledger, &genesis, 1, 3);
    let rival = mine_on(&ledger, &genesis, 2).hash();
    mine_chain(&ledger, trunk.last().unwrap(), 1, 5);
    ledger.invalidate_block(&ledger.best().hash()).unwrap();
    let mut followed = ledger.follow(Policy::Lossless, Start::Oldest).unwrap();
    let batch = followed.next_batch(100).unwrap();
    let found = |kind, to: Option<BlockHash>| {
        let mut all = batch.iter().rev();
        let wanted = all.find(|delivery| {
            delivery.event.kind == kind && to.is_none_or(|to| delivery.event.to == to)
        });
        wanted.unwrap().clone()
    };
    let retired = found(EventKind::TipRetired, Some(rival));
    assert!(matches!(retired.to, Err(WorldError::Retired { .. })));
    let invalid = found(EventKind::BlockInvalid, None);
    assert!(matches!(invalid.to, Err(WorldError::Invalidated { .. })));
    assert_eq!(invalid.from.unwrap().hash(), ledger.best().hash());
    // A shorter chain is a change like any other.
    let shorter = found(EventKind::BestChanged, None);
    assert_eq!(
        (shorter.event.undone.len(), shorter.event.applied.len()),
        (1, 0)
    );
    assert_eq!(shorter.to.unwrap().hash(), ledger.best().hash());
}

#[test]
fn a_smaller_horizon_at_the_next_start_says_which_branches_it_retires() {
    let place = place();
    let ledger = Ledger::open(config(place.path())).unwrap();
    let genesis = ledger.best();
    let trunk = mine_chain(&ledger, &genesis, 1, 12);
    let old = mine_chain(&ledger, &trunk[0], 2, 2).pop().unwrap().hash();
    let new = mine_on(&ledger, &trunk[9], 3).hash();
    let fork = trunk[0].hash();
    let next = ledger.event_log().unwrap().next;
    drop((ledger, genesis, trunk));
    for _ in 0..2 {
        let ledger = Ledger::open(LedgerConfig {
            horizon: Some(5),
            ..config(place.path())
        })
        .unwrap();
        let told = ledger.events(next, 100).unwrap();
        let told: Vec<_> = told
            .into_iter()
            .map(|(_, event)| (event.kind, event.from, event.to))
            .filter(|(kind, ..)| *kind != EventKind::Checkpointed)
            .collect();
        assert_eq!(told, [(EventKind::TipRetired, fork, old)], "once");
        assert!(ledger.world(&new).is_ok());
    }
}

#[test]
fn a_process_that_reads_can_follow_but_keeps_no_cursor() {
    let place = place();
    let ledger = Ledger::open(config(place.path())).unwrap();
    mine_chain(&ledger, &ledger.best(), 1, 4);
    ledger
        .subscribe("indexer", Policy::Lossless, Start::Now)
        .unwrap();
    drop(ledger);
    let reader = Ledger::open(LedgerConfig {
        access: Access::Reader,
        ..config(place.path())
    })
    .unwrap();
    let mut followed = reader.follow(Policy::Lossless, Start::Oldest).unwrap();
    assert_eq!(followed.next_batch(100).unwrap().len(), 8);
    assert_eq!(reader.subscribers().unwrap().len(), 1);
    let refused = [
        reader
            .subscribe("indexer", Policy::Lossless, Start::Stored)
            .err(),
        reader.unregister("indexer").err(),
        reader.acknowledge("indexer", followed.position()).err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(EventsError::ReadOnly)), "{error:?}");
    }
    let unnamed = followed.acknowledge(followed.position());
    assert!(matches!(unnamed, Err(EventsError::Unnamed)));
}

#[test]
fn names_and_their_number_are_limited() {
    let place = place();
    let ledger = Ledger::open(config(place.path())).unwrap();
    let subscribe = |name: &str| ledger.subscribe(name, Policy::Conflating, Start::Now);
    for name in [String::new(), "x".repeat(401)] {
        let error = subscribe(&name).err().unwrap();
        assert!(matches!(error, EventsError::BadName { .. }), "{error}");
    }
    subscribe(&"ü".repeat(200)).unwrap();
}
