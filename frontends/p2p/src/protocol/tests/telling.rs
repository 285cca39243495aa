//! Transactions for peers made by hand: who is told of them, when, and what may be asked for.

use bitcoin::{Transaction, Wtxid};
use everett_tests::spender::Fee;

use super::purse::{Purse, wtx};
use super::*;

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
    // Several, for what is told is partly left to chance: what pays the least that is relayed concerns each of them.
    let peers: [PeerId; 12] = std::array::from_fn(|_| purse.rig.connect(Purpose::Inbound));
    for peer in peers {
        let heard = purse.rig.heard(peer).into_iter();
        let rate = heard.filter_map(|message| match message {
            NetworkMessage::FeeFilter(rate) => Some(rate),
            _ => None,
        });
        assert_eq!(rate.collect::<Vec<i64>>(), [100]);
    }
    let picky = peers[0];
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
fn who_is_not_to_be_banned_hears_at_once_of_what_comes_and_of_all_that_it_asks_for() {
    let grants = Grants(std::sync::Arc::new(|_: &PeerInfo| Permissions {
        mempool: true,
        no_ban: true,
        ..Permissions::default()
    }));
    let mut purse = Purse::with(ProtocolConfig {
        permissions: grants,
        ..ProtocolConfig::default()
    });
    let peer = purse.peer(Purpose::Inbound);
    let tx = purse.spend(0, Fee::Rate(2_000));
    purse.give(&tx);
    purse.rig.wait(Duration::from_millis(100));
    assert_eq!(purse.told(peer), [wtx(&tx)]);
    for _ in 0..10 {
        purse.rig.say(peer, NetworkMessage::MemPool);
        purse.rig.wait(Duration::from_millis(100));
        assert_eq!(purse.told(peer), [wtx(&tx)]);
    }
}

#[test]
fn what_nobody_takes_is_first_told_again_at_no_fixed_time() {
    let rig = Rig::new(HOUR);
    let first = rig.protocol.next_retry;
    assert!(first > Duration::from_secs(600) && first <= Duration::from_secs(900));
}

#[test]
fn a_block_behind_many_transactions_is_served_to_who_hears_of_none() {
    let mut purse = Purse::new();
    let deaf = purse.peer_with(Purpose::Inbound, |info| info.relay = false);
    let tip = purse.rig.ledger.best().hash();
    let mut wanted = vec![Inventory::WTx(Wtxid::all_zeros()); 3_000];
    wanted.push(Inventory::WitnessBlock(tip));
    purse.rig.say(deaf, NetworkMessage::GetData(wanted));
    assert!(
        !purse.rig.protocol.serve(deaf, purse.rig.now),
        "all is served"
    );
    purse.rig.run();
    let heard = purse.rig.heard(deaf);
    assert!(matches!(&heard[..], [NetworkMessage::Block(block)] if block.block_hash() == tip));
}
