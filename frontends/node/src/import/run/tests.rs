use std::sync::atomic::Ordering;

use bitcoin::consensus::encode::{deserialize, serialize};
use bitcoin::{Amount, Block, BlockHash, ScriptBuf};
use everett_ledger::{LedgerConfig, Network, Params};
use everett_scenario::assemble::mine;
use tempfile::TempDir;

use super::super::report::ProblemKind;
use super::*;

/// An empty regtest ledger.
fn regtest() -> (TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let params = Params::new(Network::Regtest);
    let config = LedgerConfig::new(params, directory.path());
    (directory, Ledger::open(config).unwrap())
}

/// Blocks 1 to `count`, each on the one before, then a fork of two blocks on block 1.
fn blocks(count: u32) -> Vec<Vec<u8>> {
    let (_directory, ledger) = regtest();
    let mut made = Vec::new();
    let mut first = None;
    let mut extend = |parent: &BlockHash, script: &ScriptBuf| {
        let block = mine(
            &ledger,
            &ledger.world(parent).unwrap(),
            vec![],
            script,
            None,
        )
        .unwrap();
        ledger.submit_block(&block).unwrap();
        let hash = deserialize::<Block>(&block).unwrap().block_hash();
        made.push(block);
        hash
    };
    let mut tip = ledger.params().genesis_hash();
    for _ in 0..count {
        tip = extend(&tip, &ScriptBuf::new());
        first.get_or_insert(tip);
    }
    let mut rival = first.unwrap();
    for _ in 0..2 {
        rival = extend(&rival, &ScriptBuf::from_bytes(vec![0x51]));
    }
    made
}

fn frame(block: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xfa, 0xbf, 0xb5, 0xda];
    bytes.extend((block.len() as u32).to_le_bytes());
    bytes.extend(block);
    bytes
}

/// Writes pieces to a file each, and imports them.
fn import(files: &[Vec<u8>]) -> (Summary, Ledger, TempDir, TempDir) {
    let (directory, ledger) = regtest();
    let (sources, paths) = write(files);
    let summary = Import::new(&ledger).run(&paths).unwrap();
    (summary, ledger, directory, sources)
}

fn write(files: &[Vec<u8>]) -> (TempDir, Vec<PathBuf>) {
    let sources = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (number, bytes) in files.iter().enumerate() {
        let path = sources.path().join(format!("{number}.dat"));
        std::fs::write(&path, bytes).unwrap();
        paths.push(path);
    }
    (sources, paths)
}

fn kinds(summary: &Summary) -> Vec<ProblemKind> {
    summary
        .problems
        .iter()
        .map(|problem| problem.kind)
        .collect()
}

#[test]
fn a_file_in_order_is_taken_whole() {
    let file: Vec<u8> = blocks(10).iter().flat_map(|block| frame(block)).collect();
    let (summary, ledger, _directory, _sources) = import(&[file]);
    assert_eq!((summary.blocks, summary.accepted), (12, 12));
    assert_eq!((summary.best_height, summary.tips), (10, 2));
    assert!(summary.clean() && summary.problems.is_empty());
    assert_eq!(ledger.best().height(), 10);
}

#[test]
fn the_order_of_blocks_and_files_does_not_matter() {
    let mut blocks = blocks(10);
    blocks.reverse();
    let (front, back) = blocks.split_at(5);
    let file = |blocks: &[Vec<u8>]| blocks.iter().flat_map(|block| frame(block)).collect();
    let (summary, ..) = import(&[file(front), file(back)]);
    assert_eq!(
        (summary.accepted, summary.best_height, summary.tips),
        (12, 10, 2)
    );
    assert!(summary.problems.is_empty());
}

#[test]
fn a_second_import_finds_everything_there() {
    let file: Vec<u8> = blocks(5).iter().flat_map(|block| frame(block)).collect();
    let (_, ledger, _directory, sources) = import(&[file]);
    let again = Import::new(&ledger)
        .run(&[sources.path().join("0.dat")])
        .unwrap();
    assert_eq!((again.accepted, again.known), (0, 7));
    assert!(again.clean() && again.problems.is_empty());
}

