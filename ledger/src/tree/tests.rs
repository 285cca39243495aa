use std::collections::BTreeMap;

use bitcoin::hashes::Hash;
use bitcoin::{CompactTarget, TxMerkleNode};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A header below `parent` that no other has.
fn header(parent: BlockHash, nonce: u32) -> Header {
    Header {
        version: bitcoin::block::Version::ONE,
        prev_blockhash: parent,
        merkle_root: TxMerkleNode::all_zeros(),
        time: nonce,
        // Some blocks have more work than others.
        bits: CompactTarget::from_consensus(if nonce.is_multiple_of(7) {
            0x2000_7fff
        } else {
            0x207f_ffff
        }),
        nonce,
    }
}

fn push(tree: &mut BlockTree, parent: BlockId) -> BlockId {
    let nonce = tree.nodes.length as u32;
    let header = header(tree.node(parent).hash, nonce);
    tree.push(header.block_hash(), header, Some(parent), u64::from(nonce))
}

/// A tree whose blocks hang below those that `picks` says, mostly near the end.
fn grown(picks: &[u16]) -> BlockTree {
    let mut tree = BlockTree::new(header(BlockHash::all_zeros(), 0), 0);
    for pick in picks {
        let length = tree.nodes.length;
        let near = usize::from(*pick % 8);
        let parent = match *pick % 5 {
            0 => usize::from(*pick) % length,
            _ => length - 1 - near.min(length - 1),
        };
        push(&mut tree, BlockId(parent as u32));
    }
    tree
}

/// A block and all below it, down to genesis, one parent after the other.
fn line(tree: &BlockTree, id: BlockId) -> Vec<BlockId> {
    std::iter::successors(Some(id), |id| tree.node(*id).parent).collect()
}

proptest! {
    #[test]
    fn ancestors_and_fork_points_are_those_of_a_walk_from_parent_to_parent(
        picks in vec(any::<u16>(), 1..120),
    ) {
        let tree = grown(&picks);
        for a in tree.all_ids() {
            let line_a = line(&tree, a);
            prop_assert_eq!(line_a.len() as u32, tree.node(a).height + 1);
            for (below, ancestor) in line_a.iter().enumerate() {
                let height = tree.node(a).height - below as u32;
                prop_assert_eq!(tree.ancestor(a, height), *ancestor);
            }
            for b in tree.all_ids() {
                let line_b = line(&tree, b);
                let fork = line_a.iter().find(|id| line_b.contains(id));
                prop_assert_eq!(Some(&tree.fork_point(a, b)), fork);
            }
            let work = line_a
                .iter()
                .map(|id| tree.node(*id).header.work())
                .reduce(|sum, work| sum + work);
            prop_assert_eq!(Some(tree.node(a).chainwork), work);
        }
    }

    #[test]
    fn descendants_are_all_blocks_above_parents_first(picks in vec(any::<u16>(), 1..120)) {
        let tree = grown(&picks);
        for id in tree.all_ids() {
            let found = tree.descendants(id);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            let expected: Vec<BlockId> = tree
                .all_ids()
                .filter(|other| *other != id && line(&tree, *other).contains(&id))
                .collect();
            prop_assert_eq!(sorted, expected);
            for (index, at) in found.iter().enumerate() {
                let parent = tree.node(*at).parent.unwrap();
                prop_assert!(parent == id || found[..index].contains(&parent));
            }
        }
    }

    #[test]
    fn the_best_candidate_has_the_most_work_and_was_the_first_to_be_complete(
        picks in vec(any::<u16>(), 1..120),
        marks in vec((any::<u16>(), any::<bool>()), 0..200),
    ) {
        let mut tree = grown(&picks);
        for (sequence, (pick, failed)) in marks.into_iter().enumerate() {
            let id = BlockId(u32::from(pick) % tree.nodes.length as u32);
            tree.update(id, |node| match failed {
                true => node.failure = Some(Failure::Rule),
                false => node.sequence = sequence as u64 + 1,
            });
        }
        let best = tree.best_candidate(|_| true).unwrap_or(BlockId::GENESIS);
        let candidates = tree
            .all_ids()
            .filter(|id| tree.node(*id).sequence != 0 && !tree.node(*id).failed());
        for id in candidates {
            let (best, other) = (tree.node(best), tree.node(id));
            prop_assert!(best.chainwork >= other.chainwork);
            if best.chainwork == other.chainwork {
                prop_assert!(best.sequence <= other.sequence);
            }
        }
        prop_assert!(best == BlockId::GENESIS || tree.node(best).sequence != 0);
    }
}

/// All that can be seen of a tree.
#[derive(Clone, PartialEq, Debug)]
struct Seen {
    rows: Vec<HeaderRow>,
    children: Vec<SmallVec<[BlockId; 4]>>,
    leaves: Vec<BlockId>,
    by_hash: BTreeMap<BlockHash, BlockId>,
}

