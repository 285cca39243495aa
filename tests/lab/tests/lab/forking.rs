//! Branches, reorganisations, and blocks taken back by hand.

use bitcoin::Amount;
use everett_lab::{At, Lab};
use everett_ledger::ChainStatus;

#[test]
fn branches_grow_side_by_side_and_stay_readable() {
    let lab = Lab::new(1);
    let alice = lab.party("alice");
    let trunk = lab.grow(0, 10).unwrap();
    let mut left = lab.fork(&trunk).unwrap();
    let mut right = lab.fork(&trunk).unwrap();
    left.grow(3).unwrap();
    right.grow(5).unwrap();
    lab.expect(left.tip())
        .height(13)
        .not_best()
        .status(ChainStatus::ValidFork);
    lab.expect(right.tip())
        .height(15)
        .best()
        .status(ChainStatus::Active);
    let third = lab.grow_to(&alice, &trunk, 2).unwrap();
    lab.expect(&third)
        .balance(&alice, Amount::from_int_btc(100))
        .not_best();
    assert_eq!(lab.ledger().tips().len(), 3);
}

#[test]
fn a_reorganisation_undoes_as_many_blocks_as_it_was_told() {
    let lab = Lab::new(1);
    lab.grow(0, 20).unwrap();
    for depth in [0, 1, 6, 20] {
        let before = lab.best();
        let reorg = lab.reorg(depth).unwrap();
        let comparison = lab.ledger().compare(&before, &lab.best());
        assert_eq!(comparison.undone.len() as u32, depth);
        assert_eq!(comparison.applied.len() as u32, depth + 1);
        lab.expect(&reorg.to).best();
        lab.expect(At::Best).height(before.height() + 1);
    }
}

#[test]
fn a_block_taken_back_by_hand_makes_another_world_the_best() {
    let lab = Lab::new(1);
    let trunk = lab.grow(0, 3).unwrap();
    let short = lab.grow(&trunk, 1).unwrap();
    let long = lab.grow(&trunk, 2).unwrap();
    lab.invalidate(&long).unwrap();
    lab.expect(At::Height(4)).best();
    lab.expect(long.hash()).status(ChainStatus::Invalid);
    lab.reconsider(long.hash()).unwrap();
    lab.expect(&long).best();
    lab.expect(&short).not_best();
}

#[test]
fn behind_the_horizon_a_branch_is_gone_and_says_so() {
    let lab = Lab::builder().horizon(5).open().unwrap();
    let trunk = lab.grow(0, 10).unwrap();
    let fork = lab.grow(&trunk, 1).unwrap();
    lab.grow(&trunk, 8).unwrap();
    let gone = lab.expect(fork.hash()).height(11).verify().unwrap_err();
    assert!(gone.to_string().contains("retired"), "{gone}");
}
