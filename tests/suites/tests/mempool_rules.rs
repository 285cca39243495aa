//! The mempool's rules one by one, with Bitcoin Core's words for each. That these are its words, and that it draws the lines
//! there, is what `mempool_core.rs` finds out where there is a Core to ask.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::consensus::encode::deserialize;
use bitcoin::{Block, OutPoint, Transaction, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::rules::{BlockScripts, ScriptCheck, ScriptFailure};
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params, ScriptVerifier, World};
use everett_mempool::{
    Accepted, ChangesGone, FeeRate, Happened, Mempool, MempoolConfig, PackageOutcome,
    PackageVerdict, Reason, RejectionKind,
};
use everett_tests::spender::{Fee, Lock, Order, Spender, payout};

const START: u64 = 1_700_000_000;

struct Bench {
    ledger: Ledger,
    mempool: Mempool,
    spender: Spender,
    blocks: u64,
}

impl Bench {
    fn new(config: MempoolConfig) -> Bench {
        Bench::with(config, Arc::new(ScriptVerifier::new()))
    }

    /// Ten mature coins, numbered from 0.
    fn with(config: MempoolConfig, scripts: Arc<dyn ScriptCheck>) -> Bench {
        let mut ledger = LedgerConfig::in_memory(Params::new(Network::Regtest));
        ledger.clock = Clock::fixed(START);
        ledger.scripts = scripts;
        let ledger = Ledger::open(ledger).expect("a ledger in memory opens");
        let mut bench = Bench {
            mempool: Mempool::new(ledger.clone(), config),
            ledger,
            spender: Spender::new(1),
            blocks: 0,
        };
        let coinbases: Vec<Transaction> = (0..109)
            .map(|_| bench.mine(Vec::new()).txdata.swap_remove(0))
            .collect();
        coinbases[..10]
            .iter()
            .for_each(|coinbase| bench.spender.learn(coinbase));
        bench
    }

    fn mine(&mut self, transactions: Vec<Transaction>) -> Block {
        let best = self.ledger.best();
        self.mine_on(&best, transactions)
    }

    fn mine_on(&mut self, parent: &World, transactions: Vec<Transaction>) -> Block {
        self.blocks += 1;
        let time = (START - 10_000 + self.blocks) as u32;
        let bytes =
            everett_scenario::mine(&self.ledger, parent, transactions, &payout(), Some(time));
        let bytes = bytes.expect("its coins are there");
        let submitted = self.ledger.submit_block(&bytes).expect("memory");
        assert_eq!(submitted.outcome.bip22(), None);
        deserialize(&bytes).expect("just made")
    }

    /// A transaction that spends these coins; what it makes are coins from then on.
    fn make(&mut self, inputs: &[usize], fee: u64, version: i32) -> Transaction {
        let order = Order {
            inputs: inputs.to_vec(),
            outputs: vec![Lock::WitnessScript; 2],
            version,
            fee: Fee::Exact(fee),
            dust: false,
        };
        let tx = self.spender.make(&order);
        self.spender.learn(&tx);
        tx
    }

    fn coin(&self, tx: &Transaction, vout: u32) -> usize {
        let outpoint = OutPoint::new(tx.compute_txid(), vout);
        let known = self
            .spender
            .coins
            .iter()
            .position(|coin| coin.outpoint == outpoint);
        known.expect("it was learnt")
    }

    fn give(&self, tx: &Transaction) -> Result<Accepted, String> {
        let answer = self.mempool.accept(&decoded(tx)).expect("a ledger");
        answer.map_err(|refused| refused.rejection.to_string())
    }

    fn give_package(&self, package: &[&Transaction]) -> PackageVerdict {
        let package: Vec<_> = package.iter().map(|tx| decoded(tx)).collect();
        self.mempool
            .accept_package(&package, None)
            .expect("a ledger")
    }

    fn has(&self, tx: &Transaction) -> bool {
        self.mempool
            .view()
            .expect("a ledger")
            .contains(&tx.compute_txid())
    }

