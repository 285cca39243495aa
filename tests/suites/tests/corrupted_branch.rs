//! The chain with 60 competing branches, one signature of one side branch corrupted: one invalid branch, and every
//! other world as Bitcoin Core found it.

use std::collections::{BTreeSet, HashMap};

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Block, BlockHash};
use everett_ledger::{Ledger, LedgerConfig, Network, Outcome, Params, WorldError};
use everett_tests::corrupt::{corrupt_signature, mine};
use everett_tests::data::SixtyForks;

/// The chain with a corrupted branch.
struct Corrupted {
    data: SixtyForks,
    blocks: Vec<Block>,
    /// Where in `blocks` the corrupted block stands, and those that are built on it, in order.
    bad: usize,
    descendants: Vec<usize>,
    /// The hashes of all these before.
    gone: BTreeSet<String>,
}

impl Corrupted {
    /// Corrupts the side branch block with the most blocks on it; these are mined again, on the corrupted one.
    fn load(name: &str) -> Option<Corrupted> {
        let data = SixtyForks::load(name)?;
        let mut blocks: Vec<Block> = data
            .blocks
            .iter()
            .map(|bytes| deserialize(bytes).expect("it is a block"))
            .collect();
        let active = active_chain(&data, &blocks);
        let candidates = (0..blocks.len()).filter(|index| {
            let signed = corrupt_signature(&mut blocks[*index].clone());
            signed && !active.contains(&blocks[*index].block_hash())
        });
        let bad = candidates
            .max_by_key(|index| descendants(&blocks, *index).len())
            .expect("a side branch has a signature");
        let descendants = descendants(&blocks, bad);
        assert!(descendants.len() >= 5);
        let mut renamed = HashMap::new();
        let old = blocks[bad].block_hash();
        assert!(corrupt_signature(&mut blocks[bad]));
        renamed.insert(old, blocks[bad].block_hash());
        for index in &descendants {
            let block = &mut blocks[*index];
            let old = block.block_hash();
            block.header.prev_blockhash = renamed[&block.header.prev_blockhash];
            mine(block);
            renamed.insert(old, block.block_hash());
        }
        Some(Corrupted {
            data,
            blocks,
            bad,
            descendants,
            gone: renamed.keys().map(BlockHash::to_string).collect(),
        })
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.blocks.iter().map(serialize).collect()
    }

    /// Every other block has its world, every other tip its place, and `invalid` are the invalid tips.
    fn check(&self, ledger: &Ledger, invalid: &[BlockHash]) {
        for row in &self.data.rows {
            let world = ledger.world(&row.hash.parse().expect("a block hash"));
            if self.gone.contains(&row.hash) {
                assert!(world.is_err(), "{}", row.hash);
                continue;
            }
            let info = world
                .expect("it is live")
                .set_info()
                .expect("it can be read");
            assert_eq!(
                (info.txouts, info.muhash_hex()),
                (row.txouts, row.muhash.clone()),
                "{}",
                row.hash
            );
        }
        let others = self
            .data
            .tips
            .iter()
            .filter(|tip| !self.gone.contains(&tip.hash));
        let mut expected: BTreeSet<(String, String)> = others
            .map(|tip| (tip.hash.clone(), tip.status.clone()))
            .collect();
        expected.extend(
            invalid
                .iter()
                .map(|hash| (hash.to_string(), "invalid".to_owned())),
        );
        let tips = ledger.tips();
        let found: BTreeSet<(String, String)> = tips
            .iter()
            .map(|tip| (tip.hash.to_string(), tip.status.as_str().to_owned()))
            .collect();
        assert_eq!(found, expected);
        let bad = self.blocks[self.bad].block_hash();
        let info = ledger.block_info(&bad).expect("it is known");
        let reason = info.reject_reason.expect("it is invalid");
        assert!(
            reason.starts_with("block-script-verify-flag-failed ("),
            "{reason}"
        );
        assert!(matches!(
            ledger.world(&bad),
            Err(WorldError::Invalidated { .. })
        ));
    }
}

