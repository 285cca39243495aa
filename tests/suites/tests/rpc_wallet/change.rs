//! What comes back to the one who pays.

use crate::money::{Money, number, text};
use serde_json::{Value, json};

#[test]
fn a_decoded_transaction_says_which_output_is_change() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let txid = money.call("miner", "sendtoaddress", json!([alice, 1]));
    let of = |wallet: &str| {
        let told = money.call(
            wallet,
            "gettransaction",
            json!({ "txid": txid, "verbose": true }),
        );
        let outputs = told["decoded"]["vout"].as_array().expect("outputs").clone();
        let change = outputs.iter().filter(|output| output["ischange"] == true);
        change
            .map(|output| number(&output["value"]) > 1.0)
            .collect::<Vec<bool>>()
    };
    assert_eq!(of("miner"), [true]);
    assert!(of("alice").is_empty());
}

#[test]
fn who_spends_change_that_waits_pays_for_what_it_is_built_on() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let own = money.new_address("miner", "");
    // All that there is waits behind a transaction that pays little.
    let parent = money.call("miner", "sendall", json!([[&own], null, null, 1]));
    let params = json!({ "address": alice, "amount": 10, "fee_rate": 30 });
    let child = text(&money.call("miner", "sendtoaddress", params));
    let waits = |txid: &Value| money.node_call("getmempoolentry", json!([txid]));
    let (parent, child) = (waits(&parent["txid"]), waits(&child.into()));
    let sat = |entry: &Value| number(&entry["fees"]["base"]) * 1e8;
    let fees = sat(&parent) + sat(&child);
    let rate = fees / (number(&parent["vsize"]) + number(&child["vsize"]));
    assert!((30.0..30.3).contains(&rate), "{rate}");
}

#[test]
fn change_is_of_the_newest_kind_that_is_paid_and_else_of_the_newest_that_there_is() {
    let money = Money::earned();
    let kinds = ["legacy", "p2sh-segwit", "bech32", "bech32m"];
    let to = kinds.map(|kind| text(&money.call("alice", "getnewaddress", json!(["", kind]))));
    let script = text(&money.node_call("decodescript", json!(["51"]))["segwit"]["address"]);
    let change = |payees: &[&String]| {
        let outputs: Value = payees.iter().map(|payee| json!({ *payee: 1 })).collect();
        let funded = money.call("miner", "walletcreatefundedpsbt", json!([[], outputs]));
        let decoded = money.node_call("decodepsbt", json!([funded["psbt"]]));
        let place = funded["changepos"].as_u64().unwrap() as usize;
        let script = &decoded["tx"]["vout"][place]["scriptPubKey"];
        text(&script["type"])
    };
    assert_eq!(change(&[&to[0]]), "pubkeyhash");
    assert_eq!(change(&[&to[1]]), "scripthash");
    assert_eq!(change(&[&to[2]]), "witness_v0_keyhash");
    assert_eq!(change(&[&to[3]]), "witness_v1_taproot");
    assert_eq!(change(&[&to[0], &to[2]]), "witness_v0_keyhash");
    // A script with several keys has no kind that change could have.
    assert_eq!(change(&[&script]), "witness_v1_taproot");
}

#[test]
fn change_is_ours_also_where_one_address_is_watched_ahead() {
    let money = Money::with(|node| node.wallets.as_mut().unwrap().keypool = 1);
    // So that the next address of change lies behind what is watched.
    money.call("miner", "getrawchangeaddress", json!([]));
    let alice = money.new_address("alice", "");
    money.call("miner", "sendtoaddress", json!([alice, 30]));
    money.mine_elsewhere(1);
    assert_eq!(money.balance("alice"), 30.0);
    let sent = money.call("miner", "listtransactions", json!(["*", 1]))[0].clone();
    let whole = json!([sent["txid"], null, true]);
    let whole = money.call("miner", "gettransaction", whole);
    let change = whole["decoded"]["vout"].as_array().unwrap().iter();
    let change: Vec<&Value> = change.filter(|output| output["ischange"] == true).collect();
    assert_eq!(change.len(), 1, "{whole}");
    assert!(number(&change[0]["value"]) > 19.99);
    let left = money.balance("miner");
    assert!(left > 119.99 && left < 120.0, "{left}");
}
