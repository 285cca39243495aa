//! Wrong usage, settings from a file, help.

use tempfile::tempdir;

use crate::everett::{everett, on};

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let nothing: [&str; 0] = [];
    assert_eq!(everett(&nothing).code, Some(2));
    for arguments in [
        &["frobnicate"][..],
        &["worlds", "--no-such-option"],
        &["import"],
        &["balance"],
        &["worlds", "--network", "testnet5"],
        &["worlds", "--connect", "localhost:1"],
        &[
            "worlds",
            "--connect",
            "http://localhost:1",
            "--datadir",
            "/tmp",
        ],
        &["worlds", "--signet-challenge", "51"],
        &[
            "worlds",
            "--network",
            "regtest",
            "--testactivationheight",
            "segwit",
        ],
        &[
            "worlds",
            "--network",
            "regtest",
            "--testactivationheight",
            "taproot@1",
        ],
        &["lab", "no-such-scenario.toml", "--exit"],
    ] {
        let answer = everett(arguments);
        assert_eq!(answer.code, Some(2), "{arguments:?} {answer:?}");
        assert!(!answer.stderr.is_empty() && answer.stdout.is_empty());
        let json = everett(&[arguments, &["--json"]].concat());
        assert_eq!(
            (json.code, json.error()["code"].as_i64()),
            (Some(2), Some(2))
        );
    }
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["import", "--help"],
        &["lab", "-h"],
    ] {
        let answer = everett(arguments);
        assert_eq!(answer.code, Some(0), "{arguments:?}");
        assert!(!answer.stdout.is_empty());
    }
    assert!(everett(&["import", "--help"]).stdout.contains("Examples:"));
}

#[test]
fn a_directory_without_a_ledger_is_named_and_not_made() {
    let directory = tempdir().unwrap();
    let data = directory.path().join("none");
    let answer = on(&data, &["worlds", "--json"]);
    assert_eq!(answer.code, Some(1));
    assert_eq!(answer.error()["reason"], "NO_LEDGER");
    assert!(!data.exists());
}

#[test]
fn a_directory_of_another_network_is_refused() {
    let directory = tempdir().unwrap();
    on(directory.path(), &["import", "--json", "/dev/null"]);
    let datadir = directory.path().to_str().unwrap();
    let answer = everett(&[
        "worlds",
        "--json",
        "--network",
        "signet",
        "--datadir",
        datadir,
    ]);
    assert_eq!(answer.code, Some(1));
    assert_eq!(answer.error()["reason"], "OTHER_NETWORK");
}

#[test]
fn settings_come_from_a_file_and_a_misspelt_key_is_named() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("everett.toml");
    let data = directory.path().join("data");
    let config = file.to_str().unwrap();
    std::fs::write(
        &file,
        format!("network = \"regtest\"\ndatadir = {data:?}\n"),
    )
    .unwrap();
    assert_eq!(
        everett(&["import", "--config", config, "/dev/null"]).code,
        Some(0)
    );
    assert_eq!(everett(&["worlds", "--config", config]).code, Some(0));
    std::fs::write(&file, "network = \"regtest\"\ndatdir = \"x\"\n").unwrap();
    let answer = everett(&["worlds", "--config", config]);
    assert_eq!(answer.code, Some(2));
    assert!(
        answer.stderr.contains("line 2: unknown field `datdir`"),
        "{answer:?}"
    );
}
