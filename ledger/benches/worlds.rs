//! The figures of many worlds: what a change costs, what a lookup costs, what it takes to come back after kill -9.
//!
//! `cargo bench -p everett-ledger --bench worlds` prints one line a figure, beside its aim and, where there is one, the
//! same work done by a plain structure in the same run. `-- changes|base|tips` runs one part.

use std::alloc::System;
use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version as TxVersion;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Target, Transaction,
    TxIn, TxMerkleNode, TxOut, Txid, Witness,
};
use cap::Cap;
use everett_ledger::rules::ScriptsAssumedValid;
use everett_ledger::{Coin, Ledger, LedgerConfig, Network, Outcome, Params, ScriptHash, World};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Coins spent, and coins made, by each block of the first part.
const CHANGES: usize = 5_000;
/// Worlds held at once.
const WORLDS: usize = 100;
/// Scripts in the base of the second part.
const SCRIPTS: usize = 1_000_000;
/// Live tips of the third part, and the blocks of each.
const TIPS: usize = 1_000;
const TIP_BLOCKS: usize = 10;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let part = arguments.next();
    if part.as_deref() == Some("build-tips-and-die") {
        build_tips_and_die(Path::new(&arguments.next().expect("a directory")));
    }
    let wanted = |name| part.as_deref().is_none_or(|part| part == name);
    if wanted("changes") || wanted("base") {
        many_worlds();
    }
    if wanted("tips") {
        many_tips();
    }
}

fn line(what: &str, measured: String, aim: &str) {
    println!("{what:<68} {measured:>14}   {aim}");
}

fn nanos(time: Duration, count: usize) -> String {
    format!("{:.0} ns", time.as_nanos() as f64 / count as f64)
}

/// Median over the rounds of the time that one of `count` takes.
fn median_of(rounds: usize, count: usize, mut work: impl FnMut(usize)) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..count).for_each(&mut work);
            start.elapsed()
        })
        .collect();
    times.sort();
    times[rounds / 2] / count as u32
}

/// Writes blocks on top of one another.
#[derive(Clone)]
struct Miner {
    tip: BlockHash,
    height: u32,
    /// Makes coinbases of rival branches differ.
    branch: u32,
    /// Numbers every script made, so that no two are the same.
    scripts: u64,
}

impl Miner {
    fn new(params: &Params) -> Miner {
        Miner {
            tip: params.genesis_hash(),
            height: 0,
            branch: 0,
            scripts: 0,
        }
    }

    fn script(&mut self) -> ScriptBuf {
        self.scripts += 1;
        let mut bytes = vec![0x00, 0x14];
        bytes.extend_from_slice(&u64::from(self.branch).to_be_bytes()[4..]);
        bytes.extend_from_slice(
            &self
                .scripts
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_be_bytes(),
        );
        bytes.extend_from_slice(&self.scripts.to_be_bytes());
        ScriptBuf::from_bytes(bytes)
    }

