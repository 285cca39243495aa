//! Everett beside a real Bitcoin Core, over sockets of loopback: each syncs from the other, in the clear and encrypted.
//! Needs `BITCOIND_EXE`; `.ci/bitcoin-core` builds one and runs these.

use std::path::Path;

use everett_ledger::Ledger;
use everett_net::{Endpoint, TransportVersion};
use everett_p2p::P2pConfig;
use everett_tests::big_chain;
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::p2p_node::{P2pNode, ledger_config, on_loopback};
use tempfile::TempDir;

/// Bytes of a large block in these tests.
const MEGABYTE: usize = 1_000_000;

fn settings(transport: TransportVersion) -> P2pConfig {
    P2pConfig {
        v2: transport == TransportVersion::V2,
        ..on_loopback()
    }
}

/// Starts a daemon that speaks this transport at most.
fn daemon(program: &Path, transport: TransportVersion) -> Bitcoind {
    let v2 = match transport {
        TransportVersion::V1 => "-v2transport=0",
        TransportVersion::V2 => "-v2transport=1",
    };
    Bitcoind::start(program, &[v2])
}

/// A directory whose ledger has a chain of large blocks.
fn large_chain(blocks: u32) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::open(ledger_config(directory.path())).expect("the ledger opens");
    big_chain::mine(&ledger, blocks, MEGABYTE, 0);
    directory
}

fn same(node: &P2pNode, core: &Bitcoind) {
    node.wait_for_best(&core.best_hash());
    assert_eq!(node.hash_serialized(), core.hash_serialized());
}

fn syncs_from_core(name: &str, transport: TransportVersion) {
    let Some(program) = program(name) else { return };
    let core = daemon(&program, transport);
    core.mine(300);
    let node = P2pNode::start(settings(transport));
    node.call(core.p2p());
    same(&node, &core);
    let peer = node.wait_for_peer(|_| true);
    assert_eq!(peer.info.transport, transport);
    assert!(peer.info.user_agent.starts_with("/Satoshi:"));
    // What comes later comes by itself.
    core.mine(1);
    same(&node, &core);
}

#[test]
fn everett_syncs_from_bitcoin_core_in_the_clear() {
    syncs_from_core(
        "everett_syncs_from_bitcoin_core_in_the_clear",
        TransportVersion::V1,
    );
}

#[test]
fn everett_syncs_from_bitcoin_core_encrypted() {
    syncs_from_core(
        "everett_syncs_from_bitcoin_core_encrypted",
        TransportVersion::V2,
    );
}

fn core_syncs(name: &str, transport: TransportVersion) {
    let Some(program) = program(name) else { return };
    let node = P2pNode::start_in(large_chain(300), settings(transport));
    let core = daemon(&program, transport);
    core.call("addnode", &[&node.address().to_string(), "add"]);
    let best = node.ledger().best().hash().to_string();
    core.wait_until("it has our chain", |core| core.best_hash() == best);
    same(&node, &core);
    let peers = core.call("getpeerinfo", &[]);
    let word = transport.as_str();
    assert_eq!(peers[0]["transport_protocol_type"], word, "{peers}");
    assert_eq!(peers[0]["synced_blocks"], 300, "{peers}");

    // And from it, the whole chain of large blocks, to somebody new.
    let fresh = P2pNode::start(settings(transport));
    fresh.call(core.p2p());
    same(&fresh, &core);
}

#[test]
fn bitcoin_core_syncs_large_blocks_from_everett_and_back_in_the_clear() {
    core_syncs(
        "bitcoin_core_syncs_large_blocks_from_everett_and_back_in_the_clear",
        TransportVersion::V1,
    );
}

#[test]
fn bitcoin_core_syncs_large_blocks_from_everett_and_back_encrypted() {
    core_syncs(
        "bitcoin_core_syncs_large_blocks_from_everett_and_back_encrypted",
        TransportVersion::V2,
    );
}

#[test]
fn an_encrypted_everett_falls_back_for_a_bitcoin_core_that_cannot() {
    let name = "an_encrypted_everett_falls_back_for_a_bitcoin_core_that_cannot";
    let Some(program) = program(name) else { return };
    let core = daemon(&program, TransportVersion::V1);
    core.mine(10);
    let node = P2pNode::start(settings(TransportVersion::V2));
    node.call(core.p2p());
    same(&node, &core);
    assert_eq!(
        node.wait_for_peer(|_| true).info.transport,
        TransportVersion::V1
    );
}

