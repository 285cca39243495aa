//! Paying and being paid: each method once with what it answers, and with what it refuses.

use serde_json::{Value, json};

use crate::money::{Money, check_fields, number, text};

/// What a wallet has that no refused payment may change.
fn picture(money: &Money, wallet: &str) -> Value {
    json!([
        money.call(wallet, "getbalances", json!([])),
        money.call(wallet, "listunspent", json!([0])),
        money.call(wallet, "listtransactions", json!(["*", 100])),
        money.call(wallet, "listlockunspent", json!([])),
        money.node_call("getrawmempool", json!([])),
    ])
}

#[test]
fn a_payment_is_made_waits_and_is_confirmed() {
    let money = Money::earned();
    assert_eq!(money.balance("miner"), 150.0);
    let alice = money.new_address("alice", "Alice");
    let params = json!({ "address": alice, "amount": 30, "comment": "rent", "comment_to": "Alice", "fee_rate": 10, "verbose": true });
    let sent = money.call("miner", "sendtoaddress", params);
    check_fields(&sent, &["txid", "fee_reason"]);
    let txid = text(&sent["txid"]);

    let balances = money.call("alice", "getbalances", json!([]));
    check_fields(&balances, &["mine", "lastprocessedblock"]);
    check_fields(
        &balances["mine"],
        &["trusted", "untrusted_pending", "immature", "nonmempool"],
    );
    assert_eq!(number(&balances["mine"]["untrusted_pending"]), 30.0);
    assert_eq!(
        number(&money.call("alice", "getunconfirmedbalance", json!([]))),
        30.0
    );
    assert_eq!(money.balance("alice"), 0.0);
    assert_eq!(money.call("alice", "listunspent", json!([])), json!([]));
    let unspent = money.call("alice", "listunspent", json!([0]));
    assert_eq!(unspent[0]["safe"], false);
    assert_eq!(unspent[0]["ancestorcount"], 1);

    let told = money.call("miner", "gettransaction", json!([txid, false, true]));
    assert_eq!(number(&told["amount"]), -30.0);
    assert!(number(&told["fee"]) < 0.0);
    assert_eq!(told["trusted"], true);
    assert_eq!(told["comment"], "rent");
    assert_eq!(told["to"], "Alice");
    assert_eq!(told["bip125-replaceable"], "yes");
    assert_eq!(told["details"].as_array().map(Vec::len), Some(1));
    assert_eq!(told["details"][0]["category"], "send");
    assert_eq!(text(&told["decoded"]["txid"]), txid);

    money.mine_elsewhere(1);
    assert_eq!(money.balance("alice"), 30.0);
    let unspent = money.call("alice", "listunspent", json!([1, 10, [alice]]));
    let coin = &unspent[0];
    check_fields(
        coin,
        &[
            "txid",
            "vout",
            "address",
            "label",
            "scriptPubKey",
            "amount",
            "confirmations",
            "spendable",
            "solvable",
            "desc",
            "parent_descs",
            "safe",
        ],
    );
    assert_eq!(coin["label"], "Alice");
    money.check_order(
        "alice",
        "listunspent",
        json!([]),
        &[
            "txid",
            "vout",
            "address",
            "label",
            "scriptPubKey",
            "amount",
            "confirmations",
            "solvable",
            "desc",
            "parent_descs",
            "safe",
        ],
    );
    money.check_order(
        "alice",
        "listtransactions",
        json!([]),
        &[
            "address",
            "parent_descs",
            "category",
            "amount",
            "label",
            "vout",
            "abandoned",
            "confirmations",
            "blockhash",
            "blockheight",
            "blockindex",
            "blocktime",
            "txid",
            "wtxid",
            "walletconflicts",
            "mempoolconflicts",
            "time",
            "timereceived",
            "bip125-replaceable",
        ],
    );
    money.check_order(
        "miner",
        "gettransaction",
        json!([txid]),
        &[
            "amount",
            "fee",
            "confirmations",
            "blockhash",
            "txid",
            "bip125-replaceable",
            "comment",
            "to",
            "details",
            "hex",
            "lastprocessedblock",
        ],
    );
    let listed = money.call("alice", "listtransactions", json!([]));
    let entry = &listed[0];
    check_fields(
        entry,
        &[
            "address",
            "parent_descs",
            "category",
            "amount",
            "label",
            "vout",
            "abandoned",
            "confirmations",
            "blockhash",
            "blockheight",
            "blockindex",
            "blocktime",
            "txid",
            "wtxid",
            "walletconflicts",
            "mempoolconflicts",
            "time",
            "timereceived",
            "bip125-replaceable",
        ],
    );
    assert_eq!(entry["category"], "receive");
    assert_eq!(entry["bip125-replaceable"], "no");
    let sent = money.call("miner", "listtransactions", json!(["*", 1]));
    assert_eq!(sent[0]["category"], "send");
    assert_eq!(number(&sent[0]["amount"]), -30.0);

    assert_eq!(
        number(&money.call("alice", "getreceivedbyaddress", json!([alice]))),
        30.0
    );
    assert_eq!(
        number(&money.call("alice", "getreceivedbylabel", json!(["Alice"]))),
        30.0
    );
    let by_address = money.call("alice", "listreceivedbyaddress", json!([]));
    check_fields(
        &by_address[0],
        &["address", "amount", "confirmations", "label", "txids"],
    );
    let by_label = money.call("alice", "listreceivedbylabel", json!([]));
    check_fields(&by_label[0], &["amount", "confirmations", "label"]);
    assert_eq!(
        number(&money.call("alice", "getreceivedbyaddress", json!([alice, 2]))),
        0.0
    );
    let groups = money.call("miner", "listaddressgroupings", json!([]));
    assert!(groups.as_array().is_some_and(|groups| !groups.is_empty()));
    assert_eq!(
        number(&money.call("alice", "getbalance", json!(["Alice"]))),
        30.0
    );
    assert_eq!(
        money
            .refused("alice", "getreceivedbyaddress", json!(["nothing"]))
            .0,
        -5
    );
    assert_eq!(
        money.refused("alice", "getreceivedbylabel", json!(["nobody"])),
        (-4, "Label not found in wallet".to_owned())
    );
    let (code, _) = money.refused("alice", "listtransactions", json!(["*", -1]));
    assert_eq!(code, -8);
    let nowhere = "00".repeat(32);
    assert_eq!(
        money.refused("alice", "gettransaction", json!([nowhere])).0,
        -5
    );
    assert_eq!(
        money.refused("alice", "listsinceblock", json!([nowhere])).0,
        -5
    );
}