#[test]
fn blocks_whose_parent_is_nowhere_are_kept_until_it_comes() {
    let blocks = blocks(6);
    let late = frame(&blocks[2]);
    let early: Vec<u8> = blocks
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != 2)
        .flat_map(|(_, block)| frame(block))
        .collect();
    let (summary, ledger, _directory, sources) = import(&[early, late]);
    assert_eq!(summary.accepted, 8, "in one run the order does not matter");

    let (_directory2, ledger2) = regtest();
    let summary = Import::new(&ledger2)
        .run(&[sources.path().join("0.dat")])
        .unwrap();
    assert_eq!((summary.accepted, summary.unknown_parents), (4, 3));
    assert_eq!(kinds(&summary), [ProblemKind::UnknownParent; 3]);
    assert!(summary.problems[0].offset.is_some() && summary.clean());
    let summary = Import::new(&ledger2)
        .run(&[sources.path().join("1.dat")])
        .unwrap();
    assert_eq!(summary.accepted, 4, "the one and the three that waited");
    assert_eq!(ledger2.best().hash(), ledger.best().hash());
}

#[test]
fn copies_within_the_files_are_listed() {
    let blocks = blocks(3);
    let mut file: Vec<u8> = blocks.iter().flat_map(|block| frame(block)).collect();
    let offset = file.len() as u64;
    file.extend(frame(&blocks[1]));
    let (summary, ..) = import(&[file]);
    assert_eq!((summary.accepted, summary.duplicates), (5, 1));
    assert_eq!(kinds(&summary), [ProblemKind::Duplicate]);
    assert_eq!(summary.problems[0].offset, Some(offset));
    assert!(summary.clean());
}

#[test]
fn a_bad_block_is_named_and_the_rest_goes_on() {
    let blocks = blocks(4);
    let mut bad: Block = deserialize(&blocks[1]).unwrap();
    bad.txdata[0].output[0].value = Amount::from_sat(50_0000_0001);
    bad.header.merkle_root = bad.compute_merkle_root().unwrap();
    while !bad.header.target().is_met_by(bad.block_hash()) {
        bad.header.nonce += 1;
    }
    let hash = bad.block_hash().to_string();
    let mut file = frame(&blocks[0]);
    let offset = file.len() as u64;
    file.extend(frame(&serialize(&bad)));
    file.extend(blocks[1..].iter().flat_map(|block| frame(block)));
    let (summary, ..) = import(&[file]);
    assert_eq!((summary.accepted, summary.rejected), (6, 1));
    let problem = &summary.problems[0];
    assert_eq!(problem.kind, ProblemKind::Rejected);
    assert_eq!(problem.reason.as_deref(), Some("bad-cb-amount"));
    assert_eq!((problem.height, problem.offset), (Some(2), Some(offset)));
    assert_eq!(problem.hash.as_deref(), Some(hash.as_str()));
    assert!(problem.message.contains("0.dat") && !summary.clean());
}

/// The frame of block 2 claims those of blocks 3 and 4 as well.
fn greedy(blocks: &[Vec<u8>]) -> (Vec<u8>, usize) {
    let mut file = frame(&blocks[0]);
    let greedy = file.len();
    for block in &blocks[1..] {
        file.extend(frame(block));
    }
    let length = (blocks[1].len() + 8 + blocks[2].len() + 8 + blocks[3].len()) as u32;
    file[greedy + 4..greedy + 8].copy_from_slice(&length.to_le_bytes());
    (file, greedy)
}

#[test]
fn blocks_swallowed_by_a_frame_with_a_wrong_length_are_saved() {
    let blocks = blocks(6);
    let (file, _) = greedy(&blocks);
    let offset = (8 + blocks[0].len() + 8 + blocks[1].len()) as u64;
    let (summary, ..) = import(&[file]);
    assert_eq!((summary.accepted, summary.unknown_parents), (8, 0));
    assert_eq!(kinds(&summary), [ProblemKind::Garbage]);
    assert_eq!(summary.problems[0].offset, Some(offset));
}