    fn block(&mut self, transactions: Vec<Transaction>) -> Vec<u8> {
        self.height += 1;
        let height = self.height;
        let coinbase = Transaction {
            version: TxVersion::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: bitcoin::script::Builder::new()
                    .push_int(i64::from(height))
                    .push_slice(self.branch.to_le_bytes())
                    .into_script(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![TxOut {
                value: Amount::from_sat(5_000_000_000 >> (height / 150).min(63)),
                script_pubkey: ScriptBuf::from_bytes(vec![0x51]),
            }],
        };
        let mut txdata = vec![coinbase];
        txdata.extend(transactions);
        let mut header = Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: self.tip,
            merkle_root: TxMerkleNode::all_zeros(),
            time: 1_600_000_000 + height,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        let hashes = txdata.iter().map(|tx| tx.compute_txid().to_raw_hash());
        header.merkle_root = bitcoin::merkle_tree::calculate_root(hashes)
            .expect("a coinbase")
            .into();
        let target = Target::from_compact(header.bits);
        while !target.is_met_by(header.block_hash()) {
            header.nonce += 1;
        }
        self.tip = header.block_hash();
        serialize(&Block { header, txdata })
    }

    /// A transaction that spends `from` and splits it over new scripts.
    fn split(&mut self, from: OutPoint, amount: u64, outputs: usize) -> Transaction {
        let value = Amount::from_sat(amount / outputs as u64);
        Transaction {
            version: TxVersion::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: from,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: (0..outputs)
                .map(|_| TxOut {
                    value,
                    script_pubkey: self.script(),
                })
                .collect(),
        }
    }
}

fn open(directory: &Path, horizon: u32) -> Ledger {
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    config.scripts = std::sync::Arc::new(ScriptsAssumedValid);
    config.horizon = Some(horizon);
    Ledger::open(config).expect("the ledger opens")
}

fn submit(ledger: &Ledger, blocks: &[Vec<u8>]) {
    for answer in ledger.submit_blocks(blocks).expect("the disk works") {
        assert!(
            matches!(answer.outcome, Outcome::Accepted { .. }),
            "{:?}",
            answer.outcome
        );
    }
}

fn outpoint(txid: Txid, vout: usize) -> OutPoint {
    OutPoint::new(txid, vout as u32)
}

/// Changes per block, lookups, balances over a large base, and changes of the best world.
fn many_worlds() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let horizon = 250;
    let ledger = open(directory.path(), horizon);
    let mut miner = Miner::new(ledger.params());

    // A base of a million scripts, buried deep enough to lie in LMDB alone.
    let first = miner.block(Vec::new());
    let coinbase = bitcoin::consensus::deserialize::<Block>(&first)
        .expect("own block")
        .txdata[0]
        .compute_txid();
    submit(&ledger, &[first]);
    for _ in 0..100 {
        let block = miner.block(Vec::new());
        submit(&ledger, &[block]);
    }
    let parts = SCRIPTS / 25_000;
    let fan = miner.split(outpoint(coinbase, 0), 5_000_000_000, parts);
    let (fan_id, share) = (fan.compute_txid(), fan.output[0].value.to_sat());
    let block = miner.block(vec![fan]);
    submit(&ledger, &[block]);
    let mut base_scripts = Vec::with_capacity(SCRIPTS);
    let mut coins: Vec<(OutPoint, u64)> = Vec::new();
    for part in 0..parts {
        let split = miner.split(outpoint(fan_id, part), share, 25_000);
        let txid = split.compute_txid();
        base_scripts.extend(
            split
                .output
                .iter()
                .map(|output| ScriptHash::of(&output.script_pubkey)),
        );
        coins.extend(
            split
                .output
                .iter()
                .enumerate()
                .map(|(at, out)| (outpoint(txid, at), out.value.to_sat())),
        );
        let block = miner.block(vec![split]);
        submit(&ledger, &[block]);
    }
    let before = ledger.stats().expect("figures").timings.checkpoint;
    let last_fan = miner.height;
    while ledger.stats().expect("figures").base_height < last_fan {
        let blocks: Vec<Vec<u8>> = (0..20).map(|_| miner.block(Vec::new())).collect();
        submit(&ledger, &blocks);
    }
    ledger.checkpoint().expect("a checkpoint");
    let stats = ledger.stats().expect("figures");
    let fold = stats.timings.checkpoint.time - before.time;
    let rate = SCRIPTS as f64 / fold.as_secs_f64();
    line(
        "checkpoint: coins with their scripts folded into LMDB",
        format!("{:.0} k/s", rate / 1e3),
        "",
    );
    let bytes = std::fs::metadata(directory.path().join("data.mdb"))
        .expect("the database")
        .len();
    line(
        "disk: bytes a coin with the script index",
        format!("{:.0} B", bytes as f64 / SCRIPTS as f64),
        "",
    );

