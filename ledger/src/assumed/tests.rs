use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{CompactTarget, TxMerkleNode};

use super::*;
use crate::params::Network;
use crate::tree::Failure;

/// Blocks of equal work in two weeks.
const TWO_WEEKS: u32 = 14 * 24 * 6;

fn params() -> Params {
    Params::new(Network::Regtest)
}

fn header(previous: BlockHash, nonce: u32) -> Header {
    Header {
        version: Version::ONE,
        prev_blockhash: previous,
        merkle_root: TxMerkleNode::all_zeros(),
        time: 0,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce,
    }
}

/// A tree of one chain, so many headers above genesis.
fn chain(length: u32) -> BlockTree {
    let mut tree = BlockTree::new(params().genesis.header, 0);
    extend(&mut tree, BlockId::GENESIS, length, 0);
    tree
}

fn extend(tree: &mut BlockTree, from: BlockId, length: u32, nonce: u32) -> BlockId {
    let mut tip = from;
    for _ in 0..length {
        let next = header(tree.node(tip).hash, nonce);
        tip = tree.push(next.block_hash(), next, Some(tip), 0);
    }
    tip
}

fn at(tree: &BlockTree, height: u32) -> BlockId {
    tree.ancestor(tree.best_header(), height)
}

fn hash_at(tree: &BlockTree, height: u32) -> Option<BlockHash> {
    Some(tree.node(at(tree, height)).hash)
}

#[test]
fn blocks_up_to_the_assumed_one_are_assumed_valid_with_more_than_two_weeks_on_top() {
    let tree = chain(TWO_WEEKS + 100);
    let assumed = |height, by| is_assumed_valid(&tree, at(&tree, height), by, &params());
    let (at_50, at_tip) = (hash_at(&tree, 50), hash_at(&tree, TWO_WEEKS + 100));
    assert!(assumed(1, at_50) && assumed(50, at_50) && !assumed(51, at_50));
    // Two weeks to the second are not enough.
    assert!(assumed(99, at_tip) && !assumed(100, at_tip));
}

#[test]
fn nothing_is_assumed_valid_by_no_block_or_an_unknown_one() {
    let tree = chain(TWO_WEEKS + 100);
    let one = at(&tree, 1);
    assert!(!is_assumed_valid(&tree, one, None, &params()));
    let unknown = Some(BlockHash::all_zeros());
    assert!(!is_assumed_valid(&tree, one, unknown, &params()));
}

#[test]
fn a_chain_with_less_than_the_minimum_of_work_is_not_assumed_valid() {
    let tree = chain(TWO_WEEKS + 100);
    let mut params = params();
    params.minimum_chain_work = tree.node(tree.best_header()).chainwork;
    assert!(is_assumed_valid(
        &tree,
        at(&tree, 1),
        hash_at(&tree, 50),
        &params
    ));
    params.minimum_chain_work =
        params.minimum_chain_work + header(BlockHash::all_zeros(), 0).work();
    assert!(!is_assumed_valid(
        &tree,
        at(&tree, 1),
        hash_at(&tree, 50),
        &params
    ));
}

#[test]
fn a_branch_off_the_best_header_chain_is_not_assumed_valid() {
    let mut tree = chain(TWO_WEEKS + 100);
    let fork = at(&tree, 40);
    let side = extend(&mut tree, fork, 20, 1);
    let by = Some(tree.node(side).hash);
    assert!(is_assumed_valid(&tree, fork, by, &params()));
    let first = tree.ancestor(side, 41);
    assert!(
        !is_assumed_valid(&tree, first, by, &params()),
        "off the best chain"
    );
    let by = hash_at(&tree, 50);
    assert!(!is_assumed_valid(&tree, side, by, &params()), "off both");
}

#[test]
fn the_best_header_is_the_first_seen_of_the_most_work_that_did_not_fail() {
    let mut tree = chain(10);
    let first = tree.best_header();
    let fork = at(&tree, 5);
    let tie = extend(&mut tree, fork, 5, 1);
    assert_eq!(tree.best_header(), first, "a tie changes nothing");
    tree.publish();
    let more = extend(&mut tree, tie, 1, 1);
    assert_eq!(tree.best_header(), more);
    tree.rollback();
    assert_eq!(
        tree.best_header(),
        first,
        "what is taken back is not the best"
    );
    tree.update(first, |node| node.failure = Some(Failure::Rule));
    tree.find_best_header();
    assert_eq!(tree.best_header(), tie);
    tree.rollback();
    assert_eq!(tree.best_header(), first, "nor has it failed any more");
}
