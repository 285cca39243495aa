//! Headers: of one peer and of many, right and wrong, of much work and of little.

use super::*;

#[test]
fn more_headers_than_a_message_holds_are_asked_for_before_the_first_are_judged() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 4_100, 1);
    let all = headers(&other, &tip);
    let peer = rig.connect(Purpose::OutboundFullRelay);
    rig.heard(peer);
    rig.protocol.received(
        peer,
        Message::from(NetworkMessage::Headers(all[..2_000].to_vec())),
        rig.now,
    );
    let actions = rig.protocol.take_actions();
    let asks = actions.iter().any(|action| match action {
        Action::Send(_, message) => message.command.as_str() == "getheaders",
        _ => false,
    });
    assert!(asks, "{actions:?}");
    for action in actions {
        if let Action::SubmitHeaders { headers, .. } = action {
            let answer = rig.ledger.submit_headers(&headers).unwrap();
            rig.protocol.headers_taken(answer, rig.now);
        }
    }
    rig.say(peer, NetworkMessage::Headers(all[2_000..4_000].to_vec()));
    rig.serve(peer, &other);
    assert_eq!(rig.ledger.best_header().hash, tip);
    assert_eq!(rig.best_height(), 4_100);
}

#[test]
fn who_never_answers_is_replaced_in_the_sync_of_headers_and_goes_in_the_end() {
    let mut rig = Rig::new(OLD);
    let other = rig.other();
    mine(&other, &rig.genesis(), 10, 1);
    let silent = rig.connect(Purpose::OutboundFullRelay);
    let honest = rig.connect(Purpose::OutboundFullRelay);
    let getheaders = |message: &NetworkMessage| matches!(message, NetworkMessage::GetHeaders(_));
    assert!(rig.heard(silent).iter().any(getheaders));
    assert!(!rig.heard(honest).iter().any(getheaders));
    rig.wait(Duration::from_secs(21));
    rig.serve(honest, &other);
    assert_eq!(rig.best_height(), 10);
    rig.wait_long(Duration::from_secs(20 * 60), Duration::from_secs(1));
    rig.wait_long(Duration::from_secs(60 * 60), Duration::from_secs(10));
    let fate = rig.fate(silent);
    assert!(
        matches!(
            fate,
            Some((false, Reason::HeadersTimeout { .. } | Reason::ChainBehind))
        ),
        "{fate:?}"
    );
    assert_eq!(rig.fate(honest), None);
}

#[test]
fn peers_that_tell_the_same_at_once_are_all_done_when_the_ledger_has_it() {
    let mut rig = Rig::new(OLD);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 10, 1);
    let peers: Vec<PeerId> = (0..3).map(|_| rig.connect(Purpose::Manual)).collect();
    rig.wait(Duration::from_secs(45));
    let all = NetworkMessage::Headers(headers(&other, &tip));
    for peer in &peers {
        rig.protocol
            .received(*peer, Message::from(all.clone()), rig.now);
    }
    rig.run();
    for state in rig.protocol.peers() {
        assert_eq!(state.best_known, Some((10, tip)));
    }
    for _ in 0..40 {
        for peer in &peers {
            rig.serve(*peer, &other);
        }
    }
    assert_eq!(rig.protocol.progress(rig.now).phase, Phase::Synced);
    rig.wait_long(Duration::from_secs(40 * 60), Duration::from_secs(1));
    for peer in &peers {
        assert_eq!(rig.fate(*peer), None);
    }
}

#[test]
fn a_header_without_work_is_misbehaviour() {
    let mut rig = Rig::new(HOUR);
    let mut block = blocks(&rig.ledger, &rig.genesis(), 1, 1).remove(0);
    let params = rig.ledger.params().clone();
    while everett_ledger::rules::difficulty::is_met(
        &block.block_hash(),
        block.header.bits.to_consensus(),
        &params,
    ) {
        block.header.nonce += 1;
    }
    let peer = rig.connect(Purpose::Inbound);
    rig.say(peer, NetworkMessage::Headers(vec![block.header]));
    let hash = block.block_hash();
    assert_eq!(rig.fate(peer), Some((true, Reason::NoProofOfWork(hash))));
    let peer = rig.connect(Purpose::Inbound);
    rig.say_block(peer, &block);
    assert_eq!(rig.fate(peer), Some((true, Reason::NoProofOfWork(hash))));
    // Whom the user asked for is only let go.
    let peer = rig.connect(Purpose::Manual);
    rig.say(peer, NetworkMessage::Headers(vec![block.header]));
    assert_eq!(rig.fate(peer), Some((false, Reason::NoProofOfWork(hash))));
}

