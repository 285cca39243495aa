//! Everett beside bcoin, a full node in JavaScript that shares no code with ours or with Bitcoin Core.
//!
//! It is taken from npm's registry with `EVERETT_BCOIN=1`, or from `BCOIN_DIR`; else this is skipped: it takes two minutes,
//! most of which bcoin waits.

use std::path::Path;

use everett_tests::bcoin::{self, Bcoin, SEGWIT_HEIGHT};
use everett_tests::big_chain;
use everett_tests::p2p_node::{P2pNode, on_loopback};

#[test]
fn bcoin_and_everett_sync_from_each_other_and_follow_reorganisations() {
    let name = "bcoin_and_everett_sync_from_each_other_and_follow_reorganisations";
    let directory = match bcoin::install(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(directory) => directory,
        Err(error) => return eprintln!("{name}: skipped: bcoin is not to be had: {error}"),
    };
    // On its regtest segwit has to be voted for first; blocks of ours commit to witnesses from the start.
    let first = Bcoin::start(&directory, &["--listen=true".to_owned()]);
    first.mine(SEGWIT_HEIGHT + 8);
    let mut c = on_loopback();
    c.v2 = false;
    let node = P2pNode::start(c);
    node.call(first.p2p);
    node.wait_for_best(&first.tip());
    let peer = node.wait_for_peer(|_| true);
    assert!(peer.info.user_agent.contains("bcoin"), "{:?}", peer.info);

    // Another has nobody but us to sync from.
    let second = Bcoin::start(&directory, &[format!("--only={}", node.address())]);
    let both_are_at = |tip: &str| {
        for bcoin in [&first, &second] {
            bcoin.wait_until("it is where we are", |bcoin| bcoin.tip() == tip);
        }
    };
    both_are_at(&first.tip());

    // Blocks of ours, at first without coins of our own to spend.
    big_chain::mine(node.ledger(), 102, 0, 0);
    big_chain::mine(node.ledger(), 10, 50_000, 0);
    both_are_at(&node.ledger().best().hash().to_string());

    // Ten blocks give way to twelve.
    let height = node.ledger().best().height();
    let fork = node.ledger().world_at_height(height - 10).expect("a world");
    big_chain::extend(node.ledger(), fork, 12, 20_000, 5);
    assert_eq!(node.ledger().best().height(), height + 2);
    both_are_at(&node.ledger().best().hash().to_string());

    // Blocks of theirs, of each.
    second.mine(3);
    node.wait_for_best(&second.tip());
    both_are_at(&second.tip());
    first.mine(2);
    node.wait_for_best(&first.tip());
    both_are_at(&first.tip());
    assert_eq!(node.ledger().best().height(), height + 7);
}
