//! Blocks that are not what they should be, and those that nobody asked for.

use super::*;

#[test]
fn an_invalid_block_costs_its_sender_and_the_chain_is_not_asked_for_again() {
    let mut rig = Rig::new(HOUR);
    let good = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let mut bad = blocks(&rig.ledger, &good, 1, 2).remove(0);
    bad.txdata[0].output[0].value = Amount::from_sat(5_100_000_000);
    let root = bad.compute_merkle_root().unwrap();
    bad.header.merkle_root = root;
    let target = bad.header.target();
    while bad.header.validate_pow(target).is_err() {
        bad.header.nonce += 1;
    }
    let hash = bad.block_hash();
    let liar = rig.connect(Purpose::OutboundFullRelay);
    rig.say(liar, NetworkMessage::Headers(vec![bad.header]));
    assert_eq!(rig.asked(liar), vec![hash]);
    rig.say_block(liar, &bad);
    assert!(matches!(
        rig.fate(liar),
        Some((true, Reason::Invalid { what: "block", .. }))
    ));
    assert_eq!(
        rig.ledger.header(&hash).unwrap().status,
        HeaderStatus::Invalid
    );
    let second = rig.connect(Purpose::Inbound);
    rig.say(second, NetworkMessage::Headers(vec![bad.header]));
    assert_eq!(rig.fate(second), None, "who calls us may not know");
    assert_eq!(rig.asked(second), vec![]);
    let third = rig.connect(Purpose::OutboundFullRelay);
    rig.say(third, NetworkMessage::Headers(vec![bad.header]));
    assert_eq!(rig.fate(third), Some((true, Reason::BuildsOnInvalid(hash))));
}

#[test]
fn an_invalid_block_that_came_before_its_parent_costs_its_sender_too() {
    let mut rig = Rig::new(HOUR);
    let first = blocks(&rig.ledger, &rig.genesis(), 1, 1).remove(0);
    let other = rig.other();
    other.submit_block(&serialize(&first)).unwrap();
    let mut bad = blocks(&other, &first.block_hash(), 1, 2).remove(0);
    bad.txdata[0].output[0].value = Amount::from_sat(5_100_000_000);
    bad.header.merkle_root = bad.compute_merkle_root().unwrap();
    let target = bad.header.target();
    while bad.header.validate_pow(target).is_err() {
        bad.header.nonce += 1;
    }
    let peer = rig.connect(Purpose::OutboundFullRelay);
    rig.say(
        peer,
        NetworkMessage::Headers(vec![first.header, bad.header]),
    );
    rig.say_block(peer, &bad);
    assert_eq!(rig.fate(peer), None);
    rig.say_block(peer, &first);
    assert!(matches!(
        rig.fate(peer),
        Some((true, Reason::Invalid { what: "block", .. }))
    ));
    assert_eq!(rig.ledger.best().hash(), first.block_hash());
}

#[test]
fn a_mutated_block_costs_its_sender_and_is_asked_of_another() {
    let mut rig = Rig::new(HOUR);
    let block = blocks(&rig.ledger, &rig.genesis(), 1, 1).remove(0);
    let hash = block.block_hash();
    let liar = rig.connect(Purpose::OutboundFullRelay);
    let honest = rig.connect(Purpose::OutboundFullRelay);
    rig.say(liar, NetworkMessage::Headers(vec![block.header]));
    assert_eq!(rig.asked(liar), vec![hash]);
    rig.say(honest, NetworkMessage::Headers(vec![block.header]));
    assert_eq!(rig.asked(honest), vec![]);
    let mut mutated = block.clone();
    mutated.txdata[0].output.push(TxOut {
        value: Amount::ZERO,
        script_pubkey: bitcoin::ScriptBuf::new(),
    });
    rig.say_block(liar, &mutated);
    assert!(matches!(
        rig.fate(liar),
        Some((true, Reason::Mutated { .. }))
    ));
    assert_eq!(rig.asked(honest), vec![hash]);
    rig.say_block(honest, &block);
    assert_eq!(rig.ledger.best().hash(), hash);
    assert_eq!(rig.fate(honest), None);
}

#[test]
fn a_body_that_does_not_decode_counts_as_mutated() {
    let mut rig = Rig::new(HOUR);
    let block = blocks(&rig.ledger, &rig.genesis(), 1, 1).remove(0);
    let peer = rig.connect(Purpose::OutboundFullRelay);
    rig.say(peer, NetworkMessage::Headers(vec![block.header]));
    rig.say_raw(peer, Message::block(serialize(&block)[..100].to_vec()));
    assert!(matches!(
        rig.fate(peer),
        Some((true, Reason::Mutated { .. }))
    ));
    assert_eq!(
        rig.ledger.header(&block.block_hash()).unwrap().status,
        HeaderStatus::HeaderOnly
    );
}