fn active_chain(data: &SixtyForks, blocks: &[Block]) -> BTreeSet<BlockHash> {
    let parents: HashMap<BlockHash, BlockHash> = blocks
        .iter()
        .map(|block| (block.block_hash(), block.header.prev_blockhash))
        .collect();
    let best = data.tips.iter().find(|tip| tip.status == "active");
    let mut at: BlockHash = best.expect("one is").hash.parse().expect("a block hash");
    let mut chain = BTreeSet::new();
    while let Some(parent) = parents.get(&at) {
        chain.insert(at);
        at = *parent;
    }
    chain
}

/// The blocks that are built on one, parents first, as blocks of a file are.
fn descendants(blocks: &[Block], of: usize) -> Vec<usize> {
    let mut family = BTreeSet::from([blocks[of].block_hash()]);
    let mut found = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        if family.contains(&block.header.prev_blockhash) {
            family.insert(block.block_hash());
            found.push(index);
        }
    }
    found
}

fn open(directory: &std::path::Path) -> Ledger {
    let config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    Ledger::open(config).expect("the ledger opens")
}

/// The answers to all blocks, submitted in groups.
fn submit(ledger: &Ledger, blocks: &[Vec<u8>]) -> Vec<Outcome> {
    let groups = blocks.chunks(100);
    let answers = groups.flat_map(|group| ledger.submit_blocks(group).expect("the disk works"));
    answers.map(|answer| answer.outcome).collect()
}

#[test]
fn one_corrupted_signature_makes_one_invalid_branch_and_no_other() {
    let Some(corrupted) = Corrupted::load("corrupted_branch") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let outcomes = submit(&ledger, &corrupted.bytes());
    let bad = corrupted.blocks[corrupted.bad].block_hash();
    for (index, outcome) in outcomes.iter().enumerate() {
        let right = match outcome {
            Outcome::Rejected { reject, .. } if index == corrupted.bad => reject
                .reason
                .starts_with("block-script-verify-flag-failed ("),
            Outcome::Rejected { reject, .. } => {
                corrupted.blocks[index].header.prev_blockhash == bad
                    && reject.reason == "bad-prevblk"
            }
            // Its parent was refused with its header, and nothing is known of it.
            Outcome::Orphan { .. } => corrupted.descendants.contains(&index),
            _ => index != corrupted.bad && !corrupted.descendants.contains(&index),
        };
        assert!(right, "block {index}: {outcome:?}");
    }
    corrupted.check(&ledger, &[bad]);
    drop(ledger);
    corrupted.check(&open(directory.path()), &[bad]);
}

#[test]
fn with_all_headers_known_before_the_whole_branch_is_invalid() {
    let Some(corrupted) = Corrupted::load("corrupted_branch") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let headers: Vec<_> = corrupted.blocks.iter().map(|block| block.header).collect();
    let accepted = ledger.submit_headers(&headers).expect("the disk works");
    assert_eq!(accepted, Ok(()));
    submit(&ledger, &corrupted.bytes());
    let family = &corrupted.descendants;
    let leaves = family
        .iter()
        .filter(|index| descendants(&corrupted.blocks, **index).is_empty());
    let leaves: Vec<BlockHash> = leaves
        .map(|index| corrupted.blocks[*index].block_hash())
        .collect();
    corrupted.check(&ledger, &leaves);
}

#[test]
fn blocks_that_were_built_on_the_block_as_it_was_wait_for_it() {
    let Some(corrupted) = Corrupted::load("corrupted_branch") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let mut blocks = corrupted.data.blocks.clone();
    blocks[corrupted.bad] = serialize(&corrupted.blocks[corrupted.bad]);
    let outcomes = submit(&ledger, &blocks);
    for index in &corrupted.descendants {
        assert!(
            matches!(outcomes[*index], Outcome::Orphan { .. }),
            "{:?}",
            outcomes[*index]
        );
    }
    corrupted.check(&ledger, &[corrupted.blocks[corrupted.bad].block_hash()]);
    // The block as it was is another one, and mends the branch.
    submit(
        &ledger,
        &corrupted.data.blocks[corrupted.bad..=corrupted.bad],
    );
    assert!(ledger.orphans().is_empty());
    for row in &corrupted.data.rows {
        let world = ledger.world(&row.hash.parse().expect("a block hash"));
        let info = world
            .expect("it is live")
            .set_info()
            .expect("it can be read");
        assert_eq!(info.muhash_hex(), row.muhash, "{}", row.hash);
    }
}
