//! What worlds are worth beside a node that has one: coins asked for at a rival tip, and a deep reorganisation, in Bitcoin
//! Core and here, on the same blocks and over the same calls.
//!
//! `BITCOIND_EXE=… cargo bench -p everett-tests --bench beside_core [-- rival|reorg|generate]`.
//!
//! `EVERETT_IMPORT` names a chain for `reorg` in the framing of `bootstrap.dat`: a trunk, a branch, and another one that
//! is a block longer.

use std::path::Path;
use std::time::{Duration, Instant};

use bitcoin::block::Header;
use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, Block, OutPoint, Transaction};
use everett_ledger::{Ledger, LedgerConfig, Network, Params, World};
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::{HttpAnswer, RpcClient};
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
    if wanted("generate") {
        generate(&program);
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
    let ours = RpcNode::start_without_index();
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
    let (start, all) = (json!("start"), json!([script]));
    let none = json!([other]);
    let asked: [(&str, &[(&str, Value)]); 6] = [
        (
            "gettxout",
            &[("txid", json!(coin.txid)), ("n", json!(coin.vout))],
        ),
        (
            "scantxoutset",
            &[("action", start.clone()), ("scanobjects", none)],
        ),
        ("scantxoutset", &[("action", start), ("scanobjects", all)]),
        (
            "gettxoutsetinfo",
            &[("hash_type", json!("hash_serialized_3"))],
        ),
        ("gettxoutsetinfo", &[("hash_type", json!("muhash"))]),
        ("gettxoutsetinfo", &[("hash_type", json!("none"))]),
    ];
    for at_rival in [true, false] {
        let tip = if at_rival { "rival" } else { "best" };
        println!("{COINS} coins, two tips {RIVAL_DEPTH} blocks from their fork");
        let asked_at = format!("asked at the {tip} tip");
        println!(
            "{asked_at:<44} {:>10} {:>10} {:>9}",
            "Core", "Everett", "ratio"
        );
        for (method, params) in &asked {
            let mut named: Value = (params.iter())
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            let there = (0..ROUNDS).map(|_| {
                let begin = Instant::now();
                if at_rival {
                    core.0.call("invalidateblock", json!([first]));
                }
                let answer = core.0.answer(method, &named);
                if at_rival {
                    core.0.call("reconsiderblock", json!([first]));
                }
                (begin.elapsed(), answer)
            });
            let there: Vec<(Duration, HttpAnswer)> = there.collect();
            if at_rival {
                named["at"] = json!(at);
            }
            let here = (0..ROUNDS).map(|_| {
                let begin = Instant::now();
                let answer = client.answer(method, &named);
                (begin.elapsed(), answer)
            });
            let here: Vec<(Duration, HttpAnswer)> = here.collect();
            let [theirs, own] = [&there, &here]
                .map(|runs| -> Value { serde_json::from_str(&runs[0].1.body).expect("an answer") });
            let (theirs, own) = (&theirs["result"], &own["result"]);
            assert!(own.is_object(), "{method}: {}", here[0].1.body);
            for name in [
                "bestblock",
                "total_amount",
                "value",
                "unspents",
                "hash_serialized_3",
                "muhash",
                "bogosize",
            ] {
                assert!(theirs[name] == own[name], "{method} {name}");
            }
            let found = own["unspents"].as_array().map(Vec::len);
            let hash = params.iter().find(|(name, _)| *name == "hash_type");
            let what = match (found, hash) {
                (Some(found), _) => format!("{method}, {found} found"),
                (None, Some((_, hash))) => format!("{method} {hash}"),
                (None, None) => (*method).to_owned(),
            };
            let times =
                |runs: Vec<(Duration, HttpAnswer)>| runs.into_iter().map(|run| run.0).collect();
            tell(&what, median(times(there)), median(times(here)));
        }
    }
}

