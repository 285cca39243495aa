//! Laws of the mempool under random histories with reorganisations, held against what can be said by looking at every
//! transaction and every coin.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bitcoin::consensus::encode::deserialize;
use bitcoin::{Block, BlockHash, OutPoint, Transaction, Txid, Wtxid};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::rules::transaction::{is_final, sequence_locks_pass};
use everett_ledger::rules::{Chain, HeaderFacts};
use everett_ledger::{COINBASE_MATURITY, Clock, Ledger, LedgerConfig, Network, Params, World};
use everett_mempool::{Happened, LoadOptions, Mempool, MempoolConfig, Reason, View};
use everett_tests::spender::{Lock, Order, Spender, payout};
use proptest::prelude::*;

const START: u64 = 1_700_000_000;

/// The chain of a world, as the rules see it.
struct Headers<'a>(&'a Ledger, &'a World);

impl Chain for Headers<'_> {
    fn height(&self) -> u32 {
        self.1.height()
    }

    fn header(&self, height: u32) -> HeaderFacts {
        let hash = self.1.block_hash_at(height).expect("below the tip");
        let header = self.0.block_info(&hash).expect("it is known").header;
        HeaderFacts {
            hash,
            version: header.version.to_consensus(),
            time: header.time,
            bits: header.bits.to_consensus(),
        }
    }
}

struct History {
    ledger: Ledger,
    mempool: Mempool,
    spender: Spender,
    now: u64,
    blocks: HashMap<BlockHash, Vec<Transaction>>,
    invalidated: Vec<BlockHash>,
    /// What the changes say is pending, and the last of them.
    followed: BTreeSet<Txid>,
    change: u64,
    sequence: u64,
    /// What happened last to each transaction.
    told: HashMap<Txid, String>,
}

impl History {
    fn new(seed: u64, config: MempoolConfig) -> History {
        let mut ledger = LedgerConfig::in_memory(Params::new(Network::Regtest));
        ledger.clock = Clock::fixed(START);
        let ledger = Ledger::open(ledger).expect("a ledger in memory opens");
        let mut history = History {
            mempool: Mempool::new(ledger.clone(), config),
            ledger,
            spender: Spender::new(seed),
            now: START,
            blocks: HashMap::new(),
            invalidated: Vec::new(),
            followed: BTreeSet::new(),
            change: 0,
            sequence: 0,
            told: HashMap::new(),
        };
        for _ in 0..120 {
            let best = history.ledger.best();
            history.mine_on(&best, Vec::new());
        }
        history.learn_coinbases();
        history
    }

    /// Hears of the coinbases that can be spent, and some that cannot yet.
    fn learn_coinbases(&mut self) {
        let best = self.ledger.best();
        for height in 1..=best.height().saturating_sub(97) {
            let hash = best.block_hash_at(height).expect("below the tip");
            let coinbase = self.blocks[&hash][0].clone();
            let txid = coinbase.compute_txid();
            let known = |coin: &everett_tests::spender::Known| coin.outpoint.txid == txid;
            if !self.spender.coins.iter().any(known) {
                self.spender.learn(&coinbase);
            }
        }
    }

    fn mine_on(&mut self, parent: &World, transactions: Vec<Transaction>) -> World {
        // No two blocks have the same time, so no two are the same.
        let time = (self.now - 5_000 + self.blocks.len() as u64) as u32;
        let time = time.max(self.ledger.next_block(parent).min_time);
        let bytes =
            everett_scenario::mine(&self.ledger, parent, transactions, &payout(), Some(time))
                .expect("its coins are there");
        let submitted = self.ledger.submit_block(&bytes).expect("a disk");
        assert_eq!(
            submitted.outcome.bip22(),
            None,
            "what the mempool has makes valid blocks"
        );
        let block: Block = deserialize(&bytes).expect("just made");
        let hash = block.block_hash();
        self.blocks.insert(hash, block.txdata);
        self.ledger.world(&hash).expect("just accepted")
    }