#[test]
fn blocks_swallowed_by_a_frame_that_is_no_block_are_saved() {
    let blocks = blocks(6);
    let (mut file, greedy) = greedy(&blocks);
    // A count of transactions that cannot be.
    file[greedy + 8 + 80] = 0xff;
    let (summary, ledger, _directory, _sources) = import(&[file]);
    assert_eq!(kinds(&summary)[0], ProblemKind::Undecodable);
    // Block 1 and its fork; blocks 3 to 6 wait for block 2.
    assert_eq!((summary.accepted, summary.undecodable), (3, 1));
    assert_eq!((summary.refused_ancestors, summary.unknown_parents), (4, 0));
    let stands: Vec<&Problem> = summary
        .problems
        .iter()
        .filter(|problem| problem.kind == ProblemKind::RefusedAncestor)
        .collect();
    let ancestor = deserialize::<Block>(&blocks[1])
        .unwrap()
        .block_hash()
        .to_string();
    for problem in &stands {
        assert_eq!(problem.ancestor_hash.as_deref(), Some(ancestor.as_str()));
        assert!(problem.message.contains("which was refused"), "{problem:?}");
    }
    assert_eq!(stands.len(), 4);
    ledger.submit_block(&blocks[1]).unwrap();
    assert_eq!(ledger.best().height(), 6);
}

