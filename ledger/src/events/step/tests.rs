//! Steps through the tree that are longer than one may be.

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{CompactTarget, TxMerkleNode, block};

use super::*;
use crate::params::{Network, Params};

/// A chain of headers on a block; their rules are nobody's business here.
fn grow(tree: &mut BlockTree, mut parent: BlockId, count: u32, nonce: u32) -> BlockId {
    for _ in 0..count {
        let header = Header {
            version: block::Version::ONE,
            prev_blockhash: tree.node(parent).hash,
            merkle_root: TxMerkleNode::all_zeros(),
            time: 0,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce,
        };
        parent = tree.push(header.block_hash(), header, Some(parent), 0);
    }
    parent
}

#[test]
fn a_long_way_is_cut_into_steps_that_chain_and_end_where_they_should() {
    let genesis = Params::new(Network::Regtest).genesis.header;
    let mut tree = BlockTree::new(genesis, 0);
    let fork = grow(&mut tree, BlockId::GENESIS, 10, 0);
    let a = grow(&mut tree, fork, 2 * MAX_STEP_BLOCKS + 5, 1);
    let b = grow(&mut tree, fork, MAX_STEP_BLOCKS + 7, 2);
    let mut chain: Vec<BlockHash> = down(&tree, a, 0);
    chain.reverse();
    let mut at = a;
    let mut steps = 0;
    while let Some(event) = step(&tree, at, b, 0) {
        let length = event.undone.len() + event.applied.len();
        assert!(length <= MAX_STEP_BLOCKS as usize);
        assert_eq!(Some(&event.from), chain.last());
        for undone in &event.undone {
            assert_eq!(chain.pop().as_ref(), Some(undone));
        }
        assert_eq!(chain.last(), Some(&event.fork));
        chain.extend(&event.applied);
        assert_eq!(chain.last(), Some(&event.to));
        at = tree.find(&event.to).unwrap();
        steps += 1;
    }
    assert_eq!((at, steps), (b, 4));
    let mut wanted = down(&tree, b, 0);
    wanted.reverse();
    assert_eq!(chain, wanted);
    assert!(step(&tree, a, a, 0).is_none());
}
