//! The way over HTTP, compared with Core's: batches, versions, paths, logins, sizes.

use std::time::{Duration, Instant};

use everett_lab::assemble;
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::RpcClient;
use everett_tests::rpc_node::RpcNode;

/// How long it may take until a request has come to where it waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bodies that are sent as they are.
const BODIES: [&str; 33] = [
    "",
    "xx",
    "1",
    "null",
    "{}",
    "[]",
    "[1]",
    r#"{"method":"getblockcount"}"#,
    r#"{"method":"getblockcount","id":1}"#,
    r#"{"method":"getblockcount","id":null}"#,
    r#"{"method":"getblockcount","id":{"b":1,"a":[1.50,"\u00e4"]}}"#,
    r#"{"jsonrpc":"1.0","method":"getblockcount","id":"x"}"#,
    r#"{"jsonrpc":"2.0","method":"getblockcount","id":"x"}"#,
    r#"{"jsonrpc":"2.0","method":"getblockcount"}"#,
    r#"{"jsonrpc":"2.0","method":"foo","id":1}"#,
    r#"{"jsonrpc":"2.0","method":"getblockhash","params":[-1],"id":1}"#,
    r#"{"jsonrpc":"2.0","id":1}"#,
    r#"{"jsonrpc":"3.0","id":1}"#,
    r#"{"jsonrpc":2,"id":1}"#,
    r#"{"method":"foo","id":1}"#,
    r#"{"method":5,"id":1}"#,
    r#"{"method":"getblockcount","params":5,"id":1}"#,
    r#"{"method":"getblockcount","params":null,"id":1}"#,
    r#"{"method":"getblockhash","params":{"height":0},"id":1}"#,
    r#"{"method":"getblockhash","params":{"args":[0]},"id":1}"#,
    r#"{"method":"getblockhash","params":{"args":[0],"height":1},"id":1}"#,
    r#"{"method":"getblockhash","params":{"x":1},"id":1}"#,
    r#"{"method":"getblockhash","params":{"height":0,"height":1},"id":1}"#,
    r#"[{"jsonrpc":"2.0","method":"getblockcount"}]"#,
    r#"[{"jsonrpc":"2.0","method":"foo"},{"jsonrpc":"2.0","method":"getblockcount"}]"#,
    r#"[{"method":"getblockcount","id":"a"},1,{"jsonrpc":"2.0","method":"foo"},{"jsonrpc":"2.0","method":"getblockcount","id":null},{"id":[1,{"x":1.0}],"method":"foo"},{"jsonrpc":"2.0","id":3},7,{"method":5,"id":2}]"#,
    r#"{"method":"getblockcount","id":1} x"#,
    r#"{"method":"getblockcount","id":"\ud83d\ude00\u007f"}"#,
];

fn both() -> Option<(Bitcoind, RpcClient, RpcNode, RpcClient)> {
    let program = program("rpc_core")?;
    let core = Bitcoind::start(&program, &[]);
    let core_rpc = RpcClient::new(core.rpc_port(), &core.cookie());
    let everett = RpcNode::start();
    let ours = everett.client();
    Some((core, core_rpc, everett, ours))
}

/// What is compared of headers.
fn content_type(head: &str) -> Option<String> {
    let line = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("content-type:"))?;
    line.split_once(':').map(|(_, kind)| kind.trim().to_owned())
}

#[test]
fn bodies_of_every_kind_are_answered_to_the_byte() {
    let Some((_core, core, _everett, ours)) = both() else {
        return;
    };
    for body in BODIES {
        let (a, b) = (
            core.request("POST", "/", body),
            ours.request("POST", "/", body),
        );
        assert_eq!((a.status, &a.body), (b.status, &b.body), "{body}");
        assert_eq!(content_type(&a.head), content_type(&b.head), "{body}");
    }
}

