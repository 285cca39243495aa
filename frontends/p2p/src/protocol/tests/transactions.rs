//! Transactions from peers made by hand: whom they are asked of, what follows from them.

use bitcoin::bip152::HeaderAndShortIds;
use bitcoin::p2p::message_compact_blocks::CmpctBlock;
use bitcoin::{Transaction, Wtxid};
use everett_tests::spender::Fee;

use super::purse::{Purse, wtx};
use super::*;
use crate::transactions::MempoolAnswer;

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

#[test]
fn what_is_pending_already_does_not_count_as_refused() {
    let mut purse = Purse::new();
    let giver = purse.peer(Purpose::OutboundFullRelay);
    let refused = |purse: &Purse| purse.rig.protocol.incoming.remembered().0;
    let before = refused(&purse);
    // An orphan whose two parents come while the mempool is busy.
    let (one, two) = (
        purse.spend(0, Fee::Rate(2_000)),
        purse.spend(1, Fee::Rate(2_000)),
    );
    let coins = vec![purse.coin_of(&one), purse.coin_of(&two)];
    let child = purse.spend_all(coins, Fee::Rate(2_000));
    purse.rig.say(giver, NetworkMessage::Tx(child.clone()));
    purse.rig.busy = true;
    purse.rig.say(giver, NetworkMessage::Tx(one));
    purse.rig.say(giver, NetworkMessage::Tx(two));
    let judged = purse.rig.catch_up();
    assert_eq!(judged, 2);
    assert!(purse.holds(&child));
    assert_eq!(refused(&purse), before);
    // A user gives what a peer has just given.
    let tx = purse.spend(2, Fee::Rate(2_000));
    purse.rig.busy = true;
    purse.rig.say(giver, NetworkMessage::Tx(tx.clone()));
    purse.give(&tx);
    purse.rig.catch_up();
    assert!(purse.holds(&tx));
    assert_eq!(refused(&purse), before);
}

#[test]
fn a_block_that_was_not_heard_of_counts_as_one_that_was() {
    let mut purse = Purse::new();
    let giver = purse.peer(Purpose::OutboundFullRelay);
    let block = purse.mine(Vec::new());
    purse.spender.learn(&block.txdata[0]);
    let coin = purse.coin_of(&block.txdata[0]);
    let young = purse.spend(coin, Fee::Rate(2_000));
    let mined = purse.spend(0, Fee::Rate(2_000));
    purse.rig.say(giver, NetworkMessage::Tx(young.clone()));
    purse.tell(giver, &young);
    purse.seconds(5);
    assert!(purse.asked(giver).is_empty(), "it was refused");
    // So much changed at once that the changes are not kept.
    purse.rig.protocol.pending.lose_track();
    purse.mine(vec![mined.clone()]);
    purse.tell(giver, &young);
    purse.tell(giver, &mined);
    purse.seconds(5);
    assert_eq!(purse.asked(giver), [wtx(&young)]);
}

#[test]
fn a_packages_verdict_that_a_block_overtakes_is_given_anew() {
    let mut purse = Purse::new();
    let giver = purse.peer(Purpose::OutboundFullRelay);
    // May be spent from the block after the next one on.
    let hash = purse.rig.ledger.best_hash_at(22).expect("it is there");
    let bytes = purse.rig.ledger.block_bytes(&hash).expect("memory");
    let young: Block = bitcoin::consensus::deserialize(&bytes).expect("a block");
    purse.spender.learn(&young.txdata[0]);
    let parent = purse.spend(0, Fee::Exact(0));
    let coins = vec![purse.coin_of(&parent), purse.coin_of(&young.txdata[0])];
    let child = purse.spend_all(coins, Fee::Rate(20_000));
    purse.rig.say(giver, NetworkMessage::Tx(child.clone()));
    purse.rig.busy = true;
    purse.rig.say(giver, NetworkMessage::Tx(parent.clone()));
    // The parent by itself, then both.
    for _ in 0..2 {
        let answers = purse.rig.work();
        if let Some(MempoolAnswer::PackageJudged { verdict, .. }) = answers.first() {
            assert!(verdict.as_ref().is_some_and(|it| it.rejection.is_some()));
            purse.mine(Vec::new());
        }
        purse.rig.answer(answers);
    }
    assert!(!purse.holds(&child));
    purse.rig.catch_up();
    assert!(purse.holds(&parent) && purse.holds(&child));
}
