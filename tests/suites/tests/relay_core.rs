//! Three nodes in a line, the one in the middle a Bitcoin Core: what is given to one end reaches the other.
//! Needs `BITCOIND_EXE`; `.ci/bitcoin-core` builds one and runs these.

use std::sync::Arc;

use bitcoin::consensus::encode::{deserialize, serialize};
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, Transaction, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::p2p_node::{P2pNode, on_loopback};
use everett_tests::spender::{Fee, Lock, Order, Spender, payout};

/// Blocks before anything else: the first of them are mature.
const TRUNK: u32 = 120;

/// Everett, Bitcoin Core, Everett; and who makes their transactions.
struct Line {
    left: P2pNode,
    core: Bitcoind,
    right: P2pNode,
    spender: Spender,
}

impl Line {
    fn start(name: &str, options: &[&str]) -> Option<Line> {
        let core = Bitcoind::start(&program(name)?, options);
        let (left, right) = (P2pNode::start(on_loopback()), P2pNode::start(on_loopback()));
        let mut line = Line {
            left,
            core,
            right,
            spender: Spender::new(1),
        };
        line.mine_at_core(TRUNK);
        // One of us calls, the other is called.
        line.left.call(line.core.p2p());
        let address = line.right.address().to_string();
        line.core.call("addnode", &[&address, "add"]);
        line.same_block();
        for height in 1..=TRUNK - 100 {
            let block = line.block_at(height);
            line.spender.learn(&block.txdata[0]);
        }
        line.core.wait_until("peers on both sides", |core| {
            core.call("getpeerinfo", &[])
                .as_array()
                .is_some_and(|all| all.len() == 2)
        });
        Some(line)
    }

    fn mine_at_core(&self, blocks: u32) {
        let script = format!("raw({})", payout().to_bytes().to_lower_hex_string());
        let descriptor = self.core.call("getdescriptorinfo", &[&script])["descriptor"].clone();
        let descriptor = descriptor.as_str().expect("with its checksum");
        self.core
            .call("generatetodescriptor", &[&blocks.to_string(), descriptor]);
    }

    fn block_at(&self, height: u32) -> Block {
        let ledger = self.left.ledger();
        let world = ledger.world_at_height(height).expect("it has synced");
        deserialize(&ledger.block_bytes(&world.hash()).expect("a block")).expect("a block")
    }

    fn same_block(&self) {
        let best = self.core.best_hash();
        self.left.wait_for_best(&best);
        self.right.wait_for_best(&best);
    }

    /// A transaction that nobody has, and whose outputs can be spent.
    fn make(&mut self, inputs: Vec<usize>, fee: Fee) -> Transaction {
        let tx = self.spender.make(&Order {
            inputs,
            outputs: vec![Lock::WitnessScript; 2],
            version: 2,
            fee,
            dust: false,
        });
        self.spender.learn(&tx);
        tx
    }

    /// The first coin of this transaction.
    fn coin_of(&self, tx: &Transaction) -> usize {
        let txid = tx.compute_txid();
        let mut coins = self.spender.coins.iter();
        coins
            .position(|coin| coin.outpoint.txid == txid)
            .expect("it was learnt")
    }
}

/// Gives transactions to a node, as its JSON-RPC does.
fn give(node: &P2pNode, txs: &[&Transaction]) {
    let mempool = node.handle().mempool();
    let decoded: Vec<Arc<DecodedTransaction>> = (txs.iter())
        .map(|tx| Arc::new(DecodedTransaction::new((*tx).clone())))
        .collect();
    match &decoded[..] {
        [one] => drop(mempool.accept(one).expect("a disk").expect("it is good")),
        several => {
            let verdict = mempool.accept_package(several, None).expect("a disk");
            assert_eq!(verdict.rejection, None);
        }
    }
    for tx in decoded {
        mempool.set_unbroadcast(&tx.txid, true);
        node.peers().announce_transaction(&tx.txid);
    }
}