fn seen(tree: &BlockTree) -> Seen {
    Seen {
        rows: tree
            .ids()
            .map(|id| tree.committed_node(id).row(id))
            .collect(),
        children: tree
            .ids()
            .map(|id| tree.committed_node(id).children.clone())
            .collect(),
        leaves: tree.leaves().collect(),
        by_hash: tree
            .ids()
            .map(|id| tree.committed_node(id).hash)
            .filter_map(|hash| Some((hash, tree.find_committed(&hash)?)))
            .collect(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(u16),
    Update(u16),
    Publish,
    RollBack,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u16>().prop_map(Step::Push),
        4 => any::<u16>().prop_map(Step::Update),
        1 => Just(Step::Publish),
        1 => Just(Step::RollBack),
    ]
}

proptest! {
    #[test]
    fn readers_see_the_last_publication_whatever_the_writer_does_since(
        steps in vec(step(), 1..150),
    ) {
        let mut tree = BlockTree::new(header(BlockHash::all_zeros(), 0), 0);
        tree.publish();
        let mut published = seen(&tree);
        let mut touched = BTreeSet::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(pick) => {
                    let parent = BlockId(u32::from(pick) % tree.nodes.length as u32);
                    // Headers differ also when an earlier one was rolled back.
                    let below = header(tree.node(parent).hash, 1000 + number as u32);
                    touched.insert(tree.push(below.block_hash(), below, Some(parent), 5));
                }
                Step::Update(pick) => {
                    let id = BlockId(u32::from(pick) % tree.nodes.length as u32);
                    tree.update(id, |node| {
                        node.progress = Progress::Stored;
                        node.sequence += 1;
                        node.rejection.get_or_insert_default().reason.push('!');
                        node.failure = Some(Failure::ByHand);
                    });
                    touched.insert(id);
                }
                Step::Publish => {
                    let unpublished: BTreeSet<BlockId> = tree.changed().chain(tree.appended()).collect();
prop_assert!(touched.is_subset(&unpublished));
                    tree.publish();
                    published = seen(&tree);
                    touched.clear();
                }
                Step::RollBack => {
                    tree.rollback();
                    touched.clear();
                    prop_assert_eq!(tree.nodes.length, tree.committed);
                    let present: Vec<HeaderRow> =
                        tree.all_ids().map(|id| tree.node(id).row(id)).collect();
                    prop_assert_eq!(&present, &published.rows);
                    for id in tree.all_ids() {
                        prop_assert_eq!(&tree.node(id).children, &published.children[id.index()]);
                        prop_assert_eq!(tree.find(&tree.node(id).hash), Some(id));
                    }
                    prop_assert_eq!(tree.by_hash.len(), tree.committed);
                }
            }
            prop_assert_eq!(seen(&tree), published.clone());
            let parents: BTreeSet<BlockId> =
                tree.ids().filter_map(|id| tree.node(id).parent).collect();
            let leaves: Vec<BlockId> = tree.ids().filter(|id| !parents.contains(id)).collect();
            prop_assert_eq!(tree.leaves().collect::<Vec<_>>(), leaves);
        }
    }

    #[test]
    fn a_tree_comes_back_from_its_rows(picks in vec(any::<u16>(), 1..60)) {
        let mut tree = grown(&picks);
        for id in tree.all_ids() {
            tree.update(id, |node| {
                node.progress = [Progress::Header, Progress::Stored, Progress::Connected][id.index() % 3];
                node.failure = [None, Some(Failure::Rule), Some(Failure::ByHand), Some(Failure::Ancestor)]
                    [id.index() % 4];
                node.sequence = u64::from(id.0) * 3;
                node.tx_count = id.0;
                node.rejection.get_or_insert_default().reason = format!("reason {id}");
            });
        }
        tree.publish();
        let expected = seen(&tree);
        let loaded = BlockTree::load(expected.rows.iter().cloned().map(Ok)).unwrap();
        prop_assert_eq!(seen(&loaded), expected);
    }
}

#[test]
fn a_long_chain_is_rolled_back_across_chunks() {
    let mut tree = BlockTree::new(header(BlockHash::all_zeros(), 0), 0);
    let mut tip = BlockId::GENESIS;
    for _ in 0..100 {
        tip = push(&mut tree, tip);
    }
    tree.publish();
    let published = seen(&tree);
    for _ in 0..2 {
        let mut end = tip;
        for _ in 0..2 * Nodes::CHUNK {
            end = push(&mut tree, end);
        }
        for height in [0, 1, 99, 100, 101, 4095, 4096, 4097, 8000] {
            assert_eq!(tree.ancestor(end, height), BlockId(height));
        }
        assert_eq!(tree.fork_point(end, tip), tip);
        tree.rollback();
        assert_eq!(seen(&tree), published);
        assert_eq!(tree.nodes.chunks.len(), 1);
    }
}

#[test]
fn damaged_rows_are_refused_by_name() {
    let mut tree = grown(&[1, 2, 3, 4]);
    tree.publish();
    let rows = seen(&tree).rows;
    let load = |rows: Vec<HeaderRow>| match BlockTree::load(rows.into_iter().map(Ok)) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error.to_string(),
    };
    assert!(load(Vec::new()).contains("empty"));
    let changed = |change: &dyn Fn(&mut Vec<HeaderRow>)| {
        let mut rows = rows.clone();
        change(&mut rows);
        load(rows)
    };
    assert!(changed(&|rows| drop(rows.remove(0))).contains("genesis"));
    assert!(changed(&|rows| drop(rows.remove(2))).contains("#3"));
    assert!(changed(&|rows| rows[3].state = 0x7f).contains("state 127"));
    assert!(changed(&|rows| rows[3].height += 1).contains("does not fit"));
    assert!(changed(&|rows| rows[3].parent = Some(BlockId(9))).contains("no parent"));
    assert!(changed(&|rows| rows[3].parent = None).contains("no parent"));
}
