//! What worlds are worth beside a node that has one: coins asked for at a rival tip, and a deep reorganisation, in Bitcoin
//! Core and here, on the same blocks and over the same calls.
//!
//! `BITCOIND_EXE=… cargo bench -p everett-tests --bench beside_core [-- rival|reorg]`.

use std::path::Path;
use std::time::{Duration, Instant};

use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, Block, OutPoint, Transaction};
use everett_ledger::{Ledger, LedgerConfig, Network, Params, World};
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::RpcClient;
use everett_tests::rpc_node::RpcNode;
use everett_tests::signer::Signer;
use rayon::prelude::*;
use serde_json::{Value, json};

/// Coins at the tips that are asked.
const COINS: usize = 200_000;
/// How deep the tips that are asked lie apart.
const RIVAL_DEPTH: u32 = 10;
/// How often it is asked; the median is told.
const ROUNDS: usize = 7;
/// Blocks that are undone.
const UNDONE: u32 = 100;
/// Transactions of each block of the reorganisation, two inputs and two outputs each.
const FULL: usize = 2_000;
/// Outputs of a transaction that spreads a coinbase's coin.
const SPREAD: usize = 2_500;
const FEE: Amount = Amount::from_sat(1_000);

type Coin = (OutPoint, Amount);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let part = arguments.find(|argument| argument != "--bench");
    let wanted = |name| part.as_deref().is_none_or(|part| part == name);
    let Some(program) = program("beside_core") else {
        return;
    };
    if wanted("rival") {
        rival(&program);
    }
    if wanted("reorg") {
        reorg(&program);
    }
}

/// The maker of blocks: a ledger of its own, in memory.
struct Maker {
    ledger: Ledger,
    signer: Signer,
}

impl Maker {
    fn new() -> Maker {
        let config = LedgerConfig::in_memory(Params::new(Network::Regtest));
        Maker {
            ledger: Ledger::open(config).expect("a ledger in memory opens"),
            signer: Signer::new(),
        }
    }

    /// Mines on `parent`, a number of seconds after it that tells branches apart.
    fn mine(&self, parent: &World, transactions: Vec<Transaction>, after: u32) -> (World, Vec<u8>) {
        let time = Some(parent.header().time + after);
        let script = &self.signer.script;
        let bytes = everett_mining::mine(&self.ledger, parent, transactions, script, time);
        let bytes = bytes.expect("its coins are there");
        let submitted = self.ledger.submit_block(&bytes).expect("memory");
        let block: Block = bitcoin::consensus::deserialize(&bytes).expect("just made");
        let world = self.ledger.world(&block.block_hash());
        (
            world.unwrap_or_else(|_| panic!("{:?}", submitted.outcome)),
            bytes,
        )
    }

    /// A chain at whose tip there are at least so many coins; and those.
    fn spread(&self, count: usize) -> (World, Vec<Coin>, Vec<Vec<u8>>) {
        let spreads = count.div_ceil(SPREAD);
        let mut blocks = Vec::new();
        let mut tip = self.ledger.best();
        let mut coinbases = Vec::new();
        for _ in 0..spreads + 100 {
            let (world, bytes) = self.mine(&tip, Vec::new(), 1);
            let block: Block = bitcoin::consensus::deserialize(&bytes).expect("just made");
            let coinbase = &block.txdata[0];
            let coin = OutPoint::new(coinbase.compute_txid(), 0);
            coinbases.push((coin, coinbase.output[0].value));
            blocks.push(bytes);
            tip = world;
        }
        let mut coins = Vec::new();
        for coin in &coinbases[..spreads] {
            let (tx, _) = self.signer.spend(&[*coin], SPREAD, FEE * 1_000);
            coins.extend(outputs(&tx));
            let (world, bytes) = self.mine(&tip, vec![tx], 1);
            blocks.push(bytes);
            tip = world;
        }
        (tip, coins, blocks)
    }

    /// Blocks on `tip` that are full of payments of these coins, one after the other.
    fn full(&self, mut tip: World, mut coins: Vec<Coin>, count: u32, after: u32) -> Vec<Vec<u8>> {
        let mut blocks = Vec::new();
        for _ in 0..count {
            let fee = FEE * u64::from(after);
            let spend = |pair: &[Coin]| self.signer.spend(pair, 2, fee).0;
            let transactions: Vec<Transaction> = coins.par_chunks(2).map(spend).collect();
            coins = transactions.iter().flat_map(outputs).collect();
            let (world, bytes) = self.mine(&tip, transactions, after);
            blocks.push(bytes);
            tip = world;
        }
        blocks
    }
}

fn outputs(tx: &Transaction) -> Vec<Coin> {
    let txid = tx.compute_txid();
    (0..)
        .zip(&tx.output)
        .map(|(vout, output)| (OutPoint::new(txid, vout), output.value))
        .collect()
}

fn submit(client: &RpcClient, blocks: &[Vec<u8>]) -> Duration {
    let texts: Vec<Value> = (blocks.iter())
        .map(|block| json!([block.to_lower_hex_string()]))
        .collect();
    let begin = Instant::now();
    for text in texts {
        let answer = client.call("submitblock", text);
        assert!(answer.is_null() || answer == "inconclusive", "{answer}");
    }
    begin.elapsed()
}