fn holds(node: &P2pNode, txid: &Txid) -> bool {
    node.handle()
        .mempool()
        .view()
        .expect("a disk")
        .contains(txid)
}

fn core_holds(core: &Bitcoind, txid: &Txid) -> bool {
    core.try_call("getmempoolentry", &[&txid.to_string()])
        .is_ok()
}

/// How many messages of a name a node has received and sent.
fn messages(node: &P2pNode, name: &str) -> (u64, u64) {
    let network = node.peers().network();
    let count = network.messages.iter().find(|count| count.command == name);
    count.map_or((0, 0), |count| (count.received, count.sent))
}

#[test]
fn transactions_packages_and_replacements_go_through_bitcoin_core_both_ways() {
    let name = "transactions_packages_and_replacements_go_through_bitcoin_core_both_ways";
    let Some(mut line) = Line::start(name, &[]) else {
        return;
    };
    let from_left = line.make(vec![0], Fee::Rate(5_000));
    let from_right = line.make(vec![1], Fee::Rate(5_000));
    // A parent that pays nothing, which only its child brings in.
    let parent = line.make(vec![2], Fee::Exact(0));
    let coin = line.coin_of(&parent);
    let child = line.make(vec![coin], Fee::Rate(20_000));
    give(&line.left, &[&from_left]);
    give(&line.right, &[&from_right]);
    give(&line.left, &[&parent, &child]);
    let (left_txid, right_txid) = (from_left.compute_txid(), from_right.compute_txid());
    let unbroadcast = |node: &P2pNode| {
        node.handle()
            .mempool()
            .view()
            .expect("a disk")
            .unbroadcast()
    };
    for txid in [left_txid, right_txid] {
        line.core
            .wait_until("Bitcoin Core has it", |core| core_holds(core, &txid));
    }
    line.right
        .wait_until("the right end has the left one's", |node| {
            holds(node, &left_txid)
        });
    line.left
        .wait_until("the left end has the right one's", |node| {
            holds(node, &right_txid)
        });
    let package = [parent.compute_txid(), child.compute_txid()];
    for txid in package {
        line.core
            .wait_until("Bitcoin Core has the package", |core| {
                core_holds(core, &txid)
            });
        line.right
            .wait_until("the right end has the package", |node| holds(node, &txid));
    }
    // Somebody has asked for each.
    line.left
        .wait_until("all was taken", |node| unbroadcast(node).is_empty());
    line.right
        .wait_until("all was taken", |node| unbroadcast(node).is_empty());

    // Somebody else replaces what came from the left.
    let better = line.make(vec![0], Fee::Rate(30_000));
    give(&line.right, &[&better]);
    let txid = better.compute_txid();
    line.core
        .wait_until("Bitcoin Core has the replacement", |core| {
            core_holds(core, &txid)
        });
    line.left
        .wait_until("the left end has the replacement", |node| {
            holds(node, &txid) && !holds(node, &left_txid)
        });

    // All that waits is in the next block, and nobody has to ask for any of it.
    assert_eq!(line.left.handle().mempool().view().unwrap().len(), 4);
    line.mine_at_core(1);
    line.same_block();
    assert_eq!(line.block_at(TRUNK + 1).txdata.len(), 5);
    for node in [&line.left, &line.right] {
        node.wait_until("the mempool is empty", |node| {
            node.handle().mempool().view().unwrap().is_empty()
        });
        assert_eq!(messages(node, "getblocktxn"), (0, 0));
    }
    assert!(messages(&line.left, "cmpctblock").0 >= 1);
}

