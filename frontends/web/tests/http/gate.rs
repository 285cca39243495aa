//! Whom the page lets in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use everett_web::{Limits, WebConfig};

use crate::client::{ask, get, say};
use crate::node::{TestNode, config, generous};

fn basic(login: &str) -> String {
    format!("Basic {}", STANDARD.encode(login))
}

fn with_login() -> WebConfig {
    WebConfig {
        login: Some("ann:secret".parse().unwrap()),
        ..config("127.0.0.1:0")
    }
}

#[test]
fn a_login_is_asked_for_on_every_address() {
    let node = TestNode::with(with_login());
    let header = basic("ann:secret");
    for path in [
        "/admin/",
        "/admin/live",
        "/admin/block/0",
        "/admin/assets/x/live.js",
        "/nope",
        "/",
    ] {
        let refused = get(node.at, path);
        assert_eq!(refused.status, 401, "{path}");
        let challenge = refused.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
        let let_in = ask(node.at, "GET", path, &[("Authorization", &header)]);
        assert_ne!(let_in.status, 401, "{path}");
    }
    // Under any name: the password keeps other sites out.
    let named = [("Authorization", header.as_str()), ("Host", "node.example")];
    assert_eq!(ask(node.at, "GET", "/admin/", &named).status, 200);
}

#[test]
fn nobody_follows_without_the_login() {
    let node = TestNode::with(with_login());
    let wrong = basic("ann:guess");
    for headers in [&[][..], &[("Authorization", wrong.as_str())]] {
        let refused = ask(node.at, "GET", "/admin/events", headers);
        assert_eq!(refused.status, 401);
        assert_eq!(refused.count("data:"), 0);
    }
}

#[test]
fn a_login_may_hold_colons_and_any_letters() {
    let login = "käthe:ge:heim 密码";
    let node = TestNode::with(WebConfig {
        login: Some(login.parse().unwrap()),
        ..config("127.0.0.1:0")
    });
    // RFC 7617: browsers are told to send UTF-8.
    let refused = get(node.at, "/admin/");
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("charset=\"UTF-8\""), "{challenge}");
    let right = ask(
        node.at,
        "GET",
        "/admin/",
        &[("Authorization", &basic(login))],
    );
    assert_eq!(right.status, 200);
    let latin1 = STANDARD.encode(b"k\xe4the:ge:heim");
    for wrong in [
        basic("käthe:ge"),
        basic("käthe"),
        format!("Basic {latin1}"),
        "Basic \u{e4}".to_owned(),
        format!("Basic {}", "A".repeat(8_000)),
    ] {
        let refused = ask(node.at, "GET", "/admin/", &[("Authorization", &wrong)]);
        assert_eq!(refused.status, 401, "{wrong}");
    }
}

#[test]
fn after_too_many_wrong_passwords_even_the_right_one_has_to_wait() {
    let node = TestNode::with(with_login());
    let wrong = basic("ann:guess");
    for _ in 0..Limits::default().wrong_logins {
        let refused = ask(node.at, "GET", "/admin/", &[("Authorization", &wrong)]);
        assert_eq!(refused.status, 401);
    }
    let right = basic("ann:secret");
    let refused = ask(node.at, "GET", "/admin/", &[("Authorization", &right)]);
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds));
}

#[test]
fn who_asks_too_fast_is_told_to_wait() {
    let limits = Limits {
        burst: 5,
        rate: 1,
        ..generous()
    };
    let node = TestNode::with(WebConfig {
        limits,
        ..config("127.0.0.1:0")
    });
    let statuses: Vec<u16> = (0..8)
        .map(|_| get(node.at, "/admin/peers").status)
        .collect();
    assert_eq!(statuses[..5], [200; 5]);
    assert_eq!(statuses[7], 429);
}

