use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, Work};
use everett_ledger::{BlockInfo, KeyBlock};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A key block at a height.
fn key(number: usize, below: Option<usize>, height: u32) -> KeyBlock {
    let header = Header {
        version: Version::ONE,
        prev_blockhash: BlockHash::all_zeros(),
        merkle_root: TxMerkleNode::all_zeros(),
        time: 0,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: number as u32,
    };
    let mut work = [0; 32];
    work[28..].copy_from_slice(&(height + 1).to_be_bytes());
    KeyBlock {
        info: BlockInfo {
            hash: header.block_hash(),
            header,
            height,
            chainwork: Work::from_be_bytes(work),
            status: ChainStatus::ValidFork,
            live: true,
            fork_hash: BlockHash::all_zeros(),
            fork_height: 0,
            first_seen: 0,
            tx_count: 1,
            size: 0,
            median_time_past: 0,
            reject_reason: None,
            reject_debug: None,
            next_hash: None,
            arrival: Some(u64::from(height)),
        },
        below,
        tip: false,
        best: false,
    }
}

/// A tree of key blocks: each hangs below an earlier one, so many blocks above it. The tip of most work is the best.
fn skeleton(picks: &[(u16, u16)]) -> Skeleton {
    let mut blocks = vec![key(0, None, 0)];
    for (number, (parent, length)) in (1..).zip(picks) {
        let below = usize::from(*parent) % blocks.len();
        let height = blocks[below].info.height + 1 + u32::from(*length) % 40;
        blocks.push(key(number, Some(below), height));
    }
    // As the ledger gives them: by height, each after the one below it.
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|block| (blocks[*block].info.height, *block));
    let mut place = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        place[*old] = new;
    }
    let mut blocks: Vec<KeyBlock> = order.iter().map(|old| blocks[*old].clone()).collect();
    for block in &mut blocks {
        block.below = block.below.map(|below| place[below]);
    }
    let inner: Vec<usize> = blocks.iter().filter_map(|key| key.below).collect();
    for (block, key) in blocks.iter_mut().enumerate() {
        key.tip = !inner.contains(&block);
    }
    let tips = blocks.iter().filter(|key| key.tip).count();
    if let Some(best) = blocks.last_mut() {
        best.best = true;
        best.tip = true;
    }
    let mut at = Some(blocks.len() - 1);
    while let Some(block) = at {
        blocks[block].info.status = ChainStatus::Active;
        at = blocks[block].below;
    }
    Skeleton { blocks, tips }
}

proptest! {
    #[test]
    fn every_tip_has_a_place_of_its_own_and_no_two_branches_share_a_piece_of_a_lane(
        picks in vec(any::<(u16, u16)>(), 0..60),
    ) {
        let skeleton = skeleton(&picks);
        let picture = Picture::draw(&skeleton);
        prop_assert_eq!(picture.tips.len(), skeleton.tips);
        prop_assert_eq!(picture.tips.len() + picture.forks.len(), skeleton.blocks.len());
        let mut marks: Vec<Mark> = picture.tips.iter().chain(&picture.forks).copied().collect();
        marks.sort_by(|a, b| a.y.total_cmp(&b.y));
        for pair in marks.windows(2) {
            prop_assert!(pair[0].y < pair[1].y);
            let height = |mark: &Mark| skeleton.blocks[mark.block].info.height;
            prop_assert!(height(&pair[0]) >= height(&pair[1]));
        }
        for pair in picture.tips.windows(2) {
            prop_assert!(pair[1].y - pair[0].y >= 24.0);
        }
        let map = &picture.map;
        let ends: usize = map.tips.iter().map(|run| run.path.matches('M').count()).sum();
        prop_assert_eq!(ends, skeleton.tips);
        for run in map.runs.iter().chain(&map.tips) {
            for point in run.path.trim_end_matches("h0").replace("h0", "").split(['M', 'L']).skip(1) {
                let (x, y) = point.split_once(' ').unwrap();
                let (x, y): (f32, f32) = (x.parse().unwrap(), y.parse().unwrap());
                prop_assert!((0.0..=1000.0).contains(&x) && (0.0..=map.height).contains(&y));
            }
        }
        marks.sort_by_key(|mark| mark.block);
        // Vertical pieces: each block's lane from it down to the row of the one below it.
        let pieces: Vec<(usize, usize, f32, f32, f32)> = (0..marks.len())
            .filter_map(|block| {
                let below = skeleton.blocks[block].below?;
                Some((block, below, marks[block].x, marks[block].y, marks[below].y))
            })
            .collect();
        for (index, (a, a_below, a_x, a_top, a_bottom)) in pieces.iter().enumerate() {
            for (b, b_below, b_x, b_top, b_bottom) in &pieces[index + 1..] {
                let meet = a_x == b_x && a_top < b_bottom && b_top < a_bottom;
                prop_assert!(!meet, "{a}-{a_below} and {b}-{b_below} at {a_x}");
            }
        }
        prop_assert!(marks.iter().all(|mark| mark.x < picture.words && mark.y < picture.height));
        for (block, key) in skeleton.blocks.iter().enumerate() {
            if key.info.status == ChainStatus::Active {
                prop_assert_eq!(marks[block].x, GUTTER);
            }
        }
    }
}

#[test]
fn single_blocks_are_shown_and_long_runs_are_shortened() {
    // Genesis, a fork at 200, a branch of 3, the best one of 5.
    let mut skeleton = skeleton(&[]);
    skeleton.blocks[0].tip = false;
    skeleton.blocks[0].best = false;
    for (below, height, tip) in [(0, 200, false), (1, 203, true), (1, 205, true)] {
        let number = skeleton.blocks.len();
        let mut block = key(number, Some(below), height);
        block.tip = tip;
        skeleton.blocks.push(block);
    }
    skeleton.blocks[3].best = true;
    for block in [0, 1, 3] {
        skeleton.blocks[block].info.status = ChainStatus::Active;
    }
    let picture = Picture::draw(&skeleton);
    assert_eq!(picture.gaps.len(), 1);
    assert_eq!(picture.gaps[0].blocks, 199);
    let beads = |kind| {
        let run = picture.beads.iter().find(|run| run.kind == kind).unwrap();
        run.path.matches('M').count()
    };
    assert_eq!(beads(Kind::Rival), 2);
    assert_eq!(beads(Kind::Best), 4);
    assert_eq!(picture.cuts.matches('M').count(), 1);
    assert!(picture.height < 400.0);
}

#[test]
fn a_single_block_is_a_picture() {
    let picture = Picture::draw(&skeleton(&[]));
    assert_eq!((picture.tips.len(), picture.forks.len()), (1, 0));
    assert!(picture.runs.is_empty());
}