#[test]
fn paths_methods_and_logins_are_refused_with_the_same_status() {
    let Some((_core, core, everett, ours)) = both() else {
        return;
    };
    let body = r#"{"method":"getblockcount","id":1}"#;
    for (method, path) in [
        ("GET", "/"),
        ("PUT", "/"),
        ("DELETE", "/"),
        ("POST", "/foo"),
        ("POST", "/?x"),
        ("POST", "/wallet/x"),
        ("GET", "/foo"),
    ] {
        let (a, b) = (
            core.request(method, path, body),
            ours.request(method, path, body),
        );
        assert_eq!((a.status, &a.body), (b.status, &b.body), "{method} {path}");
    }
    for login in [None, Some("x"), Some("__cookie__:x"), Some("a:b")] {
        let begun = Instant::now();
        let a = core.request_as("POST", "/", body, login);
        let b = ours.request_as("POST", "/", body, login);
        assert_eq!((a.status, &a.body), (b.status, &b.body), "{login:?}");
        assert!(
            b.head
                .to_ascii_lowercase()
                .contains("www-authenticate: basic realm=\"jsonrpc\"")
        );
        // Both think about a wrong password for a while.
        assert!(login.is_none() || begun.elapsed() >= Duration::from_millis(500));
    }
    let too_long = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic LOGIN\r\nContent-Length: 40000000\r\n\r\n";
    let login = everett_tests::rpc_client::base64(&everett.cookie());
    let answer = ours.send(too_long.replace("LOGIN", &login).as_bytes());
    assert_eq!(answer.status, 413);
    let answer =
        ours.send(format!("POST / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(9000)).as_bytes());
    assert!(matches!(answer.status, 400 | 431), "{answer:?}");
}

#[test]
fn passwords_hashes_and_whitelists_are_as_core_has_them() {
    // The password of the line is "cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM=".
    let line = "rt:93648e835a54c573682c2eb19f882535$7681e9c5b74bdd85e78166031d2058e1069b3ed7ed967c93fc63abba06f31144";
    let everett = RpcNode::start_with(|config| {
        config.user = "ann".to_owned();
        config.password = "se:cret".to_owned();
        config.auth = vec![line.to_owned()];
        config.whitelist = vec![
            "rt:getblockcount,uptime".to_owned(),
            "rt:getblockcount".to_owned(),
        ];
        config.whitelist_default = Some(false);
    });
    assert!(!everett.directory.path().join(".cookie").exists());
    let ann = RpcClient::new(everett.port, "ann:se:cret");
    let rt = RpcClient::new(
        everett.port,
        "rt:cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM=",
    );
    let call = |client: &RpcClient, body: &str| client.request("POST", "/", body).status;
    assert_eq!(call(&ann, r#"{"method":"uptime"}"#), 200);
    assert_eq!(call(&rt, r#"{"method":"getblockcount"}"#), 200);
    assert_eq!(call(&rt, r#"{"method":"uptime"}"#), 403);
    assert_eq!(
        call(&rt, r#"[{"method":"getblockcount"},{"method":"uptime"}]"#),
        403
    );
    assert_eq!(call(&rt, r#"[{"method":"getblockcount"}]"#), 200);
    assert_eq!(call(&rt, "[1]"), 400);
    assert_eq!(call(&RpcClient::new(everett.port, "ann:x"), "{}"), 401);
}

#[test]
fn more_requests_than_the_queue_holds_are_refused_at_once() {
    let everett = RpcNode::start_with(|config| {
        config.threads = 1;
        config.work_queue = 1;
    });
    let client = everett.client();
    let ledger = everett.ledger().expect("it runs");
    std::thread::scope(|scope| {
        let (answers, answered) = std::sync::mpsc::channel();
        for _ in 0..3 {
            let (client, answers) = (&client, answers.clone());
            scope.spawn(move || {
                let wait = r#"{"method":"waitforblockheight","params":[1]}"#;
                answers.send(client.request("POST", "/", wait))
            });
        }
        // One is worked on and one waits for its turn, until there is a block: whichever is the third is refused.
        let refused = answered.recv().expect("an answer");
        assert_eq!(
            (refused.status, refused.body.as_str()),
            (503, "Work queue depth exceeded")
        );
        let payout = bitcoin::ScriptBuf::from_bytes(vec![0x51]);
        let block = assemble::mine(ledger, &ledger.best(), vec![], &payout, None);
        let submitted = ledger.submit_block(&block.expect("a block"));
        submitted.expect("it is taken");
        for _ in 0..2 {
            assert_eq!(answered.recv().expect("an answer").status, 200);
        }
    });
    assert_eq!(
        client
            .call("uptime", serde_json::json!([]))
            .as_u64()
            .map(|_| ()),
        Some(())
    );
}

#[test]
fn the_cookie_goes_when_the_node_is_stopped_and_waiting_calls_end() {
    let everett = RpcNode::start();
    let path = everett.directory.path().join(".cookie");
    assert!(path.exists());
    let client = everett.client();
    let waiting = {
        let client = client.clone();
        std::thread::spawn(move || client.request("POST", "/", r#"{"method":"waitfornewblock"}"#))
    };
    let begun = Instant::now();
    let waits = || {
        let info = client.call("getrpcinfo", serde_json::json!([]));
        let active = info["active_commands"].as_array().expect("commands");
        active.iter().any(|one| one["method"] == "waitfornewblock")
    };
    while !waits() {
        assert!(begun.elapsed() < PATIENCE, "it does not begin to wait");
    }
    let begun = Instant::now();
    drop(everett);
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "{:?}",
        begun.elapsed()
    );
    let answer = waiting.join().expect("it ends");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!path.exists());
}
