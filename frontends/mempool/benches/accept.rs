//! How many transactions are let in per second on one core, held against bare signature checks; and what a mempool of
//! 100,000 costs those who read it.
//!
//! `cargo bench -p everett-mempool --bench accept`. Transactions are P2WPKH, one input and two outputs, no two related:
//! one signature each. `EVERETT_BENCH_COUNT` sets how many (100,000 by default).

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::{Amount, Block, OutPoint, ScriptBuf, Transaction};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use everett_mempool::{Mempool, MempoolConfig};
use everett_tests::signer::Signer;

const START: u64 = 1_700_000_000;
/// Outputs of one transaction that spreads coins.
const SPREAD: usize = 2_500;

fn mine(ledger: &Ledger, script: &ScriptBuf, transactions: Vec<Transaction>) -> Block {
    let best = ledger.best();
    let bytes = everett_scenario::mine(ledger, &best, transactions, script, None).expect("a block");
    let submitted = ledger.submit_block(&bytes).expect("memory");
    assert_eq!(submitted.outcome.bip22(), None);
    bitcoin::consensus::deserialize(&bytes).expect("just made")
}

fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn main() {
    let count = std::env::var("EVERETT_BENCH_COUNT").ok();
    let count: usize = count.and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let signer = Signer::new();
    let mut config = LedgerConfig::in_memory(Params::new(Network::Regtest));
    config.clock = Clock::fixed(START);
    let ledger = Ledger::open(config).expect("a ledger in memory opens");
    let spreads = count.div_ceil(SPREAD);
    let coinbases: Vec<Transaction> = (0..spreads + 100)
        .map(|_| {
            mine(&ledger, &signer.script, Vec::new())
                .txdata
                .swap_remove(0)
        })
        .collect();
    let mut coins = Vec::with_capacity(count);
    for coinbase in &coinbases[..spreads] {
        let value = coinbase.output[0].value;
        let from = OutPoint::new(coinbase.compute_txid(), 0);
        let (tx, _) = signer.spend(&[(from, value)], SPREAD, Amount::from_sat(100_000));
        let txid = tx.compute_txid();
        let each = tx.output[0].value;
        coins.extend((0..SPREAD as u32).map(|vout| (OutPoint::new(txid, vout), each)));
        mine(&ledger, &signer.script, vec![tx]);
    }
    coins.truncate(count);
    let mut signed = Vec::with_capacity(count);
    let transactions: Vec<Arc<DecodedTransaction>> = coins
        .iter()
        .enumerate()
        .map(|(number, (coin, value))| {
            let fee = 200 + (number as u64 * 7_919) % 5_000;
            let (tx, one) = signer.spend(&[(*coin, *value)], 2, Amount::from_sat(fee));
            signed.extend(one);
            Arc::new(DecodedTransaction::new(tx))
        })
        .collect();

    let begin = Instant::now();
    for one in &signed {
        signer
            .secp
            .verify_ecdsa(&one.message, &one.signature, &signer.public)
            .expect("just signed");
    }
    let bare = rate(count, begin.elapsed());
    println!("{count} transactions, one core");
    println!("bare signature checks     {bare:>12.0} /s");

    let mempool = Mempool::new(ledger.clone(), MempoolConfig::default());
    let tenth = count.div_ceil(10).max(1);
    let mut spent = Duration::ZERO;
    for (number, part) in transactions.chunks(tenth).enumerate() {
        let begin = Instant::now();
        for tx in part {
            let accepted = mempool.accept(tx).expect("a ledger");
            assert!(accepted.is_ok(), "{:?}", accepted.err());
        }
        let time = begin.elapsed();
        spent += time;
        if number == 0 || (number + 1) * tenth >= count {
            println!(
                "accepted, tenth {:>2}        {:>12.0} /s",
                number + 1,
                rate(part.len(), time)
            );
        }
    }
    let all = rate(count, spent);
    println!(
        "accepted                  {all:>12.0} /s, {:.0} % of the limit",
        100.0 * all / bare
    );

    let view = mempool.view().expect("a ledger");
    let begin = Instant::now();
    let mut weight = 0;
    let filled = view.chunks().take_while(|chunk| {
        weight += chunk.rate.size;
        weight <= 3_990_000
    });
    let transactions_of_block: usize = filled
        .map(|chunk| black_box(chunk).transactions.len())
        .sum();
    println!(
        "a block's {transactions_of_block} transactions  {:>10.2?}",
        begin.elapsed()
    );
    let begin = Instant::now();
    black_box(view.txids());
    println!("all txids in mining order {:>12.2?}", begin.elapsed());
    let taken: Vec<Transaction> = view
        .transactions()
        .take(2_000)
        .map(|tx| tx.tx.clone())
        .collect();
    drop(view);

    let bytes = everett_scenario::mine(&ledger, &ledger.best(), taken, &signer.script, None);
    let bytes = bytes.expect("a block");
    let begin = Instant::now();
    ledger.submit_block(&bytes).expect("memory");
    println!(
        "a block of 2,000 of them  {:>12.2?}, scripts run before",
        begin.elapsed()
    );
    let begin = Instant::now();
    mempool.catch_up().expect("a ledger");
    println!("the mempool follows it    {:>12.2?}", begin.elapsed());
    let tip = ledger.best().hash();
    ledger.invalidate_block(&tip).expect("it is known");
    let begin = Instant::now();
    mempool.catch_up().expect("a ledger");
    println!("and takes it back         {:>12.2?}", begin.elapsed());
}
