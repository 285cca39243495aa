//! `everett lab record`, `replay` and `--chaos`.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use crate::everett::{Answer, Serving, everett, on};

/// Plays a scenario with a double spend into a directory, and takes a block of it back.
fn history(directory: &Path) {
    let datadir = directory.to_str().unwrap();
    let answer = everett(&[
        "lab",
        "double-spend",
        "--exit",
        "--json",
        "--datadir",
        datadir,
    ]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
}

/// Hash, status and whether it is the best one, of each tip.
fn tips(worlds: &Answer) -> Vec<(String, String, bool)> {
    let worlds = worlds.json();
    let tip = |world: &Value| {
        let text = |key: &str| world[key].as_str().unwrap().to_owned();
        (
            text("tip_hash"),
            text("status"),
            world["best"].as_bool().unwrap(),
        )
    };
    worlds["worlds"]
        .as_array()
        .unwrap()
        .iter()
        .map(tip)
        .collect()
}

fn replayed(file: &Path, into: &Path) -> Value {
    let (file, datadir) = (file.to_str().unwrap(), into.to_str().unwrap());
    let answer = everett(&[
        "lab",
        "replay",
        file,
        "--exit",
        "--json",
        "--datadir",
        datadir,
    ]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.json()
}

#[test]
fn a_directory_is_recorded_and_replayed_into_another_one() {
    let directory = tempdir().unwrap();
    let (from, into) = (directory.path().join("from"), directory.path().join("into"));
    let file = directory.path().join("fork.everett");
    history(&from);
    let name = file.to_str().unwrap();
    let recorded = on(&from, &["lab", "record", "--json", name]);
    assert_eq!(recorded.code, Some(0), "{recorded:?}");
    let entries = recorded.json()["entries"].as_u64().unwrap();
    assert!(entries > 100);
    let replay = replayed(&file, &into);
    assert_eq!(replay["accepted"].as_u64(), Some(entries));
    assert_eq!(
        (&replay["ending"], &replay["refused"]),
        (&"whole".into(), &0.into())
    );
    let wanted = tips(&on(&from, &["worlds", "--json"]));
    assert_eq!(tips(&on(&into, &["worlds", "--json"])), wanted);
    assert!(wanted.len() > 1);
    // A recording is not written over.
    let again = on(&from, &["lab", "record", "--json", name]);
    assert_eq!(again.error()["reason"], "FILE_FAILED");
}

#[test]
fn a_running_node_is_recorded_over_grpc() {
    let directory = tempdir().unwrap();
    let (from, into) = (directory.path().join("from"), directory.path().join("into"));
    let file = directory.path().join("fork.everett");
    history(&from);
    let node = Serving::run(&from, &[]);
    let name = file.to_str().unwrap();
    let recorded = everett(&["lab", "record", "--connect", node.url(), "--json", name]);
    assert_eq!(recorded.code, Some(0), "{recorded:?}");
    let replay = replayed(&file, &into);
    assert_eq!(replay["entries"], recorded.json()["entries"]);
    let wanted = tips(&everett(&["worlds", "--connect", node.url(), "--json"]));
    assert_eq!(tips(&on(&into, &["worlds", "--json"])), wanted);
}

#[test]
fn a_replay_is_served_while_it_lasts_and_after() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("fork.everett");
    let from = directory.path().join("from");
    history(&from);
    let name = file.to_str().unwrap();
    assert_eq!(on(&from, &["lab", "record", name]).code, Some(0));
    let served = Serving::start(
        &["lab", "replay", name, "--json", "--grpc", "127.0.0.1:0"],
        "entries",
    );
    let found = tips(&everett(&["worlds", "--connect", served.url(), "--json"]));
    assert_eq!(found, tips(&on(&from, &["worlds", "--json"])));
    assert!(served.stop("INT").success());
}

#[test]
fn damage_other_files_and_other_networks_are_named() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("fork.everett");
    let from = directory.path().join("from");
    history(&from);
    let name = file.to_str().unwrap();
    assert_eq!(on(&from, &["lab", "record", name]).code, Some(0));
    let bytes = std::fs::read(&file).unwrap();
    let replay = |bytes: &[u8], more: &[&str]| {
        let bad = directory.path().join("bad");
        std::fs::write(&bad, bytes).unwrap();
        let bad = bad.to_str().unwrap();
        everett(&[&["lab", "replay", bad, "--exit", "--json"], more].concat())
    };
    let mut damaged = bytes.clone();
    let last = damaged.len() - 40;
    damaged[last] ^= 4;
    let error = replay(&damaged, &[]).error();
    assert_eq!(error["reason"], "RECORDING_MALFORMED");
    assert!(
        error["message"].as_str().unwrap().contains("at offset"),
        "{error}"
    );
    let torn = replay(&bytes[..bytes.len() - 40], &[]);
    assert_eq!(torn.code, Some(0));
    assert_eq!(torn.json()["ending"], "torn");
    assert!(torn.json()["torn_bytes"].as_u64().unwrap() > 0);
    let error = replay(b"something else", &[]).error();
    assert_eq!(error["reason"], "RECORDING_MALFORMED");
    let error = replay(&bytes, &["--network", "signet"]).error();
    assert_eq!(error["reason"], "OTHER_NETWORK");
    let missing = everett(&["lab", "replay", "no-such-file", "--json"]).error();
    assert_eq!(missing["reason"], "FILE_FAILED");
    let wrong = everett(&["lab", "replay", name, "--pace", "fast"]);
    assert_eq!(wrong.code, Some(2));
}

#[test]
fn chaos_reorganises_a_served_chain_until_it_is_told_to_stop() {
    let chaos = Serving::start(
        &[
            "lab",
            "--chaos",
            "--seed",
            "3",
            "--rate",
            "20",
            "--json",
            "--grpc",
            "127.0.0.1:0",
        ],
        "ready",
    );
    assert_eq!(chaos.ready["seed"], 3);
    assert!(chaos.ready["web"].is_string());
    let started = Instant::now();
    loop {
        let worlds = everett(&["worlds", "--connect", chaos.url(), "--json"]);
        let tips = tips(&worlds);
        let height = worlds.json()["worlds"][0]["height"].as_u64().unwrap();
        if tips.len() > 2 && height > 120 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{worlds:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(chaos.stop("INT").success());
    let wrong = everett(&["lab", "--chaos", "--network", "signet"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert_eq!(everett(&["lab", "--seed", "3"]).code, Some(2));
}
