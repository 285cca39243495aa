//! `everett snapshot` and `--from-snapshot`, on real processes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::tempdir;

use crate::daemon::wait_until;
use crate::everett::{Serving, command, everett, on};

/// A call of JSON-RPC, by `everett cli`.
fn rpc(node: &Serving, words: &[&str]) -> String {
    let url = node.ready["rpc"].as_str().unwrap();
    let port = url.trim_end_matches('/').rsplit_once(':').unwrap().1;
    let port = format!("-rpcport={port}");
    let login = ["cli", "-regtest", "-rpcuser=u", "-rpcpassword=p", &port];
    let answer = everett(&[&login[..], words].concat());
    assert_eq!(answer.code, Some(0), "{words:?} {answer:?}");
    answer.stdout.trim().to_owned()
}

const LOGIN: [&str; 8] = [
    "--rpcport",
    "0",
    "--rpcuser",
    "u",
    "--rpcpassword",
    "p",
    "--keypool",
    "5",
];

fn run(directory: &Path, options: &[&str]) -> Serving {
    Serving::run(directory, &[&LOGIN[..], options].concat())
}

#[test]
fn as_many_nodes_as_are_wanted_run_on_copies_of_one_snapshot() {
    let place = tempdir().unwrap();
    let node = run(place.path(), &["--lab"]);
    rpc(&node, &["generate", "101"]);
    let saved = on(place.path(), &["snapshot", "save", "rich", "--json"]);
    assert_eq!(saved.code, Some(0), "{saved:?}");
    assert_eq!(saved.json()["saved"]["best_height"], 101);
    let copies: Vec<Serving> = (0..3)
        .map(|_| run(place.path(), &["--from-snapshot", "rich"]))
        .collect();
    for (count, copy) in copies.iter().enumerate() {
        rpc(copy, &["generate", &(count + 1).to_string()]);
        assert_eq!(rpc(copy, &["getblockcount"]), (102 + count).to_string());
    }
    assert_eq!(rpc(&node, &["getblockcount"]), "101");
    // A copy saves to where it comes from.
    let datadir = copies[2].ready["datadir"].as_str().unwrap().to_owned();
    let again = on(Path::new(&datadir), &["snapshot", "save", "richer"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let listed = on(place.path(), &["snapshot", "list", "--json"]).json();
    let heights: Vec<&Value> = (listed["snapshots"].as_array().unwrap().iter())
        .map(|snapshot| &snapshot["best_height"])
        .collect();
    assert_eq!(heights, [101, 104]);
    let mut copies = copies.into_iter();
    let (first, second) = (copies.next().unwrap(), copies.next().unwrap());
    let held = second.ready["datadir"].as_str().unwrap().to_owned();
    let gone = first.ready["datadir"].as_str().unwrap().to_owned();
    assert!(first.stop("TERM").success());
    assert!(!Path::new(&gone).exists());
    // One that was killed is swept by the next.
    assert!(!second.stop("KILL").success());
    assert!(Path::new(&held).exists());
    let next = run(place.path(), &["--from-snapshot", "rich"]);
    assert!(!Path::new(&held).exists());
    drop((next, copies, node));
}

#[test]
fn a_save_that_is_killed_leaves_nothing_that_is_listed() {
    let place = tempdir().unwrap();
    let node = run(place.path(), &[]);
    rpc(&node, &["generate", "150"]);
    let url = node.url().to_owned();
    // Killed at moments from before its beginning to after its end.
    let mut kept = 0;
    drop(node);
    for (number, pause) in [0, 5, 20, 40, 60, 80, 120, 200, 400].iter().enumerate() {
        let name = format!("s{number}");
        let datadir = place.path().to_str().unwrap();
        let line = [
            "snapshot",
            "save",
            &name,
            "--network",
            "regtest",
            "--datadir",
            datadir,
        ];
        let mut saving = command(&line)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(*pause));
        let _ = saving.kill();
        let _ = saving.wait();
        let listed = on(place.path(), &["snapshot", "list", "--json"]).json();
        let snapshots = listed["snapshots"].as_array().unwrap().clone();
        assert!(
            snapshots
                .iter()
                .all(|snapshot| snapshot["damage"].is_null()),
            "{listed}"
        );
        for snapshot in &snapshots[kept..] {
            let target = tempdir().unwrap();
            let from = place
                .path()
                .join("snapshots")
                .join(snapshot["name"].as_str().unwrap());
            let restored = on(
                target.path(),
                &["snapshot", "restore", from.to_str().unwrap(), "--json"],
            );
            assert_eq!(restored.json()["restored"]["best_height"], 150);
        }
        kept = snapshots.len();
    }
    // What was left is swept by the next one.
    assert_eq!(
        on(place.path(), &["snapshot", "save", "last"]).code,
        Some(0)
    );
    let left = std::fs::read_dir(place.path().join("snapshots"))
        .unwrap()
        .flatten();
    let hidden: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name.to_str().unwrap().starts_with(".saving"))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");
    drop(url);
}

/// What lies in the directory of snapshots and is none: those that were begun.
fn begun(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory.join("snapshots")) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(".saving")).collect()
}

