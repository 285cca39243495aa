//! Transactions and PSBTs that a wallet funds, signs and simulates.

use serde_json::{Value, json};

use crate::money::{Money, check_fields, number, text};

#[test]
fn a_transaction_is_funded_signed_and_sent() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let raw = money.node_call("createrawtransaction", json!([[], { alice: 12 }]));
    let funded = money.call(
        "miner",
        "fundrawtransaction",
        json!([raw, { "fee_rate": 3, "changePosition": 0, "lockUnspents": true }]),
    );
    check_fields(&funded, &["hex", "fee", "changepos"]);
    assert_eq!(funded["changepos"], 0);
    assert_eq!(
        money
            .call("miner", "listlockunspent", json!([]))
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let simulated = money.call("miner", "simulaterawtransaction", json!([[funded["hex"]]]));
    let change = number(&simulated["balance_change"]);
    assert!(
        (change + 12.0 + number(&funded["fee"])).abs() < 1e-9,
        "{simulated}"
    );
    let stranger = money.call(
        "alice",
        "signrawtransactionwithwallet",
        json!([funded["hex"]]),
    );
    assert_eq!(stranger["complete"], false);
    check_fields(
        &stranger["errors"][0],
        &["txid", "vout", "witness", "scriptSig", "sequence", "error"],
    );
    let signed = money.call(
        "miner",
        "signrawtransactionwithwallet",
        json!([funded["hex"]]),
    );
    check_fields(&signed, &["hex", "complete"]);
    money.node_call("sendrawtransaction", json!([signed["hex"]]));
    money.mine_elsewhere(1);
    assert_eq!(money.balance("alice"), 12.0);
}

#[test]
fn a_psbt_is_made_signed_and_finished_for_every_kind_of_address() {
    let money = Money::earned();
    for kind in ["legacy", "p2sh-segwit", "bech32", "bech32m"] {
        let own = text(&money.call("miner", "getnewaddress", json!(["", kind])));
        money.call("miner", "sendtoaddress", json!([own, 2]));
        money.mine_elsewhere(1);
        let coins = money.call("miner", "listunspent", json!([1, 9, [own]]));
        let inputs = json!([{ "txid": coins[0]["txid"], "vout": coins[0]["vout"] }]);
        let alice = money.new_address("alice", "");
        let params: Value = json!([inputs, [{ &alice: 1 }], 0, { "fee_rate": 2 }]);
        let made = money.call("miner", "walletcreatefundedpsbt", params);
        check_fields(&made, &["psbt", "fee", "changepos"]);
        let known = money.call("miner", "walletprocesspsbt", json!([made["psbt"], false]));
        assert_eq!(known["complete"], false);
        let signed = money.call("miner", "walletprocesspsbt", json!([made["psbt"]]));
        check_fields(&signed, &["psbt", "complete", "hex"]);
        let open = json!([made["psbt"], true, "ALL", true, false]);
        let open = money.call("miner", "walletprocesspsbt", open);
        let finished = money.node_call("finalizepsbt", json!([open["psbt"]]));
        assert_eq!(finished["complete"], true, "{kind}");
        money.node_call("sendrawtransaction", json!([signed["hex"]]));
        money.mine_elsewhere(1);
    }
    assert_eq!(money.balance("alice"), 4.0);
}

#[test]
fn a_wallet_that_watches_funds_what_another_one_signs() {
    let money = Money::earned();
    money.node_call("createwallet", json!(["watch", true]));
    let descriptors = money.call("miner", "listdescriptors", json!([]));
    let wanted: Vec<Value> = descriptors["descriptors"].as_array().expect("a list").iter()
        .map(|told| json!({ "desc": told["desc"], "active": true, "internal": told["internal"], "timestamp": 0, "range": 20 }))
        .collect();
    let imported = money.call("watch", "importdescriptors", json!([wanted]));
    assert!(
        imported
            .as_array()
            .is_some_and(|all| all.iter().all(|one| one["success"] == true)),
        "{imported}"
    );
    assert_eq!(money.balance("watch"), 150.0);
    // Nobody says that who signs for it makes signatures that are as short as ours.
    let old = text(&money.call("miner", "getnewaddress", json!(["", "legacy"])));
    money.call("miner", "sendtoaddress", json!([old, 2]));
    money.mine_elsewhere(1);
    let coin = &money.call("miner", "listunspent", json!([1, 9, [old]]))[0];
    let coin = json!([{ "txid": coin["txid"], "vout": coin["vout"] }]);
    let raw = money.node_call("createrawtransaction", json!([coin, { old: 1 }]));
    let fee = |wallet: &str| {
        let funded = json!([raw, { "fee_rate": 100 }]);
        number(&money.call(wallet, "fundrawtransaction", funded)["fee"])
    };
    let more = fee("watch") - fee("miner");
    assert!((more - 0.000_001).abs() < 1e-9, "{more}");
    let alice = money.new_address("alice", "");
    assert_eq!(
        money.refused("watch", "sendtoaddress", json!([alice, 1])).0,
        -4
    );
    let sent = money.call("watch", "send", json!([{ alice: 1 }]));
    assert_eq!(sent["complete"], false);
    let signed = money.call("miner", "walletprocesspsbt", json!([sent["psbt"]]));
    assert_eq!(signed["complete"], true);
    money.node_call("sendrawtransaction", json!([signed["hex"]]));
    assert!(money.balance("watch") < 149.0);
    assert_eq!(money.balance("watch"), money.balance("miner"));
}

#[test]
fn keys_of_our_addresses_sign_in_the_scripts_of_others() {
    let money = Money::earned();
    for form in ["bech32", "p2sh-segwit", "legacy"] {
        let keys = [0, 1].map(|_| {
            let address = money.call("alice", "getnewaddress", json!(["", "bech32"]));
            let info = money.call("alice", "getaddressinfo", json!([address]));
            info["pubkey"].clone()
        });
        let shared = money.node_call("createmultisig", json!([2, keys, form]));
        let name = format!("watch-{form}");
        money.node_call(
            "createwallet",
            json!({ "wallet_name": name, "disable_private_keys": true }),
        );
        let request = json!([[{ "desc": shared["descriptor"], "timestamp": "now" }]]);
        let imported = money.call(&name, "importdescriptors", request);
        assert_eq!(imported[0]["success"], true);
        money.call("miner", "sendtoaddress", json!([shared["address"], 2]));
        money.mine_elsewhere(1);
        let to = money.new_address("miner", "");
        let change = money.new_address("alice", "");
        let params = json!({ "outputs": { &to: 1 }, "options": { "changeAddress": change } });
        let funded = money.call(&name, "walletcreatefundedpsbt", params);
        let signed = money.call("alice", "walletprocesspsbt", json!([funded["psbt"]]));
        assert_eq!(signed["complete"], true, "{form}: {signed}");
        money.node_call("sendrawtransaction", json!([signed["hex"]]));
    }
}
