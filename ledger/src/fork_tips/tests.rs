use super::*;
use crate::fixtures::{Branch, in_memory};

#[test]
fn fork_tips_are_the_ends_of_the_branches_inside_the_horizon() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(20, 1);
    trunk.deliver(&ledger, 0);
    let (inside, outside) = (trunk.cut(10).grown(2, 2), trunk.cut(9).grown(2, 3));
    let (stored, higher) = (trunk.cut(15).grown(3, 4), trunk.grown(2, 5));
    for branch in [&inside, &outside, &stored, &higher] {
        branch.announce(&ledger);
    }
    stored.deliver(&ledger, 15);
    let tips = ledger.fork_tips();
    let told: Vec<_> = tips
        .iter()
        .map(|tip| (tip.tip.hash, tip.fork_height, tip.stored, tip.validated))
        .collect();
    assert_eq!(
        told,
        [
            (higher.tip(), 20, false, false),
            (stored.tip(), 15, true, true),
            (inside.tip(), 10, false, false),
        ]
    );
    assert_eq!(tips[2].fork_hash, trunk.hash_at(10));
    // The last block alone does not make a branch whole.
    inside.deliver_one(&ledger, 12);
    assert!(!ledger.fork_tips()[2].stored);
    inside.deliver_one(&ledger, 11);
    assert!(ledger.fork_tips()[2].validated);
}

#[test]
fn a_branch_ends_before_its_first_invalid_block() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(5, 1);
    trunk.deliver(&ledger, 0);
    let fork = trunk.cut(2).grown(2, 2);
    let bad = fork.greedy().grown(4, 2);
    bad.announce(&ledger);
    let tips = || -> Vec<BlockHash> {
        let tips = ledger.fork_tips();
        tips.into_iter().map(|tip| tip.tip.hash).collect()
    };
    assert_eq!(tips(), [bad.tip(), trunk.tip()]);
    bad.deliver(&ledger, 2);
    assert_eq!(tips(), [trunk.tip(), fork.tip()]);
    let other = fork.grown(1, 3);
    other.announce(&ledger);
    assert_eq!(tips(), [trunk.tip(), other.tip()]);
    // The best chain's own tip, where all that stands on it is invalid.
    trunk.greedy().deliver(&ledger, 0);
    assert_eq!(tips(), [trunk.tip(), other.tip()]);
}

#[test]
fn headers_hide_no_validated_tip() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(5, 1);
    trunk.deliver(&ledger, 0);
    let fork = trunk.cut(2).grown(2, 2);
    fork.deliver(&ledger, 2);
    let tips = || -> Vec<BlockHash> {
        let tips = ledger.validated_tips();
        tips.into_iter().map(|tip| tip.hash).collect()
    };
    assert_eq!(tips(), [trunk.tip(), fork.tip()]);
    // Two branches of headers on each.
    for (tip, seed) in [(&fork, 3), (&fork, 4), (&trunk, 5), (&trunk, 6)] {
        tip.grown(3, seed).announce(&ledger);
    }
    assert_eq!(tips(), [trunk.tip(), fork.tip()]);
    // What was validated below another tip is none.
    let longer = fork.grown(1, 7);
    longer.deliver(&ledger, 4);
    assert_eq!(tips(), [trunk.tip(), longer.tip()]);
    // Nor is what is invalid.
    longer.greedy().deliver(&ledger, 4);
    assert_eq!(tips(), [trunk.tip(), longer.tip()]);
}
