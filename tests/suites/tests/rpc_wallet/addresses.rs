use serde_json::json;

use crate::scene::{Asker, node, node_with};

#[test]
fn addresses_of_each_kind_are_given_out_and_explained() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    for (kind, begins, path) in [
        ("legacy", ["m", "n"], "m/44h/1h/0h/0/0"),
        ("p2sh-segwit", ["2", "2"], "m/49h/1h/0h/0/0"),
        ("bech32", ["bcrt1q", "bcrt1q"], "m/84h/1h/0h/0/0"),
        ("bech32m", ["bcrt1p", "bcrt1p"], "m/86h/1h/0h/0/0"),
    ] {
        let address = any.text("getnewaddress", json!(["L", kind]));
        assert!(
            begins.iter().any(|begin| address.starts_with(begin)),
            "{address}"
        );
        let info = any.call("getaddressinfo", json!([address]));
        assert_eq!(info["ismine"], true);
        assert_eq!(
            (&info["solvable"], &info["iswatchonly"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(info["hdkeypath"], path, "{info}");
        assert_eq!(info["labels"], json!(["L"]));
        assert_eq!(info["ischange"], false);
        // Its own descriptor derives to it, and its parent does at the index.
        assert_eq!(
            any.call("deriveaddresses", json!([info["desc"]])),
            json!([address])
        );
        assert_eq!(
            any.call("deriveaddresses", json!([info["parent_desc"], [0, 0]])),
            json!([address])
        );
        let valid = any.call("validateaddress", json!([address]));
        for field in [
            "isscript",
            "iswitness",
            "witness_version",
            "witness_program",
            "scriptPubKey",
        ] {
            assert_eq!(info[field], valid[field], "{field}");
        }
        if kind == "p2sh-segwit" {
            assert_eq!(info["script"], "witness_v0_keyhash");
            assert_eq!(info["embedded"]["pubkey"], info["pubkey"]);
            assert!(
                info["embedded"]["address"]
                    .as_str()
                    .unwrap()
                    .starts_with("bcrt1q")
            );
        }
        let change = any.text("getrawchangeaddress", json!([kind]));
        let info = any.call("getaddressinfo", json!([change]));
        assert_eq!(
            (&info["ischange"], &info["labels"]),
            (&json!(true), &json!([]))
        );
    }
    let foreign = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    let info = any.call("getaddressinfo", json!([foreign]));
    assert_eq!(
        (&info["ismine"], &info["solvable"]),
        (&json!(false), &json!(false))
    );
    assert!(info["desc"].is_null());
    any.refused("getaddressinfo", json!(["x"]), -5, "Invalid");
    any.refused(
        "getnewaddress",
        json!(["", "taproot"]),
        -5,
        "Unknown address type 'taproot'",
    );
    any.refused(
        "getrawchangeaddress",
        json!([""]),
        -5,
        "Unknown address type ''",
    );
}

#[test]
fn an_address_that_another_copy_gave_out_stands_in_the_book_when_it_is_paid_with_those_before_it() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let given: Vec<String> = (0..3)
        .map(|_| Asker::of(&node, "w").text("getnewaddress", json!(["rent", "bech32"])))
        .collect();
    let change = Asker::of(&node, "w").text("getrawchangeaddress", json!(["bech32"]));
    let listed = Asker::of(&node, "w").call("listdescriptors", json!([]));
    // One that does not know that they were given out.
    any.call("createwallet", json!(["old", true, true]));
    let old = Asker::of(&node, "old");
    let mut fresh = listed["descriptors"].clone();
    for one in fresh.as_array_mut().unwrap() {
        one["next_index"] = json!(0);
    }
    old.call("importdescriptors", json!([fresh]));
    assert_eq!(old.call("listlabels", json!([])), json!([]));
    any.call("generatetoaddress", json!([1, given[1]]));
    any.call("generatetoaddress", json!([101, change]));
    let booked = old.call("getaddressesbylabel", json!([""]));
    let mut expected = vec![given[0].as_str(), &given[1]];
    expected.sort_unstable();
    assert_eq!(crate::scene::keys(&booked), expected);
    let received = old.call("listreceivedbyaddress", json!([]));
    assert_eq!(received.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&received[0]["address"], &received[0]["label"]),
        (&json!(given[1]), &json!(""))
    );
    let coins = old.call("listunspent", json!([1, 999, [given[1]]]));
    assert_eq!(coins[0]["label"], "");
    let next = old.text("getnewaddress", json!(["", "bech32"]));
    assert_eq!(next, given[2]);
    let info = old.call("getaddressinfo", json!([change]));
    assert_eq!(info["ischange"], true);
}