#[test]
fn headers_with_a_gap_are_misbehaviour() {
    let mut rig = Rig::new(HOUR);
    let chain = blocks(&rig.ledger, &rig.genesis(), 3, 1);
    let peer = rig.connect(Purpose::Inbound);
    let gap = vec![chain[0].header, chain[2].header];
    rig.say(peer, NetworkMessage::Headers(gap));
    let reason = Reason::HeadersNotContinuous(chain[2].block_hash());
    assert_eq!(rig.fate(peer), Some((true, reason)));
    assert!(rig.ledger.header(&chain[0].block_hash()).is_none());
}

#[test]
fn a_header_with_a_wrong_time_is_refused_and_punished_unless_it_is_only_early() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 20, 1);
    rig.protocol.best_changed(rig.now);
    let mut block = blocks(&rig.ledger, &tip, 1, 2).remove(0);
    let solve = |block: &mut bitcoin::Block| {
        let target = block.header.target();
        while block.header.validate_pow(target).is_err() {
            block.header.nonce += 1;
        }
    };
    block.header.time = block.header.time.saturating_sub(1_000);
    solve(&mut block);
    let peer = rig.connect(Purpose::Inbound);
    rig.say(peer, NetworkMessage::Headers(vec![block.header]));
    assert!(matches!(
        rig.fate(peer),
        Some((true, Reason::Invalid { .. }))
    ));

    block.header.time = rig.clock.now() as u32 + 3 * 3_600;
    solve(&mut block);
    let peer = rig.connect(Purpose::Inbound);
    rig.say(peer, NetworkMessage::Headers(vec![block.header]));
    assert_eq!(rig.fate(peer), None);
    assert!(rig.ledger.header(&block.block_hash()).is_none());
}

#[test]
fn headers_on_nothing_we_know_are_asked_about_and_not_kept() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 10, 1);
    let all = headers(&other, &tip);
    let peer = rig.connect(Purpose::Inbound);
    rig.say(peer, NetworkMessage::Headers(Vec::new()));
    rig.heard(peer);
    rig.say(peer, NetworkMessage::Headers(vec![all[9]]));
    assert!(rig.ledger.header(&tip).is_none());
    rig.serve(peer, &other);
    assert_eq!(rig.ledger.best().hash(), tip);
    assert_eq!(rig.fate(peer), None);
}

#[test]
fn endless_headers_of_too_little_work_are_never_kept() {
    let minimum = bitcoin::Work::from_be_bytes({
        let mut bytes = [0; 32];
        bytes[28..].copy_from_slice(&1_000_000_u32.to_be_bytes());
        bytes
    });
    let config = ProtocolConfig {
        minimum_chain_work: Some(minimum),
        ..ProtocolConfig::default()
    };
    let mut rig = Rig::with(OLD, config);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 8_000, 1);
    let all = headers(&other, &tip);
    let peer = rig.connect(Purpose::Inbound);
    for part in all.chunks(2_000) {
        rig.say(peer, NetworkMessage::Headers(part.to_vec()));
        assert_eq!(rig.protocol.progress(rig.now).phase, Phase::Presync);
    }
    assert_eq!(rig.protocol.peers()[0].presync_height, Some(8_000));
    assert_eq!(rig.ledger.best_header().height, 0);
    // It ends, with too little work: as an outgoing peer it would go.
    rig.say(peer, NetworkMessage::Headers(Vec::new()));
    assert_eq!(rig.protocol.peers()[0].presync_height, None);
    let chosen = rig.connect(Purpose::OutboundFullRelay);
    rig.say(chosen, NetworkMessage::Headers(all[..2_000].to_vec()));
    rig.say(chosen, NetworkMessage::Headers(all[2_000..3_000].to_vec()));
    assert_eq!(rig.fate(chosen), Some((false, Reason::ChainTooShort)));
    assert_eq!(rig.ledger.best_header().height, 0);
}

#[test]
fn headers_of_unproven_work_are_kept_once_they_show_enough() {
    let minimum = bitcoin::Work::from_be_bytes({
        let mut bytes = [0; 32];
        bytes[28..].copy_from_slice(&10_000_u32.to_be_bytes());
        bytes
    });
    let config = ProtocolConfig {
        minimum_chain_work: Some(minimum),
        ..ProtocolConfig::default()
    };
    let mut rig = Rig::with(OLD, config);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 6_500, 1);
    let peer = rig.connect(Purpose::OutboundFullRelay);
    rig.serve(peer, &other);
    assert_eq!(rig.ledger.best_header().height, 6_500);
    assert_eq!(rig.ledger.best_header().hash, tip);
    assert_eq!(rig.best_height(), 6_500);
    assert_eq!(rig.fate(peer), None);
}

