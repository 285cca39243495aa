use serde_json::json;

use crate::scene::{Asker, node, node_with};

const ADDRESS: &str = "mjTkW3DjgyZck4KbiRusZsqTgaYTxdSz6z";

#[test]
fn labels_are_the_accounts_of_old() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    assert_eq!(any.call("listaccounts", json!([])), json!({ "": 0.0 }));
    let alice = any.text("getnewaddress", json!(["Alice"]));
    any.call("generatetoaddress", json!([1, alice]));
    assert_eq!(
        any.call("listaccounts", json!([])),
        json!({ "": 0.0, "Alice": 0.0 })
    );
    any.call("generatetoaddress", json!([100, ADDRESS]));
    assert_eq!(
        any.call("listaccounts", json!([])),
        json!({ "": 0.0, "Alice": 50.0 })
    );
    assert_eq!(
        any.call("listaccounts", json!(["102"])),
        json!({ "": 0.0, "Alice": 0.0 })
    );
    assert_eq!(any.call("getaccount", json!([alice])), "Alice");
    assert_eq!(
        any.call("getaddressesbyaccount", json!(["Alice"])),
        json!([alice])
    );
    let next = any.text("getaccountaddress", json!(["Alice"]));
    assert_ne!(next, alice);
    assert_eq!(any.text("getaccountaddress", json!(["Alice"])), next);
    any.call("setaccount", json!([alice, "Bob"]));
    assert_eq!(
        any.call("listaccounts", json!([])),
        json!({ "": 0.0, "Alice": 0.0, "Bob": 50.0 })
    );
    any.refused("getaccount", json!(["x"]), -5, "Invalid Bitcoin address");
}

#[test]
fn a_private_key_goes_from_one_wallet_to_another_with_what_it_was_paid() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["a"]));
    let address = any.text("getnewaddress", json!([]));
    any.call("generatetoaddress", json!([1, address]));
    let key = any.text("dumpprivkey", json!([address]));
    any.refused(
        "dumpprivkey",
        json!([ADDRESS]),
        -4,
        "Private key for address mjT",
    );
    any.call("createwallet", json!(["b"]));
    let b = Asker::of(&node, "b");
    b.refused(
        "importprivkey",
        json!(["x"]),
        -5,
        "Invalid private key encoding",
    );
    b.call("importprivkey", json!([key, "from a"]));
    assert_eq!(b.call("getwalletinfo", json!([]))["immature_balance"], 50.0);
    assert_eq!(
        b.call("getaddressinfo", json!([address]))["labels"],
        json!(["from a"])
    );
    assert_eq!(b.text("dumpprivkey", json!([address])), key);
}

#[test]
fn generate_pays_the_wallet_and_the_old_getinfo_tells_of_it() {
    let node = node_with(|node| node.default_wallet = true);
    let any = Asker::any(&node);
    let info = any.call("getinfo", json!([]));
    assert_eq!(
        (&info["balance"], &info["walletversion"]),
        (&json!(0.0), &json!(169_900))
    );
    any.call("generate", json!([101]));
    assert_eq!(any.call("getinfo", json!([]))["balance"], 50.0);
    assert_eq!(any.call("listaccounts", json!([])), json!({ "": 50.0 }));
}

#[test]
fn the_old_methods_are_there_only_where_they_are_switched_on() {
    let node = node_with(|node| node.wallets.as_mut().unwrap().compat = false);
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    for (method, params) in [
        ("listaccounts", json!([])),
        ("dumpprivkey", json!([ADDRESS])),
        ("importprivkey", json!(["x"])),
        ("getaccountaddress", json!([""])),
        ("getaccount", json!([ADDRESS])),
        ("getaddressesbyaccount", json!([""])),
        ("setaccount", json!([ADDRESS, "x"])),
    ] {
        any.refused(method, params, -32601, "Method not found");
    }
    any.call("getnewaddress", json!(["Alice"]));
    any.call("generate", json!([1]));
    assert_eq!(any.call("getwalletinfo", json!([]))["txcount"], 0);
}