#[test]
fn a_payment_that_cannot_be_made_says_why_and_changes_nothing() {
    let money = Money::earned();
    let [alice, other] = ["", "other"].map(|label| money.new_address("alice", label));
    let before = picture(&money, "miner");
    let refused = |method: &str, params: Value, code: i64, says: &str| {
        let (found, message) = money.refused("miner", method, params.clone());
        assert_eq!(found, code, "{method} {params}: {message}");
        assert!(message.contains(says), "{method} {params}: {message}");
        assert_eq!(picture(&money, "miner"), before, "{method} {params}");
    };
    refused(
        "sendtoaddress",
        json!([alice, 151]),
        -6,
        "Insufficient funds",
    );
    refused("sendtoaddress", json!([alice, 0.000001]), -6, "dust");
    refused(
        "sendtoaddress",
        json!([alice, -1]),
        -3,
        "Amount out of range",
    );
    refused(
        "sendtoaddress",
        json!(["nobody", 1]),
        -5,
        "Invalid Bitcoin address",
    );
    refused(
        "sendtoaddress",
        json!({ "address": alice, "amount": 1, "fee_rate": 1, "conf_target": 3 }),
        -8,
        "Cannot specify both conf_target and fee_rate",
    );
    refused(
        "sendtoaddress",
        json!({ "address": alice, "amount": 1, "conf_target": 2000 }),
        -8,
        "Invalid conf_target, must be between 1 and 1008",
    );
    refused(
        "sendtoaddress",
        json!({ "address": alice, "amount": 1, "estimate_mode": "guess" }),
        -8,
        "Invalid estimate_mode parameter",
    );
    refused(
        "sendtoaddress",
        json!({ "address": alice, "amount": 1, "fee_rate": 0.01 }),
        -6,
        "fee rate",
    );
    refused(
        "sendtoaddress",
        json!({ "address": alice, "amount": 1, "fee_rate": 100_000 }),
        -6,
        "Fee exceeds maximum configured by user",
    );
    refused(
        "sendtoaddress",
        json!({ "address": alice, "amount": 1, "in": "some" }),
        -8,
        "in must be",
    );
    refused(
        "sendtoaddress",
        json!({ "address": alice, "amount": 1, "avoid_reuse": true }),
        -4,
        "avoid reuse",
    );
    refused("sendmany", json!(["x", { &alice: 1 }]), -8, "Dummy value");
    refused(
        "sendmany",
        json!(["", { &alice: 1 }, 1, "", ["nobody"]]),
        -8,
        "not found in tx outputs",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, null, { "nonsense": 1 }]),
        -3,
        "Unexpected key nonsense",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, null, { "change_position": 7 }]),
        -8,
        "changePosition out of bounds",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, null, { "add_inputs": false }]),
        -4,
        "The preselected coins total amount does not cover the transaction target.",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, 0.5]),
        -4,
        "Fee rate (0.500 sat/vB) is lower than the minimum fee rate setting (1.000 sat/vB)",
    );
    refused(
        "sendall",
        json!([[&alice], null, null, 0.5]),
        -8,
        "Fee rate (0.500 sat/vB) is lower than the minimum fee rate setting (1.000 sat/vB)",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, 6]),
        -8,
        "Specify estimate_mode",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, 6, "economical", null, { "estimate_mode": "unset" }]),
        -8,
        "Pass conf_target and estimate_mode either as arguments or in the options object, but not both",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, null, { "feeRate": 0.01 }]),
        -8,
        "Use fee_rate (sat/vB) instead of feeRate",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, null, { "input_weights": [] }]),
        -8,
        "Input weights should be specified in inputs rather than in options.",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, null, { "max_tx_weight": 100 }]),
        -4,
        "Maximum transaction weight must be between 260 and 400000",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, null, { "max_tx_weight": 400 }]),
        -4,
        "The inputs size exceeds the maximum weight.",
    );
    refused(
        "sendtoaddress",
        json!([alice, 149.9999999]),
        -6,
        "The total exceeds your balance when the 0.0000",
    );
    refused(
        "sendall",
        json!([[&alice, { "data": "00" }, { &other: 151 }]]),
        -6,
        "Assigned more value to outputs than available funds.",
    );
    refused(
        "sendall",
        json!([[&alice, { &other: 150 }]]),
        -6,
        "Insufficient funds for fees after creating specified outputs.",
    );
    refused(
        "sendall",
        json!([[&alice], null, null, null, { "minconf": -1 }]),
        -8,
        "Invalid minconf (minconf cannot be negative): -1",
    );
    refused(
        "sendall",
        json!([[&alice], null, null, null, { "minconf": 1000 }]),
        -6,
        "Total value of UTXO pool too low to pay for transaction.",
    );
    let unknown = json!({ "txid": "00".repeat(32), "vout": 0 });
    refused(
        "sendall",
        json!([[&alice], null, null, null, { "inputs": [unknown] }]),
        -8,
        "is not part of wallet.",
    );
    refused(
        "walletcreatefundedpsbt",
        json!([[unknown], { &alice: 1 }]),
        -4,
        "Unable to find UTXO for external input",
    );
    refused(
        "bumpfee",
        json!(["00".repeat(32), { "feeRate": 1 }]),
        -3,
        "Unexpected key feeRate",
    );
    refused(
        "bumpfee",
        json!(["00".repeat(32), { "outputs": [] }]),
        -8,
        "Invalid parameter, output argument cannot be an empty array",
    );
    refused(
        "send",
        json!([{ &alice: 1 }, null, null, null, { "subtract_fee_from_outputs": [1] }]),
        -8,
        "position too large: 1",
    );
    refused(
        "sendall",
        json!([[{ &alice: 1 }]]),
        -8,
        "Must provide at least one address without a specified amount",
    );
    refused(
        "bumpfee",
        json!(["00".repeat(32)]),
        -5,
        "Invalid or non-wallet transaction id",
    );
    refused(
        "abandontransaction",
        json!(["00".repeat(32)]),
        -5,
        "Invalid or non-wallet transaction id",
    );
    refused(
        "lockunspent",
        json!([false, [{ "txid": "00".repeat(32), "vout": 0 }]]),
        -8,
        "unknown transaction",
    );
    refused("fundrawtransaction", json!(["00"]), -22, "TX decode failed");
    refused(
        "walletprocesspsbt",
        json!(["nothing"]),
        -22,
        "TX decode failed",
    );
    refused("walletdisplayaddress", json!([alice]), -4, "");
}

