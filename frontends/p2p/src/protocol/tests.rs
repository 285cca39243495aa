//! The protocol with peers made by hand: sync, and what bad input gets.

use std::collections::HashSet;
use std::time::Duration;

use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::{AddrV2, AddrV2Message};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::p2p::message_compact_blocks::SendCmpct;
use bitcoin::{Amount, BlockHash, TxOut, Txid};
use everett_ledger::HeaderStatus;
use everett_net::{Message, Purpose};

mod rig;

use super::*;
use rig::{Rig, blocks, headers, mine};

const HOUR: u64 = 3_600;
const OLD: u64 = 400 * 24 * HOUR;

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
fn new_blocks_are_announced_in_the_form_that_each_peer_prefers() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let by_inv = rig.connect(Purpose::Inbound);
    let by_headers = rig.connect(Purpose::Inbound);
    let by_compact = rig.connect(Purpose::Inbound);
    let announcer = rig.connect(Purpose::Inbound);
    rig.say(by_headers, NetworkMessage::SendHeaders);
    let at_once = SendCmpct {
        send_compact: true,
        version: 2,
    };
    rig.say(by_compact, NetworkMessage::SendCmpct(at_once));
    let tip_header = rig.ledger.header(&tip).unwrap().header;
    for peer in [by_inv, by_headers, by_compact, announcer] {
        rig.say(peer, NetworkMessage::Headers(vec![tip_header]));
        rig.heard(peer);
    }
    let next = blocks(&rig.ledger, &tip, 1, 2).remove(0);
    let hash = next.block_hash();
    rig.say(announcer, NetworkMessage::Headers(vec![next.header]));
    rig.say_block(announcer, &next);
    assert_eq!(rig.ledger.best().hash(), hash);
    assert_eq!(
        rig.heard(by_inv),
        vec![NetworkMessage::Inv(vec![Inventory::Block(hash)])]
    );
    assert_eq!(
        rig.heard(by_headers),
        vec![NetworkMessage::Headers(vec![next.header])]
    );
    let compact = rig.heard(by_compact);
    assert!(
        matches!(&compact[..], [NetworkMessage::CmpctBlock(block)] if block.compact_block.header == next.header),
        "{compact:?}"
    );
    let told = rig
        .heard(announcer)
        .into_iter()
        .any(|message| matches!(message, NetworkMessage::Inv(_) | NetworkMessage::Headers(_)));
    assert!(!told, "the announcer knows");
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
fn floods_are_bounded_and_end_the_connection_where_no_honest_peer_would_go() {
    let mut rig = Rig::new(HOUR);
    mine(&rig.ledger, &rig.genesis(), 3, 1);
    rig.protocol.best_changed(rig.now);
    // Transactions that are told of cost nothing while they are not asked for.
    let peer = rig.connect(Purpose::Inbound);
    let txs: Vec<Inventory> = (0..50_000_u32)
        .map(|number| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            Inventory::Transaction(Txid::from_byte_array(bytes))
        })
        .collect();
    for _ in 0..10 {
        rig.say(peer, NetworkMessage::Inv(txs.clone()));
    }
    assert_eq!(rig.fate(peer), None);
    // Unknown blocks: one question at a time.
    rig.heard(peer);
    for round in 0..20_u8 {
        let unknown = (0..1_000_u16)
            .map(|number| {
                let mut bytes = [round; 32];
                bytes[..2].copy_from_slice(&number.to_le_bytes());
                Inventory::Block(BlockHash::from_byte_array(bytes))
            })
            .collect();
        rig.say(peer, NetworkMessage::Inv(unknown));
    }
    assert!(rig.heard(peer).len() <= 1);
    // Requests that wait.
    let wanted = vec![Inventory::WitnessBlock(rig.ledger.best().hash()); 30_000];
    rig.say(peer, NetworkMessage::GetData(wanted.clone()));
    assert_eq!(rig.fate(peer), None);
    rig.say(peer, NetworkMessage::GetData(wanted));
    assert!(matches!(
        rig.fate(peer),
        Some((_, Reason::TooManyRequests(_)))
    ));
    // Addresses beyond a peer's tokens.
    let peer = rig.connect(Purpose::Inbound);
    let address = |number: u32| AddrV2Message {
        time: rig_time(),
        services: ServiceFlags::NETWORK,
        addr: AddrV2::Ipv4((0x0808_0000 + number).into()),
        port: 8333,
    };
    for round in 0..10 {
        let addresses = (0..1_000)
            .map(|number| address(round * 1_000 + number))
            .collect();
        rig.say(peer, NetworkMessage::AddrV2(addresses));
    }
    let state = rig.protocol.peers();
    let state = state.iter().find(|state| state.id == peer).unwrap();
    assert!(state.addresses_processed <= 2, "{state:?}");
    assert!(state.addresses_rate_limited >= 9_990);
    let too_many = (0..1_001).map(address).collect();
    rig.say(peer, NetworkMessage::AddrV2(too_many));
    assert!(matches!(
        rig.fate(peer),
        Some((true, Reason::TooMany { .. }))
    ));
}

