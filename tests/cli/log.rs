//! The binary log of a node, and `everett log`: over a kill, damage, rotation and pipes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use crate::everett::{Answer, Serving, command, everett_reading, on};

fn mine(directory: &Path, count: u32) {
    let script = format!("mine(\"best\", {count})");
    let answer = on(directory, &["console", "-e", &script]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
}

fn lab(directory: &Path, options: &[&str]) -> Serving {
    Serving::run(
        directory,
        &[&["--lab", "--console-allow-write"], options].concat(),
    )
}

/// The records of a log as JSON.
fn records(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let lines = answer.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn cat(directory: &Path, options: &[&str]) -> Vec<Value> {
    records(&on(
        directory,
        &[&["log", "cat", "--json"], options].concat(),
    ))
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record["kind"].as_str().unwrap())
        .collect()
}

/// Heights of the events of this kind, once there are as many as wanted.
fn heights(directory: &Path, kind: &str, wanted: usize) -> Vec<u64> {
    let started = Instant::now();
    loop {
        let found = cat(directory, &["--kind", kind]);
        if found.len() >= wanted {
            return found
                .iter()
                .map(|event| event["to_height"].as_u64().unwrap())
                .collect();
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{found:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_run_is_in_the_log_from_its_start_to_its_end() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = lab(path, &[]);
    mine(path, 3);
    assert_eq!(on(path, &["console", "-e", "invalidate(2)"]).code, Some(0));
    assert_eq!(heights(path, "BestChanged", 4), [1, 2, 3, 1]);
    assert!(node.stop("TERM").success());
    let all = cat(path, &[]);
    assert_eq!(kinds(&all)[0], "node-started");
    assert_eq!(kinds(&all).last(), Some(&"node-stopped"));
    assert_eq!(all.last().unwrap()["best_height"], 1);
    assert_eq!(all[0]["network"], "regtest");
    assert_eq!(all[0]["lab"], true);
    let seqs: Vec<u64> = all
        .iter()
        .map(|record| record["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    let reorganised = &cat(path, &["--kind", "best-changed"])[3];
    assert_eq!(reorganised["undone_count"], 2);
    let invalid = cat(path, &["--kind", "block-invalid"]);
    assert_eq!(invalid[0]["to_height"], 2);
    let frontends = cat(path, &["--kind", "frontend"]);
    for (name, state) in [("grpc", "running"), ("console", "stopped")] {
        let found = frontends
            .iter()
            .any(|record| record["name"] == name && record["state"] == state);
        assert!(found, "{name} {state}: {frontends:?}");
    }
    // Times, and the same as text.
    assert_eq!(cat(path, &["--since", "1h"]).len(), all.len());
    assert!(cat(path, &["--since", "2999-01-01"]).is_empty());
    let text = on(path, &["log", "cat", "--kind", "node"]).stdout;
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("node-started"), "{text}");
    for wrong in [["--since", "soon"], ["--kind", "nothing"]] {
        assert_eq!(
            on(path, &[&["log", "cat"][..], &wrong].concat()).code,
            Some(2)
        );
    }
}

#[test]
fn no_event_is_missing_after_kills() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    for round in 0..3 {
        let node = lab(path, &[]);
        mine(path, 5);
        heights(path, "best-changed", 5 * round);
        // Killed, perhaps with events that are not written yet.
        drop(node);
    }
    let node = lab(path, &[]);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut seen = heights(path, "best-changed", 15);
        seen.sort_unstable();
        seen.dedup();
        if seen == (1..=15).collect::<Vec<u64>>() {
            break;
        }
        assert!(Instant::now() < deadline, "{seen:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(node.stop("TERM").success());
    let starts = cat(path, &["--kind", "node-started"]).len();
    let stops = cat(path, &["--kind", "node-stopped"]).len();
    assert_eq!((starts, stops), (4, 1));
}

#[test]
fn damage_costs_what_is_damaged_and_is_told() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = lab(path, &[]);
    mine(path, 4);
    heights(path, "best-changed", 4);
    assert!(node.stop("TERM").success());
    let whole = cat(path, &[]).len();
    let file = path.join("log/everett-000001.log");
    let mut bytes = std::fs::read(&file).unwrap();
    // A record loses a byte, one is torn, and something else lies between.
    let middle = bytes.len() / 2;
    bytes.remove(middle);
    let mut damaged = b"not a log".to_vec();
    damaged.extend(&bytes);
    damaged.extend(&bytes[..20]);
    std::fs::write(&file, &damaged).unwrap();
    let answer = on(path, &["log", "cat", "--json"]);
    let left = records(&answer).len();
    assert!(left == whole - 1, "{left} of {whole}");
    assert!(answer.stderr.contains("skipped_bytes\":9"), "{answer:?}");
    // From a pipe it is the same.
    let piped = everett_reading(
        &["log", "cat", "--json", "-"],
        std::fs::File::open(&file).unwrap(),
    );
    assert_eq!(records(&piped).len(), left);
    // A node goes on after a torn record.
    let node = lab(path, &[]);
    assert!(node.stop("TERM").success());
    assert_eq!(kinds(&cat(path, &[])).last(), Some(&"node-stopped"));
}

#[test]
fn the_log_is_followed_while_its_files_turn_over() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = lab(path, &["--log-size", "2000", "--log-files", "3"]);
    let mut follower = Following::start(path, &["--kind", "best-changed", "--json"]);
    for round in 0..4u64 {
        mine(path, 10);
        for height in round * 10 + 1..=round * 10 + 10 {
            assert_eq!(follower.next()["to_height"], height);
        }
    }
    assert!(node.stop("TERM").success());
    let mut files: Vec<String> = std::fs::read_dir(path.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(
        !files.contains(&"everett-000001.log".to_owned()),
        "{files:?}"
    );
    let mut child = follower.child;
    child.kill().unwrap();
    child.wait().unwrap();
    // What is there already is shown first, as much of it as is asked for.
    let mut follower = Following::start(path, &["-n", "1", "--json"]);
    assert_eq!(follower.next()["kind"], "node-stopped");
    follower.child.kill().unwrap();
    follower.child.wait().unwrap();
}

/// `log follow`, line by line.
struct Following {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Following {
    fn start(directory: &Path, options: &[&str]) -> Following {
        let directory = directory.to_str().unwrap();
        let common = [
            "log",
            "follow",
            "--network",
            "regtest",
            "--datadir",
            directory,
        ];
        let mut child = command(&[&common, options].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Following { child, lines }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

#[test]
fn without_a_log_there_is_none_and_it_says_so() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = lab(path, &["--no-log"]);
    assert!(node.stop("TERM").success());
    assert!(!path.join("log").exists());
    let answer = on(path, &["log", "cat", "--json"]);
    assert_eq!(answer.error()["reason"], "NO_LOG");
}

#[test]
fn what_is_said_on_standard_error_has_no_colours_in_a_file_and_may_be_json() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let datadir = path.to_str().unwrap();
    let run = |format: &str| {
        let mut child = command(&[
            "run",
            "--network",
            "regtest",
            "--datadir",
            datadir,
            "--grpc",
            "127.0.0.1:0",
            "-v",
            "--log-format",
            format,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let mut ready = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut ready).unwrap();
        assert!(ready.starts_with("ready: "), "{ready}");
        let id = child.id().to_string();
        let kill = std::process::Command::new("kill").arg(&id).status();
        assert!(kill.unwrap().success());
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let text = run("text");
    assert!(text.contains("INFO") && !text.contains('\x1b'), "{text:?}");
    let lines = run("json");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string(), "{line}");
    }
    assert!(lines.lines().count() > 2, "{lines}");
}

#[test]
fn a_pipe_that_is_closed_is_no_failure() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = lab(path, &[]);
    mine(path, 100);
    heights(path, "best-changed", 100);
    assert!(node.stop("TERM").success());
    let datadir = path.to_str().unwrap();
    let mut child = command(&["log", "cat", "--network", "regtest", "--datadir", datadir])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // Nothing is nothing.
    let empty = tempfile::tempfile().unwrap();
    let answer = everett_reading(&["log", "cat", "-"], empty);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), ""));
    let mut garbage = tempfile::tempfile().unwrap();
    garbage.write_all(&[0x9e; 100_000]).unwrap();
    std::io::Seek::rewind(&mut garbage).unwrap();
    let answer = everett_reading(&["log", "cat", "-"], garbage);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), ""));
    assert!(answer.stderr.contains("100000 bytes"), "{answer:?}");
}

