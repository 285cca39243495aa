use clap::{Command, CommandFactory, Parser};

use super::pay::Recipient;
use super::say::GivenPsbt;
use super::*;

#[test]
fn a_rate_is_of_a_virtual_byte_and_exact() {
    assert_eq!("1".parse(), Ok(Rate(1_000)));
    assert_eq!("12.5".parse(), Ok(Rate(12_500)));
    assert_eq!("0.001".parse(), Ok(Rate(1)));
    for wrong in [
        "",
        ".",
        "1.",
        ".5",
        "-1",
        "1e3",
        "1.0001",
        "99999999999999999999",
    ] {
        assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
    }
}

#[test]
fn a_recipient_is_an_address_and_what_it_gets() {
    let recipient: Recipient = "bcrt1qxy=1.5".parse().unwrap();
    assert_eq!(recipient.address, "bcrt1qxy");
    assert_eq!(
        recipient.amount.map(|amount| amount.to_sat()),
        Some(150_000_000)
    );
    assert_eq!("a=all".parse::<Recipient>().unwrap().amount, None);
    for wrong in ["bcrt1qxy", "a=", "a=-1", "a=1.123456789", "a=1 BTC"] {
        assert!(wrong.parse::<Recipient>().is_err(), "{wrong}");
    }
}

#[test]
fn what_is_handed_over_says_itself_whether_it_is_a_psbt() {
    assert_eq!("0200".parse(), Ok(Given::Transaction(vec![2, 0])));
    let psbt: Given = "cHNidP8B".parse().unwrap();
    assert!(matches!(psbt, Given::Psbt(_)));
    assert!("zz!".parse::<Given>().is_err());
    assert!("0200".parse::<GivenPsbt>().is_err());
}

#[test]
fn what_is_sent_as_it_is_has_no_wishes_beside_it() {
    let send = |more: &[&str]| {
        let line = ["everett", "wallet", "send", "--raw", "0200"];
        crate::args::Cli::try_parse_from(line.iter().chain(more))
    };
    assert!(send(&[]).is_ok());
    assert!(send(&["--max-fee", "0.1", "--request-id", "a"]).is_ok());
    for wish in [
        &["--comment", "rent"][..],
        &["--comment-to", "Alice"],
        &["--fee-rate", "5"],
        &["--target", "3"],
        &["--change", "bcrt1qxy"],
        &["--change-kind", "bech32"],
        &["--untrusted"],
        &["--fee-from-amount"],
        &["--not-replaceable"],
        &["--in", "best"],
    ] {
        let error = send(wish).err().map(|error| error.kind());
        let conflict = Some(clap::error::ErrorKind::ArgumentConflict);
        assert_eq!(error, conflict, "{wish:?}");
    }
}

#[test]
fn the_help_of_every_command_has_an_example() {
    fn without(command: &Command, path: &str, found: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        if command.get_subcommands().next().is_none() {
            let shown = command.get_after_help().map(ToString::to_string);
            if !shown.is_some_and(|help| help.starts_with("Example")) {
                found.push(path.clone());
            }
        }
        for inner in command.get_subcommands() {
            without(inner, &path, found);
        }
    }
    let cli = crate::args::Cli::command();
    let wallet = cli.find_subcommand("wallet").unwrap();
    let mut found = Vec::new();
    without(wallet, "everett", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