fn rig_time() -> u32 {
    rig::clock(HOUR).now() as u32
}

#[test]
fn blocks_are_served_one_at_a_time_and_what_is_not_here_is_said() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 3, 1);
    rig.protocol.best_changed(rig.now);
    let peer = rig.connect(Purpose::Inbound);
    rig.heard(peer);
    let unknown = Inventory::WitnessBlock(BlockHash::all_zeros());
    let wanted = vec![
        Inventory::WitnessBlock(tip),
        unknown,
        Inventory::WitnessBlock(tip),
    ];
    rig.say(peer, NetworkMessage::GetData(wanted));
    assert!(rig.heard(peer).is_empty());
    assert_eq!(rig.protocol.waiting_to_be_served(), vec![peer]);
    let mut names = Vec::new();
    loop {
        let more = rig.protocol.serve(peer, rig.now);
        rig.run();
        names.extend(
            rig.heard(peer)
                .iter()
                .map(|message| message.cmd().to_owned()),
        );
        if !more {
            break;
        }
    }
    assert_eq!(names, ["block", "notfound", "block"]);
}

#[test]
fn an_outgoing_peer_whose_chain_stays_behind_is_asked_once_more_and_let_go() {
    let mut rig = Rig::new(HOUR);
    mine(&rig.ledger, &rig.genesis(), 10, 1);
    rig.protocol.best_changed(rig.now);
    let behind = rig.connect(Purpose::BlockRelayOnly);
    rig.say(behind, NetworkMessage::Headers(Vec::new()));
    rig.heard(behind);
    rig.wait_long(Duration::from_secs(20 * 60 + 5), Duration::from_secs(1));
    assert!(
        rig.heard(behind)
            .iter()
            .any(|message| matches!(message, NetworkMessage::GetHeaders(_)))
    );
    rig.wait_long(Duration::from_secs(125), Duration::from_secs(1));
    assert_eq!(rig.fate(behind), Some((false, Reason::ChainBehind)));
}

#[test]
fn transactions_do_not_belong_on_connections_for_blocks() {
    let mut rig = Rig::new(HOUR);
    let peer = rig.connect(Purpose::BlockRelayOnly);
    let txid = Txid::all_zeros();
    rig.say(
        peer,
        NetworkMessage::Inv(vec![Inventory::Transaction(txid)]),
    );
    assert!(matches!(
        rig.fate(peer),
        Some((false, Reason::NotWanted(_)))
    ));
    let peer = rig.connect(Purpose::Inbound);
    let coinbase = blocks(&rig.ledger, &rig.genesis(), 1, 1)
        .remove(0)
        .txdata
        .remove(0);
    rig.say(peer, NetworkMessage::Tx(coinbase.clone()));
    assert_eq!(rig.fate(peer), None);
    let heard = rig.done.iter().any(|action| {
        matches!(action, Action::HeardTransaction { transaction, .. } if transaction.txid == coinbase.compute_txid())
    });
    assert!(heard);
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
