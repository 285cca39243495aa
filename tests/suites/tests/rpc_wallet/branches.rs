//! What neither of the old clients could do: a payment on one branch, spent otherwise on the other.

use serde_json::{Value, json};

use crate::money::{Money, number, text};

/// Alice is paid 30 on the best branch; on the other, which starts from the same block, the miner pays it to herself. The
/// payment, the other one, the block that both branches start from, and the tips.
struct Split {
    money: Money,
    paid: String,
    other: String,
    tips: [String; 2],
}

fn split() -> Split {
    let money = Money::earned();
    let fork = money.best();
    let alice = money.new_address("alice", "Alice");
    let paid = text(&money.call("miner", "sendtoaddress", json!([alice, 30])));
    let hex = money.hex("miner", &paid);
    let decoded = money.node_call("decoderawtransaction", json!([hex]));
    let input = &decoded["vin"][0];
    let input = json!([{ "txid": input["txid"], "vout": input["vout"] }]);
    let own = money.new_address("miner", "");
    let raw = money.node_call("createrawtransaction", json!([input, { own: 49.999 }]));
    let signed = money.call("miner", "signrawtransactionwithwallet", json!([raw]));
    assert_eq!(signed["complete"], true, "{signed}");
    let other_hex = text(&signed["hex"]);
    let other = money.node_call("decoderawtransaction", json!([other_hex]));
    let first = money.block_on(&fork, &[&hex]);
    let second = money.block_on(&fork, &[&other_hex]);
    Split {
        money,
        paid,
        other: text(&other["txid"]),
        tips: [first, second],
    }
}

