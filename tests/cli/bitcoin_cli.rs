//! `everett cli`: a client that asks, prints and fails as Core's does, of our node and of Core's.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use everett_tests::ports::free_port;
use tempfile::tempdir;

use crate::daemon::{Daemon, cli, cores};
use crate::everett::{Answer, command};

/// The first block of regtest.
const GENESIS: &str = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";

/// Calls that both clients are to answer alike, whatever the node is.
const CALLS: &[&[&str]] = &[
    &["getblockcount"],
    &["getblockhash", "0"],
    &["getblockhash", "7"],
    &["getblockhash", "x"],
    &["getblock", GENESIS, "0"],
    &["getblock", GENESIS],
    &["getblock", "00"],
    &["getblockstats", "0", "[\"height\",\"txs\"]"],
    &["getblockheader", GENESIS, "true"],
    &["-named", "getblock", GENESIS, "verbosity=1"],
    &["-named", "getblock", "blockhash=x", "verbosity=1"],
    &["getchaintips"],
    &["getdifficulty"],
    &["validateaddress", "nonsense"],
    &["gettxout", GENESIS, "0"],
    &["nosuchmethod", "1"],
    &["-rpcid=abc", "getbestblockhash"],
    &["-addrinfo", "x"],
    &["-getinfo", "x"],
    &["-netinfo", "9", "x"],
    &["-netinfo", "x"],
    &["-getinfo", "-netinfo"],
    &["-rpcconnect=127.0.0.1:0", "getblockcount"],
    &["-rpcpassword=wrong", "getblockcount"],
    &["-norpccookiefile", "getblockcount"],
    &["-getinfo", "-color=pink"],
    &[],
];

fn core_cli(program: &PathBuf, options: &[String], words: &[&str]) -> Answer {
    let answer = Command::new(program)
        .args(options)
        .args(words)
        .stdin(Stdio::null())
        .output();
    answer.unwrap().into()
}

#[test]
fn both_clients_print_the_same_of_both_nodes() {
    let Some(client) = cores("bitcoin-cli") else {
        return;
    };
    let bitcoind = cores("bitcoind").unwrap();
    let (ours, theirs) = (tempdir().unwrap(), tempdir().unwrap());
    let everett = Daemon::start(ours.path(), &[]);
    let mut core = Command::new(bitcoind);
    core.args(["-regtest", "-listen=0", "-printtoconsole=0"]);
    let core = Daemon::run(core, theirs.path(), &[]);
    for node in [&everett, &core] {
        for words in CALLS {
            let mine = node.cli(words);
            let cores = core_cli(&client, &node.options(), words);
            assert_eq!(
                (mine.code, &mine.stdout, &mine.stderr),
                (cores.code, &cores.stdout, &cores.stderr),
                "{words:?}"
            );
        }
        for words in [&["-getinfo", "-color=always"][..], &["-addrinfo"]] {
            let (mine, cores) = (node.cli(words), core_cli(&client, &node.options(), words));
            assert_eq!((mine.code, mine.stdout), (cores.code, cores.stdout));
        }
        let (mine, cores) = (
            node.cli(&["-netinfo", "4"]),
            core_cli(&client, &node.options(), &["-netinfo", "4"]),
        );
        // The first line says which client it is.
        let rest = |text: &str| text.split_once('\n').unwrap().1.to_owned();
        assert_eq!(rest(&mine.stdout), rest(&cores.stdout));
    }
    core.cli(&["stop"]);
    core.end();
}

#[test]
fn answers_are_bare_strings_or_indented_json_and_errors_leave_their_code() {
    let directory = tempdir().unwrap();
    let node = Daemon::start(directory.path(), &[]);
    assert_eq!(
        node.cli(&["getbestblockhash"]).stdout,
        format!("{GENESIS}\n")
    );
    let tips = node.cli(&["getchaintips"]).stdout;
    assert!(tips.starts_with("[\n  {\n    \"height\": 0,\n"), "{tips}");
    let wrong = node.cli(&["getblockhash", "7"]);
    assert_eq!(wrong.code, Some(8));
    assert_eq!(
        wrong.stderr,
        "error code: -8\nerror message:\nBlock height out of range\n"
    );
    assert_eq!(wrong.stdout, "");
    let wrong = node.cli(&["getblockhash", "x"]);
    assert_eq!(wrong.code, Some(1));
    assert_eq!(wrong.stderr, "error: Error parsing JSON: x\n");
    let at = format!("at={GENESIS}");
    let named = node.cli(&["-named", "getblockcount", &at]);
    assert_eq!(named.stdout, "0\n");
}

