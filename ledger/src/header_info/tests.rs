use super::*;
use crate::fixtures::{Branch, in_memory};

#[test]
fn a_header_is_told_with_how_far_its_block_came() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(12, 1);
    trunk.announce(&ledger);
    trunk.cut(3).deliver(&ledger, 0);
    trunk.deliver_one(&ledger, 5);
    let status = |height| ledger.header(&trunk.hash_at(height)).unwrap().status;
    assert_eq!(status(0), HeaderStatus::Validated);
    assert_eq!(status(3), HeaderStatus::Validated);
    assert_eq!(status(4), HeaderStatus::HeaderOnly);
    assert_eq!(status(5), HeaderStatus::Stored);
    ledger.invalidate_block(&trunk.hash_at(6)).unwrap();
    assert_eq!(status(12), HeaderStatus::Invalid);
    assert_eq!(ledger.best_header().hash, trunk.hash_at(5));
    ledger.reconsider_block(&trunk.hash_at(6)).unwrap();
    assert_eq!(ledger.best_header().hash, trunk.tip());

    let third = ledger.header(&trunk.hash_at(3)).unwrap();
    assert_eq!(third.header, trunk.blocks[2].header);
    assert_eq!(third.parent, Some(trunk.hash_at(2)));
    assert!(third.on_best_chain);
    assert!(!ledger.header(&trunk.hash_at(4)).unwrap().on_best_chain);
    let info = ledger.block_info(&third.hash).unwrap();
    assert_eq!(
        (third.height, third.chainwork, third.median_time_past),
        (info.height, info.chainwork, info.median_time_past)
    );
    let at_third = ledger.best().median_time_past_at(3);
    assert_eq!(at_third, Some(info.median_time_past));
    assert_eq!(ledger.best().median_time_past_at(1_000), None);
    let genesis = ledger.header(&trunk.hash_at(0)).unwrap();
    assert_eq!((genesis.parent, genesis.height), (None, 0));
    assert_eq!(ledger.header(&trunk.grown(1, 1).tip()), None);
}

#[test]
fn the_best_header_is_the_first_seen_of_those_with_the_most_work() {
    let ledger = in_memory();
    assert_eq!(ledger.best_header().height, 0);
    let trunk = Branch::genesis().grown(4, 1);
    let (first, second) = (trunk.grown(2, 2), trunk.grown(2, 3));
    first.announce(&ledger);
    second.announce(&ledger);
    assert_eq!(ledger.best_header().hash, first.tip());
    // Blocks do not matter.
    second.deliver(&ledger, 0);
    assert_eq!(ledger.best().hash(), second.tip());
    assert_eq!(ledger.best_header().hash, first.tip());
    second.grown(1, 3).announce(&ledger);
    assert_eq!(ledger.best_header().hash, second.grown(1, 3).tip());
}

#[test]
fn a_rejected_header_leaves_the_best_one_alone() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(4, 1);
    trunk.announce(&ledger);
    let mut bad = trunk.grown(1, 1).blocks[4].header;
    bad.bits = bitcoin::CompactTarget::from_consensus(0x207f_fffe);
    while !crate::rules::has_valid_proof_of_work(&bad, ledger.params()) {
        bad.nonce += 1;
    }
    let (index, reject) = ledger.submit_headers(&[bad]).unwrap().unwrap_err();
    assert_eq!((index, &*reject.reason), (0, "bad-diffbits"));
    assert_eq!(ledger.best_header().hash, trunk.tip());
}

#[test]
fn ancestors_and_fork_points_are_found_on_any_branch() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(20, 1);
    let fork = trunk.cut(7).grown(9, 2);
    trunk.announce(&ledger);
    fork.announce(&ledger);
    for height in 0..=16 {
        let found = ledger.ancestor(&fork.tip(), height).unwrap();
        assert_eq!((found.hash, found.height), (fork.hash_at(height), height));
    }
    assert_eq!(ledger.ancestor(&fork.tip(), 17), None);
    let point = |a, b| ledger.fork_point(&a, &b).map(|found| found.hash);
    assert_eq!(point(trunk.tip(), fork.tip()), Some(trunk.hash_at(7)));
    assert_eq!(point(trunk.hash_at(3), fork.tip()), Some(trunk.hash_at(3)));
    assert_eq!(point(trunk.tip(), trunk.grown(1, 1).tip()), None);
}
