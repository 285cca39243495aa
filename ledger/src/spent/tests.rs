use std::sync::Arc;

use bitcoin::{BlockHash, OutPoint};

use crate::coin::Coin;
use crate::decode::DecodedBlock;
use crate::error::BlockError;
use crate::ledger::Ledger;
use crate::rules::HeaderFacts;
use crate::rules::ScriptsAssumedValid;
use crate::rules::fixtures::{ListChain, block, coinbase, outpoint, transaction};
use crate::{Clock, LedgerConfig, Network, Outcome, Params};

/// Any amount that a coinbase may claim at any height.
const REWARD: u64 = 1_000;

/// Puts a block on the chain, and into the ledger.
fn grow(ledger: &Ledger, chain: &mut ListChain, block: &DecodedBlock) {
    let txdata = block.transactions.iter().map(|tx| tx.tx.clone()).collect();
    let header = block.header;
    let bytes = bitcoin::consensus::serialize(&bitcoin::Block { header, txdata });
    let outcome = ledger.submit_block(&bytes).unwrap().outcome;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    chain.0.push(HeaderFacts {
        hash: block.hash,
        version: header.version.to_consensus(),
        time: header.time,
        bits: header.bits.to_consensus(),
    });
}

fn spent(ledger: &Ledger, hash: &BlockHash) -> Vec<(OutPoint, Coin)> {
    ledger.coins_spent_by(hash).unwrap().unwrap()
}

#[test]
fn what_a_block_spent_is_the_same_above_the_base_and_below_it() {
    let directory = tempfile::tempdir().unwrap();
    let params = Params::new(Network::Regtest);
    let mut chain = ListChain::regular(&params, 0, 0x207f_ffff);
    let now = u64::from(params.genesis.header.time) + 10_000_000;
    let mut config = LedgerConfig::new(params, directory.path());
    config.clock = Clock::fixed(now);
    config.scripts = Arc::new(ScriptsAssumedValid);
    config.horizon = Some(2);
    config.checkpoint_interval = 1;
    let ledger = Ledger::open(config).unwrap();
    let first = block(&chain, vec![coinbase(1, REWARD)]);
    let reward = outpoint(&first.transactions[0].tx, 0);
    grow(&ledger, &mut chain, &first);
    for height in 2..=101 {
        let empty = block(&chain, vec![coinbase(height, REWARD)]);
        grow(&ledger, &mut chain, &empty);
    }
    // Two transactions, of which the second one spends the first.
    let paid = transaction(&[reward], &[REWARD]);
    let passed_on = transaction(&[outpoint(&paid, 0)], &[REWARD]);
    let spender = block(&chain, vec![coinbase(102, REWARD), paid, passed_on]);
    grow(&ledger, &mut chain, &spender);
    let before = spent(&ledger, &spender.hash);
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(before[0].0, reward);
    assert_eq!((before[0].1.height, before[0].1.coinbase), (1, true));
    for height in 103..=210 {
        let empty = block(&chain, vec![coinbase(height, REWARD)]);
        grow(&ledger, &mut chain, &empty);
    }
    assert!(ledger.stats().unwrap().base_height >= 102);
    assert_eq!(spent(&ledger, &spender.hash), before);
}

#[test]
fn a_block_that_is_not_known_spent_nothing_that_could_be_told() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(LedgerConfig::new(
        Params::new(Network::Regtest),
        directory.path(),
    ));
    let unknown = BlockHash::from_raw_hash(bitcoin::hashes::Hash::from_byte_array([7; 32]));
    let answer = ledger.unwrap().coins_spent_by(&unknown);
    assert!(matches!(answer, Err(BlockError::Unknown { .. })));
}
