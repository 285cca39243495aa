use serde_json::json;

use crate::scene::{Asker, node};

const LOCKED: &str = "Error: Please enter the wallet passphrase with walletpassphrase first.";

#[test]
fn without_a_passphrase_there_is_nothing_to_unlock() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    for (method, params) in [
        ("walletpassphrase", json!(["p", 1])),
        ("walletpassphrasechange", json!(["p", "q"])),
        ("walletlock", json!([])),
    ] {
        let message =
            format!("Error: running with an unencrypted wallet, but {method} was called.");
        any.refused(method, params, -15, &message);
    }
    any.refused(
        "encryptwallet",
        json!([""]),
        -8,
        "passphrase cannot be empty",
    );
    assert!(any.call("getwalletinfo", json!([]))["unlocked_until"].is_null());
}

#[test]
fn a_wallet_with_a_passphrase_is_locked_until_that_is_given() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let address = any.text("getnewaddress", json!(["", "legacy"]));
    any.call("encryptwallet", json!(["first"]));
    any.refused(
        "encryptwallet",
        json!(["first"]),
        -15,
        "Error: running with an encrypted wallet, but encryptwallet was called.",
    );
    assert_eq!(any.call("getwalletinfo", json!([]))["unlocked_until"], 0);
    for (method, params) in [
        ("signmessage", json!([address, "m"])),
        ("dumpprivkey", json!([address])),
        ("listdescriptors", json!([true])),
        ("gethdkeys", json!({ "private": true })),
        ("importdescriptors", json!([[]])),
        ("importprivkey", json!(["x"])),
        ("keypoolrefill", json!([])),
        ("rescanblockchain", json!([])),
        ("createwalletdescriptor", json!(["bech32"])),
    ] {
        any.refused(method, params, -13, LOCKED);
    }
    // Addresses are given out all the same.
    any.call("getnewaddress", json!([]));
    any.refused(
        "walletpassphrase",
        json!(["wrong", 1]),
        -14,
        "Error: The wallet passphrase entered was incorrect.",
    );
    any.refused(
        "walletpassphrase",
        json!(["first", -1]),
        -8,
        "Timeout cannot be negative.",
    );
    any.refused(
        "walletpassphrase",
        json!(["", 1]),
        -8,
        "passphrase cannot be empty",
    );
    any.call("walletpassphrase", json!(["first", 100]));
    let until = any.call("getwalletinfo", json!([]))["unlocked_until"]
        .as_u64()
        .unwrap();
    assert!(until > 1_600_000_000);
    any.call("signmessage", json!([address, "m"]));
    any.call("walletlock", json!([]));
    any.refused("signmessage", json!([address, "m"]), -13, LOCKED);
    any.refused(
        "walletpassphrasechange",
        json!(["wrong", "second"]),
        -14,
        "Error: The wallet passphrase entered was incorrect.",
    );
    any.refused(
        "walletpassphrasechange",
        json!(["first", ""]),
        -8,
        "passphrase cannot be empty",
    );
    any.call("walletpassphrasechange", json!(["first", "second"]));
    any.refused(
        "walletpassphrase",
        json!(["first", 1]),
        -14,
        "Error: The wallet passphrase",
    );
    // After its time it is locked by itself.
    any.call("walletpassphrase", json!(["second", 1]));
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    any.refused("signmessage", json!([address, "m"]), -13, LOCKED);
    any.call("unloadwallet", json!(["w"]));
    any.call("loadwallet", json!(["w"]));
    any.refused("signmessage", json!([address, "m"]), -13, LOCKED);
}

#[test]
fn a_wallet_can_be_made_with_a_passphrase() {
    let node = node();
    let any = Asker::any(&node);
    any.call(
        "createwallet",
        json!({ "wallet_name": "w", "passphrase": "p" }),
    );
    any.call("getnewaddress", json!([]));
    any.refused("listdescriptors", json!([true]), -13, LOCKED);
    any.call("walletpassphrase", json!(["p", 10]));
    any.call("listdescriptors", json!([true]));
}

#[test]
fn until_when_a_wallet_is_open_is_told_by_the_nodes_clock_and_does_not_move() {
    let node = node();
    let any = Asker::any(&node);
    any.call(
        "createwallet",
        json!({ "wallet_name": "w", "passphrase": "p" }),
    );
    any.call("setmocktime", json!([2_000_000_000]));
    let until = || any.call("getwalletinfo", json!([]))["unlocked_until"].clone();
    any.call("walletpassphrase", json!(["p", 600]));
    assert_eq!(until(), 2_000_000_600);
    any.call("setmocktime", json!([2_000_000_100]));
    assert_eq!(until(), 2_000_000_600);
    any.call("walletpassphrase", json!(["p", 200_000_000]));
    assert_eq!(until(), 2_100_000_100);
    any.call("walletlock", json!([]));
    assert_eq!(until(), 0);
}

#[test]
fn a_wrong_passphrase_with_a_zero_byte_is_told_that_it_has_one() {
    let node = node();
    let any = Asker::any(&node);
    any.call(
        "createwallet",
        json!({ "wallet_name": "w", "passphrase": "a\0b" }),
    );
    any.refused(
        "walletpassphrase",
        json!(["a", 1]),
        -14,
        "Error: The wallet passphrase entered was incorrect.",
    );
    any.refused(
        "walletpassphrase",
        json!(["a\0", 1]),
        -14,
        "Error: The wallet passphrase entered is incorrect. It contains a null character (ie - a zero byte).",
    );
    any.refused(
        "walletpassphrasechange",
        json!(["a\0", "c"]),
        -14,
        "Error: The old wallet passphrase entered is incorrect. It contains a null character (ie - a zero byte).",
    );
    any.call("walletpassphrase", json!(["a\0b", 1]));
}