#[test]
fn a_peer_that_ends_below_our_best_header_gives_the_blocks_that_we_lack() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 30, 1);
    rig.ledger
        .submit_headers(&headers(&other, &tip))
        .unwrap()
        .unwrap();
    let behind = rig.other();
    for header in &headers(&other, &tip)[..25] {
        let block = other.block_bytes(&header.block_hash()).unwrap();
        behind.submit_block(&block).unwrap();
    }
    let peer = rig.connect(Purpose::Manual);
    rig.serve(peer, &behind);
    assert_eq!(rig.best_height(), 25);
}

#[test]
fn a_sole_peer_that_leaves_a_request_for_headers_unanswered_is_asked_again() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 10, 1);
    let peer = rig.connect(Purpose::Manual);
    let asks = |heard: Vec<NetworkMessage>| {
        heard
            .iter()
            .filter(|message| matches!(message, NetworkMessage::GetHeaders(_)))
            .count()
    };
    assert_eq!(asks(rig.heard(peer)), 1);
    rig.wait_long(Duration::from_secs(119), Duration::from_secs(1));
    assert_eq!(asks(rig.heard(peer)), 0);
    rig.wait_long(Duration::from_secs(2), Duration::from_secs(1));
    rig.serve(peer, &other);
    assert_eq!(rig.ledger.best().hash(), tip);
}

#[test]
fn what_our_user_took_back_is_not_held_against_those_who_tell_of_it() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let next = blocks(&rig.ledger, &tip, 1, 2).remove(0);
    rig.ledger.invalidate_block(&tip).unwrap();
    rig.protocol.best_changed(rig.now);
    let peer = rig.connect(Purpose::OutboundFullRelay);
    rig.say(peer, NetworkMessage::Headers(vec![next.header]));
    assert_eq!(rig.fate(peer), None);
}

#[test]
fn the_first_download_does_not_end_on_the_word_of_who_called_us() {
    let mut rig = Rig::new(OLD);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let called = rig.connect(Purpose::OutboundFullRelay);
    let caller = rig.connect(Purpose::Inbound);
    rig.say(caller, NetworkMessage::Headers(Vec::new()));
    rig.wait(Duration::from_secs(1));
    assert!(rig.protocol.is_initial_download());
    let last = rig.ledger.header(&tip).unwrap().header;
    rig.say(called, NetworkMessage::Headers(vec![last]));
    rig.wait(Duration::from_secs(1));
    assert!(!rig.protocol.is_initial_download());
}

#[test]
fn who_tells_of_new_blocks_and_gives_no_headers_does_not_hold_up_the_sync() {
    let mut rig = Rig::new(OLD);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 10, 1);
    let all = headers(&other, &tip);
    let silent = rig.connect(Purpose::Manual);
    let honest = rig.connect(Purpose::Manual);
    rig.serve(honest, &other);
    assert!(rig.ledger.header(&tip).is_none(), "one is asked at a time");
    for _ in 0..5 {
        rig.say(silent, NetworkMessage::Headers(vec![all[9]]));
        rig.wait_long(Duration::from_secs(5), Duration::from_secs(1));
    }
    rig.serve(honest, &other);
    assert!(rig.ledger.header(&tip).is_some());
    // Nor its blocks.
    rig.wait_long(Duration::from_secs(3), Duration::from_secs(1));
    rig.serve(honest, &other);
    assert_eq!(rig.ledger.best().hash(), tip);
}

#[test]
fn who_left_a_request_unanswered_and_tells_of_a_block_is_asked_again() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 10, 1);
    let peer = rig.connect(Purpose::Manual);
    assert!(!rig.heard(peer).is_empty());
    let tell = |hash| NetworkMessage::Inv(vec![Inventory::Block(hash)]);
    let getheaders = |message: &NetworkMessage| matches!(message, NetworkMessage::GetHeaders(_));
    rig.wait(Duration::from_secs(9));
    rig.say(peer, tell(tip));
    assert!(!rig.heard(peer).iter().any(getheaders), "it may be slow");
    rig.wait(Duration::from_secs(2));
    rig.say(peer, tell(tip));
    rig.serve(peer, &other);
    assert_eq!(rig.ledger.best().hash(), tip);
}
