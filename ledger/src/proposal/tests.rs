use bitcoin::TxMerkleNode;
use bitcoin::hashes::Hash;

use crate::decode::DecodedBlock;
use crate::fixtures::{Branch, bytes, in_memory};
use crate::{Ledger, Outcome};

fn verdict(ledger: &Ledger, block: &DecodedBlock, with_merkle_root: bool) -> Option<String> {
    let world = ledger.world(&block.header.prev_blockhash).unwrap();
    let verdict = ledger.check_proposal(&world, block, with_merkle_root);
    verdict
        .unwrap()
        .err()
        .map(|reject| reject.reason.into_owned())
}

/// The same block without its proof of work.
fn unfinished(block: &DecodedBlock) -> DecodedBlock {
    let mut header = block.header;
    header.nonce = header.nonce.wrapping_add(1);
    DecodedBlock::new(header, block.transactions.clone())
}

#[test]
fn a_proposal_gets_the_blocks_verdict_on_every_branch_and_leaves_no_trace() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(3, 1);
    let (rival, best) = (trunk.cut(2).grown(1, 2), trunk.grown(1, 1));
    best.deliver(&ledger, 0);
    rival.deliver(&ledger, 2);
    for branch in [&trunk, &best, &rival] {
        let height = branch.blocks.len();
        let good = branch.grown(1, 5).blocks[height].clone();
        assert_eq!(verdict(&ledger, &unfinished(&good), true), None);
        let greedy = branch.greedy().blocks[height].clone();
        let reason = verdict(&ledger, &unfinished(&greedy), true);
        assert_eq!(reason.as_deref(), Some("bad-cb-amount"));
        assert!(ledger.header(&good.hash).is_none() && ledger.header(&greedy.hash).is_none());
    }
    let next = best.grown(1, 7).blocks[best.blocks.len()].clone();
    let Outcome::Accepted { best, .. } = ledger.submit_block(&bytes(&next)).unwrap().outcome else {
        panic!("the block was let in");
    };
    assert!(best);
}

#[test]
fn the_merkle_root_counts_only_where_it_is_asked_for() {
    let ledger = in_memory();
    let good = Branch::genesis().grown(1, 5).blocks[0].clone();
    let mut header = good.header;
    header.merkle_root = TxMerkleNode::all_zeros();
    let block = DecodedBlock::new(header, good.transactions);
    assert_eq!(verdict(&ledger, &block, false), None);
    let reason = verdict(&ledger, &block, true);
    assert_eq!(reason.as_deref(), Some("bad-txnmrklroot"));
}

#[test]
fn a_proposal_for_another_parent_is_inconclusive() {
    let ledger = in_memory();
    let branch = Branch::genesis().grown(2, 1);
    branch.deliver(&ledger, 0);
    let old = branch.cut(1).grown(1, 3).blocks[1].clone();
    let verdict = ledger.check_proposal(&ledger.best(), &old, true).unwrap();
    assert_eq!(verdict.unwrap_err().reason, "inconclusive-not-best-prevblk");
}

#[test]
fn a_periods_first_block_is_not_dated_more_than_ten_minutes_before_its_parent() {
    let ledger = in_memory();
    let interval = ledger.params().difficulty_interval();
    let branch = Branch::genesis().grown(interval as usize - 1, 1);
    branch.deliver(&ledger, 0);
    let next = |height| ledger.next_block(&ledger.world_at_height(height).unwrap());
    let last = branch.blocks[interval as usize - 2].header.time;
    let first = next(interval - 1);
    assert!(first.min_time > first.median_time_past + 1);
    assert_eq!(first.min_time, last - 600);
    let earlier = next(interval - 2);
    assert_eq!(earlier.min_time, earlier.median_time_past + 1);
}
