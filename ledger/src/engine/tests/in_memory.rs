//! Ledgers without files.

use std::sync::Arc;

use super::{Ledger, child, genesis, submit, with};
use crate::config::LedgerConfig;
use crate::error::OpenError;
use crate::params::{Network, Params};
use crate::rules::ScriptsAssumedValid;
use crate::store::Access;
use crate::{Clock, StoreError};

fn open() -> Ledger {
    let params = Params::new(Network::Regtest);
    let now = u64::from(params.genesis.header.time) + 86_400;
    let mut config = LedgerConfig::in_memory(params);
    config.clock = Clock::fixed(now);
    config.scripts = Arc::new(ScriptsAssumedValid);
    Ledger::open(config).unwrap()
}

#[test]
fn ledgers_in_memory_know_nothing_of_each_other() {
    let (a, b) = (open(), open());
    let block = child(&genesis(), 1);
    submit(&a, &block);
    assert_eq!(a.best().hash(), block.hash);
    assert_eq!(b.best().height(), 0);
    let other = child(&genesis(), 2);
    submit(&b, &other);
    assert_eq!(b.best().hash(), other.hash);
    assert!(a.block_info(&other.hash).is_none());
}

#[test]
fn a_world_outlives_the_handle_of_its_ledger_in_memory() {
    let ledger = open();
    let block = child(&genesis(), 1);
    submit(&ledger, &block);
    let bytes = ledger.block_bytes(&block.hash).unwrap();
    assert_eq!(bytes, super::bytes(&block));
    let world = ledger.best();
    drop(ledger);
    assert_eq!(world.set_info().unwrap().txouts, 1);
}

#[test]
fn rivals_can_be_read_at_once_and_survive_moves_of_the_base() {
    let mut config = LedgerConfig::in_memory(Params::new(Network::Regtest));
    config.horizon = Some(5);
    config.scripts = Arc::new(ScriptsAssumedValid);
    let ledger = Ledger::open(config).unwrap();
    let mut chain = genesis();
    for _ in 0..150 {
        let block = child(&chain, 1);
        submit(&ledger, &block);
        chain = with(&chain, &block);
    }
    let rivals = [child(&chain, 2), child(&chain, 3)];
    for rival in &rivals {
        submit(&ledger, rival);
        let world = ledger.world(&rival.hash).unwrap();
        assert_eq!(world.set_info().unwrap().txouts, 151);
    }
    assert!(ledger.stats().unwrap().base_height > 0);
}

#[test]
fn a_ledger_in_memory_cannot_be_opened_beside_its_writer() {
    let mut config = LedgerConfig::in_memory(Params::new(Network::Regtest));
    config.access = Access::Reader;
    let opened = Ledger::open(config).map(drop);
    assert!(matches!(
        opened,
        Err(OpenError::Store(StoreError::NoLedger { .. }))
    ));
}
