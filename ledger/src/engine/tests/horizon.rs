//! What lies at the horizon, behind it and below the base. Every coin pays the same script here, so that the balance at a
//! world is the sum of what the coinbases of its chain paid.

use super::{child, genesis, submit, with};
use crate::decode::DecodedBlock;
use crate::rules::ScriptsAssumedValid;
use crate::rules::fixtures::ListChain;
use crate::{
    ChainStatus, Clock, Ledger, LedgerConfig, Network, Outcome, Params, ReadError, ScriptHash,
    StoreError, World, WorldError,
};
use bitcoin::{BlockHash, Script};
use std::path::Path;
use std::sync::Arc;

const HORIZON: u32 = 4;
/// What a coinbase may claim, and one satoshi more.
const TOO_MUCH: u64 = 5_000_000_001;

fn config(directory: &Path) -> LedgerConfig {
    let params = Params::new(Network::Regtest);
    let now = u64::from(params.genesis.header.time) + 10_000_000;
    let mut config = LedgerConfig::new(params, directory);
    config.clock = Clock::fixed(now);
    config.scripts = Arc::new(ScriptsAssumedValid);
    config.horizon = Some(HORIZON);
    config.checkpoint_interval = 1;
    config
}

/// A chain with the sum of what its coinbases paid.
#[derive(Clone)]
struct Branch {
    chain: ListChain,
    paid: Vec<u64>,
}

impl Branch {
    fn new() -> Branch {
        Branch {
            chain: genesis(),
            paid: Vec::new(),
        }
    }

    /// The branch as far as `height`.
    fn up_to(&self, height: usize) -> Branch {
        let mut branch = self.clone();
        branch.chain.0.truncate(height + 1);
        branch.paid.truncate(height);
        branch
    }

    /// The next block, whose coinbase pays `sat`.
    fn next(&mut self, sat: u64) -> DecodedBlock {
        let block = child(&self.chain, sat);
        self.chain = with(&self.chain, &block);
        self.paid.push(sat);
        block
    }

    /// Submits `count` blocks more, each of which pays `sat`.
    fn grow(&mut self, ledger: &Ledger, count: usize, sat: u64) {
        for _ in 0..count {
            let outcome = submit(ledger, &self.next(sat));
            assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        }
    }

    fn hash(&self, height: usize) -> BlockHash {
        self.chain.0[height].hash
    }

    fn tip(&self) -> BlockHash {
        self.hash(self.paid.len())
    }

    fn check(&self, world: &World) {
        let paid = &self.paid[..world.height() as usize];
        assert_eq!(balance(world).unwrap(), paid.iter().sum::<u64>());
        assert_eq!(
            world.set_info().unwrap().total_sat,
            paid.iter().sum::<u64>()
        );
        assert_eq!(world.hash(), self.hash(world.height() as usize));
    }
}

fn balance(world: &World) -> Result<u64, ReadError> {
    let script = ScriptHash::of(Script::from_bytes(&[0x51]));
    let coins = world.coins_of(&script, None, usize::MAX)?;
    let balance = world.balance(&script)?;
    let sum: u64 = coins.iter().map(|(_, coin)| coin.amount.to_sat()).sum();
    assert_eq!(balance.confirmed.to_sat(), sum);
    assert_eq!(balance.coins, coins.len() as u64);
    Ok(sum)
}

fn base_height(ledger: &Ledger) -> u32 {
    ledger.stats().unwrap().base_height
}

#[test]
fn a_branch_that_never_led_is_retired_with_all_it_did() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(directory.path())).unwrap();
    let mut best = Branch::new();
    best.grow(&ledger, 10, 1);
    let mut side = best.up_to(8);
    side.grow(&ledger, 2, 2);
    for height in 11..=12 {
        best.grow(&ledger, 1, 1);
        side.check(&ledger.world(&side.tip()).unwrap());
        assert_eq!(ledger.best().height(), height);
    }
    best.grow(&ledger, 1, 1);
    let gone = ledger.world(&side.tip()).unwrap_err();
    assert!(matches!(gone, WorldError::Retired { .. }), "{gone}");
    let stats = ledger.stats().unwrap();
    assert_eq!(stats.live_worlds, HORIZON as usize + 1);
    assert_eq!(stats.overlay_coins, 13);
    best.check(&ledger.best());
    // What is invalidated cannot be read at, although its world is kept.
    let all: Vec<BlockHash> = (0..=13).map(|height| best.hash(height)).collect();
    let all = all.into_iter().chain([side.hash(9), side.hash(10)]);
    let readable = || {
        all.clone()
            .filter(|hash| ledger.world(hash).is_ok())
            .count()
    };
    ledger.invalidate_block(&best.hash(12)).unwrap();
    assert!(ledger.world(&best.tip()).is_err());
    assert_eq!(ledger.stats().unwrap().live_worlds, readable());
    ledger.reconsider_block(&best.hash(12)).unwrap();
    assert_eq!(ledger.stats().unwrap().live_worlds, readable());
}

