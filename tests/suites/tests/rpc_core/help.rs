//! Help beside Core: the list of methods, and of each method its line of usage, its arguments with their types, and the
//! fields of its answer. The words are our own.

use std::collections::BTreeSet;

use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::RpcClient;
use everett_tests::rpc_node::RpcNode;
use serde_json::json;

/// Core's methods that are not in its list.
const HIDDEN: [&str; 19] = [
    "addconnection",
    "addpeeraddress",
    "echo",
    "echoipc",
    "echojson",
    "estimaterawfee",
    "generate",
    "generateblock",
    "generatetoaddress",
    "generatetodescriptor",
    "getmempoolfeeratediagram",
    "getorphantxs",
    "getrawaddrman",
    "invalidateblock",
    "mockscheduler",
    "reconsiderblock",
    "sendmsgtopeer",
    "setmocktime",
    "syncwithvalidationinterfacequeue",
];

/// What of a help is compared: the first line, the arguments with their types, the headings' fields.
fn bones(help: &str) -> (String, Vec<String>, BTreeSet<String>) {
    let usage = help.lines().next().unwrap_or_default().to_owned();
    let mut arguments = Vec::new();
    let mut fields = BTreeSet::new();
    let mut in_results = false;
    for line in help.lines().skip(1) {
        in_results |= line.starts_with("Result");
        in_results &= !line.starts_with("Examples");
        let numbered = line
            .split_once(". ")
            .filter(|(number, _)| number.parse::<u32>().is_ok());
        if let (Some((_, rest)), false) = (numbered, in_results) {
            let name = rest.split_whitespace().next().unwrap_or_default();
            let kind = rest.split_once('(').map_or("", |(_, rest)| rest);
            // What it is by default may be told in words.
            let kind = kind.split([',', ')']).take(2).collect::<Vec<_>>().join(",");
            arguments.push(format!("{name} ({kind}"));
        }
        let field = line.trim_start().strip_prefix('"');
        if let Some((name, _)) = field.and_then(|rest| rest.split_once("\" :"))
            && in_results
        {
            fields.insert(name.to_owned());
        }
    }
    (usage, arguments, fields)
}

#[test]
fn help_has_the_methods_arguments_and_fields_of_core() {
    let Some(program) = program("help") else {
        return;
    };
    let daemon = Bitcoind::start(&program, &[]);
    let core = RpcClient::new(daemon.rpc_port(), &daemon.cookie());
    let everett = RpcNode::start();
    let ours = everett.client();
    let list = |client: &RpcClient| client.text("help", json!([]));
    let (theirs, own) = (list(&core), list(&ours));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let missing: Vec<String> = lines(&theirs).difference(&lines(&own)).cloned().collect();
    assert!(missing.is_empty(), "not in our list: {missing:?}");
    let more: Vec<String> = lines(&own).difference(&lines(&theirs)).cloned().collect();
    // Core's build here has no ZeroMQ.
    let known = ["== Zmq ==", "getzmqnotifications"];
    assert_eq!(more, known, "in our list alone");
    let listed = theirs
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('='));
    let listed = listed.filter_map(|line| line.split(' ').next());
    let mut differences = Vec::new();
    for method in listed.chain(HIDDEN) {
        let help = |client: &RpcClient| bones(&client.text("help", json!([method])));
        // Core says that it is gone.
        if method == "generate" {
            continue;
        }
        let (there, here) = (help(&core), help(&ours));
        if there != here {
            differences.push(format!("{method}\n  core {there:?}\n  ours {here:?}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
