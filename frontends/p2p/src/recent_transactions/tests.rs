use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, TxIn, TxMerkleNode,
    TxOut, Witness, absolute, transaction,
};

use super::*;

fn payment(number: u32, size: usize) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::all_zeros(), number),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[vec![1; size]]),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(u64::from(number)),
            script_pubkey: ScriptBuf::new(),
        }],
    }
}

fn message(number: u32, size: usize) -> Bytes {
    Bytes::from(serialize(&payment(number, size)))
}

fn insert(recent: &mut RecentTransactions, number: u32, size: usize) -> RecentTransaction {
    let transaction = RecentTransaction::within(&message(number, size), 0).unwrap();
    recent.insert(&transaction, Source::Refused);
    transaction
}

fn block(numbers: std::ops::Range<u32>) -> Bytes {
    let mut coinbase = payment(0, 0);
    coinbase.input[0].previous_output = OutPoint::null();
    let payments = numbers.map(|number| payment(number, 10));
    Bytes::from(serialize(&Block {
        header: Header {
            version: Version::TWO,
            prev_blockhash: BlockHash::all_zeros(),
            merkle_root: TxMerkleNode::all_zeros(),
            time: 0,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        },
        txdata: std::iter::once(coinbase).chain(payments).collect(),
    }))
}

#[test]
fn a_transaction_is_kept_once_with_the_ids_that_it_has() {
    let mut recent = RecentTransactions::new(RecentLimits::default());
    let kept = insert(&mut recent, 1, 10);
    let tx = payment(1, 10);
    assert_eq!(
        (kept.txid, kept.wtxid),
        (tx.compute_txid(), tx.compute_wtxid())
    );
    assert!(kept.has_witness());
    assert_eq!(kept.decode().unwrap(), tx);
    assert!(!recent.insert(&kept, Source::Block));
    assert_eq!(recent.len(), 1);
    assert!(recent.contains(&kept.wtxid));
    assert!(recent.iter().eq([&kept]));
    assert!(RecentTransaction::within(&message(2, 10).slice(..40), 0).is_err());
}

#[test]
fn a_block_gives_all_its_transactions_but_the_coinbase() {
    let mut recent = RecentTransactions::new(RecentLimits::default());
    assert_eq!(recent.insert_block(&block(0..20)), 20);
    assert_eq!(recent.insert_block(&block(10..30)), 10);
    let mut ids: Vec<Wtxid> = recent.iter().map(|transaction| transaction.wtxid).collect();
    let mut expected: Vec<Wtxid> = (0..30)
        .map(|number| payment(number, 10).compute_wtxid())
        .collect();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert_eq!(recent.insert_block(&block(0..3).slice(..100)), 0);
}

#[test]
fn the_oldest_go_when_there_are_too_many_and_each_way_in_has_its_own_room() {
    let limits = RecentLimits {
        count: 10,
        refused: 10,
        bytes: 1 << 20,
    };
    let mut recent = RecentTransactions::new(limits);
    recent.insert_block(&block(100..105));
    for number in 0..50 {
        insert(&mut recent, number, 10);
    }
    assert_eq!(recent.len(), 15);
    let newest_first = recent.iter().map(|transaction| transaction.wtxid);
    let expected = (40..50).rev().chain((100..105).rev());
    assert!(newest_first.eq(expected.map(|number| payment(number, 10).compute_wtxid())));
    assert!(!recent.contains(&payment(39, 10).compute_wtxid()));
}

#[test]
fn bytes_are_bounded_whatever_sizes_come() {
    let limits = RecentLimits {
        count: 1_000,
        refused: 1_000,
        bytes: 20_000,
    };
    let mut recent = RecentTransactions::new(limits);
    for number in 0..200 {
        let size = [10, 3_000, 500][number as usize % 3];
        insert(&mut recent, number, size);
        assert!(recent.bytes() <= 20_000);
    }
    assert!(recent.len() > 5);
    let before = recent.len();
    // Too large for all of it, and too large for any node to relay.
    insert(&mut recent, 1_000, 20_000);
    let mut roomy = RecentTransactions::new(RecentLimits::default());
    insert(&mut roomy, 1_000, MAX_TRANSACTION_BYTES);
    assert_eq!((recent.len(), roomy.len()), (before, 0));
}

#[test]
fn what_is_kept_does_not_keep_the_block_that_it_came_in() {
    let mut recent = RecentTransactions::new(RecentLimits::default());
    let block = block(0..3);
    recent.insert_block(&block);
    let memory = block.as_ptr() as usize..block.as_ptr() as usize + block.len();
    assert!(
        recent
            .iter()
            .all(|kept| !memory.contains(&(kept.bytes.as_ptr() as usize)))
    );
}
