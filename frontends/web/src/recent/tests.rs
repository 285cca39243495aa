use std::time::Duration;

use bitcoin::ScriptBuf;
use everett_ledger::{Clock, LedgerConfig, Network, Outcome, Params};
use tempfile::TempDir;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn ledger(directory: &TempDir) -> Ledger {
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
    config.clock = Clock::fixed(1_900_000_000);
    Ledger::open(config).unwrap()
}

/// Mines empty blocks on a block, told apart from others by `mark`.
fn mine(ledger: &Ledger, on: BlockHash, count: usize, mark: u8) -> Vec<BlockHash> {
    let mut at = on;
    let blocks = (0..count).map(|_| {
        let world = ledger.world(&at).unwrap();
        let payout = ScriptBuf::from_bytes(vec![1, mark]);
        let block = everett_lab::mine(ledger, &world, Vec::new(), &payout, None).unwrap();
        let Outcome::Accepted { hash, .. } = ledger.submit_block(&block).unwrap().outcome else {
            panic!("not accepted");
        };
        at = hash;
        hash
    });
    blocks.collect()
}

fn coinbase(ledger: &Ledger, block: &BlockHash) -> Txid {
    decoded(ledger, block).unwrap().transactions[0].txid
}

#[test]
fn every_transaction_of_every_branch_is_found_in_its_block() {
    let directory = TempDir::new().unwrap();
    let ledger = ledger(&directory);
    let trunk = mine(&ledger, ledger.params().genesis_hash(), 8, 1);
    let rival = mine(&ledger, trunk[3], 3, 2);
    let inner = mine(&ledger, rival[0], 1, 3);
    let mut recent = Recent::default();
    let catch_up = |recent: &mut Recent| {
        let skeleton = ledger.skeleton(100);
        recent
            .catch_up(&ledger, &skeleton, 0, &Patience::of(PATIENCE))
            .unwrap()
    };
    assert!(catch_up(&mut recent));
    for block in trunk.iter().chain(&rival).chain(&inner) {
        let found = recent.find(&ledger, &coinbase(&ledger, block)).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].block, found[0].index), (*block, 0));
    }
    // A new block is read when it is asked for, and no other again.
    let newest = mine(&ledger, rival[2], 9, 2);
    assert_eq!(
        recent
            .find(&ledger, &coinbase(&ledger, &newest[8]))
            .unwrap(),
        []
    );
    assert!(catch_up(&mut recent));
    assert_eq!(
        recent
            .find(&ledger, &coinbase(&ledger, &newest[8]))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(recent.blocks.len(), 21);
}

#[test]
fn what_there_is_no_room_for_is_forgotten_from_below_and_not_read_again() {
    let directory = TempDir::new().unwrap();
    let ledger = ledger(&directory);
    let trunk = mine(&ledger, ledger.params().genesis_hash(), 40, 1);
    let low = mine(&ledger, trunk[2], 2, 2);
    let high = mine(&ledger, trunk[35], 2, 3);
    // One number a coinbase.
    let mut recent = Recent {
        limit: 10,
        ..Recent::default()
    };
    let skeleton = ledger.skeleton(100);
    for _ in 0..3 {
        let whole = recent
            .catch_up(&ledger, &skeleton, 0, &Patience::of(PATIENCE))
            .unwrap();
        assert!(whole);
        assert!(recent.numbers <= 10 && recent.blocks.len() == recent.numbers);
        assert!(recent.forgotten() >= 30);
    }
    assert!(
        recent
            .find(&ledger, &coinbase(&ledger, &low[1]))
            .unwrap()
            .is_empty()
    );
    for block in [trunk[39], high[1]] {
        assert_eq!(
            recent
                .find(&ledger, &coinbase(&ledger, &block))
                .unwrap()
                .len(),
            1
        );
    }
    // What was forgotten is not told as if it were known.
    let clashes = recent.clashes(&ledger, &skeleton);
    assert_eq!(clashes.get(&low[1]), None);
    assert_eq!(clashes.get(&high[1]), Some(&0));
}

#[test]
fn without_time_nothing_is_read_and_that_is_told() {
    let directory = TempDir::new().unwrap();
    let ledger = ledger(&directory);
    mine(&ledger, ledger.params().genesis_hash(), 3, 1);
    let mut recent = Recent::default();
    let skeleton = ledger.skeleton(100);
    let whole = recent.catch_up(&ledger, &skeleton, 0, &Patience::of(Duration::ZERO));
    assert!(!whole.unwrap());
    assert!(recent.blocks.is_empty());
}