#[test]
fn a_node_that_is_killed_while_it_saves_starts_again_and_its_half_snapshot_is_none() {
    /// Times that it is tried to meet it in the middle.
    const TRIES: u32 = 40;
    let place = tempdir().unwrap();
    let datadir = place.path().to_str().unwrap();
    let mut node = run(place.path(), &[]);
    rpc(&node, &["generate", "150"]);
    let balance = rpc(&node, &["getbalance"]);
    let mut halves = 0;
    for number in 0..TRIES {
        let name = format!("s{number}");
        let line = ["snapshot", "save", &name, "--network", "regtest"];
        let mut saving = command(&[&line[..], &["--datadir", datadir]].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while begun(place.path()).is_empty() && saving.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        assert!(!node.stop("KILL").success());
        let saved = saving.wait().unwrap().success();
        let is_half = !begun(place.path()).is_empty();
        assert!(!(saved && is_half), "it said that {name} is whole");
        node = run(place.path(), &[]);
        assert_eq!(rpc(&node, &["getblockcount"]), "150");
        assert_eq!(rpc(&node, &["getbalance"]), balance);
        let listed = on(place.path(), &["snapshot", "list", "--json"]).json();
        for snapshot in listed["snapshots"].as_array().unwrap() {
            assert!(snapshot["damage"].is_null(), "{listed}");
            assert!(!is_half || snapshot["name"] != name.as_str(), "{listed}");
        }
        if is_half {
            halves += 1;
            // The next one sweeps it, and may have its name.
            let again = on(place.path(), &["snapshot", "save", &name]);
            assert_eq!(again.code, Some(0), "{again:?}");
            assert_eq!(begun(place.path()), [""; 0]);
        }
        if halves == 2 {
            return;
        }
    }
    panic!("{halves} of {TRIES} were met in the middle");
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left() {
    let place = tempdir().unwrap();
    let node = run(place.path(), &[]);
    rpc(&node, &["generate", "101"]);
    drop(node);
    let datadir = place.path().to_str().unwrap();
    // No file may grow beyond so many blocks of 1024 bytes: less than the ledger has.
    let script = "trap '' XFSZ; ulimit -f 60; exec \"$@\"";
    let answer = Command::new("bash")
        .args(["-c", script, "limited", env!("CARGO_BIN_EXE_everett")])
        .args([
            "snapshot",
            "save",
            "big",
            "--json",
            "--network",
            "regtest",
            "--datadir",
            datadir,
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
    assert!(told.contains("DISK_FULL"), "{told}");
    let left: Vec<_> = std::fs::read_dir(place.path().join("snapshots"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left, [".lock"]);
    assert_eq!(on(place.path(), &["snapshot", "save", "big"]).code, Some(0));
}

#[test]
fn every_refusal_has_a_reason() {
    let place = tempdir().unwrap();
    let refused = |words: &[&str]| {
        let answer = on(place.path(), &[&["snapshot"], words, &["--json"]].concat());
        assert_ne!(answer.code, Some(0), "{words:?}");
        answer.error()["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(&["save", "s"]), "NO_LEDGER");
    let node = run(place.path(), &[]);
    assert_eq!(on(place.path(), &["snapshot", "save", "s"]).code, Some(0));
    assert_eq!(refused(&["save", "s"]), "SNAPSHOT_EXISTS");
    assert_eq!(refused(&["save", "../s"]), "INVALID_ARGUMENT");
    assert_eq!(refused(&["restore", "s", "--force"]), "IN_USE");
    let url = node.url();
    let over_grpc = everett(&["snapshot", "list", "--json", "--connect", url]);
    assert_eq!(over_grpc.json()["snapshots"][0]["name"], "s");
    drop(node);
    assert_eq!(refused(&["restore", "s"]), "NOT_EMPTY");
    assert_eq!(refused(&["restore", "none"]), "SNAPSHOT_UNKNOWN");
    assert_eq!(refused(&["delete", "none"]), "SNAPSHOT_UNKNOWN");
    let datadir = place.path().to_str().unwrap();
    let other = [
        "snapshot",
        "restore",
        "s",
        "--json",
        "--network",
        "signet",
        "--datadir",
        datadir,
    ];
    assert_eq!(everett(&other).error()["reason"], "OTHER_NETWORK");
    let tables = place.path().join("snapshots/s/data.mdb");
    std::fs::write(&tables, "nothing").unwrap();
    assert_eq!(refused(&["restore", "s", "--force"]), "SNAPSHOT_DAMAGED");
    let listed = on(place.path(), &["snapshot", "list"]);
    assert!(listed.stdout.contains("is damaged"), "{listed:?}");
    assert_eq!(on(place.path(), &["snapshot", "delete", "s"]).code, Some(0));
}

#[test]
fn a_service_manager_is_told_of_the_beginning_and_the_end() {
    use std::os::unix::net::UnixDatagram;
    let place = tempdir().unwrap();
    let socket = place.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let datadir = place.path().join("data");
    let mut node = command(&[
        "run",
        "--network",
        "regtest",
        "--grpc",
        "127.0.0.1:0",
        "--no-rpc",
        "--datadir",
    ])
    .arg(&datadir)
    .env("NOTIFY_SOCKET", &socket)
    .env("WATCHDOG_USEC", "400000")
    .stdout(Stdio::null())
    .spawn()
    .unwrap();
    let heard = || {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    assert_eq!(heard(), "READY=1\nSTATUS=height 0, 1 world");
    for _ in 0..3 {
        assert_eq!(heard(), "WATCHDOG=1\nSTATUS=height 0, 1 world");
    }
    let id = node.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", "TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    wait_until("it is told of the end", || {
        heard() == "STOPPING=1\nSTATUS=stopping"
    });
    assert!(node.wait().unwrap().success());
}
