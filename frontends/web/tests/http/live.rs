//! That the page follows the ledger.

use std::time::{Duration, Instant};

use everett_web::{Limits, WebConfig};

use crate::client::{Follower, ask, get};
use crate::node::{TestNode, config, generous};

#[test]
fn a_block_is_news_and_is_in_the_picture() {
    let node = TestNode::new();
    let (status, mut follower) = Follower::start(node.at);
    assert_eq!(status, 200);
    let mut number = follower.next().unwrap();
    for height in 1..=5 {
        let hash = *node.mine(node.ledger.best().hash(), 1, 0).last().unwrap();
        let asked = Instant::now();
        loop {
            number = follower.next().unwrap().max(number + 1);
            let picture = get(node.at, "/admin/live");
            if picture.all("data-tip") == [hash.to_string()] {
                assert_eq!(picture.all("data-height"), [height.to_string()]);
                break;
            }
            assert!(asked.elapsed() < Duration::from_secs(10));
        }
    }
}

#[test]
fn a_branch_that_wins_becomes_the_best_one_in_the_picture() {
    let node = TestNode::new();
    let first = node.mine(node.genesis(), 2, 1);
    let picture = get(node.at, "/admin/live");
    assert_eq!(picture.all("data-best"), [first[1].to_string()]);
    let second = node.mine(node.genesis(), 3, 2);
    let (_, mut follower) = Follower::start(node.at);
    loop {
        let picture = get(node.at, "/admin/live");
        if picture.all("data-best") == [second[2].to_string()] {
            let tips = [second[2].to_string(), first[1].to_string()];
            assert_eq!(picture.all("data-tip"), tips);
            return;
        }
        follower.next();
    }
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let node = TestNode::new();
    node.mine(node.genesis(), 1, 0);
    for path in ["/admin/block/1", "/admin/peers"] {
        let first = get(node.at, path);
        let etag = first.header("etag").unwrap();
        let again = ask(node.at, "GET", path, &[("If-None-Match", etag)]);
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
        let other = ask(node.at, "GET", path, &[("If-None-Match", "\"x\"")]);
        assert_eq!(other.status, 200);
        let head = ask(node.at, "HEAD", path, &[]);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(
            head.header("content-length"),
            first.header("content-length")
        );
    }
}

#[test]
fn no_more_pages_follow_than_are_allowed() {
    let limits = Limits {
        live: 2,
        ..generous()
    };
    let node = TestNode::with(WebConfig {
        limits,
        ..config("127.0.0.1:0")
    });
    let followers = [Follower::start(node.at), Follower::start(node.at)];
    assert_eq!(followers.each_ref().map(|(status, _)| *status), [200, 200]);
    let refused = get(node.at, "/admin/events");
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    drop(followers);
    let started = Instant::now();
    // The server notices at its next word to them.
    while Follower::start(node.at).0 != 200 {
        node.mine(node.ledger.best().hash(), 1, 0);
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_node_stops_although_a_page_follows() {
    let mut node = TestNode::new();
    let (_, mut follower) = Follower::start(node.at);
    follower.next();
    let started = Instant::now();
    node.stop();
    // Before its patience with the page has ended.
    assert!(started.elapsed() < Duration::from_secs(30));
    while follower.next().is_some() {}
}
