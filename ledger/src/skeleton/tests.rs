use std::collections::{BTreeMap, BTreeSet};

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{CompactTarget, TxMerkleNode};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A tree whose blocks hang below those that `picks` says.
fn grown(picks: &[u16]) -> BlockTree {
    let header = |prev_blockhash, nonce| Header {
        version: Version::ONE,
        prev_blockhash,
        merkle_root: TxMerkleNode::all_zeros(),
        time: nonce,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce,
    };
    let mut tree = BlockTree::new(header(BlockHash::all_zeros(), 0), 0);
    for (length, pick) in (1u32..).zip(picks) {
        let back = u32::from(pick % 5).min(length - 1);
        let parent = BlockId(length - 1 - back);
        let header = header(tree.node(parent).hash, length);
        tree.push(header.block_hash(), header, Some(parent), 0);
    }
    tree.publish();
    tree
}

/// Each key block with the one below it, by walking every tip down from parent to parent.
fn walked(tree: &BlockTree, tips: &BTreeSet<BlockId>) -> BTreeMap<BlockId, Option<BlockId>> {
    let parent = |id: BlockId| tree.node(id).parent;
    let line = |id| std::iter::successors(Some(id), |id| parent(*id));
    let seen: BTreeSet<BlockId> = tips.iter().flat_map(|tip| line(*tip)).collect();
    let mut children: BTreeMap<BlockId, usize> = BTreeMap::new();
    for id in &seen {
        if let Some(parent) = parent(*id) {
            *children.entry(parent).or_default() += 1;
        }
    }
    let key = |id: &BlockId| {
        *id == BlockId::GENESIS || tips.contains(id) || children.get(id).is_some_and(|n| *n > 1)
    };
    let below = |id: BlockId| line(id).skip(1).find(key);
    seen.iter()
        .filter(|id| key(id))
        .map(|id| (*id, below(*id)))
        .collect()
}

proptest! {
    #[test]
    fn the_skeleton_is_that_of_a_walk_from_parent_to_parent(
        picks in vec(any::<u16>(), 0..150),
        best in any::<prop::sample::Index>(),
    ) {
        let tree = grown(&picks);
        // Any block may be the best tip: what is above it is not validated then.
        let best = BlockId(best.index(tree.ids().len()) as u32);
        let mut tips: BTreeSet<BlockId> = tree.leaves().collect();
        let mut bones = Bones::new(&tree, best);
        for tip in &tips {
            if *tip != best {
                bones.add(*tip);
            }
        }
        tips.insert(best);
        let order = bones.in_order();
        let found: BTreeMap<BlockId, Option<BlockId>> = order
            .iter()
            .map(|bone| (bone.id, bone.below.map(|below| order[below].id)))
            .collect();
        prop_assert_eq!(found.len(), order.len());
        prop_assert_eq!(found, walked(&tree, &tips));
        for (index, bone) in order.iter().enumerate() {
            prop_assert!(bone.below.is_none_or(|below| below < index));
            prop_assert_eq!(bone.tip, tips.contains(&bone.id));
        }
    }
}
