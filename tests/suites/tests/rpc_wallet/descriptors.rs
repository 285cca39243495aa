use everett_ledger::MIN_PRUNE_TARGET_REGTEST;
use serde_json::{Value, json};

use crate::scene::{Asker, KEYPOOL, node, node_with};

/// The key that everybody knows, whom `generate` pays where there is no wallet.
const KEY: &str = "cVpF924EspNh8KjYsfhgY96mmxvT6DgdWiTYMtMjuM74hJaU5psW";
const ADDRESS: &str = "mjTkW3DjgyZck4KbiRusZsqTgaYTxdSz6z";

fn checked(asker: &Asker, descriptor: &str) -> String {
    let info = asker.call("getdescriptorinfo", json!([descriptor]));
    format!("{descriptor}#{}", info["checksum"].as_str().unwrap())
}

fn error(answer: &Value) -> (i64, &str) {
    let error = &answer[0]["error"];
    (
        error["code"].as_i64().unwrap_or_default(),
        error["message"].as_str().unwrap_or_default(),
    )
}

#[test]
fn a_fresh_wallet_has_eight_descriptors_of_one_key() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let list = any.call("listdescriptors", json!([]));
    assert_eq!(list["wallet_name"], "w");
    let descriptors = list["descriptors"].as_array().unwrap();
    assert_eq!(descriptors.len(), 8);
    let texts: Vec<&str> = descriptors
        .iter()
        .map(|one| one["desc"].as_str().unwrap())
        .collect();
    assert!(texts.is_sorted());
    for one in descriptors {
        assert_eq!(one["active"], true);
        assert_eq!(one["range"], json!([0, KEYPOOL - 1]));
        assert_eq!((&one["next"], &one["next_index"]), (&json!(0), &json!(0)));
    }
    assert_eq!(
        descriptors
            .iter()
            .filter(|one| one["internal"] == true)
            .count(),
        4
    );
    let private = any.call("listdescriptors", json!([true]));
    let private = private["descriptors"].to_string();
    assert!(private.contains("tprv") && !private.contains("tpub"));
    let keys = any.call("gethdkeys", json!([]));
    assert_eq!(keys.as_array().unwrap().len(), 1);
    assert_eq!(keys[0]["has_private"], true);
    assert_eq!(keys[0]["descriptors"].as_array().unwrap().len(), 8);
    assert!(keys[0]["xprv"].is_null());
    let keys = any.call("gethdkeys", json!({ "private": true, "active_only": true }));
    assert!(keys[0]["xprv"].as_str().unwrap().starts_with("tprv"));
    any.refused(
        "createwalletdescriptor",
        json!(["bech32m"]),
        -4,
        "Descriptor already exists",
    );
    any.refused(
        "createwalletdescriptor",
        json!(["x"]),
        -5,
        "Unknown address type 'x'",
    );
}

#[test]
fn the_descriptors_of_a_kind_can_be_made_from_a_key_that_the_wallet_has() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["from"]));
    let key = any.call("gethdkeys", json!({ "private": true }))[0].clone();
    any.call("unloadwallet", json!(["from"]));
    any.call(
        "createwallet",
        json!({ "wallet_name": "to", "blank": true }),
    );
    any.refused(
        "createwalletdescriptor",
        json!(["bech32"]),
        -5,
        "Unable to determine which HD key to use",
    );
    any.refused(
        "createwalletdescriptor",
        json!({ "type": "bech32", "hdkey": key["xpub"] }),
        -5,
        "Private key for tpub",
    );
    let text = checked(
        &any,
        &format!("wpkh({}/0/*)", key["xprv"].as_str().unwrap()),
    );
    let request = json!([[{ "desc": text, "timestamp": "now", "active": true, "range": [0, 3] }]]);
    assert_eq!(
        any.call("importdescriptors", request),
        json!([{ "success": true }])
    );
    let made = any.call("createwalletdescriptor", json!(["bech32m"]));
    assert_eq!(made["descs"].as_array().unwrap().len(), 2);
    let one = any.call(
        "createwalletdescriptor",
        json!({ "type": "legacy", "internal": true }),
    );
    assert_eq!(one["descs"].as_array().unwrap().len(), 1);
    assert!(
        any.text("getnewaddress", json!(["", "bech32m"]))
            .starts_with("bcrt1p")
    );
    any.refused(
        "getnewaddress",
        json!(["", "legacy"]),
        -12,
        "Error: No legacy addresses available.",
    );
}

#[test]
fn what_is_imported_is_looked_for_in_the_blocks() {
    let node = node();
    let any = Asker::any(&node);
    any.call(
        "createwallet",
        json!({ "wallet_name": "watch", "disable_private_keys": true }),
    );
    any.call("generatetoaddress", json!([3, ADDRESS]));
    let text = checked(&any, &format!("addr({ADDRESS})"));
    let request = json!([{ "desc": text, "timestamp": 0, "label": "everybody" }]);
    assert_eq!(
        any.call("importdescriptors", json!([request])),
        json!([{ "success": true }])
    );
    let info = any.call("getwalletinfo", json!([]));
    assert_eq!(
        (&info["txcount"], &info["immature_balance"]),
        (&json!(3), &json!(150.0))
    );
    assert_eq!(
        any.call("getaddressinfo", json!([ADDRESS]))["labels"],
        json!(["everybody"])
    );
    any.refused(
        "listdescriptors",
        json!([true]),
        -4,
        "Can't get private descriptor string",
    );
    any.refused(
        "encryptwallet",
        json!(["p"]),
        -16,
        "Error: wallet does not contain private keys",
    );
}

