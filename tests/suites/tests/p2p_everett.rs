//! Everett nodes among themselves, over sockets of loopback: every branch goes around, and what was parted joins.

use std::collections::BTreeSet;

use everett_ledger::Ledger;
use everett_tests::big_chain;
use everett_tests::data::SixtyForks;
use everett_tests::p2p_node::{P2pNode, ledger_config, on_loopback};

/// The tips of a node that can be read as worlds.
fn live_tips(node: &P2pNode) -> BTreeSet<String> {
    let tips = node.ledger().tips().into_iter();
    tips.filter(|tip| tip.live)
        .map(|tip| tip.hash.to_string())
        .collect()
}

#[test]
fn a_chain_with_sixty_forks_goes_over_the_network_with_every_tip() {
    let name = "a_chain_with_sixty_forks_goes_over_the_network_with_every_tip";
    let Some(forks) = SixtyForks::load(name) else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::open(ledger_config(directory.path())).expect("the ledger opens");
    ledger.submit_blocks(&forks.blocks).expect("the disk works");
    drop(ledger);
    let full = P2pNode::start_in(directory, on_loopback());
    let tips = live_tips(&full);
    assert_eq!(tips.len(), 61);

    let fresh = P2pNode::start(on_loopback());
    fresh.call(full.address());
    fresh.wait_until("it has all tips", |node| live_tips(node) == tips);
    assert_eq!(fresh.ledger().best().hash(), full.ledger().best().hash());
    for row in &forks.rows {
        let world = fresh.ledger().world(&row.hash.parse().expect("a hash"));
        let info = world.expect("every block's world is there").set_info();
        let info = info.expect("the set can be read");
        assert_eq!(
            info.hash_serialized_3_hex(),
            row.hash_serialized_3,
            "{}",
            row.hash
        );
    }

    // Somebody who heard of it at second hand has them, too.
    let third = P2pNode::start(on_loopback());
    third.call(fresh.address());
    third.wait_until("it has all tips", |node| live_tips(node) == tips);
}

#[test]
fn what_was_parted_joins_and_every_node_has_both_worlds() {
    let [one, two, three] = [(); 3].map(|()| P2pNode::start(on_loopback()));
    two.call(one.address());
    three.call(one.address());
    big_chain::mine(one.ledger(), 20, 0, 0);
    let trunk = one.ledger().best().hash().to_string();
    for node in [&two, &three] {
        node.wait_for_best(&trunk);
    }

    // The third one goes on alone.
    let peers = three.peers();
    let address = one.endpoint().to_string();
    peers
        .disconnect(everett_node::PeerRef::Address(&address))
        .expect("it is connected");
    three.wait_until("it is alone", |node| node.peers().list().is_empty());
    big_chain::mine(one.ledger(), 3, 0, 1);
    big_chain::mine(three.ledger(), 5, 0, 2);
    let [short, long] = [&one, &three].map(|node| node.ledger().best().hash().to_string());
    two.wait_for_best(&short);

    three.call(two.address());
    for node in [&one, &two, &three] {
        node.wait_for_best(&long);
        let both = BTreeSet::from([short.clone(), long.clone()]);
        node.wait_until("it has both worlds", |node| live_tips(node) == both);
    }
}
