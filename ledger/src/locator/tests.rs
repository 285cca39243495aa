use super::*;
use crate::fixtures::{Branch, in_memory};

#[test]
fn a_locators_steps_are_those_of_bitcoin_core() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(100, 1);
    trunk.announce(&ledger);
    let heights = |height: u32| -> Vec<u32> {
        let locator = ledger.locator(&trunk.hash_at(height));
        let height = |hash| ledger.header(hash).unwrap().height;
        locator.iter().map(height).collect()
    };
    assert_eq!(heights(0), [0]);
    assert_eq!(heights(3), [3, 2, 1, 0]);
    assert_eq!(
        heights(100),
        [
            100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 90, 89, 87, 83, 75, 59, 27, 0
        ]
    );
    assert!(ledger.locator(&trunk.grown(1, 1).tip()).is_empty());
}

#[test]
fn headers_follow_what_both_sides_have_on_whatever_branch() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(30, 1);
    let fork = trunk.cut(12).grown(10, 2);
    trunk.announce(&ledger);
    fork.announce(&ledger);
    let after = |locator: &[BlockHash], stop, tip: &Branch, limit| -> Vec<BlockHash> {
        let headers = ledger.headers_after(locator, stop, &tip.tip(), limit);
        headers.iter().map(Header::block_hash).collect()
    };
    let hashes = |branch: &Branch, from, to| -> Vec<BlockHash> {
        (from..=to).map(|height| branch.hash_at(height)).collect()
    };
    let locator = ledger.locator(&trunk.hash_at(15));
    assert_eq!(after(&locator, None, &trunk, 2000), hashes(&trunk, 16, 30));
    assert_eq!(after(&locator, None, &trunk, 3), hashes(&trunk, 16, 18));
    assert_eq!(after(&locator, None, &trunk, 0), []);
    // Along the other branch: from where the two part.
    assert_eq!(after(&locator, None, &fork, 2000), hashes(&fork, 13, 22));
    let stop = Some(fork.hash_at(20));
    assert_eq!(after(&locator, stop, &fork, 2000), hashes(&fork, 13, 20));
    assert_eq!(after(&locator, stop, &fork, 2), hashes(&fork, 13, 14));
    // A stop that is not on the way stops nobody.
    assert_eq!(after(&locator, stop, &trunk, 2000), hashes(&trunk, 16, 30));
    let passed = Some(trunk.hash_at(3));
    assert_eq!(
        after(&locator, passed, &trunk, 2000),
        hashes(&trunk, 16, 30)
    );
    // Nothing in common but genesis, and all in common.
    assert_eq!(after(&[], None, &trunk, 2), hashes(&trunk, 1, 2));
    let unknown = trunk.grown(1, 1).tip();
    assert_eq!(after(&[unknown], None, &trunk, 2), hashes(&trunk, 1, 2));
    assert_eq!(after(&[trunk.tip()], None, &trunk, 2000), []);
    assert_eq!(after(&[trunk.tip()], None, &trunk.cut(20), 2000), []);
    assert_eq!(after(&locator, None, &trunk.grown(1, 1), 2000), []);
}

#[test]
fn a_locator_of_a_longest_chain_has_few_hashes() {
    let doublings = 32;
    assert!(SINGLE_STEPS + 2 + doublings <= MAX_LOCATOR_HASHES);
}