#[test]
fn locked_coins_are_left_and_named_ones_are_taken() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let coins = money.call("miner", "listunspent", json!([]));
    // As they are told: other fields are let be.
    let coins: Vec<Value> = coins.as_array().expect("a list").clone();
    assert_eq!(coins.len(), 3);
    assert_eq!(
        money.call("miner", "lockunspent", json!([false, coins[..2], true])),
        true
    );
    assert_eq!(
        money
            .refused("miner", "lockunspent", json!([false, coins[..1]]))
            .1,
        "Invalid parameter, output already locked"
    );
    assert_eq!(
        money
            .refused("miner", "lockunspent", json!([true, coins[2..]]))
            .1,
        "Invalid parameter, expected locked output"
    );
    assert_eq!(
        money
            .call("miner", "listlockunspent", json!([]))
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(
        money
            .refused("miner", "sendtoaddress", json!([alice, 60]))
            .0,
        -6
    );
    let named = json!({ "inputs": coins[..1], "add_to_wallet": false });
    let made = money.call(
        "miner",
        "send",
        json!([{ &alice: 1 }, null, null, null, named]),
    );
    assert_eq!(made["complete"], true);
    assert_eq!(money.call("miner", "lockunspent", json!([true])), true);
    let sent = money.call(
        "miner",
        "send",
        json!([{ &alice: 1 }, null, null, 5, { "inputs": coins[..1], "change_position": 1 }]),
    );
    check_fields(&sent, &["txid", "complete"]);
    let hex = money.hex("miner", &text(&sent["txid"]));
    let decoded = money.node_call("decoderawtransaction", json!([hex]));
    assert_eq!(decoded["vin"].as_array().map(Vec::len), Some(1));
    assert_eq!(decoded["vin"][0]["txid"], coins[0]["txid"]);
    assert_eq!(number(&decoded["vout"][0]["value"]), 1.0);
    assert_eq!(
        money
            .refused("miner", "lockunspent", json!([false, coins[..1]]))
            .1,
        "Invalid parameter, expected unspent output"
    );
}

