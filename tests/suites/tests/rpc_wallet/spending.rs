//! What payments pay and why, what the options of the node say of them, and what is refused.

use everett_mempool::FeeRate;
use serde_json::{Value, json};

use crate::money::{Money, number, text};

/// The decoded transaction of a payment of `miner`.
fn decoded(money: &Money, txid: &str) -> Value {
    money.node_call("decoderawtransaction", json!([money.hex("miner", txid)]))
}

#[test]
fn without_spending_change_that_waits_nothing_that_waits_counts_or_is_taken() {
    let money = Money::with(|node| {
        let wallets = node.wallets.as_mut().expect("wallets by default");
        wallets.spend_pending_change = false;
    });
    let alice = money.new_address("alice", "");
    let txid = text(&money.call("miner", "sendtoaddress", json!([alice, 1])));
    assert_eq!(money.balance("miner"), 100.0);
    let mine = money.call("miner", "getbalances", json!([]))["mine"].clone();
    assert_eq!(number(&mine["trusted"]), 100.0);
    let change = number(&mine["untrusted_pending"]);
    assert!((48.99..49.0).contains(&change), "{mine}");
    let told = money.call("miner", "gettransaction", json!([txid]));
    assert_eq!(told["trusted"], false);
    let waiting = money.call("miner", "listunspent", json!([0, 0]));
    assert_eq!(waiting[0]["safe"], false, "{waiting}");

    // Not where unsafe coins are welcome either, nor where all is sent.
    let options = json!({ "include_unsafe": true });
    let much = json!([{ &alice: 110 }, null, null, null, options]);
    let (code, message) = money.refused("miner", "send", much);
    assert_eq!(code, -4);
    assert!(message.starts_with("Insufficient funds"), "{message}");
    let all = money.call("miner", "sendall", json!([[&alice]]));
    let all = decoded(&money, &text(&all["txid"]));
    assert_eq!(all["vin"].as_array().map(Vec::len), Some(2));
    // What is named is taken.
    let coin = json!({ "txid": waiting[0]["txid"], "vout": waiting[0]["vout"] });
    let named = json!({ "inputs": [coin] });
    money.call(
        "miner",
        "send",
        json!([{ &alice: 1 }, null, null, null, named]),
    );
}

#[test]
fn why_a_payment_pays_its_rate_is_told_in_cores_words() {
    let reason = |money: &Money, rate: Option<u32>| {
        let alice = money.new_address("alice", "");
        let params = json!({ "address": alice, "amount": 1, "fee_rate": rate, "verbose": true });
        text(&money.call("miner", "sendtoaddress", params)["fee_reason"])
    };
    let money = Money::earned();
    assert_eq!(reason(&money, Some(5)), "None");
    assert_eq!(reason(&money, None), "Fallback fee");
    let dear = Money::with(|node| {
        let wallets = node.wallets.as_mut().expect("wallets by default");
        wallets.fees.least = FeeRate::per_kvb(30_000);
    });
    assert_eq!(reason(&dear, None), "Minimum Required Fee");
}

#[test]
fn the_order_of_those_who_are_paid_is_left_to_chance() {
    let money = Money::earned();
    let mut amounts = json!({});
    let expected: Vec<f64> = (1..=10).map(f64::from).collect();
    for amount in &expected {
        amounts[money.new_address("alice", "")] = json!(amount);
    }
    let txid = text(&money.call("miner", "sendmany", json!(["", amounts])));
    let tx = decoded(&money, &txid);
    let values = tx["vout"].as_array().expect("outputs").iter();
    let mut paid: Vec<f64> = values.map(|output| number(&output["value"])).collect();
    paid.retain(|value| value.fract() == 0.0);
    // In one of 3,628,800 cases chance leaves them as they were.
    assert_ne!(paid, expected);
    paid.sort_by(f64::total_cmp);
    assert_eq!(paid, expected);
}