    fn left(&self, tx: &Transaction) -> Option<Reason> {
        let txid = tx.compute_txid();
        let changes = self.mempool.changes_after(0, usize::MAX).expect("few");
        let happened = changes
            .iter()
            .rev()
            .flat_map(|change| change.happened.iter().rev());
        happened
            .filter(|happened| happened.tx().txid == txid)
            .map(|happened| match happened {
                Happened::Left { reason, .. } => Some(*reason),
                Happened::Entered { .. } => None,
            })
            .next()
            .flatten()
    }
}

fn decoded(tx: &Transaction) -> Arc<DecodedTransaction> {
    Arc::new(DecodedTransaction::new(tx.clone()))
}

fn named(tx: &Transaction) -> String {
    format!("tx {} (wtxid={})", tx.compute_txid(), tx.compute_wtxid())
}

#[test]
fn a_replacement_pays_for_what_goes_for_itself_and_makes_the_miner_no_poorer() {
    let mut bench = Bench::new(MempoolConfig::default());
    let first = bench.make(&[0], 5_000, 2);
    bench.give(&first).unwrap();
    let child = bench.make(&[bench.coin(&first, 0)], 5_000, 2);
    bench.give(&child).unwrap();
    assert_eq!(bench.give(&first).unwrap_err(), "txn-already-in-mempool");

    let poorer = bench.make(&[0], 9_999, 2);
    let expected = format!(
        "insufficient fee, rejecting replacement {}, less fees than conflicting txs; 0.00009999 < 0.0001",
        poorer.compute_txid()
    );
    assert_eq!(bench.give(&poorer).unwrap_err(), expected);
    let unpaid = bench.make(&[0], 10_005, 2);
    let expected = format!(
        "insufficient fee, rejecting replacement {}, not enough additional fees to relay; 0.00000005 < 0.00000014",
        unpaid.compute_txid()
    );
    assert_eq!(bench.give(&unpaid).unwrap_err(), expected);
    // Dearer all in all, but so large that each byte pays less.
    let order = Order {
        inputs: vec![0],
        outputs: vec![Lock::WitnessScript; 500],
        version: 2,
        fee: Fee::Exact(20_000),
        dust: false,
    };
    let large = bench.spender.make(&order);
    let words = "replacement-failed, insufficient feerate: does not improve feerate diagram";
    assert_eq!(bench.give(&large).unwrap_err(), words);

    let better = bench.make(&[0], 12_000, 2);
    let accepted = bench.give(&better).unwrap();
    assert_eq!(accepted.replaced.len(), 2);
    assert!(!bench.has(&first) && !bench.has(&child));
    assert_eq!(bench.left(&child), Some(Reason::Replaced));

    let own = bench.make(&[0, bench.coin(&better, 0)], 50_000, 2);
    let (own_txid, other) = (own.compute_txid(), better.compute_txid());
    let expected = format!(
        "bad-txns-spends-conflicting-tx, {own_txid} spends conflicting transaction {other}"
    );
    assert_eq!(bench.give(&own).unwrap_err(), expected);
}

#[test]
fn a_cluster_has_sixty_four_transactions_and_no_more() {
    let mut bench = Bench::new(MempoolConfig::default());
    let spend = |bench: &mut Bench, coin| {
        let order = Order {
            inputs: vec![coin],
            outputs: vec![Lock::WitnessScript],
            version: 2,
            fee: Fee::Exact(1_000),
            dust: false,
        };
        let tx = bench.spender.make(&order);
        bench.spender.learn(&tx);
        tx
    };
    let mut last = spend(&mut bench, 0);
    for _ in 0..64 {
        bench.give(&last).unwrap();
        let coin = bench.coin(&last, 0);
        last = spend(&mut bench, coin);
    }
    assert_eq!(bench.give(&last).unwrap_err(), "too-large-cluster");
    let view = bench.mempool.view().unwrap();
    assert_eq!(view.len(), 64);
    let entry = view.entry(&last.input[0].previous_output.txid).unwrap();
    assert_eq!(entry.ancestors.count, 64);
    assert!(view.info().optimal);
}

#[test]
fn fees_below_the_minimum_are_told_with_both_numbers() {
    let mut bench = Bench::new(MempoolConfig::default());
    let cheap = bench.make(&[0], 13, 2);
    let refused = bench.mempool.accept(&decoded(&cheap)).unwrap().unwrap_err();
    assert_eq!(
        refused.rejection.to_string(),
        "min relay fee not met, 13 < 14"
    );
    assert_eq!(refused.rejection.kind, RejectionKind::Reconsiderable);
    assert!(refused.effective.is_some());
    // Raised by hand, it passes.
    bench.mempool.prioritise(cheap.compute_txid(), 1).unwrap();
    assert_eq!(bench.give(&cheap).unwrap().fee, 13);
}

