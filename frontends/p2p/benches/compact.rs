//! How long a block of 1 MB takes from its compact form back to its bytes, with 10,000 transactions at hand, on one core.
//!
//! `cargo bench -p everett-p2p --bench compact`. Three cases: all of the block's transactions are among those at hand; all
//! but twenty, which come in a second message; none. Beside them what the receiver does before: making the compact form,
//! and reading it.

use std::hint::black_box;
use std::time::Instant;

use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, Witness, absolute, transaction,
};
use bytes::Bytes;
use everett_ledger::rules::witnesses::witness_commitment_script;
use everett_p2p::compact::{CompactBlock, PartialBlock, compact_block};
use everett_p2p::recent_transactions::{
    RecentLimits, RecentTransaction, RecentTransactions, Source,
};

/// Rounds; the best of each figure counts.
const ROUNDS: usize = 50;
/// Transactions at hand.
const AT_HAND: u32 = 10_000;
/// Transactions of the block: with 412 bytes each, 1 MB.
const IN_BLOCK: u32 = 2_430;

fn main() {
    let all: Vec<Transaction> = (0..AT_HAND).map(payment).collect();
    let block = block_of(&all[..IN_BLOCK as usize]);
    println!(
        "a block of {} bytes and {IN_BLOCK} transactions, {AT_HAND} at hand\n",
        block.len()
    );
    let announced = compact_block(&block, 7).expect("a block").payload;
    line(
        "the compact form is made",
        best(|| {
            black_box(compact_block(black_box(&block), 7)).expect("a block");
        }),
    );
    line(
        "the compact form is read",
        best(|| {
            black_box(CompactBlock::decode(black_box(&announced))).expect("a compact block");
        }),
    );

    let (in_block, others) = all.split_at(IN_BLOCK as usize);
    let (late, early) = in_block.split_at(20);
    let strangers: Vec<Transaction> = (AT_HAND..AT_HAND + IN_BLOCK).map(payment).collect();
    for (what, at_hand, missing) in [
        ("all at hand", [in_block, others].concat(), &[][..]),
        (
            "all but 20 at hand",
            [early, others, &strangers[..20]].concat(),
            late,
        ),
        ("none at hand", [others, &strangers[..]].concat(), in_block),
    ] {
        let mut recent = RecentTransactions::new(RecentLimits::default());
        // Those of the block stand among the others: every so many, from the oldest to the newest.
        let stride = 4_097 % at_hand.len();
        for number in 0..at_hand.len() {
            recent.insert(
                &recent_of(&at_hand[number * stride % at_hand.len()]),
                Source::Block,
            );
        }
        let missing: Vec<RecentTransaction> = missing.iter().map(recent_of).collect();
        let compact = CompactBlock::decode(&announced).expect("a compact block");
        let begin = || PartialBlock::begin(compact.clone(), recent.iter()).expect("no collision");
        assert_eq!(begin().missing().count(), missing.len());
        assert_eq!(
            begin().fill(missing.clone(), true).expect("the block"),
            block
        );
        line(
            &format!("{what}: matched"),
            best(|| {
                black_box(begin());
            }),
        );
        line(
            &format!("{what}: matched and filled"),
            best(|| {
                black_box(begin().fill(missing.clone(), true)).expect("the block");
            }),
        );
    }
}

fn line(what: &str, seconds: f64) {
    println!("{what:<44}{:>9.0} µs", seconds * 1e6);
}

fn best(mut work: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

fn recent_of(tx: &Transaction) -> RecentTransaction {
    RecentTransaction::within(&Bytes::from(serialize(tx)), 0).expect("a transaction")
}

fn payment(number: u32) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: (0..2)
            .map(|vout| TxIn {
                previous_output: OutPoint::new(Txid::hash(&number.to_le_bytes()), vout),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[vec![1; 72], vec![2; 33]]),
            })
            .collect(),
        output: (0..3)
            .map(|_| TxOut {
                value: Amount::from_sat(u64::from(number)),
                script_pubkey: ScriptBuf::from_bytes(vec![0; 25]),
            })
            .collect(),
    }
}

fn block_of(payments: &[Transaction]) -> Bytes {
    let mut coinbase = payment(0);
    coinbase.input.truncate(1);
    coinbase.input[0].previous_output = OutPoint::null();
    coinbase.input[0].witness = Witness::from_slice(&[[0; 32]]);
    let mut block = Block {
        header: Header {
            version: Version::TWO,
            prev_blockhash: BlockHash::all_zeros(),
            merkle_root: TxMerkleNode::all_zeros(),
            time: 0,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        },
        txdata: [&[coinbase], payments].concat(),
    };
    let root = block.witness_root().expect("transactions").to_byte_array();
    block.txdata[0].output[1].script_pubkey = witness_commitment_script(&root, &[0; 32]);
    block.header.merkle_root = block.compute_merkle_root().expect("transactions");
    Bytes::from(serialize(&block))
}
