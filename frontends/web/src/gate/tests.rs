use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

const VISITOR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

fn request(headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().uri("/admin/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

fn basic(login: &str) -> String {
    format!("Basic {}", STANDARD.encode(login))
}

#[test]
fn without_a_login_only_addresses_and_localhost_are_answered() {
    let gate = Gate::new(None, &Limits::default());
    let ask = |host: &str| gate.admit(VISITOR, &request(&[("host", host)]));
    for host in [
        "127.0.0.1:8380",
        "127.9.9.9",
        "[::1]:8380",
        "localhost",
        "LocalHost.:1",
        "node.localhost:8380",
        "192.168.0.7",
    ] {
        assert!(ask(host).is_ok(), "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8380",
        "a@b@c",
        "",
    ] {
        assert!(
            matches!(ask(host), Err(Fault::StrangeHost { .. })),
            "{host}"
        );
    }
    assert!(gate.admit(VISITOR, &request(&[])).is_err());
    let gate = Gate::new(Some("a:b".parse().unwrap()), &Limits::default());
    let header = basic("a:b");
    let named = request(&[("host", "node.example"), ("authorization", &header)]);
    assert!(gate.admit(VISITOR, &named).is_ok());
}

#[test]
fn nothing_but_reading_is_let_through() {
    let gate = Gate::new(None, &Limits::default());
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let mut post = request(&[("host", "localhost")]);
        *post.method_mut() = method.parse().unwrap();
        assert!(matches!(
            gate.admit(VISITOR, &post),
            Err(Fault::OnlyReading)
        ));
    }
    for header in [("content-length", "5"), ("transfer-encoding", "chunked")] {
        let full = request(&[("host", "localhost"), header]);
        assert!(matches!(gate.admit(VISITOR, &full), Err(Fault::Content)));
    }
    let empty = request(&[("host", "localhost"), ("content-length", "0")]);
    assert!(gate.admit(VISITOR, &empty).is_ok());
}

#[test]
fn passwords_cannot_be_tried_out() {
    let limits = Limits::default();
    let gate = Gate::new(Some("ann:right".parse().unwrap()), &limits);
    let ask =
        |visitor, login: &str| gate.admit(visitor, &request(&[("authorization", &basic(login))]));
    assert!(matches!(
        gate.admit(VISITOR, &request(&[])),
        Err(Fault::Login)
    ));
    assert!(ask(VISITOR, "ann:right").is_ok());
    for _ in 0..limits.wrong_logins {
        assert!(matches!(ask(VISITOR, "ann:wrong"), Err(Fault::Login)));
    }
    // Now the right one tells nothing either.
    for login in ["ann:wrong", "ann:right"] {
        assert!(matches!(
            ask(VISITOR, login),
            Err(Fault::TooManyLogins { .. })
        ));
    }
    // Others are not kept out.
    let other = "10.0.0.2".parse().unwrap();
    assert!(ask(other, "ann:right").is_ok());
}

#[test]
fn an_address_that_asks_too_fast_is_told_to_wait() {
    let limits = Limits {
        burst: 10,
        ..Limits::default()
    };
    let gate = Gate::new(None, &limits);
    let ask =
        |visitor: &str| gate.admit(visitor.parse().unwrap(), &request(&[("host", "localhost")]));
    for _ in 0..10 {
        assert!(ask("2001:db8::1").is_ok());
    }
    // The same customer's network.
    assert!(matches!(ask("2001:db8::ffff"), Err(Fault::TooMany { .. })));
    assert!(ask("2001:db8:0:1::1").is_ok());
}

#[test]
fn one_small_form_is_let_through_and_not_too_often() {
    let gate = Gate::new(None, &Limits::default());
    let form = |path: &str, length: &str, more: &[(&str, &str)]| {
        let mut request = Request::builder().method("POST").uri(path);
        request = request.header("host", "localhost");
        if !length.is_empty() {
            request = request.header("content-length", length);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    };
    let path = "/admin/wallet/alice/address";
    let ask = |path: &str, length: &str| gate.admit(VISITOR, &form(path, length, &[]));
    assert!(ask(path, "16384").is_ok());
    for length in ["16385", "", "-1", "99999999999999999999999"] {
        assert!(matches!(ask(path, length), Err(Fault::Content)), "{length}");
    }
    let chunked = form(path, "3", &[("transfer-encoding", "chunked")]);
    assert!(matches!(gate.admit(VISITOR, &chunked), Err(Fault::Content)));
    for elsewhere in ["/admin/wallet/alice", "/admin/wallets", "/admin/tx/address"] {
        assert!(
            matches!(ask(elsewhere, "3"), Err(Fault::OnlyReading)),
            "{elsewhere}"
        );
    }
    for _ in 1..FORMS {
        assert!(ask(path, "3").is_ok());
    }
    assert!(matches!(ask(path, "3"), Err(Fault::TooMany { .. })));
}
