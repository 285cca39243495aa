//! How long a template takes with 100,000 transactions waiting: made, and asked for over JSON-RPC, here and at Bitcoin Core.
//!
//! `cargo bench -p everett-mining --bench template`, with `BITCOIND_EXE` for Core's figure. Transactions are P2WPKH, one input
//! and two outputs; every fourth spends the one before it, so that there are clusters. `EVERETT_BENCH_COUNT` sets how many
//! (100,000 by default).

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use everett_mempool::Mempool;
use everett_mining::{Miner, MiningConfig};
use everett_node::{Node, NodeConfig};
use everett_rpc::{Rpc, RpcConfig};
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::RpcClient;
use everett_tests::signer::Signer;
use serde_json::json;

const START: u64 = 1_700_000_000;
/// Outputs of one transaction that spreads coins.
const SPREAD: usize = 2_500;
/// Templates that are made.
const ROUNDS: usize = 21;
/// Seconds after which a template is made anew where transactions came.
const STALE: u64 = 6;

/// Mines on the best world; the coinbase's id.
fn mine(ledger: &Ledger, script: &ScriptBuf, transactions: Vec<Transaction>) -> Txid {
    let best = ledger.best();
    let bytes = everett_mining::mine(ledger, &best, transactions, script, None).expect("a block");
    let submitted = ledger.submit_block(&bytes).expect("memory");
    assert_eq!(submitted.outcome.bip22(), None);
    let block: bitcoin::Block = bitcoin::consensus::deserialize(&bytes).expect("just made");
    block.txdata[0].compute_txid()
}

fn fill(ledger: &Ledger, mempool: &Mempool, count: usize) {
    let signer = Signer::new();
    let spreads = count.div_ceil(SPREAD);
    let coinbases: Vec<Txid> = (0..spreads + 100)
        .map(|_| mine(ledger, &signer.script, Vec::new()))
        .collect();
    let value = Amount::from_int_btc(50);
    let mut coins = Vec::with_capacity(count);
    for coinbase in &coinbases[..spreads] {
        let coin = (OutPoint::new(*coinbase, 0), value);
        let (tx, _) = signer.spend(&[coin], SPREAD, Amount::from_sat(100_000));
        let (txid, each) = (tx.compute_txid(), tx.output[0].value);
        coins.extend((0..SPREAD as u32).map(|vout| (OutPoint::new(txid, vout), each)));
        mine(ledger, &signer.script, vec![tx]);
    }
    let mut last = None;
    for (number, coin) in coins.into_iter().take(count).enumerate() {
        let fee = 200 + (number as u64 * 7_919) % 5_000;
        let spent = match last {
            Some(last) if number % 4 == 3 => last,
            _ => coin,
        };
        let (tx, _) = signer.spend(&[spent], 2, Amount::from_sat(fee));
        last = Some((OutPoint::new(tx.compute_txid(), 0), tx.output[0].value));
        let verdict = mempool.accept(&Arc::new(DecodedTransaction::new(tx)));
        let verdict = verdict.expect("a ledger");
        assert!(verdict.is_ok(), "{:?}", verdict.err());
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Asks for templates that have to be made anew each time.
fn asked(client: &RpcClient, txid: &Txid) -> (Duration, usize) {
    let mut times = Vec::with_capacity(ROUNDS);
    let mut bytes = 0;
    for round in 1..=ROUNDS as u64 {
        client.call("setmocktime", json!([START + 1_000 + round * STALE]));
        client.call("prioritisetransaction", json!([txid, 0, 1]));
        let begin = Instant::now();
        let answer = client.answer("getblocktemplate", &json!([{ "rules": ["segwit"] }]));
        times.push(begin.elapsed());
        assert_eq!(answer.status, 200);
        bytes = answer.body.len();
    }
    (median(times), bytes)
}

fn core(program: &Path, ledger: &Ledger, file: &Path, txid: &Txid, count: usize) {
    let daemon = Bitcoind::start(program, &[]);
    let client = RpcClient::new(daemon.rpc_port(), &daemon.cookie());
    client.call("setmocktime", json!([START + 1_000]));
    for height in 1..=ledger.best().height() {
        let hash = ledger.best_hash_at(height).expect("it is on the chain");
        let block = ledger.block_bytes(&hash).expect("memory");
        client.call("submitblock", json!([block.to_lower_hex_string()]));
    }
    client.call("importmempool", json!([file]));
    let info = client.call("getmempoolinfo", json!([]));
    assert_eq!(info["size"], count);
    let (time, bytes) = asked(&client, txid);
    println!("getblocktemplate, Core      {time:>10.2?}, {bytes} bytes");
}

fn main() {
    let count = std::env::var("EVERETT_BENCH_COUNT").ok();
    let count: usize = count.and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut config = LedgerConfig::in_memory(Params::new(Network::Regtest));
    config.clock = Clock::fixed(START);
    let ledger = Ledger::open(config).expect("a ledger in memory opens");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let mut rpc = RpcConfig::new(directory.path());
    rpc.port = Some(0);
    let rpc = Rpc::new(rpc);
    let bound = rpc.bound_address();
    let settings = LedgerConfig::in_memory(Params::new(Network::Regtest));
    let starting = Node::builder(NodeConfig::new(settings))
        .on(ledger.clone())
        .frontend(rpc)
        .start();
    let node = runtime.block_on(starting).expect("the node starts");
    let mempool = node.handle().mempool().clone();
    fill(&ledger, &mempool, count);
    ledger.clock().set(START + 1_000);

    let miner = Miner::new(mempool.clone(), MiningConfig::default());
    let payout = ScriptBuf::new();
    let mut chosen = 0;
    let times = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        let template = black_box(miner.template(&payout)).expect("a template");
        chosen = template.chosen.len();
        begin.elapsed()
    });
    let time = median(times.collect());
    println!("{count} transactions wait");
    println!("a template of {chosen} of them  {time:>10.2?}, checked");
    let best = ledger.best();
    let below = ledger
        .world_at_height(best.height() - 1)
        .expect("it is live");
    let begin = Instant::now();
    let template = miner.template_on(&below, &payout).expect("a template");
    let on = template.chosen.len();
    println!(
        "the same one block below    {:>10.2?}, {on} of them",
        begin.elapsed()
    );

    let cookie = std::fs::read_to_string(directory.path().join(".cookie")).expect("it runs");
    let port = bound.get().first().expect("it listens").port();
    let txid = {
        let view = mempool.view().expect("a ledger");
        view.transactions().next().expect("it is full").txid
    };
    let (time, bytes) = asked(&RpcClient::new(port, &cookie), &txid);
    println!("getblocktemplate            {time:>10.2?}, {bytes} bytes");
    if let Some(program) = program("template") {
        let file = directory.path().join("waiting.dat");
        mempool.save(&file).expect("a disk");
        core(&program, &ledger, &file, &txid, count);
    }
    runtime.block_on(node.stop());
}
