use bitcoin::hashes::Hash;

use super::*;

fn hash(number: u8) -> BlockHash {
    BlockHash::from_byte_array([number; 32])
}

fn frames(blocks: &[(u8, u8)]) -> Vec<Frame> {
    blocks
        .iter()
        .map(|(own, previous)| Frame {
            hash: hash(*own),
            previous: hash(*previous),
            file: 0,
            length: 81,
            offset: 0,
        })
        .collect()
}

fn ordered(blocks: &[(u8, u8)]) -> (Vec<u32>, Vec<u32>) {
    let plan = plan(&frames(blocks), |known| *known == hash(0));
    (plan.ready, plan.strays)
}

#[test]
fn blocks_in_order_stay_in_order() {
    assert_eq!(
        ordered(&[(0, 9), (1, 0), (2, 1), (3, 1), (4, 2)]),
        (vec![0, 1, 2, 3, 4], vec![])
    );
}

#[test]
fn a_block_before_its_parent_goes_right_after_it() {
    // Files: 3, 2, 5 wait; 1 frees 2, which frees 3; then 4.
    assert_eq!(
        ordered(&[(3, 2), (2, 1), (5, 4), (1, 0), (4, 1)]),
        (vec![3, 1, 0, 4, 2], vec![])
    );
}

#[test]
fn siblings_that_waited_keep_the_files_order() {
    assert_eq!(
        ordered(&[(2, 1), (3, 1), (4, 2), (1, 0)]),
        (vec![3, 0, 2, 1], vec![])
    );
}

#[test]
fn blocks_without_a_known_ancestor_come_last() {
    assert_eq!(ordered(&[(8, 7), (9, 8), (1, 0)]), (vec![2], vec![0, 1]));
}

#[test]
fn copies_are_kept_and_so_are_blocks_the_ledger_has() {
    assert_eq!(
        ordered(&[(1, 0), (1, 0), (0, 9), (2, 1), (1, 0)]),
        (vec![0, 1, 2, 3, 4], vec![])
    );
}

#[test]
fn copies_that_wait_both_come() {
    assert_eq!(
        ordered(&[(2, 1), (2, 1), (3, 2), (1, 0)]),
        (vec![3, 0, 2, 1], vec![])
    );
}