#[test]
fn a_block_full_of_what_waits_needs_no_transaction_asked_for() {
    let name = "a_block_full_of_what_waits_needs_no_transaction_asked_for";
    let Some(mut line) = Line::start(name, &[]) else {
        return;
    };
    // Twenty coins, each split again and again.
    let mut all = Vec::new();
    for coin in 0..20 {
        let mut from = coin;
        for _ in 0..10 {
            let tx = line.make(vec![from], Fee::Rate(3_000));
            from = line.coin_of(&tx);
            give(&line.left, &[&tx]);
            all.push(tx.compute_txid());
        }
    }
    line.core.wait_until("Bitcoin Core has all", |core| {
        core.call("getrawmempool", &[])
            .as_array()
            .is_some_and(|some| some.len() == all.len())
    });
    line.right.wait_until("the right end has all", |node| {
        node.handle().mempool().view().unwrap().len() == all.len()
    });
    // Blocks of ours, one at each end.
    for end in [&line.left, &line.right] {
        let ledger = end.ledger();
        let view = end.handle().mempool().view().unwrap();
        let some = view
            .transactions()
            .take(100)
            .map(|tx| tx.tx.clone())
            .collect();
        drop(view);
        let time = line.core.call("getblockchaininfo", &[])["time"]
            .as_u64()
            .expect("a time");
        let parent = ledger.best();
        let time = Some(u32::try_from(time).unwrap() + 1);
        let block =
            everett_scenario::mine(ledger, &parent, some, &payout(), time).expect("a block");
        let submitted = ledger.submit_block(&block).expect("a disk");
        assert_eq!(submitted.outcome.bip22(), None);
        let hash = ledger.best().hash().to_string();
        line.core.wait_until("Bitcoin Core has our block", |core| {
            core.best_hash() == hash
        });
        line.same_block();
    }
    for node in [&line.left, &line.right] {
        assert_eq!(messages(node, "getblocktxn"), (0, 0));
        assert_eq!(messages(node, "blocktxn"), (0, 0));
    }
    // Bitcoin Core put both together out of its mempool.
    assert!(messages(&line.left, "cmpctblock").1 + messages(&line.right, "cmpctblock").1 >= 1);
}

#[test]
fn bitcoin_core_is_not_told_of_what_pays_less_than_it_wants_and_tells_us_nothing_such() {
    let name = "bitcoin_core_is_not_told_of_what_pays_less_than_it_wants_and_tells_us_nothing_such";
    let Some(mut line) = Line::start(name, &["-minrelaytxfee=0.00005000"]) else {
        return;
    };
    line.left
        .wait_for_peer(|peer| peer.sync.relay.fee_filter >= 4_500);
    let poor = line.make(vec![0], Fee::Rate(1_000));
    let rich = line.make(vec![1], Fee::Rate(20_000));
    give(&line.left, &[&poor]);
    give(&line.left, &[&rich]);
    let txid = rich.compute_txid();
    line.right
        .wait_until("what pays enough has arrived", |node| holds(node, &txid));
    assert!(!core_holds(&line.core, &poor.compute_txid()));
    let log = line.core.log();
    assert!(log.contains(&format!("got inv: wtx {}", rich.compute_wtxid())));
    assert!(!log.contains(&format!("got inv: wtx {}", poor.compute_wtxid())));
    // It waits to be told again: who takes what pays little may come.
    let view = line.left.handle().mempool().view().unwrap();
    assert_eq!(view.unbroadcast(), [poor.compute_txid()]);
    drop(view);
    // What we want ourselves is rounded, and never below the least relay fee.
    let peers = line.core.call("getpeerinfo", &[]);
    for peer in peers.as_array().expect("peers") {
        let least = peer["minfeefilter"].as_f64().expect("a rate") * 1e8;
        assert!((100.0..=111.0).contains(&least), "{least}");
    }
    // Core's own transactions come as well.
    let given = line.make(vec![2], Fee::Rate(20_000));
    let hex = serialize(&given).to_lower_hex_string();
    line.core.call("sendrawtransaction", &[&hex, "0"]);
    let txid = given.compute_txid();
    for node in [&line.left, &line.right] {
        node.wait_until("what Bitcoin Core was given", |node| holds(node, &txid));
    }
}
