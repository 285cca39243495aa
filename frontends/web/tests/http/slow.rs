//! Visitors that take their time.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use everett_web::{Limits, WebConfig};

use crate::client::{Follower, connect, get};
use crate::node::{TestNode, config, generous};

fn impatient() -> TestNode {
    let limits = Limits {
        patience: Duration::from_millis(300),
        connections: 4,
        ..generous()
    };
    TestNode::with(WebConfig {
        limits,
        ..config("127.0.0.1:0")
    })
}

#[test]
fn who_sends_its_request_too_slowly_is_cut_off() {
    let node = impatient();
    let started = Instant::now();
    for beginning in [
        &b""[..],
        b"GET /admin/ HT",
        b"GET /admin/ HTTP/1.1\r\nHost: loc",
    ] {
        let mut stream = connect(node.at);
        stream.write_all(beginning).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn slow_visitors_do_not_keep_others_out_for_long() {
    let node = impatient();
    let _slow: Vec<_> = (0..16).map(|_| connect(node.at)).collect();
    assert_eq!(get(node.at, "/admin/peers").status, 200);
}

#[test]
fn a_thousand_silent_connections_keep_nobody_out() {
    // The default patience is 30 s: whoever waits for it to end waits too long.
    let node = TestNode::new();
    let beginnings = [&b""[..], b"GET /admin/ HT", b"GET / HTTP/1.1\r\nX-Slow: y"];
    let silent = (0..1_000).map(|number| {
        let mut stream = connect(node.at);
        stream.write_all(beginnings[number % 3]).unwrap();
        stream
    });
    let _silent: Vec<_> = silent.collect();
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(get(node.at, "/admin/peers").status, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_page_that_follows_keeps_its_place_while_silent_connections_come() {
    let limits = Limits {
        connections: 2,
        ..generous()
    };
    let node = TestNode::with(WebConfig {
        limits,
        ..config("127.0.0.1:0")
    });
    let (_, mut follower) = Follower::start(node.at);
    follower.next().unwrap();
    let _silent: Vec<_> = (0..10).map(|_| connect(node.at)).collect();
    assert_eq!(get(node.at, "/admin/peers").status, 200);
    node.mine(node.genesis(), 1, 0);
    assert!(follower.next().is_some());
    // With all places taken by such pages, the next visitor waits until one goes.
    let (status, second) = Follower::start(node.at);
    assert_eq!(status, 200);
    let at = node.at;
    let waiting = std::thread::spawn(move || get(at, "/admin/peers").status);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished());
    drop(second);
    // The server notices at its next word.
    let mut tip = node.ledger.best().hash();
    while !waiting.is_finished() {
        tip = *node.mine(tip, 1, 0).last().unwrap();
        follower.next().unwrap();
    }
    assert_eq!(waiting.join().unwrap(), 200);
}

#[test]
fn the_node_stops_although_somebody_has_sent_half_a_request() {
    let mut node = TestNode::new();
    let mut stream = connect(node.at);
    stream
        .write_all(b"GET /admin/ HTTP/1.1\r\nHost: loc")
        .unwrap();
    assert_eq!(get(node.at, "/admin/peers").status, 200);
    let started = Instant::now();
    node.stop();
    assert!(started.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_kept_connection_serves_many_requests() {
    let node = TestNode::new();
    let mut stream = connect(node.at);
    for _ in 0..3 {
        stream
            .write_all(b"HEAD /admin/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
        assert!(answer[..length].ends_with(b"\r\n\r\n"));
    }
}
