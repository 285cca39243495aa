//! What neither of the old clients could do: a payment on one branch, spent otherwise on the other.

use serde_json::json;

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