#[test]
fn reorganisations_of_twenty_blocks_go_both_ways_between_everett_and_bitcoin_core() {
    let name = "reorganisations_of_twenty_blocks_go_both_ways_between_everett_and_bitcoin_core";
    let Some(program) = program(name) else { return };
    let core = daemon(&program, TransportVersion::V2);
    core.mine(110);
    let node = P2pNode::start(settings(TransportVersion::V2));
    node.call(core.p2p());
    same(&node, &core);

    // Core's best chain changes under us: twenty blocks are taken back, twenty-one others come.
    let height = core.height();
    let first = core.call("getblockhash", &[&(height - 19).to_string()]);
    let first = first.as_str().expect("a hash");
    let lost = core.best_hash();
    core.call("invalidateblock", &[first]);
    core.call("setmocktime", &[&later(&core, 3_600)]);
    core.mine(21);
    same(&node, &core);
    assert!(
        node.ledger()
            .tips()
            .iter()
            .any(|tip| tip.hash.to_string() == lost && tip.live),
        "the branch that lost is still a world"
    );

    // Ours changes under Core.
    let ledger = node.ledger();
    let best = ledger.best();
    let fork = ledger.world_at_height(best.height() - 20).expect("a world");
    big_chain::extend(ledger, fork, 21, 0, 7);
    let ours = ledger.best().hash().to_string();
    assert_ne!(ours, best.hash().to_string());
    core.wait_until("it follows us", |core| core.best_hash() == ours);
    same(&node, &core);
}

/// A time after the node's best block.
fn later(core: &Bitcoind, seconds: u64) -> String {
    let header = core.call("getblockheader", &[&core.best_hash()]);
    (header["time"].as_u64().expect("a time") + seconds).to_string()
}

#[test]
fn everett_relays_blocks_between_two_bitcoin_cores() {
    let name = "everett_relays_blocks_between_two_bitcoin_cores";
    let Some(program) = program(name) else { return };
    let (left, right) = (
        daemon(&program, TransportVersion::V2),
        daemon(&program, TransportVersion::V1),
    );
    left.mine(101);
    let node = P2pNode::start(settings(TransportVersion::V2));
    node.call(left.p2p());
    right.call("addnode", &[&node.address().to_string(), "add"]);
    for miner in [&left, &right, &left, &right, &left] {
        miner.mine(3);
        let best = miner.best_hash();
        for core in [&left, &right] {
            core.wait_until("it has the others' block", |core| core.best_hash() == best);
        }
        same(&node, miner);
    }
    assert_eq!(left.hash_serialized(), right.hash_serialized());
    assert_eq!(left.height(), 116);
}

#[test]
fn a_branch_that_loses_on_bitcoin_core_comes_to_everett_when_it_is_announced() {
    let name = "a_branch_that_loses_on_bitcoin_core_comes_to_everett_when_it_is_announced";
    let Some(program) = program(name) else { return };
    let core = daemon(&program, TransportVersion::V2);
    core.mine(105);
    // The same chain to its 105th block, and then another, longer one.
    let directory = tempfile::tempdir().expect("a directory");
    let node = P2pNode::start_in(directory, settings(TransportVersion::V2));
    node.call(core.p2p());
    same(&node, &core);
    let peer = node.wait_for_peer(|_| true);
    let peers = node.peers();
    let address = Endpoint::from(core.p2p()).to_string();
    peers
        .disconnect(everett_node::PeerRef::Id(peer.info.id))
        .expect("it is connected");
    core.wait_until("it has lost us", |core| {
        core.call("getconnectioncount", &[]) == 0
    });
    core.mine(3);
    let losing = core.best_hash();
    big_chain::mine(node.ledger(), 5, 0, 3);
    peers.add(&address, false, false).expect("it is forgotten");
    node.wait_until("it keeps the branch that lost", |node| {
        let tips = node.ledger().tips();
        tips.iter()
            .any(|tip| tip.hash.to_string() == losing && tip.live && !tip.best)
    });
    let ours = node.ledger().best().hash().to_string();
    core.wait_until("it follows us", |core| core.best_hash() == ours);
    same(&node, &core);
}