#[test]
fn beyond_the_quota_the_world_that_was_held_longest_is_taken_away() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.held_worlds = 2;
    let ledger = Ledger::open(config).unwrap();
    let mut best = Branch::new();
    best.grow(&ledger, 5, 1);
    let held: Vec<World> = (2..=4)
        .map(|height| ledger.world(&best.hash(height)).unwrap())
        .collect();
    best.grow(&ledger, 3, 1);
    held.iter().for_each(|world| best.check(world));
    assert_eq!(ledger.stats().unwrap().held_worlds, 2);
    best.grow(&ledger, 1, 1);
    let expired = balance(&held[0]).unwrap_err();
    assert!(matches!(expired, ReadError::Expired { .. }), "{expired}");
    assert!(held[0].set_info().is_err());
    held[1..].iter().for_each(|world| best.check(world));
    // The others stay as long as they are held, and keep the base back, up to a hundred blocks more.
    best.grow(&ledger, 95, 1);
    held[1..].iter().for_each(|world| best.check(world));
    assert_eq!(base_height(&ledger), 0);
    drop(held);
    best.grow(&ledger, 20, 1);
    assert_eq!(base_height(&ledger), 124 - HORIZON - 100);
}

#[test]
fn a_world_that_is_held_too_far_behind_does_not_keep_the_base_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(directory.path())).unwrap();
    let mut best = Branch::new();
    best.grow(&ledger, 30, 1);
    let held = ledger.best();
    best.grow(&ledger, 100 + HORIZON as usize, 1);
    best.check(&held);
    best.grow(&ledger, 1, 1);
    assert!(matches!(balance(&held), Err(ReadError::Expired { .. })));
    assert_eq!(base_height(&ledger), 135 - HORIZON - 100);
}

#[test]
fn a_reorganisation_from_below_the_base_and_back_counts_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(directory.path())).unwrap();
    let mut old = Branch::new();
    old.grow(&ledger, 130, 1);
    assert_eq!(base_height(&ledger), 130 - HORIZON - 100);
    let held = ledger.world(&old.hash(128)).unwrap();
    let mut new = old.up_to(10);
    new.grow(&ledger, 120, 2);
    assert_eq!(ledger.best().hash(), old.tip(), "a tie changes nothing");
    let behind = ledger.world(&new.tip()).unwrap_err();
    let status = ChainStatus::ValidHeaders;
    assert!(matches!(behind, WorldError::NotValidated { status: found, .. } if found == status));
    new.grow(&ledger, 1, 2);
    assert_eq!(ledger.best().hash(), new.tip());
    new.check(&ledger.best());
    // The held world forks off more than 100 blocks behind the horizon: it would keep the base down.
    let gone = balance(&held).unwrap_err();
    assert!(matches!(gone, ReadError::Expired { hash } if hash == old.hash(128)));
    let overlay = |ledger: &Ledger| ledger.stats().unwrap().overlay_coins as u32;
    assert_eq!(overlay(&ledger), 131 - base_height(&ledger));

    ledger.invalidate_block(&new.hash(11)).unwrap();
    assert_eq!(ledger.best().hash(), old.tip());
    for height in 130 - HORIZON as usize..=130 {
        old.check(&ledger.world(&old.hash(height)).unwrap());
    }
    assert!(balance(&held).is_err(), "what was taken away stays away");
    drop(held);
    ledger.reconsider_block(&new.hash(11)).unwrap();
    assert_eq!(ledger.best().hash(), new.tip());
    new.check(&ledger.best());
    ledger.checkpoint().unwrap();
    assert_eq!(base_height(&ledger), 131 - HORIZON - 100);
    assert_eq!(overlay(&ledger), 131 - base_height(&ledger));
    drop(ledger);
    let ledger = Ledger::open(config(directory.path())).unwrap();
    new.check(&ledger.best());
}

