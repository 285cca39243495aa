//! Blocks from many peers, and those that do not give them.

use super::*;

#[test]
fn a_chain_is_fetched_from_one_peer() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 300, 1);
    let peer = rig.connect(Purpose::OutboundFullRelay);
    rig.serve(peer, &other);
    assert_eq!(rig.ledger.best().hash(), tip);
    assert_eq!(rig.fate(peer), None);
    assert_eq!(rig.protocol.progress(rig.now).phase, Phase::Synced);
    assert_eq!(rig.protocol.peers()[0].best_known, Some((300, tip)));
}

#[test]
fn eight_peers_share_the_blocks_and_none_is_asked_twice() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 200, 1);
    let peers: Vec<PeerId> = (0..8).map(|_| rig.connect(Purpose::Manual)).collect();
    for peer in &peers {
        rig.say(*peer, NetworkMessage::Headers(headers(&other, &tip)));
    }
    let mut asked = HashSet::new();
    for peer in &peers {
        let hashes = rig.asked(*peer);
        assert_eq!(hashes.len(), 16);
        for hash in hashes {
            assert!(asked.insert(hash), "asked twice");
        }
    }
}

#[test]
fn blocks_that_come_out_of_order_are_joined() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let chain = blocks(&other, &rig.genesis(), 16, 1);
    let peer = rig.connect(Purpose::Manual);
    rig.heard(peer);
    let all = chain.iter().map(|block| block.header).collect();
    rig.say(peer, NetworkMessage::Headers(all));
    assert_eq!(rig.asked(peer).len(), 16);
    for block in chain.iter().rev() {
        rig.say_block(peer, block);
    }
    assert_eq!(rig.best_height(), 16);
    assert_eq!(rig.fate(peer), None);
}

#[test]
fn what_a_stalling_peer_holds_up_comes_from_others_and_it_goes() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 60, 1);
    let stalling = rig.connect(Purpose::OutboundFullRelay);
    let honest = rig.connect(Purpose::OutboundFullRelay);
    rig.say(stalling, NetworkMessage::Headers(headers(&other, &tip)));
    rig.serve(honest, &other);
    assert!(rig.best_height() < 60);
    for _ in 0..50 {
        rig.wait(Duration::from_secs(1));
        rig.serve(honest, &other);
    }
    assert_eq!(rig.best_height(), 60);
    assert!(matches!(
        rig.fate(stalling),
        Some((false, Reason::Stalling { .. }))
    ));
    assert_eq!(rig.fate(honest), None);
}

#[test]
fn a_peer_that_holds_up_the_window_is_let_go_after_two_seconds() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 1_300, 1);
    let stalling = rig.connect(Purpose::OutboundFullRelay);
    let honest = rig.connect(Purpose::OutboundFullRelay);
    rig.say(stalling, NetworkMessage::Headers(headers(&other, &tip)));
    rig.serve(honest, &other);
    assert_eq!(rig.best_height(), 0);
    rig.wait(Duration::from_millis(2_500));
    assert!(matches!(
        rig.fate(stalling),
        Some((false, Reason::Stalling { .. }))
    ));
    rig.serve(honest, &other);
    assert_eq!(rig.best_height(), 1_300);
}

#[test]
fn a_block_that_never_comes_costs_the_connection() {
    let mut rig = Rig::new(HOUR);
    let other = rig.other();
    let tip = mine(&other, &rig.genesis(), 3, 1);
    let peer = rig.connect(Purpose::Inbound);
    rig.say(peer, NetworkMessage::Headers(headers(&other, &tip)));
    rig.wait_long(Duration::from_secs(650), Duration::from_secs(1));
    assert!(matches!(
        rig.fate(peer),
        Some((false, Reason::BlockTimeout { .. }))
    ));
}
