use bitcoin::hashes::{Hash, sha256d};
use proptest::prelude::*;

use super::*;

fn leaves(count: u8) -> Vec<[u8; 32]> {
    (0..count).map(|number| [number + 1; 32]).collect()
}

#[test]
fn no_leaves_give_zeros_and_one_gives_itself() {
    assert_eq!(
        merkle_root(Vec::new()),
        MerkleRoot {
            root: [0; 32],
            mutated: false
        }
    );
    assert_eq!(
        merkle_root(leaves(1)),
        MerkleRoot {
            root: [1; 32],
            mutated: false
        }
    );
}

#[test]
fn roots_are_the_bitcoin_crates() {
    for count in 1..40 {
        let hashes = leaves(count)
            .into_iter()
            .map(sha256d::Hash::from_byte_array);
        let known = bitcoin::merkle_tree::calculate_root(hashes).unwrap();
        assert_eq!(
            merkle_root(leaves(count)),
            MerkleRoot {
                root: known.to_byte_array(),
                mutated: false
            }
        );
    }
}

#[test]
fn a_repeated_tail_has_the_same_root_and_is_noticed() {
    // Six leaves, of which the last two are repeated: the textbook case.
    let mut repeated = leaves(6);
    repeated.extend_from_within(4..);
    let plain = merkle_root(leaves(6));
    let mutated = merkle_root(repeated);
    assert_eq!(plain.root, mutated.root);
    assert!(!plain.mutated && mutated.mutated);
}

proptest! {
    #[test]
    fn whatever_tail_is_repeated_is_noticed(count in 1u8..60) {
        let plain = merkle_root(leaves(count));
        let tail = 1usize << count.trailing_zeros();
        let mut repeated = leaves(count);
        repeated.extend_from_within(usize::from(count) - tail..);
        let mutated = merkle_root(repeated);
        // Of a power of two, the repeated whole is a tree one level higher.
        let whole = tail == usize::from(count);
        prop_assert_eq!(plain.root == mutated.root, !whole);
        prop_assert!(mutated.mutated);
    }
}
