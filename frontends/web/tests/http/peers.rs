//! The pages of peers, on a test double of the network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use everett_node::{PeerEventKind, SyncPhase};
use everett_tests::peers_double::{PeersDouble, at};

use crate::client::get;
use crate::node::TestNode;

fn networked() -> (TestNode, Arc<PeersDouble>) {
    let node = TestNode::new();
    let double = Arc::new(PeersDouble::sample());
    node.handle().serve_peers(double.clone());
    (node, double)
}

#[test]
fn a_node_without_a_network_says_so() {
    let node = TestNode::new();
    let page = get(node.at, "/admin/peers");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("not on the network"));
    for path in ["/admin/peers/live", "/admin/peer/1"] {
        let page = get(node.at, path);
        assert_eq!(page.status, 404, "{path}");
        assert!(page.body.contains("no peers"), "{path}");
    }
}

#[test]
fn peers_are_listed_with_the_progress_of_the_node_and_its_bans() {
    let (node, double) = networked();
    let page = get(node.at, "/admin/peers");
    assert_eq!(page.status, 200);
    assert_eq!(page.all("data-peer"), ["1", "2"]);
    assert_eq!(page.all("data-peers"), ["2"]);
    assert_eq!(page.all("data-ban"), ["198.51.100.0/24"]);
    assert_eq!(page.all("data-phase"), ["blocks"]);
    for words in [
        "1,000 of 4,000 blocks · about\u{a0}1\u{a0}min\u{a0}left",
        "<progress max=\"100\" value=\"25.0\">",
        "203.0.113.7:8333",
        "[2001:db8::9]:51000",
        "outbound-full-relay",
        "12 ms",
        "did wrong",
        "127.0.0.1:18444",
        "2023-11-15 22:13:20 UTC",
    ] {
        assert!(page.body.contains(words), "no {words}: {}", page.body);
    }
    // What a peer calls itself is text.
    assert!(!page.body.contains("<b>:1/"));
    assert!(page.body.contains("/Everett:0.1.0/"));
    // The part that moves is a part of it.
    let part = get(node.at, "/admin/peers/live");
    assert!(page.body.contains(&part.body));
    // Many bans are cut.
    double.change(|shown| {
        let ban = shown.bans[0].clone();
        for number in 0..500_u64 {
            let mut ban = ban.clone();
            ban.subnet = format!("10.0.{}.{}", number / 250, number % 250);
            ban.until = at(1_800_000_000 + number);
            shown.bans.push(ban);
        }
    });
    let page = get(node.at, "/admin/peers");
    assert_eq!(page.all("data-ban").len(), 100);
    assert!(page.body.contains("and 401 more"));
}

#[test]
fn a_peer_has_a_page_with_what_went_back_and_forth() {
    let (node, _double) = networked();
    let page = get(node.at, "/admin/peer/1");
    assert_eq!(page.status, 200);
    assert_eq!(page.all("data-message"), ["block", "getdata", "ping"]);
    for words in [
        "NETWORK, WITNESS, P2P_V2",
        "sendtips",
        "2 s behind ours",
        "3, from 1,001 to 1,003",
        &"ab".repeat(32),
    ] {
        assert!(page.body.contains(words), "no {words}: {}", page.body);
    }
    let page = get(node.at, "/admin/peer/2");
    assert!(page.body.contains("sent a header without work"));
    for nobody in ["3", "x", "-1", "99999999999999999999999"] {
        let page = get(node.at, &format!("/admin/peer/{nobody}"));
        assert_eq!(page.status, 404, "{nobody}");
        assert!(page.body.contains("is connected"), "{nobody}");
    }
}

#[test]
fn the_start_page_shows_how_far_the_node_has_synced() {
    let (node, double) = networked();
    for (phase, words) in [
        (SyncPhase::Waiting, "Waiting for headers"),
        (SyncPhase::Presync, "Looking at headers: 70,000"),
        (SyncPhase::Headers, "Fetching headers: 4,000"),
        (SyncPhase::Blocks, "1,000 of 4,000 blocks"),
        (SyncPhase::Synced, "Up to date"),
    ] {
        double.change(|shown| {
            shown.progress.phase = phase;
            shown.progress.presync_height = 70_000;
        });
        let asked = Instant::now();
        while !get(node.at, "/admin/").body.contains(words) {
            assert!(asked.elapsed() < Duration::from_secs(10), "{words}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn who_follows_the_peers_is_told_when_one_comes_or_goes() {
    let (node, double) = networked();
    let (status, mut follower) = crate::client::Follower::of(node.at, "/admin/peers/events");
    assert_eq!(status, 200);
    let first = follower.next().unwrap();
    let mut last = first;
    while last < first + 3 {
        double.tell(PeerEventKind::Established, Some(3));
        last = follower.next().unwrap();
    }
}
