//! Branches that lose.

use super::*;

#[test]
fn losing_branches_are_fetched_after_the_best_chain_and_whoever_wins() {
    let mut rig = Rig::new(HOUR);
    let genesis = rig.genesis();
    let other = rig.other();
    let trunk = mine(&other, &genesis, 20, 1);
    let winner = mine(&other, &trunk, 10, 2);
    let loser = mine(&other, &trunk, 4, 3);
    let peer = rig.connect(Purpose::Manual);
    rig.serve(peer, &other);
    assert_eq!(rig.ledger.best().hash(), winner);
    assert!(rig.ledger.header(&loser).is_none());
    // Bitcoin Core's way to tell of it would be by headers, when it was best.
    rig.say(peer, NetworkMessage::Headers(headers(&other, &loser)));
    rig.serve(peer, &other);
    assert!(rig.ledger.world(&loser).is_ok());
    assert_eq!(rig.fate(peer), None);
}

#[test]
fn a_branch_that_nobody_delivers_stays_a_header() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let trunk = mine(&other, &rig.genesis(), 20, 1);
    mine(&other, &trunk, 10, 2);
    let loser = mine(&other, &trunk, 4, 3);
    let peer = rig.connect(Purpose::Manual);
    rig.serve(peer, &other);
    rig.say(peer, NetworkMessage::Headers(headers(&other, &loser)));
    assert_eq!(rig.asked(peer).len(), 4);
    rig.wait_long(Duration::from_secs(1_000), Duration::from_secs(1));
    assert_eq!(
        rig.ledger.header(&loser).unwrap().status,
        HeaderStatus::HeaderOnly
    );
    assert_eq!(
        rig.fate(peer),
        None,
        "it may have gone over to the winner meanwhile"
    );
    assert_eq!(rig.protocol.progress(rig.now).in_flight, 0);
    // Somebody else has it.
    let second = rig.connect(Purpose::Manual);
    rig.say(second, NetworkMessage::Headers(headers(&other, &loser)));
    rig.serve(second, &other);
    assert!(rig.ledger.world(&loser).is_ok());
}

#[test]
fn the_collector_keeps_to_its_budget_and_goes_on_when_it_is_full_again() {
    let config = ProtocolConfig {
        forks: ForkLimits {
            peer_blocks: 6,
            refill: Duration::from_secs(600),
            ..ForkLimits::default()
        },
        ..ProtocolConfig::default()
    };
    let mut rig = Rig::with(HOUR, config);
    let other = rig.other();
    let trunk = mine(&other, &rig.genesis(), 20, 1);
    mine(&other, &trunk, 30, 2);
    let loser = mine(&other, &trunk, 9, 3);
    let peer = rig.connect(Purpose::Manual);
    rig.serve(peer, &other);
    rig.say(peer, NetworkMessage::Headers(headers(&other, &loser)));
    rig.serve(peer, &other);
    assert_eq!(rig.ledger.missing_blocks(&loser, 0, 100).len(), 3);
    assert_eq!(rig.protocol.progress(rig.now).branches, 1);
    rig.wait(Duration::from_secs(130));
    rig.serve(peer, &other);
    assert!(rig.ledger.missing_blocks(&loser, 0, 100).len() < 3);
    for _ in 0..60 {
        rig.wait_long(Duration::from_secs(10), Duration::from_secs(1));
        rig.serve(peer, &other);
    }
    assert!(rig.ledger.world(&loser).is_ok());
}