#[test]
fn damage_between_blocks_costs_no_block() {
    let blocks = blocks(4);
    let mut file = b"garbage".to_vec();
    for block in &blocks {
        file.extend(frame(block));
        file.extend([0x0b, 0x11, 0x09, 0x07, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
    }
    let torn = frame(&blocks[0]);
    file.extend(&torn[..50]);
    let (summary, ..) = import(&[file]);
    assert_eq!((summary.accepted, summary.best_height), (6, 4));
    let kinds = kinds(&summary);
    assert_eq!(kinds[0], ProblemKind::Garbage);
    assert_eq!(kinds[1], ProblemKind::OtherNetwork);
    assert_eq!(kinds.last(), Some(&ProblemKind::TornTail));
    assert_eq!(summary.problems[1].network.as_deref(), Some("testnet3"));
    assert!(!summary.clean());
}

#[test]
fn it_stops_when_told_and_goes_on_when_run_again() {
    let file: Vec<u8> = blocks(8).iter().flat_map(|block| frame(block)).collect();
    let (_directory, ledger) = regtest();
    let (_sources, paths) = write(&[file]);
    let stop = AtomicBool::new(true);
    let summary = Import::new(&ledger).stop_when(&stop).run(&paths).unwrap();
    assert!(summary.interrupted && !summary.clean());
    assert_eq!(summary.accepted, 0);
    stop.store(false, Ordering::Relaxed);
    let summary = Import::new(&ledger).stop_when(&stop).run(&paths).unwrap();
    assert_eq!((summary.accepted, summary.interrupted), (10, false));
}

#[test]
fn progress_ends_with_everything_done() {
    let file: Vec<u8> = blocks(8).iter().flat_map(|block| frame(block)).collect();
    let (_directory, ledger) = regtest();
    let (_sources, paths) = write(&[file]);
    let mut seen: Vec<Progress> = Vec::new();
    let mut watch = |progress: &Progress| seen.push(*progress);
    Import::new(&ledger)
        .watched_by(&mut watch)
        .run(&paths)
        .unwrap();
    assert_eq!(seen[0].phase, Phase::Scanning);
    let last = seen.last().unwrap();
    assert_eq!((last.phase, last.height), (Phase::Submitting, 8));
    assert_eq!(
        (last.blocks, last.bytes),
        (last.blocks_total, last.bytes_total)
    );
}

#[test]
fn a_file_that_is_not_there_is_an_error_that_names_it() {
    let (_directory, ledger) = regtest();
    let error = Import::new(&ledger)
        .run(&["/no/such.dat".into()])
        .unwrap_err();
    assert!(
        error.to_string().starts_with("cannot open /no/such.dat"),
        "{error}"
    );
}

/// The blocks with the second one's coinbase too greedy, and all that stood on it mined again on top.
fn with_a_bad_block(blocks: &[Vec<u8>]) -> Vec<Block> {
    let mut blocks: Vec<Block> = blocks
        .iter()
        .map(|block| deserialize(block).unwrap())
        .collect();
    let mut renamed = std::collections::HashMap::new();
    for (index, block) in blocks.iter_mut().enumerate().skip(1) {
        let old = block.block_hash();
        if index == 1 {
            block.txdata[0].output[0].value = Amount::from_sat(50_0000_0001);
            block.header.merkle_root = block.compute_merkle_root().unwrap();
        } else if let Some(parent) = renamed.get(&block.header.prev_blockhash) {
            block.header.prev_blockhash = *parent;
        } else {
            continue;
        }
        while !block.header.target().is_met_by(block.block_hash()) {
            block.header.nonce += 1;
        }
        renamed.insert(old, block.block_hash());
    }
    blocks
}

#[test]
fn what_stands_on_a_bad_block_is_an_invalid_branch_with_and_without_an_assumed_block() {
    let blocks = with_a_bad_block(&blocks(6));
    let file: Vec<u8> = blocks
        .iter()
        .flat_map(|block| frame(&serialize(block)))
        .collect();
    let (_sources, paths) = write(&[file]);
    let bad = blocks[1].block_hash();
    let mut lists = Vec::new();
    for assumed in [None, Some(blocks[5].block_hash()), Some(bad)] {
        let directory = tempfile::tempdir().unwrap();
        let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
        config.assume_valid = assumed;
        let ledger = Ledger::open(config).unwrap();
        let summary = Import::new(&ledger).run(&paths).unwrap();
        // Block 1 and its fork are good; block 2 is not, and 3 to 6 stand on it.
        assert_eq!((summary.accepted, summary.rejected), (3, 5));
        assert_eq!(summary.unknown_parents + summary.refused_ancestors, 0);
        assert_eq!(summary.problems[0].reason.as_deref(), Some("bad-cb-amount"));
        for problem in &summary.problems[1..] {
            assert_eq!(problem.kind, ProblemKind::Rejected);
            assert!(
                problem
                    .message
                    .contains(&format!("its ancestor {bad} is invalid: bad-cb-amount"))
            );
        }
        let tips = ledger.tips();
        lists.push(
            tips.iter()
                .map(|tip| (tip.hash, tip.status))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(lists[0].len(), 2);
    assert_eq!(lists[0][1].0, blocks[5].block_hash());
    assert!(lists[1..].iter().all(|list| *list == lists[0]), "{lists:?}");
}

#[test]
fn of_two_rivals_of_equal_work_the_one_whose_block_comes_first_is_best_in_any_order_of_files() {
    let made = blocks(3);
    // 1, then 2 and 3, and the rivals 2' and 3' of the same work.
    for (order, best) in [
        ([0, 1, 2, 3, 4], 2),
        ([0, 3, 4, 1, 2], 4),
        ([0, 1, 3, 4, 2], 4),
    ] {
        let file: Vec<u8> = order
            .iter()
            .flat_map(|index| frame(&made[*index]))
            .collect();
        let (_directory, ledger) = regtest();
        let (_sources, paths) = write(&[file]);
        let stop = AtomicBool::new(false);
        // Once with the headers of all known before, as after an import that was stopped.
        let headers = made
            .iter()
            .map(|block| deserialize::<Block>(block).unwrap().header);
        let headers: Vec<_> = headers.collect();
        ledger.submit_headers(&headers).unwrap().unwrap();
        Import::new(&ledger).stop_when(&stop).run(&paths).unwrap();
        let (fresh, ..) = import(&[std::fs::read(&paths[0]).unwrap()]);
        let hash = deserialize::<Block>(&made[best]).unwrap().block_hash();
        assert_eq!(ledger.best().hash(), hash);
        assert_eq!(fresh.best_hash, hash.to_string());
    }
}