#[test]
fn each_descriptor_that_cannot_be_imported_says_why() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let import = |request: Value| any.call("importdescriptors", json!([[request]]));
    let text = checked(&any, &format!("pkh({KEY})"));
    let public = checked(&any, &format!("addr({ADDRESS})"));
    let ranged = any.call("listdescriptors", json!([true]))["descriptors"][0]["desc"].clone();
    for (request, code, message) in [
        (json!({ "timestamp": 0 }), -8, "Descriptor not found."),
        (
            json!({ "timestamp": 0, "desc": "pkh(x)" }),
            -5,
            "Missing checksum",
        ),
        (
            json!({ "timestamp": 0, "desc": public }),
            -4,
            "Cannot import descriptor without private keys",
        ),
        (
            json!({ "timestamp": 0, "desc": text, "range": 3 }),
            -8,
            "Range should not be specified",
        ),
        (
            json!({ "timestamp": 0, "desc": text, "active": true }),
            -8,
            "Active descriptors must be ranged",
        ),
        (
            json!({ "timestamp": 0, "desc": text, "label": "*" }),
            -11,
            "Invalid label name",
        ),
        (
            json!({ "timestamp": 0, "desc": text, "label": "l", "internal": true }),
            -8,
            "Internal addresses should not",
        ),
        (
            json!({ "timestamp": 0, "desc": 1 }),
            -3,
            "JSON value of type number is not of expected type string",
        ),
        (
            json!({ "timestamp": 0, "desc": ranged, "range": [0, 1] }),
            -4,
            "Could not add descriptor '",
        ),
        (
            json!({ "timestamp": 0, "desc": ranged, "range": [2, 1] }),
            -8,
            "Range specified as [begin,end]",
        ),
        (
            json!({ "timestamp": 0, "desc": ranged, "range": [0, 9], "next_index": 10 }),
            -8,
            "next_index is out of range",
        ),
    ] {
        let answer = import(request.clone());
        assert_eq!(answer[0]["success"], false, "{request}");
        let (found, said) = error(&answer);
        assert!(
            found == code && said.starts_with(message),
            "{request}: {found} {said}"
        );
    }
    any.refused(
        "importdescriptors",
        json!([[{ "desc": text }]]),
        -3,
        "Missing required timestamp field for key",
    );
    any.refused(
        "importdescriptors",
        json!([[{ "desc": text, "timestamp": "then" }]]),
        -3,
        "Expected number or \"now\" timestamp value for key. got type string",
    );
    // One that fails does not keep the next from being taken up.
    let both = json!([[{ "desc": "x", "timestamp": 0 }, { "desc": text, "timestamp": 0 }]]);
    let answers = any.call("importdescriptors", both);
    assert_eq!(
        (&answers[0]["success"], &answers[1]["success"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(any.call("getaddressinfo", json!([ADDRESS]))["ismine"], true);
}

#[test]
fn blocks_are_looked_into_again_from_and_up_to_a_height() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    any.call("generatetoaddress", json!([4, ADDRESS]));
    assert_eq!(
        any.call("rescanblockchain", json!([])),
        json!({ "start_height": 0, "stop_height": 4 })
    );
    assert_eq!(
        any.call("rescanblockchain", json!([1, 2])),
        json!({ "start_height": 1, "stop_height": 2 })
    );
    any.refused("rescanblockchain", json!([5]), -8, "Invalid start_height");
    any.refused("rescanblockchain", json!([0, 5]), -8, "Invalid stop_height");
    any.refused(
        "rescanblockchain",
        json!([3, 2]),
        -8,
        "stop_height must be greater than start_height",
    );
    assert_eq!(any.call("abortrescan", json!([])), false);
}

#[test]
fn a_descriptor_whose_blocks_are_pruned_is_refused_and_not_taken_up() {
    let node = node_with(|config| {
        config.ledger.tx_index = false;
        config.ledger.prune_target = Some(MIN_PRUNE_TARGET_REGTEST);
        config.ledger.horizon = Some(10);
    });
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    any.call("generatetoaddress", json!([900, ADDRESS]));
    assert!(any.call("getblockchaininfo", json!([]))["pruneheight"].as_u64() > Some(0));
    let text = checked(&any, &format!("pkh({KEY})"));
    let before = any.call("listdescriptors", json!([]));
    let old = json!([[{ "desc": text, "timestamp": 0 }]]);
    let answer = any.call("importdescriptors", old);
    assert_eq!(answer[0]["success"], false);
    let (code, said) = error(&answer);
    assert_eq!(code, -1);
    assert!(
        said.starts_with("Rescan failed for descriptor with timestamp 1."),
        "{said}"
    );
    assert_eq!(any.call("listdescriptors", json!([])), before);
    any.refused(
        "rescanblockchain",
        json!([]),
        -1,
        "Can't rescan beyond pruned data. Use RPC call getblockchaininfo to determine your pruned height.",
    );
    assert_eq!(any.call("abortrescan", json!([])), false);
    assert_eq!(any.call("getwalletinfo", json!([]))["scanning"], false);
}