#[test]
fn messages_of_peers_are_in_the_log_and_read_back_by_peer_and_name() {
    let (ours, theirs) = (tempdir().unwrap(), tempdir().unwrap());
    let path = ours.path();
    let other = lab(theirs.path(), &["--serve", "127.0.0.1:0"]);
    mine(theirs.path(), 20);
    let address = other.ready["p2p"][0].as_str().unwrap().to_owned();
    let options = ["--connect", &address, "--log-packets=100"];
    let node = Serving::run(path, &options);
    let started = Instant::now();
    while cat(path, &["--message", "block"]).len() < 20 {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(node.stop("TERM").success());
    let blocks = cat(path, &["--message", "block", "--peer", &address]);
    for block in &blocks {
        assert_eq!(block["kind"], "packet");
        assert_eq!(block["direction"], "received");
        assert_eq!(block["peer"], *address);
        assert_eq!(block["command"], "block");
        // As much of it as was asked for, and how long it was.
        assert_eq!(block["payload"].as_str().unwrap().len(), 200);
        assert!(block["payload_bytes"].as_u64().unwrap() > 100);
    }
    let number = blocks[0]["connection_id"].to_string();
    let packets = cat(path, &["--kind", "packet"]);
    assert_eq!(cat(path, &["--peer", &number]).len(), packets.len());
    assert!(packets.iter().any(|packet| packet["direction"] == "sent"));
    assert!(cat(path, &["--peer", "192.0.2.1"]).is_empty());
    // Beside whatever else happens to the node.
    assert!(!cat(path, &["--kind", "tip-extended"]).is_empty());
    let text = on(
        path,
        &["log", "cat", "--message", "version", "--message", "verack"],
    );
    let told = format!("from peer {number} at {address}: verack, 0 bytes");
    assert!(text.stdout.contains(&told), "{text:?}");
    // The network's own library reads them out of the node's log.
    let file = path.join("log/everett-000001.log");
    let reader = everett_net::capture::Reader::open(&file).unwrap();
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(read.len(), packets.len());
    let whole = read.iter().filter_map(|packet| packet.message()).count();
    assert!((1..read.len()).contains(&whole), "{whole}");
    for wrong in [
        ["--message", "far-too-long-a-name"],
        ["--peer", "example.org"],
    ] {
        let answer = on(path, &[&["log", "cat"][..], &wrong].concat());
        assert_eq!(answer.code, Some(2), "{answer:?}");
    }
}

#[test]
fn packets_without_a_log_to_go_to_are_wrong_usage() {
    let directory = tempdir().unwrap();
    let config = directory.path().join("everett.toml");
    std::fs::write(
        &config,
        "no_log = true\nlog_packets = 10\nserve = [\"127.0.0.1:0\"]\n",
    )
    .unwrap();
    let config = ["run", "--config", config.to_str().unwrap()];
    let answer = on(directory.path(), &config);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert!(answer.stderr.contains("--log-packets"), "{answer:?}");
}
