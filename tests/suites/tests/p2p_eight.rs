//! Sync from eight peers, some of which are not what they should be.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use everett_ledger::{HeaderStatus, Ledger};
use everett_net::Endpoint;
use everett_p2p::P2pConfig;
use everett_tests::big_chain;
use everett_tests::false_peer::{Behaviour, FalseChain, FalsePeer};
use everett_tests::p2p_node::{P2pNode, ledger_config, on_loopback};
use tempfile::TempDir;

/// Blocks of the honest chain, and bytes of each.
const BLOCKS: u32 = 400;
const SIZE: usize = 100_000;

fn copy(of: &Path) -> TempDir {
    let to = tempfile::tempdir().expect("a directory");
    let copied = std::process::Command::new("cp")
        .args(["-a", "--sparse=always"])
        .arg(of.join("."))
        .arg(to.path())
        .status();
    assert!(copied.expect("cp runs").success());
    to
}

/// How long a fresh node takes to have the chain from these peers, and the node.
fn sync(peers: &[SocketAddr], ledger: &Ledger) -> (Duration, P2pNode) {
    let half = ledger.world_at_height(BLOCKS / 2).expect("a world");
    let config = P2pConfig {
        connect: peers.iter().copied().map(Endpoint::from).collect(),
        minimum_chain_work: Some(half.chainwork()),
        ..on_loopback()
    };
    let began = Instant::now();
    let node = P2pNode::start(config);
    let best = ledger.best().hash();
    node.wait_until("it has the chain", |node| {
        node.ledger().best().hash() == best
    });
    (began.elapsed(), node)
}

#[test]
fn a_node_syncs_from_eight_peers_of_which_four_are_not_what_they_should_be() {
    let origin = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::open(ledger_config(origin.path())).expect("the ledger opens");
    big_chain::mine(&ledger, BLOCKS, SIZE, 0);
    // A branch that loses: twenty blocks that leave the chain thirty below its tip.
    let losing = copy(origin.path());
    let branch = Ledger::open(ledger_config(losing.path())).expect("the ledger opens");
    let fork = branch.world_at_height(BLOCKS - 30).expect("a world");
    big_chain::extend(&branch, fork, 20, SIZE, 1);
    let first = branch.best_hash_at(BLOCKS - 29).expect("a block");
    branch.invalidate_block(&first).expect("it is known");
    let lost = branch.best().hash();
    drop(branch);

    let honest: Vec<P2pNode> = (0..8)
        .map(|_| P2pNode::start_in(copy(origin.path()), on_loopback()))
        .collect();
    let addresses: Vec<SocketAddr> = honest.iter().map(P2pNode::address).collect();
    let (all_honest, node) = sync(&addresses, &ledger);
    assert_eq!(
        node.peers().list().len(),
        8,
        "nobody is let go of without a reason"
    );
    drop(node);

    let stalls = FalsePeer::start(FalseChain::of(&ledger, BLOCKS), Behaviour::Stalls);
    let mut chain = FalseChain::of(&ledger, BLOCKS - 50);
    chain.lie(60);
    let lie = chain.tip();
    let lies = FalsePeer::start(chain, Behaviour::Answers);
    let low = FalsePeer::start(FalseChain::of(&ledger, 100), Behaviour::Answers);
    let loses = P2pNode::start_in(losing, on_loopback());
    let mut mixed = vec![
        stalls.address(),
        lies.address(),
        low.address(),
        loses.address(),
    ];
    mixed.extend(&addresses[..4]);
    let (half_honest, node) = sync(&mixed, &ledger);
    eprintln!(
        "{BLOCKS} blocks of {SIZE} bytes: from eight honest peers in {all_honest:.2?}, with four that are not in {half_honest:.2?}"
    );

    let best = ledger.best();
    let [ours, theirs] = [node.ledger().best(), best].map(|world| world.set_info());
    assert_eq!(ours.expect("a set"), theirs.expect("a set"));
    node.wait_until("the branch that loses is a world, too", |node| {
        node.ledger().world(&lost).is_ok()
    });
    // The liar's headers were good until its first block was looked at.
    node.wait_until("the lie is found out", |node| {
        let lie = node.ledger().header(&lie);
        lie.is_none_or(|lie| lie.status == HeaderStatus::Invalid)
    });
    node.wait_until("the liar is gone", |node| {
        let liar = Endpoint::from(lies.address());
        node.peers()
            .list()
            .iter()
            .all(|peer| peer.info.endpoint != liar)
    });
}
