//! Transactions with peers made by hand: whom they are asked of, what follows from them, who is told.

use bitcoin::bip152::HeaderAndShortIds;
use bitcoin::p2p::message_compact_blocks::CmpctBlock;
use bitcoin::{Transaction, Wtxid};
use everett_ledger::decode::DecodedTransaction;
use everett_tests::spender::{Fee, Lock, Order, Spender, payout};

use super::*;

/// A node with coins to spend, and who spends them.
struct Purse {
    rig: Rig,
    spender: Spender,
}

impl Purse {
    fn new() -> Purse {
        Purse::with(ProtocolConfig::default())
    }

    fn with(config: ProtocolConfig) -> Purse {
        let mut purse = Purse {
            rig: Rig::with(HOUR, config),
            spender: Spender::new(1),
        };
        for number in 0..120 {
            let block = purse.mine(Vec::new());
            if number < 20 {
                purse.spender.learn(&block.txdata[0]);
            }
        }
        purse
    }

    /// A block on the best world, which the node's miner hands to the ledger.
    fn mine(&mut self, transactions: Vec<Transaction>) -> Block {
        let block = self.block(transactions);
        self.rig
            .ledger
            .submit_block(&serialize(&block))
            .expect("memory");
        self.moved();
        block
    }

    fn block(&self, transactions: Vec<Transaction>) -> Block {
        let ledger = &self.rig.ledger;
        let bytes = everett_scenario::mine(ledger, &ledger.best(), transactions, &payout(), None);
        bitcoin::consensus::deserialize(&bytes.expect("its coins are there")).expect("a block")
    }

    /// What a node does when the ledger has something new.
    fn moved(&mut self) {
        self.rig.mempool.catch_up().expect("memory");
        self.rig.protocol.best_changed(self.rig.now);
        self.rig.protocol.mempool_changed(self.rig.now);
        self.rig.run();
    }

    fn spend(&mut self, input: usize, fee: Fee) -> Transaction {
        let tx = self.spender.make(&Order {
            inputs: vec![input],
            outputs: vec![Lock::WitnessScript; 2],
            version: 2,
            fee,
            dust: false,
        });
        self.spender.learn(&tx);
        tx
    }

    fn coin_of(&self, tx: &Transaction) -> usize {
        let txid = tx.compute_txid();
        let mut coins = self.spender.coins.iter();
        coins
            .position(|coin| coin.outpoint.txid == txid)
            .expect("it was learnt")
    }

    /// A user gives the node a transaction.
    fn give(&mut self, tx: &Transaction) {
        let decoded = std::sync::Arc::new(DecodedTransaction::new(tx.clone()));
        self.rig
            .mempool
            .accept(&decoded)
            .expect("memory")
            .expect("it is good");
        self.rig.mempool.set_unbroadcast(&decoded.txid, true);
        self.rig
            .protocol
            .announce_transaction(&decoded.txid, self.rig.now);
        self.rig.run();
    }

    /// A peer with nothing said yet.
    fn peer(&mut self, purpose: Purpose) -> PeerId {
        self.peer_with(purpose, |_| {})
    }

    fn peer_with(&mut self, purpose: Purpose, change: impl FnOnce(&mut PeerInfo)) -> PeerId {
        let id = self.rig.connect_with(purpose, change);
        self.rig.heard(id);
        id
    }

    fn tell(&mut self, id: PeerId, tx: &Transaction) {
        self.rig.say(
            id,
            NetworkMessage::Inv(vec![Inventory::WTx(tx.compute_wtxid())]),
        );
    }