fn hash_of(block: &[u8]) -> String {
    let header = bitcoin::consensus::deserialize::<Block>(block).expect("just made");
    header.block_hash().to_string()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn tell(what: &str, core: Duration, ours: Duration) {
    let ratio = core.as_secs_f64() / ours.as_secs_f64();
    println!("{what:<44} {core:>10.2?} {ours:>10.2?} {ratio:>9.1}");
}

/// Two tips of one height; the one that is not the best is asked.
fn rival(program: &Path) {
    let maker = Maker::new();
    let (fork, coins, trunk) = maker.spread(COINS);
    let grow = |after| {
        let mut tip = fork.clone();
        let blocks = (0..RIVAL_DEPTH).map(|_| {
            let (world, bytes) = maker.mine(&tip, Vec::new(), after);
            tip = world;
            bytes
        });
        blocks.collect::<Vec<_>>()
    };
    let (best, side) = (grow(1), grow(2));
    let core = Bitcoind::start(program, &[]);
    let core = (RpcClient::new(core.rpc_port(), &core.cookie()), core);
    let ours = RpcNode::start();
    let client = ours.client();
    for client in [&core.0, &ours.client()] {
        for blocks in [&trunk, &best, &side] {
            submit(client, blocks);
        }
        assert_eq!(
            client.text("getbestblockhash", json!([])),
            hash_of(&best[9])
        );
    }
    let at = hash_of(side.last().expect("ten"));
    let first = hash_of(&best[0]);
    let (coin, _) = coins[coins.len() / 2];
    let script = format!("raw({})", maker.signer.script.to_hex_string());
    let other = "raw(00140000000000000000000000000000000000000001)";
    println!("{COINS} coins, two tips {RIVAL_DEPTH} blocks from their fork");
    println!(
        "{:<44} {:>10} {:>10} {:>9}",
        "asked at the rival tip", "Core", "Everett", "ratio"
    );
    let asked = [
        ("gettxout", json!([coin.txid, coin.vout])),
        ("scantxoutset", json!(["start", [other]])),
        ("scantxoutset", json!(["start", [script]])),
        ("gettxoutsetinfo", json!([])),
    ];
    for (method, params) in asked {
        let names = match method {
            "gettxout" => ["txid", "n"].as_slice(),
            "scantxoutset" => &["action", "scanobjects"],
            _ => &[],
        };
        let mut named: Value = (names.iter().zip(params.as_array().expect("a list")))
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let there = (0..ROUNDS).map(|_| {
            let begin = Instant::now();
            core.0.call("invalidateblock", json!([first]));
            let answer = core.0.call(method, params.clone());
            core.0.call("reconsiderblock", json!([first]));
            (begin.elapsed(), answer)
        });
        let there: Vec<(Duration, Value)> = there.collect();
        named["at"] = json!(at);
        let here = (0..ROUNDS).map(|_| {
            let begin = Instant::now();
            let answer = client.call(method, named.clone());
            (begin.elapsed(), answer)
        });
        let here: Vec<(Duration, Value)> = here.collect();
        for name in ["bestblock", "total_amount", "value", "hash_serialized_3"] {
            assert_eq!(there[0].1[name], here[0].1[name], "{method} {name}");
        }
        let found = here[0].1["unspents"].as_array().map(Vec::len);
        let what = found.map_or(method.to_owned(), |found| {
            format!("{method}, {found} found")
        });
        let times = |runs: Vec<(Duration, Value)>| runs.into_iter().map(|run| run.0).collect();
        tell(&what, median(times(there)), median(times(here)));
    }
}

/// A branch of full blocks gives way to one that is a block longer, whose last block is handed in last.
fn reorg(program: &Path) {
    let maker = Maker::new();
    let (fork, coins, trunk) = maker.spread(2 * FULL);
    let coins: Vec<Coin> = coins.into_iter().take(2 * FULL).collect();
    let best = maker.full(fork.clone(), coins.clone(), UNDONE, 1);
    let mut side = maker.full(fork, coins, UNDONE + 1, 2);
    let last = vec![side.pop().expect("there are many")];
    let core = Bitcoind::start(program, &[]);
    let core = (RpcClient::new(core.rpc_port(), &core.cookie()), core);
    let ours = RpcNode::start();
    let [there, here] = [&core.0, &ours.client()].map(|client| {
        submit(client, &trunk);
        let times = [&best, &side, &last].map(|blocks| submit(client, blocks));
        // It was announced before it is answered.
        assert_eq!(
            client.text("getbestblockhash", json!([])),
            hash_of(&last[0])
        );
        times
    });
    let sets = [&core.0, &ours.client()].map(|client| {
        let info = client.call("gettxoutsetinfo", json!([]));
        info["hash_serialized_3"].clone()
    });
    assert_eq!(sets[0], sets[1]);
    println!(
        "{UNDONE} blocks of {FULL} transactions (two signatures each) give way to {}",
        UNDONE + 1
    );
    println!("{:<44} {:>10} {:>10} {:>9}", "", "Core", "Everett", "ratio");
    tell("the best branch comes", there[0], here[0]);
    tell(
        "the other branch comes, but its last block",
        there[1],
        here[1],
    );
    tell("its last block, until it is the best", there[2], here[2]);
    tell(
        "the other branch in all",
        there[1] + there[2],
        here[1] + here[2],
    );
}
