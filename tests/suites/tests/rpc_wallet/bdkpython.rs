//! PyPI's `bdkpython`: a PSBT that it made is signed here, and the reverse.

use std::path::{Path, PathBuf};
use std::process::Command;

use everett_tests::python;
use serde_json::{Value, json};

use crate::money::{Money, text};

/// The program, or the reason why there is none.
fn python() -> Result<PathBuf, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let packages = ["bdkpython==3.1.1"];
    python::with_packages(directory, "bdkpython", &packages, "import bdkpython")
}

fn run(python: &Path, arguments: &[&str]) -> String {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/bdk_psbt.py");
    let output = python::run(Command::new(python).arg(client).args(arguments));
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The active descriptors of a kind of address, for addresses and for change.
pub(crate) fn descriptors(money: &Money, wallet: &str, kind: &str, private: bool) -> [String; 2] {
    let listed = money.call(wallet, "listdescriptors", json!([private]));
    let all = listed["descriptors"].as_array().cloned();
    let all: Vec<Value> = all.expect("a list");
    [false, true].map(|internal| {
        let fits = |descriptor: &&Value| {
            text(&descriptor["desc"]).starts_with(kind) && descriptor["internal"] == internal
        };
        text(&all.iter().find(fits).expect("one of each")["desc"])
    })
}

/// Alice with three coins of five at addresses of a kind, and the transactions that made them.
fn paid(kind: &str) -> (Money, Vec<String>) {
    let money = Money::earned();
    let pay = |_| {
        let address = text(&money.call("alice", "getnewaddress", json!(["", kind])));
        let txid = text(&money.call("miner", "sendtoaddress", json!([address, 5])));
        money.hex("miner", &txid)
    };
    let made: Vec<String> = (0..3).map(pay).collect();
    money.mine_elsewhere(1);
    (money, made)
}

/// Each kind of address, as `getnewaddress` and as descriptors name it.
const KINDS: [(&str, &str); 4] = [
    ("legacy", "pkh("),
    ("p2sh-segwit", "sh(wpkh("),
    ("bech32", "wpkh("),
    ("bech32m", "tr("),
];

#[test]
fn a_psbt_that_bdkpython_made_is_signed_here() {
    let python = match python() {
        Ok(python) => python,
        Err(error) => return eprintln!("bdkpython: skipped: {error}"),
    };
    for (kind, form) in KINDS {
        let (money, made) = paid(kind);
        let [external, internal] = descriptors(&money, "alice", form, false);
        let to = money.new_address("miner", "");
        let mut arguments = vec!["make", &external, &internal, &to, "1200000000"];
        arguments.extend(made.iter().map(String::as_str));
        let psbt = run(&python, &arguments);
        let signed = money.call("alice", "walletprocesspsbt", json!([psbt]));
        assert_eq!(signed["complete"], true, "{kind}: {signed}");
        let sent = money.node_call("sendrawtransaction", json!([signed["hex"]]));
        money.mine_elsewhere(1);
        let paid = money.call("alice", "gettransaction", json!([sent]));
        assert_eq!(paid["confirmations"], 1, "{kind}: {paid}");
    }
}

#[test]
fn a_psbt_that_was_made_here_is_signed_by_bdkpython() {
    let python = match python() {
        Ok(python) => python,
        Err(error) => return eprintln!("bdkpython: skipped: {error}"),
    };
    for (kind, form) in KINDS {
        let (money, made) = paid(kind);
        let [external, internal] = descriptors(&money, "alice", form, true);
        let to = money.new_address("miner", "");
        let options = json!({ "changeAddress": text(&money.call("alice", "getrawchangeaddress", json!([kind]))) });
        let params = json!([[], [{ to: 12 }], 0, options]);
        let psbt = text(&money.call("alice", "walletcreatefundedpsbt", params)["psbt"]);
        let mut arguments = vec!["sign", &external, &internal, &psbt];
        arguments.extend(made.iter().map(String::as_str));
        let signed = run(&python, &arguments);
        let finished = money.node_call("finalizepsbt", json!([signed]));
        assert_eq!(finished["complete"], true, "{kind}: {finished}");
        let judged = money.node_call("testmempoolaccept", json!([[finished["hex"]]]));
        assert_eq!(judged[0]["allowed"], true, "{kind}: {judged}");
    }
}