    fn give(&mut self, tx: &Transaction) {
        let tx = Arc::new(DecodedTransaction::new(tx.clone()));
        let before = self.content();
        let tested = self.mempool.test_accept(&tx).expect("a verdict");
        assert_eq!(self.content(), before, "a test changes nothing");
        let accepted = self.mempool.accept(&tx).expect("a verdict");
        match (tested, accepted) {
            (Ok(tested), Ok(accepted)) => {
                assert_eq!((tested.fee, tested.vsize), (accepted.fee, accepted.vsize));
                let gone = |view: &View<'_>| {
                    accepted
                        .replaced
                        .iter()
                        .all(|old| !view.contains(&old.txid))
                };
                assert!(gone(&self.mempool.view().expect("a view")));
                self.spender.learn(&tx.tx);
            }
            (Err(tested), Err(refused)) => {
                assert_eq!(tested.rejection, refused.rejection);
                assert_eq!(self.content(), before, "a refusal changes nothing");
            }
            (Ok(_), Err(refused)) => assert_eq!(refused.rejection.reason, "mempool full"),
            (Err(refused), Ok(_)) => panic!("refused in a test: {}", refused.rejection),
        }
    }

    fn content(&self) -> Vec<Wtxid> {
        let view = self.mempool.view().expect("a view");
        view.transactions().map(|tx| tx.wtxid).collect()
    }

    fn step(&mut self, what: u8) {
        match what % 16 {
            0..=6 => {
                if let Some(tx) = self.spender.plain() {
                    self.give(&tx);
                }
            }
            7 => {
                let best = self.ledger.best();
                if let Some((_, tx)) = self.spender.spoilt(best.height(), best.median_time_past()) {
                    self.give(&tx);
                }
            }
            8 => self.chain(),
            9 => {
                let best = self.ledger.best();
                let taken = self.pending(&best);
                self.mine_on(&best, taken);
                self.learn_coinbases();
            }
            10 => self.branch(),
            11 => {
                // Somebody else's spend, in a block.
                let best = self.ledger.best();
                let Some(mut order) = self.spender.order() else {
                    return;
                };
                order.inputs.retain(|index| {
                    let coin = best
                        .coin(&self.spender.coins[*index].outpoint)
                        .expect("a read");
                    coin.is_some_and(|coin| {
                        !coin.coinbase || best.height() + 1 - coin.height >= COINBASE_MATURITY
                    })
                });
                if !order.inputs.is_empty() && order.version == 2 {
                    let tx = self.spender.make(&order);
                    if order
                        .inputs
                        .iter()
                        .all(|index| self.spender.coins[*index].lock != Lock::Unknown)
                    {
                        self.mine_on(&best, vec![tx.clone()]);
                        self.spender.learn(&tx);
                    }
                }
            }
            12 => {
                let best = self.ledger.best();
                let depth = self.spender.random.below(5) as u32;
                let hash = best.block_hash_at(best.height() - depth).expect("a block");
                self.ledger.invalidate_block(&hash).expect("it is known");
                self.invalidated.push(hash);
            }
            13 => {
                if let Some(hash) = self.invalidated.pop() {
                    self.ledger.reconsider_block(&hash).expect("it is known");
                }
            }
            14 => {
                self.now += self.spender.random.between(1, 3_000);
                self.ledger.clock().set(self.now);
                self.mempool.expire().expect("a ledger");
            }
            _ => {
                let all = self.mempool.view().expect("a view").txids();
                if let Some(txid) = self.spender.random.pick(&all).copied() {
                    let sat = self.spender.random.between(0, 20_000) as i64 - 8_000;
                    self.mempool.prioritise(txid, sat).expect("a ledger");
                }
            }
        }
    }

    fn chain(&mut self) {
        let Some(mut at) = self.spender.pick() else {
            return;
        };
        for _ in 0..self.spender.random.below(12) {
            let order = Order {
                inputs: vec![at],
                outputs: vec![Lock::WitnessScript; 2],
                version: 2,
                fee: self.spender.fee(),
                dust: false,
            };
            let tx = self.spender.make(&order);
            let before = self.spender.coins.len();
            self.give(&tx);
            if self.spender.coins.len() == before {
                break;
            }
            at = before;
        }
    }

    /// Some of what could be in the block after a world.
    fn pending(&mut self, world: &World) -> Vec<Transaction> {
        let all = self.mempool.pending_on(world).expect("a read");
        let count = self.spender.random.below(all.len() + 1);
        all.into_iter()
            .take(count)
            .map(|tx| tx.tx.clone())
            .collect()
    }

    /// Blocks on an older world, with what waits, until they are the best or one less.
    fn branch(&mut self) {
        let best = self.ledger.best();
        let depth = 1 + self.spender.random.below(4) as u32;
        let from = best.block_hash_at(best.height() - depth).expect("a block");
        let mut parent = self.ledger.world(&from).expect("a world");
        for _ in 0..depth + self.spender.random.below(2) as u32 {
            let taken = self.pending(&parent);
            parent = self.mine_on(&parent, taken);
        }
    }

    /// Follows the changes, and holds each against what was known before it.
    fn follow(&mut self) {
        let view = self.mempool.view().expect("a view");
        let changes = self
            .mempool
            .changes_after(self.change, usize::MAX)
            .expect("few");
        for change in changes {
            self.change += 1;
            assert_eq!(change.number, self.change);
            for happened in &change.happened {
                assert!(happened.sequence() > self.sequence, "sequences rise");
                self.sequence = happened.sequence();
                self.told
                    .insert(happened.tx().txid, format!("{happened:?}"));
                match happened {
                    Happened::Entered { tx, .. } => assert!(self.followed.insert(tx.txid)),
                    // What never entered may leave: it had no room.
                    Happened::Left { tx, reason, .. } => {
                        let was = self.followed.remove(&tx.txid);
                        assert!(was || *reason == Reason::SizeLimit);
                        if *reason == Reason::Block {
                            let has = |hash: &BlockHash| {
                                self.blocks[hash]
                                    .iter()
                                    .any(|other| other.compute_txid() == tx.txid)
                            };
                            assert!(change.applied.iter().any(has));
                        }
                    }
                }
            }
        }
        assert_eq!(self.change, view.change_number());
        assert!(self.sequence < view.sequence());
        assert_eq!(self.followed, view.txids().into_iter().collect());
    }

    fn laws(&mut self) {
        self.follow();
        let best = self.ledger.best();
        let view = self.mempool.view().expect("a view");
        assert_eq!(view.world().hash(), best.hash());
        let naive = Naive::of(&view);
        naive.everything_is_valid(&self.ledger, &best);
        naive.figures_agree(&view);
        drop(view);
        let fitting = self.mempool.pending_on(&best).expect("a read");
        assert_eq!(
            fitting.len(),
            naive.transactions.len(),
            "all of it fits to the best world"
        );
        // The same holds of what would wait elsewhere, and asking for it changes nothing.
        let below = best.block_hash_at(best.height() - 1 - self.spender.random.below(4) as u32);
        let elsewhere = below.and_then(|hash| self.ledger.world(&hash).ok());
        if let Some(world) = elsewhere {
            let view = self.mempool.view_on(&world).expect("a view");
            assert_eq!(view.world().hash(), world.hash());
            let naive = Naive::of(&view);
            naive.everything_is_valid(&self.ledger, &world);
            naive.figures_agree(&view);
        }
        self.follow();
    }

    /// What was confirmed in blocks that are undone now is pending, confirmed otherwise, or cannot be let in; where there
    /// are so many that clusters may be full, what stays is a choice.
    fn nothing_is_lost(&mut self, undone: &[BlockHash]) {
        let returned: usize = undone.iter().map(|hash| self.blocks[hash].len()).sum();
        if self.mempool.view().expect("a view").len() + returned > 60 {
            return;
        }
        let best = self.ledger.best();
        let mut confirmed: BTreeSet<Txid> = BTreeSet::new();
        for height in 1..=best.height() {
            let hash = best.block_hash_at(height).expect("below the tip");
            confirmed.extend(self.blocks[&hash].iter().map(Transaction::compute_txid));
        }
        for tx in undone.iter().rev().flat_map(|hash| &self.blocks[hash][1..]) {
            let txid = tx.compute_txid();
            if confirmed.contains(&txid) || self.mempool.view().expect("a view").contains(&txid) {
                continue;
            }
            let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
            let refused = self.mempool.test_accept(&decoded).expect("a verdict");
            assert!(
                refused.is_err(),
                "{txid} can be given back, and is not: {:?}",
                self.told.get(&txid)
            );
        }
    }
}