#[test]
fn where_a_branch_from_behind_the_horizon_turns_out_invalid_the_next_best_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(directory.path())).unwrap();
    let mut best = Branch::new();
    best.grow(&ledger, 20, 1);
    // Two branches from one block, both longer than the best chain; the longer one breaks a rule on its way.
    let mut good = best.up_to(10);
    let first = good.next(2);
    let mut bad = good.clone();
    let mut waiting: Vec<DecodedBlock> = (12..=22).map(|_| good.next(2)).collect();
    waiting.extend((12..=24).map(|height| bad.next(if height == 17 { TOO_MUCH } else { 3 })));
    let mut headers = vec![first.header];
    headers.extend(waiting.iter().map(|block| block.header));
    assert_eq!(ledger.submit_headers(&headers).unwrap(), Ok(()));
    for block in &waiting {
        let outcome = submit(&ledger, block);
        assert!(matches!(outcome, Outcome::Accepted { best: false, .. }));
    }
    // With the first block all of them are complete at once.
    submit(&ledger, &first);
    assert_eq!(ledger.best().hash(), good.tip());
    good.check(&ledger.best());
    let invalid = ledger.world(&bad.tip()).unwrap_err();
    let WorldError::Invalidated { reason, .. } = invalid else {
        panic!("{invalid}");
    };
    let culprit = bad.hash(17).to_string();
    assert!(reason.contains("bad-cb-amount") && reason.contains(&culprit));
    let info = ledger.block_info(&bad.hash(16)).unwrap();
    assert_eq!(info.status, ChainStatus::ValidFork);
}

#[test]
fn a_block_that_was_invalid_when_its_parent_came_is_complete_once_it_is_reconsidered() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(directory.path())).unwrap();
    let mut branch = Branch::new();
    let blocks: Vec<DecodedBlock> = (0..3).map(|_| branch.next(1)).collect();
    let headers: Vec<_> = blocks.iter().map(|block| block.header).collect();
    ledger.submit_headers(&headers).unwrap().unwrap();
    submit(&ledger, &blocks[1]);
    submit(&ledger, &blocks[2]);
    ledger.invalidate_block(&blocks[1].hash).unwrap();
    submit(&ledger, &blocks[0]);
    assert_eq!(ledger.best().hash(), blocks[0].hash);
    ledger.reconsider_block(&blocks[1].hash).unwrap();
    assert_eq!(ledger.best().hash(), branch.tip());
    branch.grow(&ledger, 1, 1);
    branch.check(&ledger.best());
}

#[test]
fn what_waits_for_an_invalid_block_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(directory.path())).unwrap();
    let mut branch = Branch::new();
    let (bad, next) = (branch.next(TOO_MUCH), branch.next(1));
    assert!(matches!(submit(&ledger, &next), Outcome::Orphan { .. }));
    let submitted = ledger.submit_block(&super::bytes(&bad)).unwrap();
    assert_eq!(submitted.outcome.bip22().as_deref(), Some("bad-cb-amount"));
    let [(hash, outcome)] = &submitted.joined[..] else {
        panic!("{:?}", submitted.joined);
    };
    assert_eq!(*hash, next.hash);
    assert_eq!(outcome.bip22().as_deref(), Some("bad-prevblk"));
    assert_eq!(ledger.orphans(), []);
}

#[test]
fn a_deep_reorganisation_that_finds_no_room_leaves_every_answer_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut old = Branch::new();
    let ledger = Ledger::open(config(directory.path())).unwrap();
    old.grow(&ledger, 130, 1);
    drop(ledger);
    let mut tight = config(directory.path());
    let file = directory.path().join("data.mdb");
    tight.map_size = std::fs::metadata(&file).unwrap().len() as usize;
    let ledger = Ledger::open(tight).unwrap();
    let before = ledger.stats().unwrap();
    let (tips, held) = (ledger.tips(), ledger.best());

    // So much in one group that it does not fit, with a reorganisation from below the base at its end.
    let mut new = old.up_to(10);
    let blocks: Vec<Vec<u8>> = (11..=400).map(|_| super::bytes(&new.next(2))).collect();
    let full = ledger.submit_blocks(&blocks).unwrap_err();
    assert!(matches!(full, StoreError::MapFull { .. }), "{full}");
    assert_eq!(ledger.tips(), tips);
    let after = ledger.stats().unwrap();
    assert_eq!(after.overlay_coins, before.overlay_coins);
    assert_eq!(after.overlay_scripts, before.overlay_scripts);
    assert_eq!(after.base_height, before.base_height);
    for height in 130 - HORIZON as usize..=130 {
        old.check(&ledger.world(&old.hash(height)).unwrap());
    }
    old.check(&held);
    drop((held, ledger));

    let ledger = Ledger::open(config(directory.path())).unwrap();
    ledger.submit_blocks(&blocks).unwrap();
    assert_eq!(ledger.best().hash(), new.tip());
    new.check(&ledger.best());
}