#[test]
fn a_version_three_child_takes_the_place_of_its_sibling() {
    let mut bench = Bench::new(MempoolConfig::default());
    let parent = bench.make(&[0], 1_000, 3);
    bench.give(&parent).unwrap();
    let sibling = bench.make(&[bench.coin(&parent, 0)], 1_000, 3);
    bench.give(&sibling).unwrap();
    let child = bench.make(&[bench.coin(&parent, 1)], 1_000, 3);
    let words = bench.give(&child).unwrap_err();
    assert!(
        words.starts_with("insufficient fee (including sibling eviction), rejecting replacement"),
        "{words}"
    );
    let child = bench.make(&[bench.coin(&parent, 1)], 3_000, 3);
    assert_eq!(bench.give(&child).unwrap().replaced.len(), 1);
    assert!(!bench.has(&sibling));

    let grandchild = bench.make(&[bench.coin(&child, 0)], 1_000, 3);
    let words = format!(
        "TRUC-violation, {} would have too many ancestors",
        named(&grandchild)
    );
    assert_eq!(bench.give(&grandchild).unwrap_err(), words);
    let plain = bench.make(&[bench.coin(&child, 0)], 1_000, 2);
    let words = format!(
        "TRUC-violation, non-version=3 {} cannot spend from version=3 {}",
        named(&plain),
        named(&child)
    );
    assert_eq!(bench.give(&plain).unwrap_err(), words);
}

#[test]
fn a_child_pays_for_parents_that_pay_nothing_and_takes_their_dust() {
    let mut bench = Bench::new(MempoolConfig::default());
    let parent = |bench: &mut Bench, outputs| {
        let order = Order {
            inputs: vec![0],
            outputs: vec![Lock::WitnessScript; outputs],
            version: 3,
            fee: Fee::Exact(0),
            dust: true,
        };
        let tx = bench.spender.make(&order);
        bench.spender.learn(&tx);
        tx
    };
    let first = parent(&mut bench, 1);
    assert_eq!(
        bench.give(&first).unwrap_err(),
        "min relay fee not met, 0 < 11"
    );
    let (value, dust) = (bench.coin(&first, 0), bench.coin(&first, 1));
    let careless = bench.make(&[value], 2_000, 3);
    let verdict = bench.give_package(&[&first, &careless]);
    assert_eq!(verdict.rejection.unwrap().to_string(), "unspent-dust");
    let Some((_, PackageOutcome::Refused(refused))) = verdict.outcomes.last() else {
        panic!("{:?}", verdict.outcomes);
    };
    let words = format!(
        "missing-ephemeral-spends, {} did not spend parent's ephemeral dust",
        named(&careless)
    );
    assert_eq!(refused.rejection.to_string(), words);

    let child = bench.make(&[value, dust], 2_000, 3);
    let verdict = bench.give_package(&[&first, &child]);
    assert!(verdict.rejection.is_none(), "{verdict:?}");
    assert!(bench.has(&first) && bench.has(&child));

    // Another pair takes the place of both.
    let second = parent(&mut bench, 2);
    let coins = [bench.coin(&second, 0), bench.coin(&second, 2)];
    let cheap = bench.make(&coins, 2_001, 3);
    let verdict = bench.give_package(&[&second, &cheap]);
    let words = verdict.rejection.unwrap().to_string();
    assert!(
        words.starts_with("package RBF failed: insufficient anti-DoS fees, rejecting"),
        "{words}"
    );
    let dear = bench.make(&coins, 9_000, 3);
    let verdict = bench.give_package(&[&second, &dear]);
    assert!(verdict.rejection.is_none(), "{:?}", verdict.rejection);
    let Some(PackageOutcome::Accepted(accepted)) = verdict.of(&second.compute_wtxid()) else {
        panic!("{verdict:?}");
    };
    assert_eq!(accepted.replaced.len(), 2);
    assert!(!bench.has(&first) && bench.has(&dear));
}