    // 100 blocks of 5,000 + 5,000 changes, each one's world held.
    let trunk = ledger.best();
    let trunk_miner = miner.clone();
    let allocated = ALLOCATOR.allocated();
    let before = stats.timings;
    let mut worlds: Vec<World> = Vec::new();
    let mut made: Vec<Vec<OutPoint>> = Vec::new();
    let mut spendable: Vec<(OutPoint, u64)> = coins[..CHANGES].to_vec();
    let mut plain = HashMap::new();
    let mut plain_time = Duration::ZERO;
    for _ in 0..WORLDS {
        let spends: Vec<Transaction> = spendable
            .iter()
            .map(|(outpoint, amount)| miner.split(*outpoint, *amount, 1))
            .collect();
        let created: Vec<(OutPoint, u64)> = spends
            .iter()
            .map(|tx| (outpoint(tx.compute_txid(), 0), tx.output[0].value.to_sat()))
            .collect();
        let start = Instant::now();
        spendable
            .iter()
            .for_each(|(outpoint, _)| drop(plain.remove(outpoint)));
        for (tx, (outpoint, amount)) in spends.iter().zip(&created) {
            plain.insert(*outpoint, (tx.output[0].script_pubkey.clone(), *amount));
        }
        plain_time += start.elapsed();
        let block = miner.block(spends);
        submit(&ledger, &[block]);
        worlds.push(ledger.best());
        made.push(created.iter().map(|(outpoint, _)| *outpoint).collect());
        spendable = created;
    }
    drop(plain);
    let own: usize = made
        .iter()
        .map(|list| list.capacity() * size_of::<OutPoint>())
        .sum();
    let kept = ALLOCATOR
        .allocated()
        .saturating_sub(allocated)
        .saturating_sub(own);
    let after = ledger.stats().expect("figures").timings;
    let changes = (after.changes - before.changes) as usize;
    let overlay = after.overlay.cpu - before.overlay.cpu;
    line(
        "change: coins and script index, 100 worlds held (CPU)",
        nanos(overlay, changes),
        "at most 500 ns",
    );
    line(
        "change: kept in memory, the coin itself included",
        format!("{} B", kept / changes),
        "at most 400 B",
    );
    line(
        "change: a plain HashMap of one world, no index",
        nanos(plain_time, changes),
        "for comparison",
    );
    let journal = after.journal.cpu - before.journal.cpu;
    line(
        "change: into the journal's transaction",
        nanos(journal, changes),
        "",
    );

    let pick = |n: usize| {
        (
            n.wrapping_mul(7919) % WORLDS,
            n.wrapping_mul(104_729) % CHANGES,
        )
    };
    let lookup = median_of(5, 100_000, |n| {
        let (world, coin) = pick(n);
        black_box(worlds[world].coin(&made[world][coin]).expect("a read")).expect("it is there");
    });
    line(
        "lookup: a coin of the overlay, at any of 100 worlds",
        nanos(lookup, 1),
        "at most 250 ns",
    );
    let missing = median_of(5, 100_000, |n| {
        let (_, coin) = pick(n);
        let found: Option<Coin> = worlds[WORLDS - 1].coin(&made[0][coin]).expect("a read");
        assert!(black_box(found).is_none());
    });
    line(
        "lookup: a coin that the world's chain has spent",
        nanos(missing, 1),
        "",
    );
    let from_base = median_of(5, 100_000, |n| {
        let at = CHANGES + n.wrapping_mul(104_729) % (SCRIPTS - CHANGES);
        black_box(worlds[n % WORLDS].coin(&coins[at].0).expect("a read")).expect("it is there");
    });
    line(
        "lookup: a coin of the base (LMDB, one transaction)",
        nanos(from_base, 1),
        "",
    );
    let clone = median_of(5, 1_000_000, |n| {
        drop(black_box(worlds[n % WORLDS].clone()))
    });
    line("world: clone and drop", nanos(clone, 1), "at most 100 ns");

