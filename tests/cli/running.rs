//! `everett run`: one writer a directory, readers beside it, an ordered end.

use tempfile::tempdir;

use crate::everett::{Serving, everett, on};

#[test]
fn both_signals_end_it_in_order_and_it_starts_again() {
    let directory = tempdir().unwrap();
    for signal in ["TERM", "INT"] {
        let node = Serving::run(directory.path(), &[]);
        assert_eq!(node.ready["network"], "regtest");
        assert_eq!(node.ready["best_height"], 0);
        assert!(node.stop(signal).success(), "{signal}");
    }
}

#[test]
fn a_second_writer_is_refused_with_a_clear_message_and_readers_are_not() {
    let directory = tempdir().unwrap();
    let node = Serving::run(directory.path(), &[]);
    let second = on(directory.path(), &["run", "--grpc", "127.0.0.1:0"]);
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains("in use by another process"),
        "{second:?}"
    );
    assert_eq!(second.stderr.lines().count(), 1);
    let import = on(directory.path(), &["import", "--json", "/dev/null"]);
    assert_eq!(import.error()["reason"], "IN_USE");
    assert_eq!(on(directory.path(), &["worlds"]).code, Some(0));
    assert!(node.stop("TERM").success());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let directory = tempdir().unwrap();
    let node = Serving::run(directory.path(), &[]);
    let port = node.url().strip_prefix("http://").unwrap();
    let other = tempdir().unwrap();
    let answer = on(other.path(), &["run", "--grpc", port]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains(port), "{answer:?}");
}

#[test]
fn a_token_is_asked_for() {
    let directory = tempdir().unwrap();
    let node = Serving::run(directory.path(), &["--grpc-token", "open-sesame"]);
    let url = node.url();
    let without = everett(&["worlds", "--json", "--connect", url]);
    assert_eq!(without.code, Some(1));
    assert_eq!(without.error()["reason"], "UNAUTHENTICATED");
    let with = everett(&["worlds", "--connect", url, "--token", "open-sesame"]);
    assert_eq!(with.code, Some(0), "{with:?}");
}

#[test]
fn nobody_answering_is_a_failure_that_says_so() {
    let answer = everett(&["worlds", "--json", "--connect", "http://127.0.0.1:1"]);
    assert_eq!(answer.code, Some(1));
    assert_eq!(answer.error()["reason"], "UNREACHABLE");
}

#[test]
fn a_server_of_another_network_is_refused() {
    let directory = tempdir().unwrap();
    let node = Serving::run(directory.path(), &[]);
    let answer = everett(&[
        "worlds",
        "--json",
        "--network",
        "signet",
        "--connect",
        node.url(),
    ]);
    assert_eq!(answer.code, Some(1));
    assert_eq!(answer.error()["reason"], "OTHER_NETWORK");
}

#[test]
fn a_lab_on_mainnet_is_wrong_usage() {
    let directory = tempdir().unwrap();
    let datadir = directory.path().to_str().unwrap();
    let answer = everett(&["run", "--lab", "--datadir", datadir]);
    assert_eq!(answer.code, Some(2));
    assert!(answer.stderr.contains("mainnet"), "{answer:?}");
}

#[test]
fn listening_beyond_this_machine_without_a_token_is_wrong_usage() {
    let directory = tempdir().unwrap();
    let answer = on(directory.path(), &["run", "--grpc", "0.0.0.0:0"]);
    assert_eq!(answer.code, Some(2));
    assert!(answer.stderr.contains("--grpc-token"), "{answer:?}");
}