#[test]
fn arguments_and_passwords_come_from_standard_input() {
    let directory = tempdir().unwrap();
    let node = Daemon::start(
        directory.path(),
        &[
            "-rpcauth=ann:93648e835a54c573682c2eb19f882535$7681e9c5b74bdd85e78166031d2058e1069b3ed7ed967c93fc63abba06f31144",
        ],
    );
    let mut line = vec!["cli".to_owned()];
    line.extend(node.options());
    for word in ["-rpcuser=ann", "-stdinrpcpass", "-stdin", "getblockhash"] {
        line.push(word.to_owned());
    }
    let mut child = command(&line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM=\n0\n")
        .unwrap();
    drop(stdin);
    let answer: Answer = child.wait_with_output().unwrap().into();
    assert_eq!(answer.stdout, format!("{GENESIS}\n"), "{answer:?}");
    assert_eq!(answer.stderr, "");
}

#[test]
fn where_nobody_answers_it_says_so_in_cores_words() {
    let directory = tempdir().unwrap();
    let place = format!("-datadir={}", directory.path().display());
    let port = free_port();
    let options = ["-regtest".to_owned(), place, format!("-rpcport={port}")];
    let line: Vec<&str> = options.iter().map(String::as_str).collect();
    let answer = cli(&[&line[..], &["getblockcount"]].concat());
    assert_eq!(answer.code, Some(1));
    assert_eq!(
        answer.stderr,
        format!(
            "error: Error while attempting to communicate with server 127.0.0.1:{port} (Could not connect to the server)\n\n\
             Make sure the bitcoind server is running and that you are connecting to the correct RPC port.\n\
             Use \"bitcoin-cli -help\" for more info.\n"
        )
    );
    let waited = cli(&[
        &line[..],
        &["-rpcwait", "-rpcwaittimeout=1", "getblockcount"],
    ]
    .concat());
    assert_eq!(waited.code, Some(1));
    assert!(
        waited
            .stderr
            .starts_with("error: timeout on transient error: "),
        "{waited:?}"
    );
    let unknown = cli(&["-nosuchoption"]);
    assert_eq!(
        (unknown.code, &*unknown.stderr),
        (
            Some(1),
            "Error parsing command line arguments: Invalid parameter -nosuchoption\n"
        )
    );
    if let Some(client) = cores("bitcoin-cli") {
        let core = core_cli(&client, &options, &["getblockcount"]);
        assert_eq!((core.code, core.stderr), (answer.code, answer.stderr));
    }
}

#[test]
fn blocks_are_made_at_a_node_without_wallets_for_whom_it_is_set_to_pay() {
    let directory = tempdir().unwrap();
    let node = Daemon::start(directory.path(), &["-disablewallet"]);
    let made = node.cli(&["-generate", "3"]);
    assert_eq!((made.code, &*made.stderr), (Some(0), ""));
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!(made["blocks"].as_array().unwrap().len(), 3);
    let block = node.cli(&["getblock", made["blocks"][0].as_str().unwrap(), "2"]);
    assert!(block.stdout.contains(made["address"].as_str().unwrap()));
    assert_eq!(node.cli(&["getblockcount"]).stdout, "3\n");
    let none = node.cli(&["-generate", "0"]);
    assert_eq!(none.code, Some(1));
    let named = node.cli(&["-rpcwallet=w", "-generate"]);
    assert_ne!(named.code, Some(0));
}

#[test]
fn blocks_are_made_for_the_wallet_that_a_node_on_regtest_has_from_the_start() {
    let directory = tempdir().unwrap();
    let node = Daemon::start(directory.path(), &["-keypool=5"]);
    assert_eq!(node.cli(&["listwallets"]).stdout, "[\n  \"\"\n]\n");
    let made = node.cli(&["-generate", "3"]);
    assert_eq!((made.code, &*made.stderr), (Some(0), ""));
    assert_eq!(node.cli(&["generate", "98"]).code, Some(0));
    let accounts = node.cli(&["listaccounts"]);
    assert_eq!(accounts.stdout, "{\n  \"\": 50.00000000\n}\n");
    let named = node.cli(&["-rpcwallet=w", "-generate"]);
    assert_eq!(named.code, Some(18));
    assert_eq!(node.cli(&["createwallet", "w"]).code, Some(0));
    assert_eq!(node.cli(&["-rpcwallet=w", "-generate"]).code, Some(0));
    if let Some(client) = cores("bitcoin-cli") {
        let core = core_cli(&client, &node.options(), &["-rpcwallet=w", "-generate"]);
        assert_eq!((core.code, &*core.stderr), (Some(0), ""));
    }
}