#[test]
fn a_payment_that_a_rival_branch_spends_otherwise_is_warned_of_and_the_branch_that_wins_decides() {
    let Split {
        money,
        paid,
        other,
        tips,
    } = split();
    let [first, second] = &tips;
    assert_eq!(&money.best(), first);
    assert_eq!(money.balance("alice"), 30.0);
    let at = |tip: &str| number(&money.call("alice", "getbalance", json!({ "at": tip })));
    assert_eq!([at(first), at(second)], [30.0, 0.0]);

    let worlds = money.call("alice", "getbalancesbyworld", json!([]));
    let told = |index: usize| {
        let world = &worlds[index];
        let trusted = number(&world["balances"]["trusted"]);
        (text(&world["hash"]), world["best"].as_bool(), trusted)
    };
    assert_eq!(told(0), (first.clone(), Some(true), 30.0));
    assert_eq!(told(1), (second.clone(), Some(false), 0.0));

    let safe = money.call("alice", "getsafebalance", json!([]));
    assert_eq!(number(&safe["safe"]), 0.0);
    assert_eq!(number(&safe["at_risk"]), 30.0);
    assert_eq!(safe["worlds"], 2);

    let warnings = money.call("alice", "getwalletwarnings", json!([]));
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    let warning = &warnings[0];
    assert_eq!(text(&warning["hash"]), *second);
    assert_eq!(number(&warning["lost_amount"]), 30.0);
    assert_eq!(warning["double_spend"], true);
    assert_eq!(text(&warning["payments"][0]["txid"]), paid);
    assert_eq!(text(&warning["payments"][0]["by"]), other);

    let states = money.call("alice", "getpaymentstates", json!([paid]));
    assert_eq!(states[0]["state"], "confirmed");
    assert_eq!(states[1]["state"], "conflicted");
    assert_eq!(text(&states[1]["by"]), other);
    assert_eq!(text(&states[1]["blockhash"]), *second);

    // What only one world has is not spent by default; the refusal says which world lacks it.
    let to = money.new_address("miner", "");
    let (code, message) = money.refused("alice", "sendtoaddress", json!([to, 1]));
    assert_eq!(code, -6);
    assert!(message.starts_with("Insufficient funds"), "{message}");
    assert!(message.contains(second.as_str()), "{message}");
    let coin = &money.call("alice", "listunspent", json!([]))[0];
    let inputs = json!([{ "txid": coin["txid"], "vout": coin["vout"] }]);
    let options = json!({ "inputs": inputs });
    let (code, message) = money.refused(
        "alice",
        "send",
        json!({ "outputs": { &to: 1 }, "options": options }),
    );
    assert_eq!(code, -4);
    assert!(
        message.contains("some live world does not have it"),
        "{message}"
    );
    let change = money.call("alice", "getrawchangeaddress", json!([]));
    assert!(change.is_string());
    let shown = json!({ "inputs": inputs, "in": "best", "add_to_wallet": false });
    let sent = money.call(
        "alice",
        "send",
        json!({ "outputs": { &to: 1 }, "options": shown }),
    );
    assert_eq!(sent["complete"], true);

    // The branch flips. Nothing is rescanned.
    let higher = money.block_on(second, &[]);
    assert_eq!(money.best(), higher);
    assert_eq!(money.balance("alice"), 0.0);
    assert_eq!([at(first), at(second), at(&higher)], [30.0, 0.0, 0.0]);
    let transaction = money.call("alice", "gettransaction", json!([paid]));
    assert_eq!(transaction["confirmations"], -2);
    let there = money.call(
        "alice",
        "gettransaction",
        json!({ "txid": paid, "at": first }),
    );
    assert_eq!(there["confirmations"], 1);
    let unspent = money.call("alice", "listunspent", json!([]));
    assert_eq!(unspent, json!([]));
    let unspent = money.call("alice", "listunspent", json!({ "at": first }));
    assert_eq!(unspent.as_array().map(Vec::len), Some(1));
    let listed = money.call("alice", "listtransactions", json!({ "at": first }));
    assert_eq!(listed[0]["category"], "receive");
    assert_eq!(
        money.call("alice", "listtransactions", json!([])),
        json!([])
    );
    let since = money.call("alice", "listsinceblock", json!([first]));
    assert_eq!(since["transactions"], json!([]));
    assert_eq!(text(&since["removed"][0]["txid"]), paid);
    assert_eq!(
        money.call("alice", "getwalletwarnings", json!([])),
        json!([])
    );
    let miner = money.call("miner", "getpaymentstates", json!([other]));
    assert_eq!(miner[0]["state"], "confirmed");
    assert_eq!(miner[1]["state"], "conflicted");

    // And back.
    let mut tip = first.clone();
    for _ in 0..2 {
        tip = money.block_on(&tip, &[]);
    }
    assert_eq!(money.best(), tip);
    assert_eq!(money.balance("alice"), 30.0);
    let transaction = money.call("alice", "gettransaction", json!([paid]));
    assert_eq!(transaction["confirmations"], 3);
}

#[test]
fn a_receipt_that_waits_and_that_a_rival_branch_spends_otherwise_is_warned_of() {
    let money = Money::earned();
    let fork = money.best();
    let alice = money.new_address("alice", "");
    let paid = text(&money.call("miner", "sendtoaddress", json!([alice, 30])));
    let decoded = money.node_call("decoderawtransaction", json!([money.hex("miner", &paid)]));
    let input = json!([{ "txid": decoded["vin"][0]["txid"], "vout": decoded["vin"][0]["vout"] }]);
    let own = money.new_address("miner", "");
    let raw = money.node_call("createrawtransaction", json!([input, { own: 49.999 }]));
    let signed = money.call("miner", "signrawtransactionwithwallet", json!([raw]));
    // The best branch does not have the payment yet.
    money.block_on(&fork, &[]);
    money.block_on(&fork, &[&text(&signed["hex"])]);
    let balances = money.call("alice", "getbalances", json!([]));
    assert_eq!(number(&balances["mine"]["untrusted_pending"]), 30.0);
    let states = money.call("alice", "getpaymentstates", json!([paid]));
    assert_eq!(states[0]["state"], "pending", "{states}");
    assert_eq!(states[1]["state"], "conflicted", "{states}");
    let warnings = money.call("alice", "getwalletwarnings", json!([]));
    assert_eq!(warnings[0]["double_spend"], true, "{warnings}");
    assert_eq!(number(&warnings[0]["lost_amount"]), 0.0);
    assert_eq!(text(&warnings[0]["payments"][0]["txid"]), paid);
}

