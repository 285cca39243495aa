use std::sync::Arc;

use bitcoin::Transaction;
use bitcoin::consensus::serialize;

use crate::decode::DecodedBlock;
use crate::rules::fixtures::{ListChain, block, coinbase, mined};
use crate::rules::{HeaderFacts, ScriptsAssumedValid};
use crate::{
    ChainStatus, Clock, Ledger, LedgerConfig, Network, Outcome, Params, TransactionError,
    TransactionPlace,
};

fn open() -> Ledger {
    let params = Params::new(Network::Regtest);
    let now = u64::from(params.genesis.header.time) + 86_400;
    let mut config = LedgerConfig::in_memory(params);
    config.clock = Clock::fixed(now);
    config.scripts = Arc::new(ScriptsAssumedValid);
    config.tx_index = true;
    Ledger::open(config).unwrap()
}

fn submit(ledger: &Ledger, block: &DecodedBlock) -> Outcome {
    let txdata: Vec<Transaction> = block.transactions.iter().map(|tx| tx.tx.clone()).collect();
    let header = block.header;
    let bytes = serialize(&bitcoin::Block { header, txdata });
    ledger.submit_block(&bytes).unwrap().outcome
}

#[test]
fn a_transaction_of_two_branches_is_found_in_both_and_in_neither_where_the_blocks_are_unknown() {
    let ledger = open();
    while !ledger.build_tx_index().unwrap() {}
    let genesis = ListChain::regular(&Params::new(Network::Regtest), 0, 0x207f_ffff);
    let first = block(&genesis, vec![coinbase(1, 7)]);
    // The same transaction under another header.
    let mut second = first.clone();
    second.header.time += 1;
    let second = mined(second);
    let txid = first.transactions[0].txid;
    assert_eq!(ledger.transaction_places(&txid).unwrap(), Some(vec![]));
    for block in [&first, &second] {
        assert!(matches!(submit(&ledger, block), Outcome::Accepted { .. }));
    }
    let place = |block: &DecodedBlock, status| TransactionPlace {
        block: block.hash,
        height: 1,
        index: 0,
        status,
    };
    let places = ledger.transaction_places(&txid).unwrap().unwrap();
    let expected = [
        place(&first, ChainStatus::Active),
        place(&second, ChainStatus::ValidFork),
    ];
    assert_eq!(places, expected);
    for block in [&first, &second] {
        let world = ledger.world(&block.hash).unwrap();
        let found = ledger.find_transaction(&world, &txid, None).unwrap();
        assert_eq!(found.block, block.hash);
        assert_eq!(found.transaction.compute_txid(), txid);
    }

    let mut chain = genesis;
    chain.0.push(HeaderFacts {
        hash: second.hash,
        version: second.header.version.to_consensus(),
        time: second.header.time,
        bits: second.header.bits.to_consensus(),
    });
    let third = block(&chain, vec![coinbase(2, 8)]);
    submit(&ledger, &third);
    let world = ledger.world(&first.hash).unwrap();
    let absent = third.transactions[0].txid;
    let error = ledger.find_transaction(&world, &absent, None).unwrap_err();
    assert!(
        matches!(&error, TransactionError::NotInWorld { elsewhere, .. } if elsewhere.as_deref() == Some(&[third.hash][..]))
    );
    assert!(error.to_string().contains(&third.hash.to_string()));

    ledger.invalidate_block(&second.hash).unwrap();
    let places = ledger.transaction_places(&txid).unwrap().unwrap();
    assert_eq!(places[1].status, ChainStatus::Invalid);

    let genesis_hash = first.header.prev_blockhash;
    // Of the blocks that have it, the one that was best last is the last: first, second, first again.
    let holders = || {
        let error = ledger.find_transaction(&ledger.world(&genesis_hash).unwrap(), &txid, None);
        match error.unwrap_err() {
            TransactionError::NotInWorld { elsewhere, .. } => elsewhere.unwrap(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(holders(), [second.hash, first.hash]);
    ledger.invalidate_block(&first.hash).unwrap();
    assert_eq!(holders(), [second.hash, first.hash]);
    ledger.reconsider_block(&second.hash).unwrap();
    assert_eq!(holders(), [first.hash, second.hash]);
    ledger.invalidate_block(&second.hash).unwrap();
    assert_eq!(holders(), [first.hash, second.hash]);
}
