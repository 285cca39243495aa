//! Visitors that take their time.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use everett_web::{Limits, WebConfig};

use crate::client::{connect, get};
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