#[test]
fn many_are_paid_at_once_and_all_is_sent() {
    let money = Money::earned();
    let [one, two] = ["one", "two"].map(|label| money.new_address("alice", label));
    let amounts = json!({ &one: 10, &two: "20.5" });
    money.call(
        "miner",
        "sendmany",
        json!(["", amounts, null, "wages", [&one]]),
    );
    money.mine_elsewhere(1);
    assert!(number(&money.call("alice", "getreceivedbylabel", json!(["one"]))) < 10.0);
    assert_eq!(
        number(&money.call("alice", "getreceivedbylabel", json!(["two"]))),
        20.5
    );
    assert_eq!(money.balance("miner"), 119.5);
    let all = money.call("miner", "sendall", json!([[&one, { &two: 7 }]]));
    assert_eq!(all["complete"], true);
    assert_eq!(money.balance("miner"), 0.0);
    money.mine_elsewhere(1);
    assert_eq!(
        number(&money.call("alice", "getreceivedbylabel", json!(["two"]))),
        27.5
    );
    assert!(money.balance("alice") > 149.99);
}

#[test]
fn what_is_left_goes_to_those_alone_that_are_named_without_an_amount() {
    let money = Money::earned();
    let [one, two] = ["one", "two"].map(|label| money.new_address("alice", label));
    let (code, message) = money.refused("miner", "sendall", json!([[&one, { &two: 0 }]]));
    assert_eq!(
        (code, message),
        (
            -8,
            format!("Specified output amount to {two} is below dust threshold.")
        )
    );
    let had = money.balance("miner");
    let params = json!({ "recipients": [&one, { "data": "6576" }] });
    let all = money.call("miner", "sendall", params);
    let waiting = money.node_call("getmempoolentry", json!([all["txid"]]));
    let sent = money.call("miner", "gettransaction", json!([all["txid"]]));
    assert!(number(&waiting["fees"]["base"]) < 0.01);
    assert!((number(&sent["fee"]) + number(&waiting["fees"]["base"])).abs() < 1e-8);
    money.mine_elsewhere(1);
    let got = number(&money.call("alice", "getreceivedbylabel", json!(["one"])));
    assert!(had - got < 0.01, "{got} of {had}");
}