#[test]
fn beyond_this_machine_a_login_is_required() {
    let refused = TestNode::start(config("0.0.0.0:0")).err().unwrap();
    assert!(refused.contains("without a login"), "{refused}");
    let node = TestNode::with(WebConfig {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..with_login()
    });
    assert_ne!(node.at.port(), 0);
}

#[test]
fn a_port_in_use_is_named() {
    let first = TestNode::new();
    let refused = TestNode::start(config(&first.at.to_string()))
        .err()
        .unwrap();
    assert!(refused.contains(&first.at.to_string()), "{refused}");
    assert!(refused.contains("choose another address"), "{refused}");
}

#[test]
fn a_foreign_name_is_not_answered_without_a_login() {
    let node = TestNode::new();
    let refused = ask(node.at, "GET", "/admin/", &[("Host", "evil.example")]);
    assert_eq!(refused.status, 421);
    assert!(refused.body.contains("evil.example"));
    for strange in [
        "",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example:127",
        "[::1",
        "a b",
        "\u{e4}",
    ] {
        let refused = ask(node.at, "GET", "/admin/", &[("Host", strange)]);
        assert!(
            matches!(refused.status, 400 | 421),
            "{strange}: {refused:?}"
        );
    }
    let twice = [("Host", "localhost"), ("Host", "evil.example")];
    assert_eq!(ask(node.at, "GET", "/admin/", &twice).status, 421);
    for mine in ["127.0.0.1", "[::1]:8380", "LOCALHOST.:80", "192.168.7.7"] {
        let answer = ask(node.at, "GET", "/admin/", &[("Host", mine)]);
        assert_eq!(answer.status, 200, "{mine}");
    }
    let without = say(node.at, b"GET /admin/ HTTP/1.0\r\n\r\n");
    assert_eq!(without.status, 421);
    let as_localhost = ask(node.at, "GET", "/admin/", &[("Host", "localhost:1234")]);
    assert_eq!(as_localhost.status, 200);
}

#[test]
fn only_reading_is_possible_and_nothing_may_be_sent_along() {
    let node = TestNode::new();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let refused = ask(node.at, method, "/admin/", &[]);
        assert_eq!(refused.status, 405, "{method}");
        assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    }
    for (name, value) in [("Content-Length", "5"), ("Transfer-Encoding", "chunked")] {
        let refused = ask(node.at, "GET", "/admin/", &[(name, value)]);
        assert_eq!(refused.status, 413, "{name}");
    }
}

#[test]
fn a_request_that_is_too_large_is_refused() {
    let node = TestNode::new();
    let long = "x".repeat(64 * 1024);
    let request = format!("GET /admin/ HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n");
    assert_eq!(say(node.at, request.as_bytes()).status, 431);
    let many = "X-Many: y\r\n".repeat(1_000);
    let request = format!("GET /admin/ HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    assert_eq!(say(node.at, request.as_bytes()).status, 431);
    // As much as the server reads, and more.
    for length in [20_000, 60_000, 1_000_000] {
        let path = format!("/admin/block/{}", "a".repeat(length));
        let refused = say(
            node.at,
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        );
        let expected: &[u16] = if length > 24 * 1024 {
            &[414, 431]
        } else {
            &[400]
        };
        assert!(
            expected.contains(&refused.status),
            "{length}: {}",
            refused.status
        );
        // Nothing of it is repeated at length.
        assert!(refused.body.len() < 10_000);
    }
    assert_eq!(
        say(node.at, b"\x16\x03\x01 this is no HTTP\r\n\r\n").status,
        400
    );
}

#[test]
fn every_answer_carries_the_headers_that_keep_it_safe() {
    let node = TestNode::new();
    for path in ["/admin/", "/admin/live", "/nope", "/", "/admin/block/zz"] {
        let answer = get(node.at, path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        for unsafe_word in ["unsafe", "http:", "https:", "*", "data:"] {
            assert!(!policy.contains(unsafe_word), "{policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert!(answer.header("cache-control").is_some(), "{path}");
        assert_eq!(answer.header("set-cookie"), None);
    }
}
