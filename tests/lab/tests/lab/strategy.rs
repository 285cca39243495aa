//! Laws over random fork histories.

use std::collections::HashSet;

use bitcoin::BlockHash;
use everett_lab::Lab;
use everett_lab::strategy::{Arrival, PEOPLE, Shape, histories};
use everett_ledger::{ChainStatus, Ledger, Outcome, Tip};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_order_of_arrival_ends_with_the_same_worlds(history in histories(Shape::small())) {
        let tale = history.tell();
        let other = Lab::new(99);
        for answer in tale.deliver_to(other.ledger(), other.ledger().clock()).unwrap() {
            let kept = matches!(answer.outcome, Outcome::Accepted { .. } | Outcome::Orphan { .. });
            prop_assert!(kept, "{:?}", answer.outcome);
        }
        prop_assert!(other.ledger().orphans().is_empty());
        let (here, there) = (tale.lab.ledger(), other.ledger());
        prop_assert_eq!(here.best().chainwork(), there.best().chainwork());
        prop_assert_eq!(leaves(here), leaves(there));
        for tip in here.tips().iter().filter(|tip| tip.live) {
            let (a, b) = (here.world(&tip.hash).unwrap(), there.world(&tip.hash).unwrap());
            prop_assert_eq!(a.set_info().unwrap(), b.set_info().unwrap());
            for party in &tale.people {
                let script = party.script_hash();
                prop_assert_eq!(a.balance(&script).unwrap(), b.balance(&script).unwrap());
            }
        }
    }
}

/// The ends of all branches. The best tip is listed as well where an invalid block stands on it, and which of two blocks
/// with equal work is the best one is a matter of arrival.
fn leaves(ledger: &Ledger) -> HashSet<BlockHash> {
    let tips = ledger.tips();
    let below = |hash: &BlockHash, height: u32| {
        let on_it = |tip: &Tip| {
            tip.hash != *hash
                && (ledger.ancestor(&tip.hash, height)).is_some_and(|block| block.hash == *hash)
        };
        tips.iter().any(on_it)
    };
    let ends = tips.iter().filter(|tip| !below(&tip.hash, tip.height));
    ends.map(|tip| tip.hash).collect()
}

#[test]
fn the_strategy_makes_forks_double_spends_invalidations_and_disorder() {
    let mut runner = TestRunner::deterministic();
    let (mut conflicts, mut invalid, mut orphans, mut forks, mut payments) = (0, 0, 0, 0, 0);
    for _ in 0..60 {
        let history = histories(Shape::small())
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let tale = history.tell();
        let ledger = tale.lab.ledger();
        let tips = ledger.tips();
        forks += usize::from(tips.len() > 1);
        invalid += usize::from(tips.iter().any(|tip| tip.status == ChainStatus::Invalid));
        let live: Vec<_> = tips.iter().filter(|tip| tip.live).collect();
        for tip in live.iter().skip(1) {
            let rival = ledger.world(&tip.hash).unwrap();
            conflicts += ledger.conflicts(&ledger.best(), &rival).unwrap().len();
        }
        payments += usize::from(PEOPLE.iter().any(|name| {
            let balance = ledger.best().balance(&tale.lab.party(name).script_hash());
            !balance
                .unwrap()
                .confirmed
                .to_sat()
                .is_multiple_of(5_000_000_000)
        }));
        let other = Lab::new(1);
        let answers = tale
            .deliver_to(other.ledger(), other.ledger().clock())
            .unwrap();
        let waited = |outcome: &Outcome| matches!(outcome, Outcome::Orphan { .. });
        orphans += usize::from(answers.iter().any(|answer| waited(&answer.outcome)));
    }
    assert!(forks > 30, "{forks} of 60 fork");
    assert!(conflicts > 10, "{conflicts} coins in conflict");
    assert!(invalid > 5, "{invalid} of 60 end with a block taken back");
    assert!(orphans > 20, "{orphans} of 60 arrive out of order");
    assert!(payments > 30, "{payments} of 60 pay");
}

#[test]
fn a_history_that_breaks_a_law_shrinks_to_a_short_one() {
    let mut runner = TestRunner::deterministic();
    let mut shortest = usize::MAX;
    for _ in 0..5 {
        let mut tree = loop {
            let tree = histories(Shape::large()).new_tree(&mut runner).unwrap();
            if breaks(&tree.current()) {
                break tree;
            }
        };
        // As proptest does it: simpler while it still fails.
        let mut steps = 0;
        while steps < 4_000 && tree.simplify() {
            while !breaks(&tree.current()) && steps < 4_000 && tree.complicate() {
                steps += 1;
            }
            steps += 1;
        }
        shortest = shortest.min(tree.current().steps.len());
    }
    assert!(shortest <= 2, "the shortest has {shortest} steps");
}

/// "There is never a second branch", which is not true.
fn breaks(history: &everett_lab::strategy::History) -> bool {
    let tale = history.tell();
    let blocks = tale.arrivals.iter();
    let mut blocks = blocks.filter(|arrival| matches!(arrival, Arrival::Block(_)));
    blocks.next().is_some() && tale.lab.ledger().tips().len() > 1
}

#[test]
fn without_disorder_and_invalidations_there_are_only_blocks_and_they_come_in_order() {
    let tale = histories(Shape {
        invalidations: false,
        disorder: 0,
        ..Shape::small()
    })
    .new_tree(&mut TestRunner::deterministic())
    .unwrap()
    .current()
    .tell();
    assert_eq!(tale.people.len(), PEOPLE.len());
    assert!(
        tale.arrivals
            .iter()
            .all(|arrival| matches!(arrival, Arrival::Block(_)))
    );
    assert_eq!(tale.blocks().count(), tale.arrivals.len());
    let other = Lab::new(1);
    for answer in tale
        .deliver_to(other.ledger(), other.ledger().clock())
        .unwrap()
    {
        assert!(matches!(answer.outcome, Outcome::Accepted { .. }));
    }
}