#[test]
fn what_is_built_on_a_coinbase_that_a_world_does_not_have_is_told_as_given_up_there() {
    let money = Money::earned();
    let genesis = text(&money.node_call("getblockhash", json!([0])));
    // Three coinbases that the only world has, one of which is spent.
    let alice = money.new_address("alice", "");
    let paid = text(&money.call("miner", "sendtoaddress", json!([alice, 30])));
    let told = |wallet: &str, txid: &str, tip: &str| {
        let params = json!({ "txid": txid, "at": tip });
        money.call(wallet, "gettransaction", params)["details"][0].clone()
    };
    let coinbase = {
        let first = money.node_call(
            "getblock",
            json!([money.node_call("getblockhash", json!([1]))]),
        );
        text(&first["tx"][0])
    };
    let with = money.best();
    assert_eq!(told("miner", &coinbase, &with)["abandoned"], false);
    assert_eq!(told("miner", &paid, &with)["abandoned"], false);
    let without = money.block_on(&genesis, &[]);
    let orphan = told("miner", &coinbase, &without);
    assert_eq!(
        (&orphan["category"], &orphan["abandoned"]),
        (&json!("orphan"), &json!(true))
    );
    assert_eq!(told("miner", &paid, &without)["abandoned"], true);
    // The other world has them as before.
    assert_eq!(told("miner", &paid, &with)["abandoned"], false);
}

/// A transaction of the miner's that spends an output and pays one address.
fn spend(money: &Money, txid: &str, vout: u64, to: &str, amount: f64) -> String {
    let input = json!([{ "txid": txid, "vout": vout, "sequence": 0xffff_fffd_u32 }]);
    let raw = money.node_call("createrawtransaction", json!([input, { to: amount }]));
    let signed = money.call("miner", "signrawtransactionwithwallet", json!([raw]));
    assert_eq!(signed["complete"], true, "{signed}");
    text(&signed["hex"])
}

fn send(money: &Money, hex: &str) -> String {
    text(&money.node_call("sendrawtransaction", json!([hex, 0])))
}

/// The confirmations that a wallet tells of a transaction.
fn confirmations(money: &Money, wallet: &str, txid: &str) -> i64 {
    let told = money.call(wallet, "gettransaction", json!([txid]));
    told["confirmations"].as_i64().expect("a number")
}

#[test]
fn a_receipt_is_conflicted_also_where_its_coin_was_made_and_spent_in_one_block() {
    let money = Money::earned();
    let miner = money.new_address("miner", "");
    let alice = money.new_address("alice", "");
    let made = text(&money.call("miner", "sendtoaddress", json!([miner, 10])));
    let decoded = json!({ "txid": made, "verbose": true });
    let outputs = money.call("miner", "gettransaction", decoded)["decoded"]["vout"].clone();
    let ours = |output: &&Value| output["value"] == 10.0;
    let output = outputs.as_array().unwrap().iter().find(ours).unwrap();
    let vout = output["n"].as_u64().unwrap();
    let receipt = send(&money, &spend(&money, &made, vout, &alice, 9.9));
    assert_eq!(confirmations(&money, "alice", &receipt), 0);
    // The block has what made the coin, and something else that spends it.
    let other = spend(&money, &made, vout, &miner, 9.8);
    let by = text(&money.node_call("decoderawtransaction", json!([other]))["txid"]);
    let best = money.best();
    let block = money.block_on(&best, &[&made, &other]);
    assert_eq!(confirmations(&money, "alice", &receipt), -1);
    assert_eq!(confirmations(&money, "miner", &receipt), -1);
    let states = money.call("alice", "getpaymentstates", json!([receipt]));
    assert_eq!(states[0]["state"], "conflicted");
    assert_eq!(text(&states[0]["by"]), by);
    assert_eq!(text(&states[0]["blockhash"]), block);
    // So it is after a restart of the wallet, and no more when the block goes.
    money.node_call("unloadwallet", json!(["alice"]));
    money.node_call("loadwallet", json!(["alice"]));
    assert_eq!(confirmations(&money, "alice", &receipt), -1);
    money.node_call("invalidateblock", json!([block]));
    assert_eq!(confirmations(&money, "alice", &receipt), 0);
}

