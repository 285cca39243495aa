//! The Python client, in an environment of its own below `target/`.
//!
//! Where there is no Python, or no grpcio for it can be had, the test says so and passes.

use std::path::{Path, PathBuf};
use std::process::Command;

use bitcoin::{Amount, KnownHrp};
use everett_lab::{At, Lab};
use everett_tests::python::{run, with_grpc};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn a_python_client_asks_two_worlds_and_makes_another_the_best() {
    let python = match with_grpc(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(python) => python,
        Err(why) => {
            eprintln!("skipped: no Python with grpcio can be had: {why}");
            return;
        }
    };
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    let ready = lab.fund(&alice).unwrap();
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let paid = lab.mine(&ready, [payment]).unwrap();
    let paid = lab.grow(&paid, 1).unwrap();
    let other = lab.grow(&ready, 1).unwrap();
    let server = lab.serve().unwrap();
    let output = run(Command::new(python)
        .arg(repository().join("tests/lab/examples/two_worlds.py"))
        .arg(server.address().to_string())
        .arg(repository().join("proto"))
        .arg(bob.address(KnownHrp::Regtest).to_string()))
    .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let short = &other.hash().to_string()[..16];
    let mined = format!("2 blocks on {short}");
    let expected = [
        "best height 102: 100000000 sat",
        "     height 101: 0 sat",
        &mined,
        "best height 103: 0 sat",
        "     height 102: 100000000 sat",
    ];
    assert_eq!(lines, expected);
    lab.expect(At::Best).height(103).balance(&bob, Amount::ZERO);
    lab.expect(&paid).not_best().balance(&bob, Amount::ONE_BTC);
}