    /// What a peer was asked for since this was last asked.
    fn asked(&mut self, id: PeerId) -> Vec<Inventory> {
        let heard = self.rig.heard(id).into_iter();
        heard
            .filter_map(|message| match message {
                NetworkMessage::GetData(entries) => Some(entries),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// What a peer was told of since this was last asked.
    fn told(&mut self, id: PeerId) -> Vec<Inventory> {
        let heard = self.rig.heard(id).into_iter();
        heard
            .filter_map(|message| match message {
                NetworkMessage::Inv(entries) => Some(entries),
                _ => None,
            })
            .flatten()
            .filter(|entry| !matches!(entry, Inventory::Block(_)))
            .collect()
    }

    /// What a peer gets that asks.
    fn fetch(&mut self, id: PeerId, entry: Inventory) -> Vec<NetworkMessage> {
        self.rig.heard(id);
        self.rig.say(id, NetworkMessage::GetData(vec![entry]));
        while self.rig.protocol.serve(id, self.rig.now) {}
        self.rig.run();
        self.rig.heard(id)
    }

    fn holds(&self, tx: &Transaction) -> bool {
        let view = self.rig.mempool.view().expect("memory");
        view.contains_wtxid(&tx.compute_wtxid())
    }

    fn seconds(&mut self, seconds: u64) {
        self.rig.wait(Duration::from_secs(seconds));
    }
}

fn wtx(tx: &Transaction) -> Inventory {
    Inventory::WTx(tx.compute_wtxid())
}

#[test]
fn peers_that_we_called_are_asked_at_once_and_others_after_two_seconds() {
    let mut purse = Purse::new();
    let tx = purse.spend(0, Fee::Rate(2_000));
    let (inbound, outbound) = (
        purse.peer(Purpose::Inbound),
        purse.peer(Purpose::OutboundFullRelay),
    );
    let old = purse.peer_with(Purpose::Inbound, |info| info.wtxid_relay = false);
    purse.tell(inbound, &tx);
    let by_txid = Inventory::Transaction(tx.compute_txid());
    purse.rig.say(old, NetworkMessage::Inv(vec![by_txid]));
    purse.seconds(1);
    assert!(purse.asked(inbound).is_empty());
    purse.tell(outbound, &tx);
    purse.seconds(1);
    assert_eq!(purse.asked(outbound), [wtx(&tx)]);
    // It does not give it. The next one is asked, also by the other id.
    purse.seconds(61);
    assert_eq!(purse.asked(inbound), [wtx(&tx)]);
    assert_eq!(
        purse.asked(old),
        [Inventory::WitnessTransaction(tx.compute_txid())]
    );
    purse.rig.say(inbound, NetworkMessage::Tx(tx.clone()));
    assert!(purse.holds(&tx));
    assert!(
        purse.rig.done.iter().any(
            |action| matches!(action, Action::Useful(id, Useful::Transaction) if *id == inbound)
        )
    );
    assert!(purse.rig.done.iter().any(|action| matches!(action, Action::HeardTransaction { transaction, .. } if transaction.wtxid == tx.compute_wtxid())));
    // Nobody is asked for what is here.
    purse.tell(outbound, &tx);
    purse.seconds(70);
    assert!(purse.asked(outbound).is_empty());
}

#[test]
fn what_comes_is_told_to_all_others_once_and_may_be_asked_for_then() {
    let mut purse = Purse::new();
    let (giver, other) = (
        purse.peer(Purpose::OutboundFullRelay),
        purse.peer(Purpose::Inbound),
    );
    let old = purse.peer_with(Purpose::OutboundFullRelay, |info| info.wtxid_relay = false);
    let deaf = purse.peer_with(Purpose::Inbound, |info| info.relay = false);
    let blocks = purse.peer(Purpose::BlockRelayOnly);
    let tx = purse.spend(0, Fee::Rate(2_000));
    purse.rig.say(giver, NetworkMessage::Tx(tx.clone()));
    assert!(purse.holds(&tx));
    // It is not known yet who has it.
    assert_eq!(
        purse.fetch(other, wtx(&tx)),
        [NetworkMessage::NotFound(vec![wtx(&tx)])]
    );
    purse.seconds(60);
    assert_eq!(purse.told(other), [wtx(&tx)]);
    assert_eq!(purse.told(old), [Inventory::Transaction(tx.compute_txid())]);
    for id in [giver, deaf, blocks] {
        assert!(purse.told(id).is_empty(), "{id}");
    }
    assert_eq!(
        purse.fetch(other, wtx(&tx)),
        [NetworkMessage::Tx(tx.clone())]
    );
    let mut bare = tx.clone();
    bare.input[0].witness.clear();
    assert_eq!(
        purse.fetch(old, Inventory::Transaction(tx.compute_txid())),
        [NetworkMessage::Tx(bare)]
    );
    // On connections that are not for transactions nothing is said.
    assert!(purse.fetch(deaf, wtx(&tx)).is_empty());
    // A block has it: it may still be asked for, and is not asked for any more.
    purse.mine(vec![tx.clone()]);
    assert!(!purse.holds(&tx));
    assert_eq!(
        purse.fetch(other, wtx(&tx)),
        [NetworkMessage::Tx(tx.clone())]
    );
    purse.tell(giver, &tx);
    purse.seconds(5);
    assert!(purse.asked(giver).is_empty());
    purse.mine(Vec::new());
    assert_eq!(
        purse.fetch(other, wtx(&tx)),
        [NetworkMessage::NotFound(vec![wtx(&tx)])]
    );
}

#[test]
fn parents_are_told_before_their_children_and_many_are_told_bit_by_bit() {
    let mut purse = Purse::new();
    let peer = purse.peer(Purpose::Inbound);
    let mut all = Vec::new();
    for coin in 0..10 {
        let mut from = coin;
        for _ in 0..20 {
            let tx = purse.spend(from, Fee::Rate(2_000));
            from = purse.coin_of(&tx);
            purse.give(&tx);
            all.push(tx);
        }
    }
    let mut told: Vec<Inventory> = Vec::new();
    let mut turns = 0;
    for _ in 0..1_000 {
        purse.rig.wait(Duration::from_millis(100));
        let some = purse.told(peer);
        assert!(some.len() <= 70, "{}", some.len());
        turns += usize::from(!some.is_empty());
        told.extend(some);
    }
    assert_eq!(turns, 3);
    let place = |tx: &Transaction| {
        told.iter()
            .position(|entry| *entry == wtx(tx))
            .expect("told")
    };
    for chain in all.chunks(20) {
        assert!(
            chain
                .windows(2)
                .all(|pair| place(&pair[0]) < place(&pair[1]))
        );
    }
    assert_eq!(told.len(), all.len());
}

#[test]
fn parents_of_an_orphan_are_asked_of_who_gave_it_and_both_come_in() {
    let mut purse = Purse::new();
    let (giver, other) = (
        purse.peer(Purpose::OutboundFullRelay),
        purse.peer(Purpose::OutboundFullRelay),
    );
    let parent = purse.spend(0, Fee::Rate(2_000));
    let coin = purse.coin_of(&parent);
    let child = purse.spend(coin, Fee::Rate(2_000));
    purse.rig.say(giver, NetworkMessage::Tx(child.clone()));
    // Another one that tells of the child has its parents, too.
    purse.tell(other, &child);
    purse.seconds(3);
    let wanted = Inventory::WitnessTransaction(parent.compute_txid());
    let (first, second) = (purse.asked(giver), purse.asked(other));
    assert_eq!([first, second].concat(), [wanted], "one of them");
    assert!(!purse.holds(&child));
    purse.rig.say(other, NetworkMessage::Tx(parent.clone()));
    assert!(purse.holds(&parent) && purse.holds(&child));
}

#[test]
fn a_parent_that_pays_too_little_comes_in_with_its_child() {
    for child_first in [true, false] {
        let mut purse = Purse::new();
        let giver = purse.peer(Purpose::OutboundFullRelay);
        let parent = purse.spend(0, Fee::Exact(0));
        let coin = purse.coin_of(&parent);
        let child = purse.spend(coin, Fee::Rate(20_000));
        let (one, two) = match child_first {
            true => (&child, &parent),
            false => (&parent, &child),
        };
        purse.rig.say(giver, NetworkMessage::Tx(one.clone()));
        purse.rig.say(giver, NetworkMessage::Tx(two.clone()));
        if !child_first {
            // It was refused; its child has it asked for once more.
            purse.seconds(3);
            let wanted = Inventory::WitnessTransaction(parent.compute_txid());
            assert_eq!(purse.asked(giver), [wanted]);
            purse.rig.say(giver, NetworkMessage::Tx(parent.clone()));
        }
        assert!(purse.holds(&parent) && purse.holds(&child), "{child_first}");
    }
}

#[test]
fn what_was_refused_is_not_asked_for_again_before_the_next_block() {
    let mut purse = Purse::new();
    let giver = purse.peer(Purpose::OutboundFullRelay);
    // Spends a coinbase that is too young.
    let block = purse.mine(Vec::new());
    purse.spender.learn(&block.txdata[0]);
    let coin = purse.coin_of(&block.txdata[0]);
    let tx = purse.spend(coin, Fee::Rate(2_000));
    purse.tell(giver, &tx);
    purse.seconds(1);
    assert_eq!(purse.asked(giver), [wtx(&tx)]);
    purse.rig.say(giver, NetworkMessage::Tx(tx.clone()));
    assert!(!purse.holds(&tx));
    assert_eq!(purse.rig.fate(giver), None, "nobody is let go for it");
    purse.tell(giver, &tx);
    purse.seconds(5);
    assert!(purse.asked(giver).is_empty());
    purse.mine(Vec::new());
    purse.tell(giver, &tx);
    purse.seconds(5);
    assert_eq!(purse.asked(giver), [wtx(&tx)]);
}

#[test]
fn what_nobody_has_taken_is_told_again_and_what_somebody_took_is_not() {
    let mut purse = Purse::new();
    let tx = purse.spend(0, Fee::Rate(2_000));
    purse.give(&tx);
    let unbroadcast = |purse: &Purse| purse.rig.mempool.view().expect("memory").unbroadcast();
    assert_eq!(unbroadcast(&purse), [tx.compute_txid()]);
    // Who comes later is told when it is told again.
    let late = purse.peer(Purpose::Inbound);
    purse.seconds(60);
    assert!(purse.told(late).is_empty());
    purse
        .rig
        .wait_long(Duration::from_secs(16 * 60), Duration::from_secs(1));
    assert_eq!(purse.told(late), [wtx(&tx)]);
    assert_eq!(unbroadcast(&purse), [tx.compute_txid()]);
    assert_eq!(
        purse.fetch(late, wtx(&tx)),
        [NetworkMessage::Tx(tx.clone())]
    );
    assert!(unbroadcast(&purse).is_empty());
    let later = purse.peer(Purpose::Inbound);
    purse
        .rig
        .wait_long(Duration::from_secs(30 * 60), Duration::from_secs(1));
    assert!(purse.told(later).is_empty());
    // Asked to, the node tells it again all the same.
    purse
        .rig
        .protocol
        .announce_transaction(&tx.compute_txid(), purse.rig.now);
    purse.seconds(60);
    assert_eq!(purse.told(later), [wtx(&tx)]);
}

#[test]
fn peers_hear_of_nothing_that_pays_less_than_they_want_and_are_told_what_we_want() {
    let mut purse = Purse::new();
    let picky = purse.rig.connect(Purpose::Inbound);
    let rate = purse
        .rig
        .heard(picky)
        .into_iter()
        .find_map(|message| match message {
            NetworkMessage::FeeFilter(rate) => Some(rate),
            _ => None,
        });
    assert!(
        rate.is_some_and(|rate| (100..=110).contains(&rate)),
        "{rate:?}"
    );
    purse.rig.say(picky, NetworkMessage::FeeFilter(3_000));
    let (poor, rich) = (
        purse.spend(0, Fee::Rate(2_000)),
        purse.spend(1, Fee::Rate(4_000)),
    );
    purse.give(&poor);
    purse.give(&rich);
    purse.seconds(60);
    assert_eq!(purse.told(picky), [wtx(&rich)]);
    // More than there is, is no rate.
    purse.rig.say(picky, NetworkMessage::FeeFilter(i64::MAX));
    assert_eq!(purse.rig.protocol.peers()[0].fee_filter, 3_000);
}

#[test]
fn all_that_waits_is_told_to_who_has_leave_to_ask_and_others_are_let_go() {
    let grants = Grants(std::sync::Arc::new(|info: &PeerInfo| Permissions {
        mempool: info.id == PeerId(1),
        ..Permissions::default()
    }));
    let mut purse = Purse::with(ProtocolConfig {
        permissions: grants,
        ..ProtocolConfig::default()
    });
    let (one, two) = (
        purse.spend(0, Fee::Rate(2_000)),
        purse.spend(1, Fee::Rate(4_000)),
    );
    purse.give(&one);
    purse.give(&two);
    let (allowed, other) = (purse.peer(Purpose::Inbound), purse.peer(Purpose::Inbound));
    purse.rig.say(allowed, NetworkMessage::MemPool);
    purse.seconds(60);
    assert_eq!(
        purse.told(allowed),
        [wtx(&two), wtx(&one)],
        "best paying first"
    );
    purse.rig.say(other, NetworkMessage::MemPool);
    assert_eq!(
        purse.rig.fate(other),
        Some((false, Reason::NotWanted("mempool")))
    );
}

#[test]
fn a_node_for_blocks_alone_tells_its_own_transactions_and_wants_none() {
    let mut purse = Purse::with(ProtocolConfig {
        relay: false,
        ..ProtocolConfig::default()
    });
    let peer = purse.rig.connect(Purpose::OutboundFullRelay);
    let heard = purse.rig.heard(peer);
    assert!(
        !heard
            .iter()
            .any(|message| matches!(message, NetworkMessage::FeeFilter(_)))
    );
    let tx = purse.spend(0, Fee::Rate(2_000));
    purse.give(&tx);
    purse.seconds(60);
    assert_eq!(purse.told(peer), [wtx(&tx)]);
    let foreign = purse.spend(1, Fee::Rate(2_000));
    purse.tell(peer, &foreign);
    assert_eq!(
        purse.rig.fate(peer),
        Some((false, Reason::NotWanted("inv")))
    );
}

#[test]
fn a_peer_whose_transactions_are_being_judged_waits_with_more_of_them() {
    let mut purse = Purse::new();
    let (busy, other) = (purse.peer(Purpose::Inbound), purse.peer(Purpose::Inbound));
    purse.rig.busy = true;
    for coin in 0..16 {
        assert!(purse.rig.protocol.has_room(busy));
        let tx = purse.spend(coin, Fee::Rate(2_000));
        purse.rig.say(busy, NetworkMessage::Tx(tx.clone()));
        // The same from another is not judged twice, nor asked for meanwhile.
        purse.rig.say(other, NetworkMessage::Tx(tx.clone()));
        purse.tell(other, &tx);
    }
    assert!(!purse.rig.protocol.has_room(busy) && purse.rig.protocol.has_room(other));
    purse.seconds(5);
    assert!(purse.asked(other).is_empty());
    purse.rig.catch_up();
    assert!(purse.rig.protocol.has_room(busy));
    assert_eq!(purse.rig.mempool.view().expect("memory").len(), 16);
}

#[test]
fn a_peer_can_make_us_remember_no_more_than_five_thousand_announcements() {
    let mut purse = Purse::new();
    let peer = purse.peer(Purpose::Inbound);
    for round in 0..10_u8 {
        let told = (0..50_000_u32).map(|number| {
            let mut bytes = [round; 32];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            Inventory::WTx(Wtxid::from_byte_array(bytes))
        });
        purse.rig.say(peer, NetworkMessage::Inv(told.collect()));
    }
    for held in purse.rig.protocol.holdings() {
        assert!(held.count <= held.limit, "{held:?}");
    }
    purse.seconds(10);
    // Asked in messages of a thousand; then a minute, then no more.
    let heard = purse.rig.heard(peer);
    let asked: Vec<usize> = (heard.iter())
        .filter_map(|message| match message {
            NetworkMessage::GetData(entries) => Some(entries.len()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [1_000; 5]);
    assert_eq!(purse.rig.fate(peer), None);
}

#[test]
fn a_compact_block_of_what_waits_is_put_together_without_asking() {
    let mut purse = Purse::new();
    let peer = purse.peer(Purpose::OutboundFullRelay);
    let version = SendCmpct {
        send_compact: true,
        version: 2,
    };
    purse.rig.say(peer, NetworkMessage::SendCmpct(version));
    let txs: Vec<Transaction> = (0..10)
        .map(|coin| purse.spend(coin, Fee::Rate(2_000)))
        .collect();
    for tx in &txs[..9] {
        purse.give(tx);
    }
    // Replaced here, and mined all the same.
    let better = purse.spend(0, Fee::Rate(9_000));
    purse.give(&better);
    let block = purse.block(txs[..9].to_vec());
    purse
        .rig
        .say(peer, NetworkMessage::Headers(vec![block.header]));
    let wanted = purse.asked(peer);
    assert_eq!(wanted, [Inventory::CompactBlock(block.block_hash())]);
    let compact_block = HeaderAndShortIds::from_block(&block, 1, 2, &[]).expect("a block");
    purse.rig.say(
        peer,
        NetworkMessage::CmpctBlock(CmpctBlock { compact_block }),
    );
    assert_eq!(purse.rig.ledger.best().hash(), block.block_hash());
    let figures = purse.rig.protocol.compact_figures();
    assert_eq!(
        (figures.blocks, figures.complete, figures.missing),
        (1, 1, 0)
    );
    assert_eq!(
        (figures.from_mempool, figures.from_aside, figures.prefilled),
        (8, 1, 1)
    );
    purse.moved();
    assert!(purse.rig.mempool.view().expect("memory").is_empty());
}