/// Everything pending, as plainly as can be.
struct Naive {
    transactions: Vec<Arc<DecodedTransaction>>,
    parents: BTreeMap<Txid, BTreeSet<Txid>>,
}

impl Naive {
    fn of(view: &View<'_>) -> Naive {
        let transactions: Vec<_> = view.transactions().cloned().collect();
        let all: BTreeSet<Txid> = transactions.iter().map(|tx| tx.txid).collect();
        assert_eq!(all.len(), transactions.len());
        let parents = transactions
            .iter()
            .map(|tx| {
                let spent = tx.tx.input.iter().map(|input| input.previous_output.txid);
                (tx.txid, spent.filter(|txid| all.contains(txid)).collect())
            })
            .collect();
        Naive {
            transactions,
            parents,
        }
    }

    fn everything_is_valid(&self, ledger: &Ledger, best: &World) {
        let next = best.height() + 1;
        let mut spent: BTreeSet<OutPoint> = BTreeSet::new();
        let mut made: BTreeMap<OutPoint, u64> = BTreeMap::new();
        for tx in &self.transactions {
            assert!(
                is_final(&tx.tx, next, best.median_time_past()),
                "{} is final",
                tx.txid
            );
            let mut heights = Vec::new();
            let mut value = 0;
            for input in &tx.tx.input {
                let outpoint = input.previous_output;
                assert!(spent.insert(outpoint), "{outpoint} is spent once");
                if let Some(sat) = made.get(&outpoint) {
                    value += sat;
                    heights.push(next);
                    continue;
                }
                let coin = best.coin(&outpoint).expect("a read");
                let coin = coin.unwrap_or_else(|| panic!("{outpoint} is there"));
                if coin.coinbase {
                    assert!(
                        next - coin.height >= COINBASE_MATURITY,
                        "{outpoint} is mature"
                    );
                }
                value += coin.amount.to_sat();
                heights.push(coin.height);
            }
            let passes = sequence_locks_pass(&tx.tx, heights, &Headers(ledger, best));
            assert!(passes, "{}'s relative locks have run out", tx.txid);
            for (vout, output) in (0..).zip(&tx.tx.output) {
                value = value
                    .checked_sub(output.value.to_sat())
                    .expect("it spends what it has");
                made.insert(OutPoint::new(tx.txid, vout), output.value.to_sat());
            }
        }
    }