#[test]
fn who_asks_for_tips_is_told_of_those_that_lose() {
    let mut rig = Rig::new(HOUR);
    let trunk = mine(&rig.ledger, &rig.genesis(), 20, 1);
    let best = mine(&rig.ledger, &trunk, 5, 2);
    let loser = mine(&rig.ledger, &trunk, 2, 3);
    rig.protocol.best_changed(rig.now);
    rig.run();
    let plain = rig.connect(Purpose::Inbound);
    let curious = rig.connect_with(Purpose::Inbound, |info| {
        info.features = vec!["sendtips".into()]
    });
    let told = |messages: Vec<NetworkMessage>| {
        messages.into_iter().any(|message| {
            matches!(message, NetworkMessage::Inv(entries) if entries == [Inventory::Block(loser)])
        })
    };
    assert!(!told(rig.heard(plain)));
    assert!(told(rig.heard(curious)));
    // The headers of that branch for who asks with it as a stop.
    let asked = GetHeadersMessage {
        version: 70_016,
        locator_hashes: rig.ledger.locator(&best),
        stop_hash: loser,
    };
    rig.say(curious, NetworkMessage::GetHeaders(asked));
    let answer = rig.heard(curious);
    let Some(NetworkMessage::Headers(branch)) = answer.first() else {
        panic!("{answer:?}");
    };
    assert_eq!(branch.len(), 2);
    assert_eq!(branch[1].block_hash(), loser);
    // A new one is told of once.
    let newer = mine(&rig.ledger, &trunk, 1, 4);
    rig.protocol.best_changed(rig.now);
    rig.protocol.best_changed(rig.now);
    rig.run();
    let invs = rig.heard(curious);
    assert_eq!(
        invs,
        vec![NetworkMessage::Inv(vec![Inventory::Block(newer)])]
    );
}

#[test]
fn blocks_that_branches_share_are_fetched_though_one_of_them_is_nobodys() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let trunk = mine(&other, &rig.genesis(), 20, 1);
    mine(&other, &trunk, 10, 2);
    let shared = mine(&other, &trunk, 2, 3);
    let longer = mine(&other, &shared, 4, 4);
    let shorter = mine(&other, &shared, 2, 5);
    let honest = rig.connect(Purpose::Manual);
    rig.serve(honest, &other);
    // Who told of the longer one withholds it.
    let silent = rig.connect(Purpose::Inbound);
    rig.say(silent, NetworkMessage::Headers(headers(&other, &longer)));
    assert_eq!(rig.asked(silent).len(), 6);
    rig.say(honest, NetworkMessage::Headers(headers(&other, &shorter)));
    rig.serve(honest, &other);
    for _ in 0..70 {
        rig.wait(Duration::from_secs(1));
        rig.serve(honest, &other);
    }
    assert!(rig.ledger.world(&shorter).is_ok());
    assert_eq!(rig.fate(silent), None);
}

#[test]
fn a_block_of_a_branch_that_comes_late_is_taken() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let trunk = mine(&other, &rig.genesis(), 20, 1);
    mine(&other, &trunk, 10, 2);
    let loser = mine(&other, &trunk, 1, 3);
    let slow = rig.connect(Purpose::Inbound);
    rig.serve(slow, &other);
    rig.say(slow, NetworkMessage::Headers(headers(&other, &loser)));
    assert_eq!(rig.asked(slow), vec![loser]);
    rig.wait_long(Duration::from_secs(90), Duration::from_secs(1));
    assert_eq!(
        rig.protocol.progress(rig.now).in_flight,
        1,
        "nobody else has it"
    );
    rig.wait_long(Duration::from_secs(900), Duration::from_secs(1));
    assert_eq!(rig.protocol.progress(rig.now).in_flight, 0);
    let bytes = other.block_bytes(&loser).unwrap();
    rig.say_raw(slow, Message::block(bytes));
    assert!(rig.ledger.world(&loser).is_ok());
    assert_eq!(rig.fate(slow), None);
}

#[test]
fn connecting_anew_or_from_next_door_does_not_fill_the_budget_again() {
    let config = ProtocolConfig {
        forks: ForkLimits {
            peer_blocks: 6,
            ..ForkLimits::default()
        },
        ..ProtocolConfig::default()
    };
    let mut rig = Rig::with(HOUR, config);
    let other = rig.other();
    let trunk = mine(&other, &rig.genesis(), 20, 1);
    mine(&other, &trunk, 30, 2);
    let loser = mine(&other, &trunk, 15, 3);
    let offer = |rig: &mut Rig, host: [u8; 4]| {
        let peer = rig.connect_with(Purpose::Inbound, |info| {
            info.endpoint.host = AddrV2::Ipv4(host.into());
        });
        rig.serve(peer, &other);
        rig.say(peer, NetworkMessage::Headers(headers(&other, &loser)));
        rig.wait(Duration::from_secs(1));
        rig.serve(peer, &other);
        rig.protocol.disconnected(peer, rig.now);
        rig.run();
        rig.ledger.missing_blocks(&loser, 0, 100).len()
    };
    assert_eq!(offer(&mut rig, [8, 8, 0, 1]), 9);
    assert_eq!(offer(&mut rig, [8, 8, 0, 1]), 9, "the same once more");
    assert_eq!(offer(&mut rig, [8, 8, 200, 7]), 9, "its neighbour");
    assert_eq!(offer(&mut rig, [9, 9, 0, 1]), 3, "somebody else");
    assert_eq!(offer(&mut rig, [10, 0, 0, 1]), 0, "a machine at home");
}

