use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, ScriptBuf};
use everett_ledger::{Clock, LedgerConfig, Network, Params};
use everett_scenario::assemble::mine;

use super::*;
use crate::Steps;

/// A time long after that of the genesis block.
const NOW: u64 = 1_700_000_000;

fn ledger() -> Ledger {
    let mut config = LedgerConfig::in_memory(Params::new(Network::Regtest));
    config.clock = Clock::fixed(NOW);
    Ledger::open(config).unwrap()
}

fn add(ledger: &Ledger, parent: BlockHash, mark: u8, time: u64) -> BlockInfo {
    let parent = ledger.world(&parent).unwrap();
    let script = ScriptBuf::from_bytes(vec![0x51; usize::from(mark)]);
    let time = u32::try_from(time).unwrap();
    let block = mine(ledger, &parent, vec![], &script, Some(time)).unwrap();
    ledger.submit_block(&block).unwrap();
    let header: bitcoin::block::Header =
        bitcoin::consensus::encode::deserialize(&block[..80]).unwrap();
    ledger.block_info(&header.block_hash()).unwrap()
}

#[test]
fn it_is_over_with_the_first_young_best_block_and_stays_so() {
    let ledger = ledger();
    let day = u64::try_from(DEFAULT_MAX_TIP_AGE).unwrap();
    let download = InitialDownload::new(&ledger, DEFAULT_MAX_TIP_AGE);
    assert!(download.runs(&ledger));
    let old = add(&ledger, ledger.params().genesis_hash(), 1, NOW - day - 1);
    assert!(download.runs(&ledger));
    let young = add(&ledger, old.hash, 1, NOW - day);
    assert!(!download.runs(&ledger));
    assert!(!download.was_over_at(&ledger, &old) && download.was_over_at(&ledger, &young));
    ledger.clock().set(NOW + 30 * day);
    assert!(!download.runs(&ledger) && download.was_over_at(&ledger, &young));
    // One that starts now begins anew.
    assert!(InitialDownload::new(&ledger, DEFAULT_MAX_TIP_AGE).runs(&ledger));
    assert!(!InitialDownload::new(&ledger, 31 * DEFAULT_MAX_TIP_AGE).runs(&ledger));
}

#[test]
fn a_clock_that_is_set_back_does_not_end_it_but_the_next_block_does() {
    let ledger = ledger();
    let download = InitialDownload::new(&ledger, DEFAULT_MAX_TIP_AGE);
    let genesis = ledger.block_info(&ledger.params().genesis_hash()).unwrap();
    let then = u64::from(genesis.header.time) + 10;
    ledger.clock().set(then);
    assert!(download.runs(&ledger));
    add(&ledger, genesis.hash, 1, then);
    assert!(!download.runs(&ledger));
}

#[test]
fn a_node_that_starts_up_to_date_has_news_whatever_the_work() {
    let ledger = ledger();
    let old = add(&ledger, ledger.params().genesis_hash(), 1, NOW - 9_000_000);
    add(&ledger, old.hash, 1, NOW);
    let download = InitialDownload::new(&ledger, DEFAULT_MAX_TIP_AGE);
    assert!(!download.runs(&ledger) && download.was_over_at(&ledger, &old));
}

#[test]
fn a_reorganisation_is_one_step_until_it_has_more_work_and_by_hand_goes_over_the_parent() {
    let ledger = ledger();
    let genesis = ledger.params().genesis_hash();
    let first = add(&ledger, genesis, 1, NOW).hash;
    let rival: Vec<BlockHash> = (0..3)
        .scan(genesis, |parent, index| {
            *parent = add(&ledger, *parent, 2, NOW + index).hash;
            Some(*parent)
        })
        .collect();
    let steps = Steps::new(&ledger, &[first], &rival);
    assert_eq!(steps.back_to, None);
    assert_eq!(steps.applied, [rival[..2].to_vec(), rival[2..].to_vec()]);
    ledger.invalidate_block(&rival[0]).unwrap();
    let undone: Vec<BlockHash> = rival.iter().rev().copied().collect();
    let steps = Steps::new(&ledger, &undone, &[first]);
    assert_eq!(steps.back_to, Some(genesis));
    assert_eq!(steps.applied, [vec![first]]);
    let unknown = BlockHash::all_zeros();
    assert_eq!(Steps::new(&ledger, &[], &[unknown]).applied, [[unknown]]);
}