    fn reached(&self, from: Txid, down: bool) -> BTreeSet<Txid> {
        let mut found = BTreeSet::from([from]);
        loop {
            let before = found.len();
            for (child, parents) in &self.parents {
                if down && !parents.is_disjoint(&found) {
                    found.insert(*child);
                } else if !down && found.contains(child) {
                    found.extend(parents);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    fn figures_agree(&self, view: &View<'_>) {
        let entries: BTreeMap<Txid, _> = self
            .transactions
            .iter()
            .map(|tx| (tx.txid, view.entry(&tx.txid).expect("it is here")))
            .collect();
        let info = view.info();
        assert_eq!(info.size as usize, entries.len());
        assert_eq!(
            info.vbytes,
            entries.values().map(|entry| entry.vsize).sum::<u64>()
        );
        assert_eq!(
            info.total_fee,
            entries.values().map(|entry| entry.fee).sum::<i64>()
        );
        assert!(info.usage <= info.max_bytes);
        for (txid, entry) in &entries {
            for (down, totals) in [(false, entry.ancestors), (true, entry.descendants)] {
                let all = self.reached(*txid, down);
                assert_eq!(totals.count as usize, all.len());
                assert_eq!(
                    totals.vsize,
                    all.iter().map(|txid| entries[txid].vsize).sum::<u64>()
                );
                assert_eq!(
                    totals.fee,
                    all.iter()
                        .map(|txid| entries[txid].modified_fee)
                        .sum::<i64>()
                );
            }
            for input in &entry.tx.tx.input {
                assert_eq!(view.spender(&input.previous_output), Some(*txid));
                assert_eq!(view.coin(&input.previous_output).expect("a read"), None);
            }
        }
        let chunks: Vec<_> = view.chunks().collect();
        for pair in chunks.windows(2) {
            assert!(!pair[1].rate.beats(pair[0].rate));
        }
        for chunk in &chunks {
            let fee: i64 = chunk
                .transactions
                .iter()
                .map(|one| entries[&one.tx.txid].modified_fee)
                .sum();
            assert_eq!(fee, chunk.rate.fee);
        }
    }
}

fn configs() -> impl Strategy<Value = MempoolConfig> {
    let config = |(standard, clusters, small, expiry): (bool, usize, bool, u64)| {
        let cluster_vbytes = if small { 2_500 } else { 101_000 };
        MempoolConfig {
            require_standard: standard,
            cluster_count: clusters,
            cluster_vbytes,
            max_bytes: if small { 100_000 } else { 300_000_000 },
            expiry,
            ..MempoolConfig::default()
        }
    };
    let clusters = prop_oneof![Just(64usize), Just(4), Just(9)];
    let expiry = prop_oneof![Just(1_209_600u64), Just(6_000)];
    (any::<bool>(), clusters, any::<bool>(), expiry).prop_map(config)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_mempool_fits_to_the_best_world_whatever_happens(
        seed: u64, config in configs(), steps in prop::collection::vec(any::<u8>(), 1..200)
    ) {
        let mut history = History::new(seed, config);
        for what in steps {
            let before = history.ledger.best();
            history.step(what);
            let undone = history.ledger.compare(&before, &history.ledger.best()).undone;
            history.laws();
            // With room for all, what blocks give back stays.
            if config.max_bytes > 1_000_000 && config.cluster_count == 64 {
                history.nothing_is_lost(&undone);
            }
        }
    }

    #[test]
    fn a_mempool_comes_back_from_its_file(seed: u64, steps in prop::collection::vec(0u8..10, 10..60)) {
        let mut history = History::new(seed, MempoolConfig::default());
        for what in steps {
            history.step(what);
        }
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("mempool.dat");
        let count = history.mempool.save(&path).expect("it is written");
        let other = Mempool::new(history.ledger.clone(), MempoolConfig::default());
        let loaded = other.load(&path, LoadOptions::default()).expect("it is read");
        prop_assert_eq!(loaded.accepted + loaded.refused, count);
        // What pays for its parent does not help it in a file, where each comes by itself.
        prop_assert!(loaded.refused == 0, "{:?}", loaded);
        let shown = |mempool: &Mempool| {
            let view = mempool.view().expect("a view");
            view.with_times().map(|(tx, time)| (tx.wtxid, time)).collect::<Vec<_>>()
        };
        prop_assert_eq!(shown(&other), shown(&history.mempool));
    }
}

#[test]
fn many_threads_read_write_and_mine_at_once() {
    let mut history = History::new(9, MempoolConfig::default());
    let mut made: Vec<Arc<DecodedTransaction>> = Vec::new();
    for _ in 0..400 {
        if let Some(tx) = history.spender.plain() {
            history.spender.learn(&tx);
            made.push(Arc::new(DecodedTransaction::new(tx)));
        }
    }
    let mempool = history.mempool.clone();
    std::thread::scope(|scope| {
        for part in made.chunks(100) {
            let mempool = &mempool;
            scope.spawn(move || {
                for tx in part {
                    let _ = mempool.accept(tx).expect("a verdict");
                }
            });
        }
        for _ in 0..2 {
            let mempool = &mempool;
            scope.spawn(move || {
                for _ in 0..300 {
                    let view = mempool.view().expect("a view");
                    let all = view.txids();
                    assert!(all.iter().all(|txid| view.entry(txid).is_some()));
                }
            });
        }
        for _ in 0..12 {
            let best = history.ledger.best();
            let taken = history.pending(&best);
            let made = history.mine_on(&best, taken);
            history
                .ledger
                .invalidate_block(&made.hash())
                .expect("it is known");
        }
    });
    let best = history.ledger.best();
    let naive = Naive::of(&mempool.view().expect("a view"));
    naive.everything_is_valid(&history.ledger, &best);
    naive.figures_agree(&mempool.view().expect("a view"));
    assert!(!naive.transactions.is_empty());
}

#[test]
fn a_file_that_is_cut_or_changed_is_an_error_and_no_panic() {
    let mut history = History::new(3, MempoolConfig::default());
    for what in 0..30 {
        history.step(what % 7);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("mempool.dat");
    history.mempool.save(&path).expect("it is written");
    let whole = std::fs::read(&path).expect("just written");
    let other = Mempool::new(history.ledger.clone(), MempoolConfig::default());
    for length in (0..whole.len()).step_by(whole.len() / 97 + 1) {
        std::fs::write(&path, &whole[..length]).expect("a disk");
        assert!(
            other.load(&path, LoadOptions::default()).is_err(),
            "cut at {length}"
        );
    }
    for at in (0..whole.len()).step_by(whole.len() / 211 + 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, &bytes).expect("a disk");
        let _ = other.load(&path, LoadOptions::default());
    }
    assert!(
        other
            .load(&directory.path().join("none"), LoadOptions::default())
            .is_err()
    );
}
