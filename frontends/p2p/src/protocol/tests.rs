//! The protocol with peers made by hand: what it tells and serves, and what floods cost; in the files beside it, the sync.

use std::collections::HashSet;
use std::time::Duration;

use bitcoin::bip152::BlockTransactionsRequest;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::{AddrV2, AddrV2Message};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::p2p::message_compact_blocks::{GetBlockTxn, SendCmpct};
use bitcoin::{Amount, Block, BlockHash, TxOut, Txid, Wtxid};
use everett_ledger::HeaderStatus;
use everett_net::{Message, Purpose};

mod announce;
mod blocks;
mod branches;
mod download;
mod headers;
mod purse;
mod rig;
mod telling;
mod transactions;

use super::*;
use rig::{Rig, blocks, headers, mine};

const HOUR: u64 = 3_600;
const OLD: u64 = 400 * 24 * HOUR;

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
fn several_new_blocks_at_once_are_all_told_of_to_who_wants_no_headers() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let peer = rig.connect(Purpose::Inbound);
    let tip_header = rig.ledger.header(&tip).unwrap().header;
    rig.say(peer, NetworkMessage::Headers(vec![tip_header]));
    rig.heard(peer);
    let told = |rig: &mut Rig| match rig.heard(peer).pop() {
        Some(NetworkMessage::Inv(told)) => told,
        other => panic!("{other:?}"),
    };
    let tip = mine(&rig.ledger, &tip, 30, 2);
    rig.protocol.best_changed(rig.now);
    rig.run();
    let new: Vec<Inventory> = (6..=35)
        .map(|height| Inventory::Block(rig.ledger.ancestor(&tip, height).unwrap().hash))
        .collect();
    assert_eq!(told(&mut rig), new);
    // So many that it has to ask.
    let tip = mine(&rig.ledger, &tip, 501, 3);
    rig.protocol.best_changed(rig.now);
    rig.run();
    assert_eq!(told(&mut rig), [Inventory::Block(tip)]);
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
    let wtxid = Wtxid::all_zeros();
    rig.say(peer, NetworkMessage::Inv(vec![Inventory::WTx(wtxid)]));
    assert!(matches!(
        rig.fate(peer),
        Some((false, Reason::NotWanted(_)))
    ));
    // Nor anywhere on a node for blocks only.
    let coinbase = blocks(&rig.ledger, &rig.genesis(), 1, 1)
        .remove(0)
        .txdata
        .remove(0);
    let blocks_only = ProtocolConfig {
        relay: false,
        ..ProtocolConfig::default()
    };
    let mut rig = Rig::with(HOUR, blocks_only);
    let peer = rig.connect(Purpose::Inbound);
    rig.say(peer, NetworkMessage::Tx(coinbase.clone()));
    assert_eq!(rig.fate(peer), Some((false, Reason::NotWanted("tx"))));
    let mut rig = Rig::new(HOUR);
    let peer = rig.connect(Purpose::Inbound);
    rig.say(peer, NetworkMessage::Tx(coinbase.clone()));
    assert_eq!(rig.fate(peer), None);
    let heard = rig.done.iter().any(|action| {
        matches!(action, Action::HeardTransaction { transaction, .. } if transaction.txid == coinbase.compute_txid())
    });
    assert!(heard);
}