#[test]
fn who_names_a_rate_may_raise_it_later_unless_he_says_otherwise() {
    let money = Money::with(|node| {
        let wallets = node.wallets.as_mut().expect("wallets by default");
        wallets.replaceable = false;
    });
    let alice = money.new_address("alice", "");
    let said = |method: &str, params: Value| {
        let sent = money.call("miner", method, params);
        let txid = text(sent.get("txid").unwrap_or(&sent));
        text(&money.call("miner", "gettransaction", json!([txid]))["bip125-replaceable"])
    };
    let to = |more: Value| {
        let mut params = json!({ "address": alice, "amount": 1 });
        for (name, value) in more.as_object().expect("an object") {
            params[name] = value.clone();
        }
        params
    };
    let many = json!({ "amounts": { &alice: 1 }, "fee_rate": 5 });
    let send = json!({ "outputs": { &alice: 1 }, "fee_rate": 5 });
    assert_eq!(said("sendtoaddress", to(json!({}))), "no");
    // What waits may be spent with a number of its own.
    money.mine_elsewhere(1);
    let refused = to(json!({ "fee_rate": 5, "replaceable": false }));
    assert_eq!(said("sendtoaddress", refused), "no");
    money.mine_elsewhere(1);
    assert_eq!(said("sendtoaddress", to(json!({ "fee_rate": 5 }))), "yes");
    money.mine_elsewhere(1);
    assert_eq!(said("sendmany", many), "yes");
    money.mine_elsewhere(1);
    assert_eq!(said("send", send), "yes");
    money.mine_elsewhere(1);
    let all = json!({ "recipients": [alice], "fee_rate": 5 });
    assert_eq!(said("sendall", all), "no");
}

#[test]
fn nobody_is_paid_by_a_transaction_without_outputs() {
    let money = Money::earned();
    let coins = money.call("miner", "listunspent", json!([]));
    let coin = json!({ "txid": coins[0]["txid"], "vout": coins[0]["vout"] });
    let refused = (-8, "TX must have at least one output".to_owned());
    let options = json!({ "inputs": [coin] });
    let send = json!([[], null, null, null, options]);
    assert_eq!(money.refused("miner", "send", send), refused);
    let create = json!([[coin], []]);
    assert_eq!(
        money.refused("miner", "walletcreatefundedpsbt", create),
        refused
    );
    let raw = money.node_call("createrawtransaction", json!([[coin], []]));
    assert_eq!(
        money.refused("miner", "fundrawtransaction", json!([raw])),
        refused
    );
}

#[test]
fn a_locked_wallet_makes_no_payment_pay_more() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let txid = text(&money.call("miner", "sendtoaddress", json!([alice, 1])));
    money.call("miner", "encryptwallet", json!(["secret"]));
    for method in ["bumpfee", "psbtbumpfee"] {
        for txid in [&txid, &"00".repeat(32)] {
            let (code, message) = money.refused("miner", method, json!([txid]));
            assert_eq!(code, -13, "{method}: {message}");
        }
    }
}

#[test]
fn new_outputs_worth_more_than_there_will_ever_be_are_refused() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let txid = text(&money.call("miner", "sendtoaddress", json!([alice, 1])));
    // Together they are more satoshis than 64 bits count.
    let seeds = 0..8_785_u32;
    let outputs: Vec<Value> = seeds
        .map(|seed| json!({ program(seed): 21_000_000 }))
        .collect();
    let params = json!([txid, { "outputs": outputs }]);
    let (code, message) = money.refused("miner", "bumpfee", params);
    assert_eq!(code, -4, "{message}");
    assert!(message.contains("21 million"), "{message}");
}

/// An address of a number.
fn program(number: u32) -> String {
    let mut program = [0; 20];
    program[..4].copy_from_slice(&number.to_le_bytes());
    let hash = <bitcoin::WPubkeyHash as bitcoin::hashes::Hash>::from_byte_array(program);
    let script = bitcoin::ScriptBuf::new_p2wpkh(&hash);
    let address = bitcoin::Address::from_script(&script, bitcoin::Network::Regtest);
    address.expect("a witness program").to_string()
}

#[test]
fn coinbases_that_are_too_young_are_nothing_that_a_rival_world_lacks() {
    let money = Money::earned();
    let fork = money.best();
    let alice = money.new_address("alice", "");
    money.node_call("generatetoaddress", json!([1, alice]));
    money.block_on(&fork, &[]);
    let (_, message) = money.refused("alice", "sendtoaddress", json!([alice, 1]));
    assert!(message.starts_with("Insufficient funds"), "{message}");
    assert!(!message.contains("lacks"), "{message}");
}
