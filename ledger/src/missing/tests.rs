use super::*;
use crate::fixtures::{Branch, in_memory};

#[test]
fn missing_are_the_blocks_that_never_came_on_that_chain() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(20, 1);
    let fork = trunk.cut(5).grown(6, 2);
    trunk.announce(&ledger);
    fork.announce(&ledger);
    trunk.cut(8).deliver(&ledger, 0);
    for height in [10, 11, 15] {
        trunk.deliver_one(&ledger, height);
    }
    fork.deliver_one(&ledger, 7);
    let missing = |branch: &Branch, above, limit| -> Vec<u32> {
        let missing = ledger.missing_blocks(&branch.tip(), above, limit);
        for (height, hash) in &missing {
            assert_eq!(branch.hash_at(*height), *hash);
        }
        missing.into_iter().map(|(height, _)| height).collect()
    };
    assert_eq!(missing(&trunk, 0, 100), [9, 12, 13, 14, 16, 17, 18, 19, 20]);
    assert_eq!(missing(&trunk, 0, 3), [9, 12, 13]);
    assert_eq!(missing(&trunk, 12, 3), [13, 14, 16]);
    assert!(missing(&trunk, 20, 3).is_empty());
    assert!(missing(&trunk, u32::MAX, 3).is_empty());
    assert_eq!(missing(&fork, 0, 100), [6, 8, 9, 10, 11]);
    assert!(missing(&trunk.grown(1, 1), 0, 100).is_empty());
    // What stands on an invalid block is not worth fetching.
    ledger.invalidate_block(&trunk.hash_at(13)).unwrap();
    assert_eq!(missing(&trunk, 0, 100), [9, 12]);
}

#[test]
fn missing_blocks_are_found_beyond_one_stride() {
    let ledger = in_memory();
    let length = 2 * STRIDE + 40;
    let trunk = Branch::genesis().grown(length as usize, 1);
    trunk.announce(&ledger);
    trunk.deliver_one(&ledger, STRIDE + 1);
    let missing = ledger.missing_blocks(&trunk.tip(), 0, usize::MAX);
    let heights: Vec<u32> = missing.into_iter().map(|(height, _)| height).collect();
    let expected: Vec<u32> = (1..=length)
        .filter(|height| *height != STRIDE + 1)
        .collect();
    assert_eq!(heights, expected);
    let last = ledger.missing_blocks(&trunk.tip(), length - 1, 5);
    assert_eq!(last, [(length, trunk.tip())]);
}