/// Blocks with nothing but a coinbase, made by the node itself.
fn generate(program: &Path) {
    let core = Bitcoind::start(program, &[]);
    let core = (RpcClient::new(core.rpc_port(), &core.cookie()), core);
    let ours = RpcNode::start_without_index();
    let client = ours.client();
    let address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    println!("{:<44} {:>10} {:>10} {:>9}", "", "Core", "Everett", "ratio");
    for (what, count, calls) in [
        ("generatetoaddress 1000", 1_000, 1),
        ("generatetoaddress 1", 1, 200),
    ] {
        let run = |client: &RpcClient| {
            let begin = Instant::now();
            for _ in 0..calls {
                client.call("generatetoaddress", json!([count, address]));
            }
            begin.elapsed() / calls
        };
        let times: Vec<(Duration, Duration)> =
            (0..3).map(|_| (run(&core.0), run(&client))).collect();
        let [there, here] = [
            times.iter().map(|times| times.0).collect(),
            times.iter().map(|times| times.1).collect(),
        ];
        tell(what, median(there), median(here));
    }
}

/// The blocks of a file: the trunk, a branch, and another one.
fn read_chain(path: &str) -> [Vec<Vec<u8>>; 3] {
    let bytes = std::fs::read(path).expect("EVERETT_IMPORT names a file");
    let mut blocks: Vec<(Header, Vec<u8>)> = Vec::new();
    let mut rest = &bytes[..];
    while let Some((head, behind)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes(head[4..].try_into().expect("four bytes"));
        let (block, behind) = behind.split_at(length as usize);
        let header = bitcoin::consensus::deserialize(&block[..80]).expect("a header");
        blocks.push((header, block.to_vec()));
        rest = behind;
    }
    let second = (1..blocks.len())
        .find(|at| blocks[*at].0.prev_blockhash != blocks[at - 1].0.block_hash())
        .expect("there are two branches");
    let fork = (0..second)
        .find(|at| blocks[*at].0.block_hash() == blocks[second].0.prev_blockhash)
        .expect("it leaves the chain somewhere");
    let mut blocks = blocks.into_iter().map(|(_, block)| block);
    let trunk = blocks.by_ref().take(fork + 1).skip(1).collect();
    let best = blocks.by_ref().take(second - fork - 1).collect();
    [trunk, best, blocks.collect()]
}

/// Two branches of full blocks behind a trunk.
fn make_chain() -> [Vec<Vec<u8>>; 3] {
    let maker = Maker::new();
    let (fork, coins, trunk) = maker.spread(2 * FULL);
    let coins: Vec<Coin> = coins.into_iter().take(2 * FULL).collect();
    let best = maker.full(fork.clone(), coins.clone(), UNDONE, 1);
    [trunk, best, maker.full(fork, coins, UNDONE + 1, 2)]
}

/// Where the ledger's own time went so far, a block.
fn tell_timings(ledger: Option<&Ledger>, blocks: usize) {
    let Some(stats) = ledger.and_then(|ledger| ledger.stats().ok()) else {
        return;
    };
    let timings = stats.timings;
    let parts = [
        ("decode", timings.decode),
        ("check", timings.check),
        ("connect", timings.connect),
        ("journal", timings.journal),
        ("overlay", timings.overlay),
        ("conflicts", timings.conflicts),
        ("commit", timings.commit),
    ];
    let parts = parts.map(|(name, spent)| format!("{name} {:.2?} x{}", spent.time, spent.count));
    println!("after {blocks} blocks: {}", parts.join(", "));
}

/// A branch of full blocks gives way to one that is a block longer, whose last block is handed in last.
fn reorg(program: &Path) {
    let [trunk, best, mut side] = match std::env::var("EVERETT_IMPORT") {
        Ok(path) => read_chain(&path),
        Err(_) => make_chain(),
    };
    let last = vec![side.pop().expect("there are many")];
    let core = Bitcoind::start(program, &[]);
    let core = (RpcClient::new(core.rpc_port(), &core.cookie()), core);
    let ours = RpcNode::start_without_index();
    let [there, here] = [&core.0, &ours.client()].map(|client| {
        submit(client, &trunk);
        let times = [&best, &side, &last].map(|blocks| {
            let time = submit(client, blocks);
            if client.port() == ours.port {
                tell_timings(ours.ledger(), blocks.len());
            }
            time
        });
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
    let count = |block: &[u8]| {
        bitcoin::consensus::deserialize::<Block>(block).map_or(0, |block| block.txdata.len())
    };
    println!(
        "{} blocks of {} transactions give way to {}",
        best.len(),
        count(&best[0]),
        side.len() + 1
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
