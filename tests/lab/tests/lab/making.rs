//! Labs and their blocks.

use bitcoin::consensus::serialize;
use bitcoin::{Amount, BlockHash};
use everett_lab::{Lab, LabError, MAX_BLOCKS_A_COMMIT};
use everett_ledger::Outcome;

/// A small history with everything that a seed decides.
fn history(lab: &Lab) -> Vec<BlockHash> {
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    let ready = lab.fund(&alice).unwrap();
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let paid = lab.mine(&ready, [payment.clone()]).unwrap();
    let theft = lab.double_spend(&payment, &alice).unwrap();
    let reorg = lab.reorg_with(1, [theft]).unwrap();
    vec![
        ready.hash(),
        paid.hash(),
        reorg.to.hash(),
        lab.best().hash(),
    ]
}

#[test]
fn the_same_seed_and_calls_give_the_same_hashes_on_every_machine() {
    let hashes = history(&Lab::new(7));
    assert_eq!(hashes, history(&Lab::new(7)));
    assert_ne!(hashes, history(&Lab::new(8)));
    // Written down once: another machine, another day, another version must give it too.
    assert_eq!(
        hashes[3].to_string(),
        "5bfd2a582a6cd14ea70a93ecff12c35076a159f195a42f2ed76506925c118b8f",
        "a lab's history must not change from version to version"
    );
}

#[test]
fn a_lab_in_a_directory_makes_the_same_blocks_and_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::in_directory(7, directory.path()).unwrap();
    let hashes = history(&lab);
    assert_eq!(hashes, history(&Lab::new(7)));
    drop(lab);
    let lab = Lab::in_directory(7, directory.path()).unwrap();
    assert_eq!(lab.best().hash(), hashes[3]);
    assert!(lab.world(hashes[1]).is_ok());
    // It goes on from there, with blocks of its own.
    let grown = lab.grow(lab.best(), 2).unwrap();
    lab.expect(&grown).best();
}

#[test]
fn labs_know_nothing_of_each_other() {
    let labs: Vec<Lab> = (0..50).map(Lab::new).collect();
    for (seed, lab) in labs.iter().enumerate() {
        lab.grow(0, seed as u32).unwrap();
    }
    for (seed, lab) in labs.iter().enumerate() {
        assert_eq!(lab.best().height(), seed as u32);
    }
}

#[test]
fn siblings_without_transactions_are_different_blocks() {
    let lab = Lab::new(1);
    let mut hashes: Vec<BlockHash> = (0..40).map(|_| lab.mine(0, []).unwrap().hash()).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 40);
    assert_eq!(lab.ledger().tips().len(), 40);
}

#[test]
fn growing_takes_more_blocks_than_a_commit_does() {
    let lab = Lab::new(1);
    let count = 2 * MAX_BLOCKS_A_COMMIT + 1;
    let tip = lab.grow(0, count).unwrap();
    lab.expect(&tip).height(count).best();
    let none = lab.grow(&tip, 0).unwrap();
    assert_eq!(none.hash(), tip.hash());
}

#[test]
fn block_times_rise_by_the_spacing_on_average() {
    let lab = Lab::builder().seed(3).spacing(60).open().unwrap();
    let tip = lab.grow(0, 1_000).unwrap();
    let start = lab.genesis().unwrap().header().time;
    let mean = (tip.header().time - start) / 1_000;
    assert!(
        (50..70).contains(&mean),
        "{mean} seconds from block to block"
    );
}

#[test]
fn a_block_that_is_kept_back_comes_when_it_is_handed_in() {
    let lab = Lab::new(1);
    let tip = lab.grow(0, 5).unwrap();
    let block = lab.block(&tip, []).unwrap();
    lab.expect(&tip).best();
    let submitted = lab.submit(&serialize(&block)).unwrap();
    assert!(matches!(
        submitted.outcome,
        Outcome::Accepted { best: true, .. }
    ));
    let mut spoilt = lab.block(&tip, []).unwrap();
    spoilt.txdata[0].output[0].value += Amount::from_sat(1);
    let outcome = lab.submit(&serialize(&spoilt)).unwrap().outcome;
    assert_eq!(outcome.bip22().as_deref(), Some("bad-txnmrklroot"));
}

#[test]
fn a_live_lab_takes_the_machines_time_and_stays_within_the_rules() {
    let lab = Lab::builder().seed(1).live().open().unwrap();
    let tip = lab.grow(0, 50).unwrap();
    lab.expect(&tip).height(50).best();
    let now = lab.ledger().clock().now();
    assert!(u64::from(tip.header().time).abs_diff(now) < 60);
}

#[test]
fn an_unknown_block_is_an_error_that_says_so() {
    let lab = Lab::new(1);
    let unknown: BlockHash = "00".repeat(32).parse().unwrap();
    assert!(matches!(lab.mine(unknown, []), Err(LabError::World(_))));
    assert!(matches!(lab.mine(4, []), Err(LabError::World(_))));
    assert!(matches!(
        lab.reorg(1),
        Err(LabError::TooDeep {
            depth: 1,
            height: 0
        })
    ));
}
