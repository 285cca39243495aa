use serde_json::json;

use crate::scene::{Asker, KEYPOOL, keys, node, node_with};

const NONE_LOADED: &str = "No wallet is loaded. Load a wallet using loadwallet or create a new one with createwallet. \
                           (Note: A default wallet is no longer automatically created)";
const NOT_THERE: &str = "Requested wallet does not exist or is not loaded";

#[test]
fn a_call_finds_its_wallet_or_says_which_of_cores_reasons_keeps_it_from_it() {
    let node = node();
    let any = Asker::any(&node);
    any.refused("getwalletinfo", json!([]), -18, NONE_LOADED);
    assert_eq!(
        any.call("createwallet", json!(["one"])),
        json!({ "name": "one" })
    );
    assert_eq!(any.call("getwalletinfo", json!([]))["walletname"], "one");
    any.call("createwallet", json!(["the second/not".replace('/', " ")]));
    any.refused(
        "getwalletinfo",
        json!([]),
        -19,
        "Multiple wallets are loaded. Please select which wallet to use by requesting the RPC through the \
         /wallet/<walletname> URI path.",
    );
    let second = Asker::of(&node, "the%20second%20not");
    assert_eq!(
        second.call("getwalletinfo", json!([]))["walletname"],
        "the second not"
    );
    Asker::of(&node, "three").refused("getwalletinfo", json!([]), -18, NOT_THERE);
    assert_eq!(
        any.call("listwallets", json!([])),
        json!(["one", "the second not"])
    );
    // What is no method of a wallet is answered there too.
    assert_eq!(second.call("getblockcount", json!([])), 0);
}

#[test]
fn wallets_are_made_loaded_unloaded_copied_and_put_back() {
    let node = node();
    let any = Asker::any(&node);
    any.call(
        "createwallet",
        json!({ "wallet_name": "a", "load_on_startup": true }),
    );
    any.refused(
        "createwallet",
        json!(["a"]),
        -4,
        "Wallet file verification failed. Failed to create database path '",
    );
    any.refused(
        "loadwallet",
        json!(["a"]),
        -35,
        "Wallet \"a\" is already loaded.",
    );
    any.refused(
        "loadwallet",
        json!(["b"]),
        -18,
        "Wallet file verification failed. Failed to load database path '",
    );
    any.refused(
        "loadwallet",
        json!(["../b"]),
        -4,
        "Wallet file verification failed. '../b'",
    );
    any.refused(
        "createwallet",
        json!({ "wallet_name": "b", "descriptors": false }),
        -4,
        "descriptors argument must be set to \"true\"",
    );
    any.refused(
        "createwallet",
        json!({ "wallet_name": "b", "external_signer": true }),
        -4,
        "Compiled without external signing support",
    );
    any.refused(
        "createwallet",
        json!({ "wallet_name": "b", "disable_private_keys": true, "passphrase": "p" }),
        -4,
        "Passphrase provided but private keys are disabled.",
    );
    assert_eq!(
        any.call(
            "createwallet",
            json!({ "wallet_name": "open", "passphrase": "" })
        ),
        json!({
            "name": "open",
            "warnings": ["Empty string given as passphrase, wallet will not be encrypted."],
        })
    );
    any.call("unloadwallet", json!(["open"]));
    let address = any.text("getnewaddress", json!([]));
    let elsewhere = tempfile::tempdir().expect("a directory");
    let backup = elsewhere.path().join("copy");
    any.call("backupwallet", json!([backup]));
    // What is there is replaced, and what lies beside it stays.
    let beside = elsewhere.path().join("copy.new");
    std::fs::write(&beside, "precious").expect("a file");
    any.call("backupwallet", json!([backup]));
    assert_eq!(std::fs::read(&beside).expect("it is there"), b"precious");
    // But no file of the node's own, and nothing that is no plain file.
    let link = elsewhere.path().join("link");
    std::os::unix::fs::symlink(&backup, &link).expect("a link");
    for place in [node.directory.path().join(".cookie"), link] {
        any.refused(
            "backupwallet",
            json!([place]),
            -4,
            "Error: Wallet backup failed!",
        );
    }
    any.call("backupwallet", json!(["copy"]));
    any.refused(
        "backupwallet",
        json!(["copy"]),
        -4,
        "Error: Wallet backup failed!",
    );
    // The list of wallets to open lies where their names would.
    for name in ["opened-at-start", "opened-at-start.new"] {
        any.refused("createwallet", json!([name]), -4, "");
    }
    any.refused(
        "backupwallet",
        json!(["/no/such/place"]),
        -4,
        "Error: Wallet backup failed!",
    );
    // Not over what the wallets are.
    any.refused(
        "backupwallet",
        json!(["wallets/opened-at-start"]),
        -4,
        "Error: Wallet backup failed!",
    );
    any.refused(
        "restorewallet",
        json!(["a", backup]),
        -36,
        "Failed to restore wallet.",
    );
    any.refused(
        "restorewallet",
        json!(["c", "nowhere"]),
        -8,
        "Backup file does not exist",
    );
    let cookie = node.directory.path().join(".cookie");
    any.refused(
        "restorewallet",
        json!(["c", cookie]),
        -18,
        "Wallet file verification failed. Failed to load database path '",
    );
    let told = any.ask("restorewallet", &json!(["c", cookie]))["error"].to_string();
    let named = format!("the backup {} is damaged", cookie.display());
    assert!(told.contains(&named), "{told}");
    any.refused(
        "restorewallet",
        json!(["c", node.directory.path().join(".cookie")]),
        -18,
        &format!(
            "Wallet file verification failed. Failed to load database path '{}'. Data is not in recognized format.",
            node.directory.path().join("wallets/c").display()
        ),
    );
    // A directory with no wallet in it is another matter than none.
    std::fs::create_dir(node.directory.path().join("wallets/nothing")).unwrap();
    any.refused(
        "loadwallet",
        json!(["nothing"]),
        -18,
        &format!(
            "Wallet file verification failed. Failed to load database path '{}'. Data is not in recognized format.",
            node.directory.path().join("wallets/nothing").display()
        ),
    );
    any.call("restorewallet", json!(["c", backup]));
    let copy = Asker::of(&node, "c");
    assert_eq!(
        copy.call("getaddressinfo", json!([address]))["ismine"],
        true
    );
    copy.refused(
        "unloadwallet",
        json!(["a"]),
        -8,
        "The RPC endpoint wallet and the wallet name parameter specify different wallets",
    );
    assert_eq!(copy.call("unloadwallet", json!([])), json!({}));
    any.refused("unloadwallet", json!(["c"]), -18, NOT_THERE);
    any.refused(
        "unloadwallet",
        json!([]),
        -8,
        "Either the RPC endpoint wallet",
    );
    any.call("loadwallet", json!(["c"]));
    assert_eq!(any.call("listwallets", json!([])), json!(["a", "c"]));
    assert_eq!(
        any.call("listwalletdir", json!([])),
        json!({ "wallets": [
            { "name": "a", "warnings": [] },
            { "name": "c", "warnings": [] },
            { "name": "open", "warnings": [] },
        ] })
    );
    any.refused(
        "migratewallet",
        json!(["a"]),
        -4,
        "Error: This wallet is already a descriptor wallet",
    );
    any.refused(
        "migratewallet",
        json!(["z"]),
        -18,
        "Wallet file verification failed.",
    );
}