#[test]
fn what_an_undone_block_held_comes_back_and_rivals_leave() {
    let mut bench = Bench::new(MempoolConfig::default());
    let parent = bench.make(&[0], 1_000, 2);
    let child = bench.make(&[bench.coin(&parent, 0)], 1_000, 2);
    let rival = bench.make(&[1], 1_000, 2);
    let other = bench.make(&[1], 2_000, 2);
    for tx in [&parent, &child, &rival] {
        bench.give(tx).unwrap();
    }
    let before = bench.mempool.view().unwrap().change_number();
    let fork = bench.ledger.best();
    let block = bench.mine(vec![parent.clone(), other.clone()]);
    assert!(!bench.has(&parent) && bench.has(&child) && !bench.has(&rival));
    assert_eq!(bench.left(&parent), Some(Reason::Block));
    assert_eq!(bench.left(&rival), Some(Reason::Conflict));
    let changes = bench.mempool.changes_after(before, 10).unwrap();
    assert_eq!(changes.len(), 1, "a block is one change");
    assert_eq!(changes[0].applied, [block.block_hash()]);

    // A branch of two takes its place, which has neither.
    let first = bench.mine_on(&fork, Vec::new());
    let first = bench.ledger.world(&first.block_hash()).unwrap();
    // There all of it would wait: what the best block has comes back. Nothing happens here by the question.
    for _ in 0..2 {
        let fits = bench.mempool.pending_on(&first).unwrap();
        let fits: BTreeSet<Txid> = fits.iter().map(|tx| tx.txid).collect();
        let all = [&parent, &child, &other].map(Transaction::compute_txid);
        assert_eq!(fits, BTreeSet::from(all));
    }
    let view = bench.mempool.view().unwrap();
    assert_eq!((view.len(), view.change_number()), (1, before + 1));
    drop(view);
    bench.mine_on(&first, Vec::new());
    assert!(bench.has(&parent) && bench.has(&child) && bench.has(&other));
    let changes = bench.mempool.changes_after(before + 1, 10).unwrap();
    let [change] = &changes[..] else {
        panic!("a reorganisation is one change")
    };
    assert_eq!((change.undone.len(), change.applied.len()), (1, 2));
    let entry = bench
        .mempool
        .view()
        .unwrap()
        .entry(&parent.compute_txid())
        .unwrap();
    assert_eq!((entry.sequence, entry.descendants.count), (0, 2));
}

#[test]
fn spends_of_a_coinbase_that_is_young_again_leave() {
    let mut bench = Bench::new(MempoolConfig::default());
    let tip = bench.ledger.best();
    // The tenth is just old enough.
    let tx = bench.make(&[9], 1_000, 2);
    bench.give(&tx).unwrap();
    bench.ledger.invalidate_block(&tip.hash()).unwrap();
    assert!(!bench.has(&tx));
    assert_eq!(bench.left(&tx), Some(Reason::Reorg));
    let words = "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 99";
    assert_eq!(bench.give(&tx).unwrap_err(), words);
}

#[test]
fn pending_coins_are_those_of_the_pending_world() {
    let mut bench = Bench::new(MempoolConfig::default());
    let tx = bench.make(&[0], 1_000, 2);
    bench.give(&tx).unwrap();
    let view = bench.mempool.view().unwrap();
    let spent = tx.input[0].previous_output;
    assert!(view.world().coin(&spent).unwrap().is_some());
    assert_eq!(view.coin(&spent).unwrap(), None);
    let made = view
        .coin(&OutPoint::new(tx.compute_txid(), 1))
        .unwrap()
        .unwrap();
    assert_eq!(
        (made.amount, made.height),
        (tx.output[1].value, view.world().height() + 1)
    );
    assert_eq!(
        view.coin(&OutPoint::new(tx.compute_txid(), 2)).unwrap(),
        None
    );
}

