mod condemned;
mod conflicts;
mod copying;
mod figures;
mod horizon;
mod in_memory;
mod sound;
mod urgency;
mod waiting;

use std::path::Path;
use std::sync::Arc;

use bitcoin::consensus::serialize;
use bitcoin::{Block, Transaction, Witness};

use crate::config::LedgerConfig;
use crate::decode::DecodedBlock;
use crate::ledger::Ledger;
use crate::params::{Network, Params};
use crate::rules::fixtures::{ListChain, block, coinbase, commit_to_witnesses};
use crate::rules::{HeaderFacts, RejectKind, ScriptsAssumedValid};
use crate::submission::Outcome;
use crate::{Clock, Reject};

fn open(directory: &Path) -> Ledger {
    let params = Params::new(Network::Regtest);
    let now = u64::from(params.genesis.header.time) + 86_400;
    let mut config = LedgerConfig::new(params, directory);
    config.clock = Clock::fixed(now);
    config.scripts = Arc::new(ScriptsAssumedValid);
    Ledger::open(config).unwrap()
}

fn genesis() -> ListChain {
    ListChain::regular(&Params::new(Network::Regtest), 0, 0x207f_ffff)
}

/// The chain with this block on it.
fn with(chain: &ListChain, block: &DecodedBlock) -> ListChain {
    let mut chain = chain.clone();
    chain.0.push(HeaderFacts {
        hash: block.hash,
        version: block.header.version.to_consensus(),
        time: block.header.time,
        bits: block.header.bits.to_consensus(),
    });
    chain
}

/// A block on `chain` that is told from its siblings by what its coinbase pays.
fn child(chain: &ListChain, sat: u64) -> DecodedBlock {
    block(chain, vec![coinbase(chain.0.len() as u32, sat)])
}

fn bytes(block: &DecodedBlock) -> Vec<u8> {
    let txdata: Vec<Transaction> = block.transactions.iter().map(|tx| tx.tx.clone()).collect();
    serialize(&Block {
        header: block.header,
        txdata,
    })
}

fn submit(ledger: &Ledger, block: &DecodedBlock) -> Outcome {
    ledger.submit_block(&bytes(block)).unwrap().outcome
}

#[test]
fn among_blocks_whose_headers_came_first_the_first_block_counts_as_seen_first() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let parent = child(&genesis(), 1);
    let chain = with(&genesis(), &parent);
    let (a, b) = (child(&chain, 2), child(&chain, 3));
    let headers = [parent.header, a.header, b.header];
    assert_eq!(ledger.submit_headers(&headers).unwrap(), Ok(()));
    for block in [&b, &a, &parent] {
        assert!(matches!(submit(&ledger, block), Outcome::Accepted { .. }));
    }
    assert_eq!(ledger.best().hash(), b.hash);
}

#[test]
fn orphans_keep_their_order_of_arrival_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let parent = child(&genesis(), 1);
    let chain = with(&genesis(), &parent);
    let mut siblings: Vec<DecodedBlock> = (2..6).map(|sat| child(&chain, sat)).collect();
    // Against the order in which the table has them.
    siblings.sort_by_key(|block| std::cmp::Reverse(block.hash));
    let ledger = open(directory.path());
    for block in &siblings {
        assert!(matches!(submit(&ledger, block), Outcome::Orphan { .. }));
    }
    drop(ledger);
    let ledger = open(directory.path());
    submit(&ledger, &parent);
    assert_eq!(ledger.best().hash(), siblings[0].hash);
}

#[test]
fn a_copy_with_other_witnesses_does_not_take_an_orphans_place() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let parent = child(&genesis(), 1);
    let mut transactions = vec![coinbase(2, 2)];
    commit_to_witnesses(&mut transactions);
    let good = block(&with(&genesis(), &parent), transactions);
    for witness in [Witness::new(), Witness::from_slice(&[[8; 32]])] {
        let mut copy = good.clone();
        copy.transactions[0].tx.input[0].witness = witness;
        let Outcome::Rejected { hash, reject, .. } = submit(&ledger, &copy) else {
            panic!("the copy was let in");
        };
        assert_eq!(hash, good.hash);
        assert_eq!(reject.reason, "prev-blk-not-found");
    }
    assert!(matches!(submit(&ledger, &good), Outcome::Orphan { .. }));
    submit(&ledger, &parent);
    assert_eq!(ledger.best().hash(), good.hash);
}

#[test]
fn the_header_of_an_invalid_block_is_refused_as_a_duplicate() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let block = child(&genesis(), 1);
    submit(&ledger, &block);
    ledger.invalidate_block(&block.hash).unwrap();
    let next = child(&with(&genesis(), &block), 2);
    let verdict = ledger.submit_headers(&[block.header, next.header]);
    let Err((0, Reject { kind, reason, .. })) = verdict.unwrap() else {
        panic!("the header was let in");
    };
    assert_eq!(
        (kind, &*reason),
        (RejectKind::CachedInvalid, "duplicate-invalid")
    );
}

#[test]
fn of_two_blocks_with_the_same_work_the_preferred_one_is_best_until_the_ledger_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let chain = genesis();
    let (first, second) = (child(&chain, 1), child(&chain, 2));
    submit(&ledger, &first);
    submit(&ledger, &second);
    assert_eq!(ledger.best().hash(), first.hash);
    ledger.prefer_block(&second.hash).unwrap();
    assert_eq!(ledger.best().hash(), second.hash);
    ledger.prefer_block(&first.hash).unwrap();
    assert_eq!(ledger.best().hash(), first.hash);
    let longer = child(&with(&chain, &first), 3);
    submit(&ledger, &longer);
    ledger.prefer_block(&second.hash).unwrap();
    assert_eq!(ledger.best().hash(), longer.hash);
    ledger.invalidate_block(&longer.hash).unwrap();
    assert_eq!(ledger.best().hash(), first.hash);
}