#[test]
fn of_several_that_stand_against_a_payment_the_deepest_counts() {
    let money = Money::earned();
    let [miner, alice] = ["miner", "alice"].map(|wallet| money.new_address(wallet, ""));
    let coins = money.call("miner", "listunspent", json!([]));
    let coins: Vec<String> = (coins.as_array().unwrap().iter())
        .map(|coin| text(&coin["txid"]))
        .collect();
    let inputs = json!([{ "txid": coins[0], "vout": 0 }, { "txid": coins[1], "vout": 0 }]);
    let raw = money.node_call("createrawtransaction", json!([inputs, { &alice: 99.9 }]));
    let signed = money.call("miner", "signrawtransactionwithwallet", json!([raw]));
    let receipt = send(&money, &text(&signed["hex"]));
    // The second input goes first.
    for coin in [&coins[1], &coins[0]] {
        let other = spend(&money, coin, 0, &miner, 49.9);
        money.block_on(&money.best(), &[&other]);
    }
    assert_eq!(confirmations(&money, "alice", &receipt), -2);
    assert_eq!(confirmations(&money, "miner", &receipt), -2);
}

#[test]
fn a_young_coinbase_that_something_spends_that_waits_is_counted_once() {
    let money = Money::poor();
    let address = money.new_address("miner", "");
    money.node_call("generatetoaddress", json!([1, address]));
    money.mine_elsewhere(100);
    let coin = &money.call("miner", "listunspent", json!([]))[0];
    let coinbase = text(&coin["txid"]);
    let sent = send(&money, &spend(&money, &coinbase, 0, &address, 49.9));
    // One block less: the next one may have it still, but the wallet calls the coin too young.
    money.node_call("invalidateblock", json!([money.best()]));
    assert!(
        money
            .node_call("getrawmempool", json!([]))
            .as_array()
            .unwrap()
            .contains(&json!(sent))
    );
    let mine = money.call("miner", "getbalances", json!([]))["mine"].clone();
    let sums = ["trusted", "immature", "nonmempool"].map(|name| number(&mine[name]));
    assert_eq!(sums, [49.9, 0.0, 0.0]);
    let young = json!({ "query_options": { "include_immature_coinbase": true } });
    assert_eq!(money.call("miner", "listunspent", young), json!([]));
    // One more, and it does not wait any more: the coin is there, and held.
    money.node_call("invalidateblock", json!([money.best()]));
    assert_eq!(money.node_call("getrawmempool", json!([])), json!([]));
    let mine = money.call("miner", "getbalances", json!([]))["mine"].clone();
    let sums = ["trusted", "immature", "nonmempool"].map(|name| number(&mine[name]));
    assert_eq!(sums, [0.0, 50.0, -50.0]);
}

#[test]
fn addresses_of_others_that_have_a_label_are_listed_among_the_receipts_without_any() {
    let money = Money::poor();
    let other = money.new_address("alice", "");
    money.call("miner", "setlabel", json!([other, "shop"]));
    let listed = money.call("miner", "listreceivedbyaddress", json!([0, true]));
    assert_eq!(listed[0]["address"], *other);
    assert_eq!(listed[0]["amount"], 0.0);
    let labels = money.call("miner", "listreceivedbylabel", json!([0, true]));
    assert_eq!(labels[0]["label"], "shop");
    let (code, message) = money.refused("miner", "getreceivedbylabel", json!(["shop"]));
    assert_eq!(
        (code, message.as_str()),
        (-4, "Address not found in wallet")
    );
}