#[test]
fn a_transaction_of_an_old_block_is_forgotten_and_taken_up_again_by_its_proof() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let txid = text(&money.call("miner", "sendtoaddress", json!([alice, 3])));
    let hex = money.hex("miner", &txid);
    money.mine_elsewhere(1);
    let proof = text(&money.node_call("gettxoutproof", json!([[txid]])));
    money.call("alice", "removeprunedfunds", json!([txid]));
    assert_eq!(money.balance("alice"), 0.0);
    assert_eq!(
        money.call("alice", "listtransactions", json!([])),
        json!([])
    );
    let (code, message) = money.refused("alice", "removeprunedfunds", json!([txid]));
    assert_eq!(
        (code, message.as_str()),
        (
            -4,
            format!("Transaction {txid} does not belong to this wallet").as_str()
        )
    );
    let (code, message) = money.refused("alice", "importprunedfunds", json!([hex, "00"]));
    assert_eq!(
        (code, message.as_str()),
        (-5, "Something wrong with merkleblock")
    );
    money.call("alice", "importprunedfunds", json!([hex, proof]));
    assert_eq!(money.balance("alice"), 3.0);
    let told = money.call("alice", "gettransaction", json!([txid]));
    assert_eq!(told["confirmations"], 1);
    money.mine_elsewhere(1);
    assert_eq!(money.balance("alice"), 3.0);
}

#[test]
fn coins_of_addresses_that_were_paid_from_are_left_by_the_method_that_says_so_alone() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let back = money.new_address("miner", "");
    money.call("alice", "setwalletflag", json!(["avoid_reuse"]));
    money.call("miner", "sendtoaddress", json!([alice, 3]));
    money.mine_elsewhere(1);
    money.call("alice", "sendall", json!([[back]]));
    money.call("miner", "sendtoaddress", json!([alice, 5]));
    money.mine_elsewhere(1);
    let (code, message) = money.refused("alice", "sendtoaddress", json!([back, 1]));
    assert_eq!(code, -6, "{message}");
    let params = json!({ "amounts": { back: 1 } });
    money.call("alice", "sendmany", params);
}