#[test]
fn unrequested_blocks_are_stored_only_if_they_may_become_the_best() {
    let mut rig = Rig::new(HOUR);
    let genesis = rig.genesis();
    mine(&rig.ledger, &genesis, 10, 1);
    rig.protocol.best_changed(rig.now);
    // A losing one: its header is taken, and then the collector asks for it in its own time.
    let losing = blocks(&rig.ledger, &genesis, 1, 2).remove(0);
    let peer = rig.connect(Purpose::Inbound);
    rig.heard(peer);
    rig.say_block(peer, &losing);
    assert_eq!(
        rig.ledger.header(&losing.block_hash()).unwrap().status,
        HeaderStatus::HeaderOnly
    );
    // One whose parent nobody knows.
    let other = rig.other();
    let elsewhere = mine(&other, &genesis, 5, 3);
    let orphan = blocks(&other, &elsewhere, 1, 3).remove(0);
    rig.say_block(peer, &orphan);
    assert!(rig.ledger.header(&orphan.block_hash()).is_none());
    assert!(rig.ledger.orphans().is_empty());
    assert_eq!(rig.fate(peer), None);
    // The next one of the best chain.
    let next = blocks(&rig.ledger, &rig.ledger.best().hash(), 1, 4).remove(0);
    rig.say_block(peer, &next);
    assert_eq!(rig.ledger.best().hash(), next.block_hash());
    // A flood of them ends the connection.
    for salt in 0..40 {
        let orphan = blocks(&other, &elsewhere, 1, 100 + salt).remove(0);
        rig.say_block(peer, &orphan);
    }
    assert!(matches!(
        rig.fate(peer),
        Some((false, Reason::Unrequested(_)))
    ));
    assert!(rig.ledger.orphans().is_empty());
}

#[test]
fn a_compact_block_is_put_together_without_asking_where_nothing_is_missing() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let peer = rig.connect(Purpose::OutboundFullRelay);
    let offer = SendCmpct {
        send_compact: false,
        version: 2,
    };
    rig.say(peer, NetworkMessage::SendCmpct(offer));
    // The first comes whole, and makes the peer one that sends compact ones.
    let first = blocks(&rig.ledger, &tip, 1, 2).remove(0);
    rig.say(peer, NetworkMessage::Headers(vec![first.header]));
    rig.say_block(peer, &first);
    let chosen = rig
        .heard(peer)
        .into_iter()
        .any(|message| matches!(message, NetworkMessage::SendCmpct(offer) if offer.send_compact));
    assert!(chosen);
    assert!(rig.protocol.peers()[0].compact_from);
    let second = blocks(&rig.ledger, &first.block_hash(), 1, 2).remove(0);
    let message = crate::compact::compact_block(&serialize(&second), 5).unwrap();
    rig.say_raw(peer, message);
    assert_eq!(rig.ledger.best().hash(), second.block_hash());
    assert_eq!(rig.fate(peer), None);
}

#[test]
fn what_a_compact_block_was_wrongly_put_together_from_is_asked_for_whole() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let peer = rig.connect(Purpose::OutboundFullRelay);
    let offer = SendCmpct {
        send_compact: false,
        version: 2,
    };
    rig.say(peer, NetworkMessage::SendCmpct(offer));
    let first = blocks(&rig.ledger, &tip, 1, 2).remove(0);
    rig.say(peer, NetworkMessage::Headers(vec![first.header]));
    rig.say_block(peer, &first);
    let second = blocks(&rig.ledger, &first.block_hash(), 1, 2).remove(0);
    let mut wrong = second.clone();
    wrong.txdata[0].output[0].value = Amount::from_sat(1);
    rig.heard(peer);
    let message = crate::compact::compact_block(&serialize(&wrong), 5).unwrap();
    rig.say_raw(peer, message.clone());
    assert_eq!(rig.fate(peer), None);
    let whole = NetworkMessage::GetData(vec![Inventory::WitnessBlock(second.block_hash())]);
    assert!(rig.heard(peer).contains(&whole));
    // The same once more does not help.
    rig.say_raw(peer, message);
    assert_eq!(rig.protocol.progress(rig.now).in_flight, 1);
    rig.say_block(peer, &wrong);
    assert!(matches!(
        rig.fate(peer),
        Some((true, Reason::Mutated { .. }))
    ));
}

#[test]
fn what_stands_behind_a_block_is_not_passed_on() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let peer = rig.connect(Purpose::OutboundFullRelay);
    let next = blocks(&rig.ledger, &tip, 1, 2).remove(0);
    let mut bytes = serialize(&next);
    bytes.extend([7; 20]);
    rig.say_raw(peer, Message::block(bytes));
    let other = rig.connect(Purpose::Inbound);
    rig.heard(other);
    let wanted = vec![Inventory::WitnessBlock(next.block_hash())];
    rig.say(other, NetworkMessage::GetData(wanted));
    rig.protocol.serve(other, rig.now);
    rig.run();
    let sent = rig.done.iter().find_map(|action| match action {
        Action::Send(to, message) if *to == other && message.command.as_str() == "block" => {
            Some(message.payload.to_vec())
        }
        _ => None,
    });
    assert!(sent.is_none_or(|sent| sent == serialize(&next)));
}
