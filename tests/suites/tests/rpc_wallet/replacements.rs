//! Payments that wait replaced by others, and what they may and may not take with them.

use crate::money::{Money, check_fields, number, text};
use serde_json::json;

#[test]
fn a_payment_that_waits_is_replaced_by_one_that_pays_more() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let params = json!({ "address": alice, "amount": 10, "fee_rate": 2 });
    let txid = text(&money.call("miner", "sendtoaddress", params));
    let psbt = money.call("miner", "psbtbumpfee", json!([txid, { "fee_rate": 20 }]));
    check_fields(&psbt, &["psbt", "origfee", "fee", "errors"]);
    assert!(number(&psbt["fee"]) > number(&psbt["origfee"]));
    let (code, message) = money.refused("miner", "bumpfee", json!([txid, { "fee_rate": 2 }]));
    assert_eq!(code, -8, "{message}");
    assert!(message.starts_with("Insufficient total fee"), "{message}");
    let (code, message) = money.refused("miner", "bumpfee", json!([txid, { "fee_rate": 100_000 }]));
    assert_eq!(code, -4, "{message}");
    assert!(
        message.starts_with("Specified or calculated fee 0.1"),
        "{message}"
    );
    assert!(
        message.ends_with("(cannot be higher than -maxtxfee 0.10)"),
        "{message}"
    );
    let bumped = money.call("miner", "bumpfee", json!([txid, { "fee_rate": 30 }]));
    check_fields(&bumped, &["txid", "origfee", "fee", "errors"]);
    let (code, message) = money.refused("miner", "bumpfee", json!([txid]));
    let by = text(&bumped["txid"]);
    assert_eq!(
        (code, message),
        (
            -4,
            format!("Cannot bump transaction {txid} which was already bumped by transaction {by}")
        )
    );
    // What may be replaced by what it replaced is not built upon.
    let safe = money.call("miner", "listunspent", json!([0, 0, [], false]));
    assert_eq!(safe, json!([]));
    let old = money.call("miner", "gettransaction", json!([txid]));
    assert_eq!(old["replaced_by_txid"], bumped["txid"]);
    assert_eq!(old["walletconflicts"], json!([bumped["txid"]]));
    assert_eq!(old["mempoolconflicts"], json!([bumped["txid"]]));
    let new = money.call("miner", "gettransaction", json!([bumped["txid"]]));
    assert_eq!(text(&new["replaces_txid"]), txid);
    assert_eq!(number(&new["amount"]), -10.0);
    assert_eq!(
        money.node_call("getrawmempool", json!([])),
        json!([bumped["txid"]])
    );
    money.mine_elsewhere(1);
    assert_eq!(money.balance("alice"), 10.0);
    assert_eq!(
        money.refused("miner", "bumpfee", json!([bumped["txid"]])).0,
        -1
    );
    assert_eq!(
        money
            .refused("miner", "abandontransaction", json!([bumped["txid"]]))
            .0,
        -5
    );
}

#[test]
fn a_payment_of_our_own_to_a_labelled_address_for_change_is_kept_by_a_replacement() {
    let money = Money::earned();
    let own = text(&money.call("miner", "getrawchangeaddress", json!([])));
    money.call("miner", "setlabel", json!([own, "savings"]));
    let params = json!({ "address": own, "amount": 10, "fee_rate": 2 });
    let txid = text(&money.call("miner", "sendtoaddress", params));
    let bumped = money.call("miner", "bumpfee", json!([txid, { "fee_rate": 30 }]));
    let hex = money.hex("miner", &text(&bumped["txid"]));
    let decoded = money.node_call("decoderawtransaction", json!([hex]));
    let outputs = decoded["vout"].as_array().expect("outputs");
    let mut paid = outputs.iter().filter(|output| output["value"] == 10.0);
    let paid = paid
        .next()
        .map(|output| text(&output["scriptPubKey"]["address"]));
    assert_eq!(paid, Some(own), "{decoded}");
}

#[test]
fn a_coin_that_a_waiting_payment_spends_is_not_swept_and_who_names_it_in_send_replaces_that() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    let params = json!({ "address": alice, "amount": 10, "fee_rate": 2 });
    let txid = text(&money.call("miner", "sendtoaddress", params));
    let hex = money.hex("miner", &txid);
    let decoded = money.node_call("decoderawtransaction", json!([hex]));
    let coin = &decoded["vin"][0];
    let inputs = json!([{ "txid": coin["txid"], "vout": coin["vout"] }]);
    let params = json!({ "recipients": [alice], "fee_rate": 30, "options": { "inputs": inputs } });
    let (spent, vout) = (text(&coin["txid"]), &coin["vout"]);
    assert_eq!(
        money.refused("miner", "sendall", params),
        (
            -8,
            format!("Input not available. UTXO ({spent}:{vout}) was already spent.")
        )
    );
    assert_eq!(money.node_call("getrawmempool", json!([])), json!([txid]));
    let options = json!({ "inputs": inputs, "add_inputs": true });
    let params = json!({ "outputs": { alice: 11 }, "fee_rate": 30, "options": options });
    let sent = money.call("miner", "send", params);
    assert_eq!(
        money.node_call("getrawmempool", json!([])),
        json!([sent["txid"]])
    );
    let old = money.call("miner", "gettransaction", json!([txid]));
    assert_eq!(old["replaced_by_txid"], sent["txid"]);
}

#[test]
fn a_replacement_that_pays_less_than_is_ever_paid_is_refused() {
    let money = Money::earned();
    let alice = money.new_address("alice", "");
    // Less than the wallet pays by itself, and relayed.
    let raw = money.node_call("createrawtransaction", json!([[], { alice: 10 }]));
    let funded = json!([raw, { "feeRate": 0.000002 }]);
    let funded = money.call("miner", "fundrawtransaction", funded);
    let signed = json!([funded["hex"]]);
    let signed = money.call("miner", "signrawtransactionwithwallet", signed);
    let txid = money.node_call("sendrawtransaction", json!([signed["hex"]]));
    let too_low = [
        (0.0, "Insufficient total fee 0.00, must be at least"),
        (
            0.5,
            "Insufficient total fee (cannot be less than required fee 0.00000",
        ),
    ];
    for (rate, words) in too_low {
        let (code, message) =
            money.refused("miner", "bumpfee", json!([txid, { "fee_rate": rate }]));
        assert_eq!(code, -8, "{message}");
        assert!(message.starts_with(words), "{message}");
    }
    money.call("miner", "bumpfee", json!([txid, { "fee_rate": 1.5 }]));
}