#[test]
fn those_who_pass_transactions_on_see_fees_and_sequences_without_waiting() {
    let mut bench = Bench::new(MempoolConfig::default());
    let (poor, rich) = (bench.make(&[0], 1_000, 2), bench.make(&[1], 9_000, 2));
    for tx in [&poor, &rich] {
        bench.give(tx).expect("it is good");
    }
    let view = bench.mempool.try_view().expect("nobody changes it");
    let seen: Vec<(Txid, i64, u64)> = view
        .relayed()
        .map(|one| (one.tx.txid, one.fee, one.sequence))
        .collect();
    let expected = [
        (rich.compute_txid(), 9_000, 2),
        (poor.compute_txid(), 1_000, 1),
    ];
    assert_eq!(seen, expected, "best paying first");
    drop(view);
    // It stays where it is; who looks properly moves it.
    bench.mine(vec![rich]);
    let behind = bench.mempool.try_view().map(|view| view.len());
    assert_eq!(behind, Some(2));
    assert_eq!(bench.mempool.view().expect("memory").len(), 1);
}

#[test]
fn what_pays_too_much_for_a_package_is_taken_for_a_mistake() {
    let mut bench = Bench::new(MempoolConfig::default());
    let tx = bench.make(&[0], 100_000, 2);
    let most = Some(FeeRate::per_kvb(10_000));
    let verdict = bench.mempool.accept_package(&[decoded(&tx)], most).unwrap();
    let Some((_, PackageOutcome::Refused(refused))) = verdict.outcomes.first() else {
        panic!("{verdict:?}");
    };
    assert_eq!(refused.rejection.to_string(), "max feerate exceeded");
}

#[test]
fn the_future_has_no_changes_yet() {
    let bench = Bench::new(MempoolConfig::default());
    let number = bench.mempool.view().unwrap().change_number();
    assert!(
        bench
            .mempool
            .changes_after(number + 5, 1)
            .unwrap()
            .is_empty()
    );
    let gone = ChangesGone {
        wanted: 0,
        oldest: 3,
    };
    assert!(gone.to_string().contains("read the mempool"));
}

/// Counts the transactions that scripts are run for.
struct Counting {
    inner: ScriptVerifier,
    flags_of_blocks: parking_lot::Mutex<Vec<(Txid, bool)>>,
}

impl ScriptCheck for Counting {
    fn check(&self, scripts: BlockScripts<'_>) -> Result<(), ScriptFailure> {
        let standard = scripts.flags == everett_script::Flags::STANDARD;
        let spending = scripts.transactions.iter().filter(|tx| !tx.is_coinbase());
        self.flags_of_blocks
            .lock()
            .extend(spending.map(|tx| (tx.txid, standard)));
        self.inner.check(scripts)
    }

    fn remember(&self, wtxid: bitcoin::Wtxid, flags: everett_script::Flags) {
        self.inner.remember(wtxid, flags);
    }
}

#[test]
fn a_block_does_not_run_the_scripts_of_what_was_let_in() {
    let counting = Arc::new(Counting {
        inner: ScriptVerifier::new(),
        flags_of_blocks: parking_lot::Mutex::default(),
    });
    let mut bench = Bench::with(MempoolConfig::default(), counting.clone());
    let tx = bench.make(&[0], 1_000, 2);
    bench.give(&tx).unwrap();
    // With a witness that is wrong: whoever runs it finds out.
    let next = bench.ledger.best().height() + 1;
    let flags = bench
        .ledger
        .params()
        .script_flags(next, &bench.ledger.best().hash());
    let mut spoilt = decoded(&tx);
    Arc::make_mut(&mut spoilt).tx.input[0].witness.clear();
    let mut spent = everett_ledger::rules::SpentCoins::default();
    spent.push_transaction([bench
        .ledger
        .best()
        .coin(&tx.input[0].previous_output)
        .unwrap()
        .unwrap()]);
    let run = |tx: &DecodedTransaction| {
        counting.inner.check(BlockScripts {
            block: bench.ledger.best().hash(),
            transactions: std::slice::from_ref(tx),
            spent: &spent,
            flags,
        })
    };
    assert!(run(&spoilt).is_ok(), "by its wtxid it has passed");
    Arc::make_mut(&mut spoilt).wtxid =
        bitcoin::Wtxid::from_raw_hash(bitcoin::hashes::Hash::all_zeros());
    assert!(run(&spoilt).is_err());
    bench.mine(vec![tx.clone()]);
    let seen = counting.flags_of_blocks.lock();
    assert_eq!(
        *seen,
        [(tx.compute_txid(), true), (tx.compute_txid(), false)]
    );
}