#[test]
fn what_the_settings_say_of_kinds_of_addresses_is_done() {
    let node = node_with(|node| {
        let wallets = node.wallets.as_mut().unwrap();
        wallets.address_type = everett_wallet::OutputType::Bech32m;
        wallets.change_type = Some(everett_wallet::OutputType::Legacy);
    });
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    assert!(any.text("getnewaddress", json!([])).starts_with("bcrt1p"));
    assert!(
        any.text("getrawchangeaddress", json!([]))
            .starts_with(['m', 'n'])
    );
}

#[test]
fn a_wallet_without_keys_gives_no_addresses_out() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!({ "wallet_name": "w", "blank": true }));
    any.refused(
        "getnewaddress",
        json!([]),
        -4,
        "Error: This wallet has no available keys",
    );
    any.refused(
        "getrawchangeaddress",
        json!([]),
        -4,
        "Error: This wallet has no available keys",
    );
}

#[test]
fn labels_are_put_on_addresses_and_found_again() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let ours = any.text("getnewaddress", json!(["tabby"]));
    let theirs = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    any.call("setlabel", json!([theirs, "shop"]));
    assert_eq!(any.call("listlabels", json!([])), json!(["shop", "tabby"]));
    assert_eq!(any.call("listlabels", json!(["receive"])), json!(["tabby"]));
    assert_eq!(any.call("listlabels", json!(["send"])), json!(["shop"]));
    any.refused("listlabels", json!(["x"]), -8, "Invalid 'purpose' argument");
    assert_eq!(
        any.call("getaddressesbylabel", json!(["tabby"])),
        json!({ ours.as_str(): { "purpose": "receive" } })
    );
    assert_eq!(
        any.call("getaddressesbylabel", json!(["shop"])),
        json!({ theirs: { "purpose": "send" } })
    );
    any.call("setlabel", json!([ours, "grey"]));
    any.refused(
        "getaddressesbylabel",
        json!(["tabby"]),
        -11,
        "No addresses with label tabby",
    );
    any.refused("setlabel", json!([ours, "*"]), -11, "Invalid label name");
    any.refused("setlabel", json!(["x", "y"]), -5, "Invalid Bitcoin address");
    any.refused("getnewaddress", json!(["*"]), -11, "Invalid label name");
    any.refused(
        "getnewaddress",
        json!(["l".repeat(5_000)]),
        -11,
        "a label of 5000 bytes",
    );
}

#[test]
fn messages_are_signed_with_the_key_of_an_address() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let address = any.text("getnewaddress", json!(["", "legacy"]));
    let signature = any.text("signmessage", json!([address, "hello"]));
    assert_eq!(
        any.call("verifymessage", json!([address, signature, "hello"])),
        true
    );
    assert_eq!(
        any.call("verifymessage", json!([address, signature, "hallo"])),
        false
    );
    let segwit = any.text("getnewaddress", json!([]));
    any.refused(
        "signmessage",
        json!([segwit, "hello"]),
        -3,
        "Address does not refer to key",
    );
    any.refused("signmessage", json!(["x", "hello"]), -5, "Invalid address");
    let foreign = "mjTkW3DjgyZck4KbiRusZsqTgaYTxdSz6z";
    any.refused(
        "signmessage",
        json!([foreign, "hello"]),
        -4,
        "Private key not available",
    );
}

#[test]
fn no_label_is_an_asterisk() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let address = any.text("getnewaddress", json!([]));
    for (method, params) in [
        ("getnewaddress", json!({ "label": "*" })),
        ("setlabel", json!([address, "*"])),
        ("getaddressesbylabel", json!(["*"])),
        ("getreceivedbylabel", json!(["*"])),
        ("listsinceblock", json!({ "label": "*" })),
    ] {
        any.refused(method, params, -11, "Invalid label name");
    }
}
