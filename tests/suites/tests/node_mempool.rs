//! The mempool of a node: it moves with the best world by itself, and is there again after a restart.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::Transaction;
use bitcoin::consensus::encode::deserialize;
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{Ledger, LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig};
use everett_tests::spender::{Fee, Lock, Order, Spender, payout};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

fn config(directory: &TempDir) -> NodeConfig {
    NodeConfig::new(LedgerConfig::new(
        Params::new(Network::Regtest),
        directory.path(),
    ))
}

fn mine(ledger: &Ledger, transactions: Vec<Transaction>) -> bitcoin::Block {
    let best = ledger.best();
    let bytes = everett_scenario::mine(ledger, &best, transactions, &payout(), None);
    let bytes = bytes.expect("its coins are there");
    let submitted = ledger.submit_block(&bytes).expect("a disk");
    assert_eq!(submitted.outcome.bip22(), None);
    deserialize(&bytes).expect("just made")
}

/// A payment of a mature coin.
fn payment(ledger: &Ledger) -> Transaction {
    let mut spender = Spender::new(1);
    let coinbase = mine(ledger, Vec::new()).txdata.swap_remove(0);
    (0..100).for_each(|_| drop(mine(ledger, Vec::new())));
    spender.learn(&coinbase);
    spender.make(&Order {
        inputs: vec![0],
        outputs: vec![Lock::WitnessScript; 2],
        version: 2,
        fee: Fee::Exact(5_000),
        dust: false,
    })
}

async fn until_loaded(node: &Node) {
    let mempool = node.handle().mempool();
    let loaded = async {
        while !mempool.is_loaded() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, loaded)
        .await
        .expect("it is read in time");
}

#[tokio::test]
async fn what_waits_is_there_again_after_a_restart_with_what_was_added_to_its_fee() {
    let directory = TempDir::new().expect("a disk");
    let node = Node::builder(config(&directory)).start().await.unwrap();
    until_loaded(&node).await;
    let payment = payment(node.handle().ledger());
    let txid = payment.compute_txid();
    let mempool = node.handle().mempool();
    let decoded = Arc::new(DecodedTransaction::new(payment));
    mempool.accept(&decoded).unwrap().unwrap();
    mempool.prioritise(txid, 700).unwrap();
    node.stop().await;

    let node = Node::builder(config(&directory)).start().await.unwrap();
    until_loaded(&node).await;
    let entry = node.handle().mempool().view().unwrap().entry(&txid);
    assert_eq!(entry.expect("it is there").modified_fee, 5_700);
    node.stop().await;

    // Who does not want the file neither takes it nor writes over it.
    let mut without = config(&directory);
    without.persist_mempool = false;
    let node = Node::builder(without).start().await.unwrap();
    until_loaded(&node).await;
    assert!(node.handle().mempool().view().unwrap().is_empty());
    node.stop().await;
    let node = Node::builder(config(&directory)).start().await.unwrap();
    until_loaded(&node).await;
    assert!(node.handle().mempool().view().unwrap().contains(&txid));
    node.stop().await;
}

#[tokio::test]
async fn a_file_that_is_none_is_said_and_does_not_keep_the_node_from_starting() {
    let directory = TempDir::new().expect("a disk");
    std::fs::write(directory.path().join("mempool.dat"), b"no mempool").unwrap();
    let node = Node::builder(config(&directory)).start().await.unwrap();
    until_loaded(&node).await;
    assert!(node.handle().mempool().view().unwrap().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn the_mempool_moves_with_the_best_world_without_being_asked() {
    let directory = TempDir::new().expect("a disk");
    let node = Node::builder(config(&directory)).start().await.unwrap();
    until_loaded(&node).await;
    let ledger = node.handle().ledger();
    let payment = payment(ledger);
    let mempool = node.handle().mempool();
    let decoded = Arc::new(DecodedTransaction::new(payment.clone()));
    mempool.accept(&decoded).unwrap().unwrap();

    let mut changes = mempool.change_number();
    let before = *changes.borrow_and_update();
    let block = mine(ledger, vec![payment]);
    let changed = tokio::time::timeout(PATIENCE, changes.wait_for(|number| *number > before));
    changed.await.expect("it moves in time").unwrap();
    let change = mempool.changes_after(before, 1).unwrap().swap_remove(0);
    assert_eq!(change.applied, [block.block_hash()]);
    assert_eq!(change.happened[0].tx().txid, decoded.txid);
    node.stop().await;
}
