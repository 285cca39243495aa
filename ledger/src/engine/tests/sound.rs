//! Which blocks are told of before their inputs are looked at.

use bitcoin::BlockHash;

use super::*;

/// What the ledger tells of while it takes a block, and what becomes of it.
fn telling(ledger: &Ledger, block: &[u8]) -> (Vec<BlockHash>, Outcome) {
    let before = ledger.best().hash();
    let mut told = Vec::new();
    let mut sound = |hash| {
        assert_eq!(ledger.best().hash(), before, "told before the commit");
        told.push(hash);
    };
    let mut answers = ledger.submit_blocks_telling(&[block], &mut sound).unwrap();
    (told, answers.remove(0).outcome)
}

#[test]
fn a_block_on_the_best_tip_is_told_of_once_and_before_it_is_the_best() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let block = child(&genesis(), 1);
    let (told, outcome) = telling(&ledger, &bytes(&block));
    assert_eq!(told, [block.hash]);
    assert!(matches!(outcome, Outcome::Accepted { best: true, .. }));
    assert_eq!(telling(&ledger, &bytes(&block)).0, []);
    let next = child(&with(&genesis(), &block), 2);
    assert_eq!(ledger.submit_headers(&[next.header]).unwrap(), Ok(()));
    assert_eq!(telling(&ledger, &bytes(&next)).0, [next.hash]);
}

#[test]
fn a_block_that_loses_or_waits_or_is_not_its_headers_is_not_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let best = child(&genesis(), 1);
    submit(&ledger, &best);
    let rival = child(&genesis(), 2);
    assert_eq!(telling(&ledger, &bytes(&rival)).0, []);
    let missing = child(&with(&genesis(), &best), 3);
    let orphan = child(&with(&with(&genesis(), &best), &missing), 4);
    assert_eq!(telling(&ledger, &bytes(&orphan)).0, []);
    let mut mutated = child(&with(&genesis(), &best), 5);
    mutated.transactions[0].tx.output[0].value = bitcoin::Amount::ZERO;
    let (told, outcome) = telling(&ledger, &bytes(&mutated));
    assert!(matches!(outcome, Outcome::Rejected { .. }));
    assert_eq!(told, []);
}

#[test]
fn a_block_whose_inputs_do_not_hold_is_told_of_and_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let greedy = child(&genesis(), 5_000_000_001);
    let (told, outcome) = telling(&ledger, &bytes(&greedy));
    assert_eq!(told, [greedy.hash]);
    let Outcome::Rejected { reject, .. } = outcome else {
        panic!("it was let in");
    };
    assert_eq!(reject.reason, "bad-cb-amount");
}