#[test]
fn headers_that_stand_on_a_tip_do_not_hide_it() {
    let mut rig = Rig::new(HOUR);
    let trunk = mine(&rig.ledger, &rig.genesis(), 20, 1);
    mine(&rig.ledger, &trunk, 5, 2);
    let loser = mine(&rig.ledger, &trunk, 2, 3);
    let withheld = blocks(&rig.ledger, &loser, 2, 4);
    let withheld: Vec<_> = withheld.iter().map(|block| block.header).collect();
    rig.ledger.submit_headers(&withheld).unwrap().unwrap();
    rig.protocol.best_changed(rig.now);
    rig.run();
    let curious = rig.connect_with(Purpose::Inbound, |info| {
        info.features = vec!["sendtips".into()]
    });
    let told = NetworkMessage::Inv(vec![Inventory::Block(loser)]);
    assert!(rig.heard(curious).contains(&told));
}

#[test]
fn a_branch_is_fetched_from_who_told_of_a_stored_block_of_it() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let trunk = mine(&other, &rig.genesis(), 20, 1);
    mine(&other, &trunk, 10, 2);
    let loser = mine(&other, &trunk, 4, 3);
    let withheld = mine(&other, &loser, 2, 4);
    let honest = rig.connect(Purpose::Manual);
    rig.serve(honest, &other);
    // One tells of more on top of the branch, and gives nothing of it but the block below that.
    let silent = rig.connect(Purpose::Inbound);
    rig.say(silent, NetworkMessage::Headers(headers(&other, &withheld)));
    let given = other.block_bytes(&loser).unwrap();
    rig.say_raw(silent, Message::block(given));
    // The other has told of it long ago, and of many since.
    let tell = |hash| NetworkMessage::Inv(vec![Inventory::Block(hash)]);
    rig.say(honest, tell(loser));
    for number in 0..40 {
        rig.say(honest, tell(BlockHash::from_byte_array([number; 32])));
    }
    assert!(rig.ledger.world(&loser).is_err());
    for _ in 0..70 {
        rig.wait(Duration::from_secs(1));
        rig.serve(honest, &other);
    }
    assert!(rig.ledger.world(&loser).is_ok());
}

#[test]
fn a_block_that_is_not_given_is_asked_of_others_though_its_chain_has_come_to_lose() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let trunk = mine(&other, &rig.genesis(), 20, 1);
    assert_eq!(mine(&rig.ledger, &rig.genesis(), 20, 1), trunk);
    rig.protocol.best_changed(rig.now);
    let loser = mine(&other, &trunk, 1, 2);
    let told = || NetworkMessage::Headers(vec![other.header(&loser).unwrap().header]);
    let silent: Vec<PeerId> = (0..3).map(|_| rig.connect(Purpose::Inbound)).collect();
    for peer in &silent {
        rig.say(*peer, told());
    }
    let asked: usize = silent.iter().map(|peer| rig.asked(*peer).len()).sum();
    assert_eq!(asked, 1, "it would win");
    let winner = mine(&other, &trunk, 3, 3);
    let honest = rig.connect(Purpose::Inbound);
    rig.say(honest, told());
    rig.say(honest, NetworkMessage::Headers(headers(&other, &winner)));
    rig.serve(honest, &other);
    assert_eq!(rig.ledger.best().hash(), winner);
    for _ in 0..200 {
        rig.wait(Duration::from_secs(1));
        rig.serve(honest, &other);
    }
    assert!(rig.ledger.world(&loser).is_ok());
}
