//! `everett lab`: histories, played, shown and served.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::everett::{Serving, everett};

#[test]
fn the_built_in_scenario_has_three_worlds_with_balances_by_name() {
    let answer = everett(&["lab", "--exit", "--json"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_eq!(answer.stderr, "");
    let lab = answer.json();
    let worlds = lab["worlds"].as_array().unwrap();
    assert_eq!(worlds.len(), 3);
    for world in worlds {
        assert_eq!(world["tip_hash"].as_str().unwrap().len(), 64);
        assert!(world["height"].is_u64() && world["best"].is_boolean());
        assert!(
            world["balances"]
                .as_object()
                .unwrap()
                .values()
                .all(Value::is_i64)
        );
    }
    assert_eq!(worlds[0]["status"], "active");
    assert_eq!(worlds[0]["balances"]["bob"], 0);
    assert_eq!(worlds[1]["status"], "valid-fork");
    assert_eq!(worlds[1]["balances"]["bob"], 2_000_000_000);
    assert_eq!(
        everett(&["lab", "--exit", "--json"]).json()["worlds"],
        lab["worlds"]
    );
}

#[test]
fn every_shipped_scenario_plays_and_can_be_printed() {
    let directory = tempdir().unwrap();
    for name in ["double-spend", "deep-reorganisation", "tie"] {
        let printed = everett(&["lab", "--print", name]);
        assert_eq!(printed.code, Some(0));
        let file = directory.path().join("mine.toml");
        std::fs::write(&file, &printed.stdout).unwrap();
        let answer = everett(&["lab", file.to_str().unwrap(), "--exit"]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        assert!(answer.stdout.contains("WORLD"), "{answer:?}");
    }
}

#[test]
fn an_expectation_that_does_not_hold_fails_and_is_named() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("wrong.toml");
    let text = "title = \"T\"\n[parties]\nalice = \"p2wpkh\"\n[[step]]\nmine = 1\nby = \"alice\"\n\
                as = \"one\"\n[[step]]\nexpect.balances.one = { alice = \"49 BTC\" }\n";
    std::fs::write(&file, text).unwrap();
    // Also without --exit: a history that is not as expected is not served.
    let answer = everett(&[
        "lab",
        file.to_str().unwrap(),
        "--json",
        "--grpc",
        "127.0.0.1:0",
    ]);
    assert_eq!(answer.code, Some(1));
    assert_eq!(answer.json()["unmet"][0]["step"], json!(2));
    let error = answer.error();
    assert_eq!(error["reason"], "EXPECTATION_UNMET");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("wrong.toml") && message.contains("step 2 (line 8)"),
        "{message}"
    );
    assert!(
        message.contains("expected alice to have 49 BTC at one, but it is 50 BTC"),
        "{message}"
    );
}

#[test]
fn a_malformed_scenario_is_named_with_its_line() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("bad.toml");
    std::fs::write(&file, "title = \"T\"\n[[step]]\nmine = 1\non = \"x\"\n").unwrap();
    let answer = everett(&["lab", file.to_str().unwrap(), "--exit"]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.stderr.contains("bad.toml: line 2, step 1:"),
        "{answer:?}"
    );
}

#[test]
fn it_serves_its_worlds_until_it_is_told_to_stop() {
    let lab = Serving::start(&["lab", "--json", "--grpc", "127.0.0.1:0"], "worlds");
    let url = lab.url();
    let world = &lab.ready["worlds"][1];
    let tip = world["tip_hash"].as_str().unwrap();
    let bob = lab.ready["parties"][1]["address"].as_str().unwrap();
    let answer = everett(&["balance", "--json", "--connect", url, "--at", tip, bob]);
    let balances = &answer.json()["balances"];
    assert_eq!(balances[0]["confirmed_sat"], world["balances"]["bob"]);
    let datadir = lab.ready["datadir"].as_str().unwrap().to_owned();
    assert!(std::path::Path::new(&datadir).exists());
    assert!(lab.stop("INT").success());
    assert!(
        !std::path::Path::new(&datadir).exists(),
        "the temporary directory goes with it"
    );
}

#[test]
fn a_named_directory_stays() {
    let directory = tempdir().unwrap();
    let data = directory.path().join("data");
    let datadir = data.to_str().unwrap();
    let answer = everett(&["lab", "tie", "--exit", "--json", "--datadir", datadir]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let worlds = everett(&[
        "worlds",
        "--network",
        "regtest",
        "--datadir",
        datadir,
        "--json",
    ]);
    assert_eq!(worlds.json()["worlds"].as_array().unwrap().len(), 2);
}

#[test]
fn a_lab_on_mainnet_is_wrong_usage() {
    let answer = everett(&["lab", "--network", "mainnet", "--exit"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
}