    // A rival of the same depth, and the moment when it wins.
    let mut rival = trunk_miner;
    rival.branch = 1;
    let mut rivals: Vec<Vec<u8>> = (0..WORLDS).map(|_| rival.block(Vec::new())).collect();
    rivals.push(rival.block(Vec::new()));
    submit(&ledger, &rivals[..WORLDS]);
    let rival_tip = ledger
        .world(&block_hash(&rivals[WORLDS - 1]))
        .expect("it is live");
    let best_tip = ledger.best();
    let rounds = 200_000;
    let balance = |world: &World| {
        median_of(7, rounds / 10, |n| {
            let script = &base_scripts[n.wrapping_mul(104_729) % SCRIPTS];
            black_box(world.balance(script).expect("a read"));
        })
    };
    let (at_best, at_rival) = (balance(&best_tip), balance(&rival_tip));
    line(
        "balance: at the best tip, a million scripts in the base",
        nanos(at_best, 1),
        "at most 5 us",
    );
    line(
        "balance: at a rival tip 100 blocks from the fork",
        nanos(at_rival, 1),
        "at most 5 us",
    );
    let ratio = at_rival.as_secs_f64() / at_best.as_secs_f64();
    line(
        "balance: rival over best",
        format!("{ratio:.2}"),
        "at most 1.2",
    );

    let mut flips = Vec::new();
    let before = ledger.stats().expect("figures").timings.best_change;
    submit(&ledger, &rivals[WORLDS..]);
    assert_eq!(ledger.best().hash(), rival.tip);
    let after = ledger.stats().expect("figures").timings.best_change;
    flips.push(after.cpu - before.cpu);
    // To and fro: each branch wins by two blocks in turn.
    for _ in 0..20 {
        for side in [&mut miner, &mut rival] {
            let blocks = [side.block(Vec::new()), side.block(Vec::new())];
            let start = ledger.stats().expect("figures").timings.best_change;
            submit(&ledger, &blocks);
            let end = ledger.stats().expect("figures").timings.best_change;
            if end.count > start.count && ledger.best().hash() == side.tip {
                flips.push((end.cpu - start.cpu) / (end.count - start.count) as u32);
            }
        }
    }
    flips.sort();
    line(
        "reorganisation: 100 blocks deep, without its commit (median)",
        nanos(flips[flips.len() / 2], 1),
        "at most 20 us",
    );
    drop((trunk, worlds));
}

fn block_hash(block: &[u8]) -> BlockHash {
    bitcoin::consensus::deserialize::<Header>(&block[..80])
        .expect("own block")
        .block_hash()
}

/// 1,000 tips of 10 blocks each on one trunk; the process dies without a word, and another one opens the directory.
fn many_tips() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = std::env::current_exe().expect("this program");
    let status = Command::new(program)
        .arg("build-tips-and-die")
        .arg(directory.path())
        .status()
        .expect("a child");
    assert!(!status.success(), "it was to die");
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let ledger = open(directory.path(), 10_000);
        times.push(start.elapsed());
        let live = ledger.tips().iter().filter(|tip| tip.live).count();
        assert_eq!(live, TIPS);
    }
    times.sort();
    line(
        &format!("reopen {TIPS} live tips of {TIP_BLOCKS} blocks after abort (median of 5)"),
        format!("{:.0} ms", times[2].as_secs_f64() * 1e3),
        "at most 1,000 ms",
    );
}

fn build_tips_and_die(directory: &Path) -> ! {
    let ledger = open(directory, 10_000);
    let mut trunk = Miner::new(ledger.params());
    let blocks: Vec<Vec<u8>> = (0..110).map(|_| trunk.block(Vec::new())).collect();
    submit(&ledger, &blocks);
    for branch in 0..TIPS as u32 {
        let mut miner = trunk.clone();
        miner.branch = branch;
        let blocks: Vec<Vec<u8>> = (0..TIP_BLOCKS).map(|_| miner.block(Vec::new())).collect();
        submit(&ledger, &blocks);
    }
    std::process::abort()
}