#[test]
fn a_wallet_tells_what_it_is_and_a_flag_of_it_can_be_set() {
    let node = node_with(|node| node.wallets.as_mut().unwrap().compat = false);
    let any = Asker::any(&node);
    any.refused(
        "createwallet",
        json!([""]),
        -8,
        "Wallet name cannot be empty",
    );
    any.call("createwallet", json!(["w"]));
    let info = any.call("getwalletinfo", json!([]));
    let expected = [
        "walletname",
        "walletversion",
        "format",
        "txcount",
        "keypoolsize",
        "keypoolsize_hd_internal",
        "private_keys_enabled",
        "avoid_reuse",
        "scanning",
        "descriptors",
        "external_signer",
        "blank",
        "birthtime",
        "flags",
        "lastprocessedblock",
    ];
    let mut sorted = expected;
    sorted.sort_unstable();
    let mut found = keys(&info);
    found.sort_unstable();
    assert_eq!(found, sorted);
    assert_eq!(info["keypoolsize"], 4 * KEYPOOL);
    assert_eq!(info["scanning"], false);
    assert_eq!(
        info["flags"],
        json!(["last_hardened_xpub_cached", "descriptor_wallet"])
    );
    assert_eq!(info["lastprocessedblock"]["height"], 0);
    let set = any.call("setwalletflag", json!(["avoid_reuse"]));
    assert_eq!(
        (&set["flag_name"], &set["flag_state"]),
        (&json!("avoid_reuse"), &json!(true))
    );
    any.refused(
        "setwalletflag",
        json!(["avoid_reuse"]),
        -8,
        "Wallet flag is already set to true: avoid_reuse",
    );
    any.refused(
        "setwalletflag",
        json!(["blank"]),
        -8,
        "Wallet flag is immutable: blank",
    );
    any.refused("setwalletflag", json!(["x"]), -8, "Unknown wallet flag: x");
    assert_eq!(any.call("getwalletinfo", json!([]))["avoid_reuse"], true);
    any.call("keypoolrefill", json!([KEYPOOL + 1]));
    assert_eq!(
        any.call("getwalletinfo", json!([]))["keypoolsize"],
        4 * (KEYPOOL + 1)
    );
    any.refused(
        "keypoolrefill",
        json!([-1]),
        -8,
        "Invalid parameter, expected valid size.",
    );
}

#[test]
fn the_wallet_that_is_there_from_the_start_makes_way_for_another_until_somebody_uses_it() {
    let node = node_with(|node| node.default_wallet = true);
    let any = Asker::any(&node);
    assert_eq!(any.call("listwallets", json!([])), json!([""]));
    assert_eq!(any.call("getwalletinfo", json!([]))["balance"], 0.0);
    any.refused(
        "createwallet",
        json!([""]),
        -8,
        "Wallet name cannot be empty",
    );
    any.refused(
        "restorewallet",
        json!(["", "x"]),
        -8,
        "Wallet name cannot be empty",
    );
    any.call("createwallet", json!(["mine"]));
    assert_eq!(any.call("listwallets", json!([])), json!(["mine"]));
    any.call("loadwallet", json!([""]));
    Asker::of(&node, "").call("getnewaddress", json!([]));
    any.call("createwallet", json!(["more"]));
    assert_eq!(
        any.call("listwallets", json!([])),
        json!(["", "mine", "more"])
    );
}

#[test]
fn a_node_without_wallets_does_not_know_their_methods() {
    let node = node_with(|node| node.wallets = None);
    let any = Asker::any(&node);
    for method in ["createwallet", "getnewaddress", "listaccounts"] {
        any.refused(method, json!(["x"]), -32601, "Method not found");
    }
    assert!(!any.text("help", json!([])).contains("Wallet"));
    assert_eq!(node.client().request("POST", "/wallet/x", "{}").status, 404);
}
