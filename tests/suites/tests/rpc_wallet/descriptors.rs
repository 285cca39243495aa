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
    for one in private["descriptors"].as_array().unwrap() {
        let text = one["desc"].as_str().unwrap();
        // A key may have either in its middle.
        let keys = text.split(|c: char| !c.is_ascii_alphanumeric());
        let [secret, public] =
            ["tprv", "tpub"].map(|kind| keys.clone().any(|key| key.starts_with(kind)));
        assert!(secret && !public, "{text}");
    }
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
    // What was imported is not the wallet's own making, as Core counts it.
    let blank = || any.call("getwalletinfo", json!([]))["blank"].clone();
    assert_eq!(blank(), true);
    let made = any.call("createwalletdescriptor", json!(["bech32m"]));
    assert_eq!(blank(), false);
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

/// A wallet that only watches, and takes up one descriptor.
fn watching(any: &Asker) -> impl Fn(Value) -> Value + '_ {
    any.call(
        "createwallet",
        json!({ "wallet_name": "watch", "disable_private_keys": true, "blank": true }),
    );
    |request| any.call("importdescriptors", json!([[request]]))[0].clone()
}

const TPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
/// The generator of the curve.
const X_ONLY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

#[test]
fn what_nobody_should_be_paid_by_is_refused_in_cores_words() {
    let node = node();
    let any = Asker::any(&node);
    let twice = format!("02{X_ONLY}");
    for (text, message) in [
        (
            "wsh(and_b(ripemd160(1fd9b55a054a2b3f658d97e6b84cf3ee00be429a),a:1))".to_owned(),
            "and_b(ripemd160(1fd9b55a054a2b3f658d97e6b84cf3ee00be429a),a:1) is not sane: witnesses without signature exist",
        ),
        ("wsh(0)".to_owned(), "0 is not satisfiable"),
        (
            format!("wsh(and_v(v:pk({twice}),pk({twice})))"),
            &*format!(
                "and_v(v:pk({twice}),pk({twice})) is not sane: contains duplicate public keys"
            ),
        ),
        (
            format!("sh(and_v(v:pk({twice}),older(1)))"),
            "Miniscript expressions can only be used in wsh or tr.",
        ),
        (
            format!("pkh( {twice})"),
            &*format!("pkh(): Key ' {twice}' is invalid due to whitespace"),
        ),
        (
            format!("wsh(multi(1,{twice} ))"),
            &*format!("Multi: Key '{twice} ' is invalid due to whitespace"),
        ),
        ("wpkh()".to_owned(), "wpkh(): No key provided"),
    ] {
        any.refused("getdescriptorinfo", json!([text]), -5, message);
    }
    // Keys that come twice in a multi are no miniscript for Core.
    any.call(
        "getdescriptorinfo",
        json!([format!("wsh(multi(1,{twice},{twice}))")]),
    );
}

#[test]
fn the_keys_of_a_sortedmulti_a_are_put_in_order_at_each_index() {
    let node = node();
    let any = Asker::any(&node);
    let text =
        format!("tr({X_ONLY},{{pk({TPUB}/7),sortedmulti_a(1,{TPUB}/0/*,{TPUB}/1/*,{TPUB}/2/*)}})");
    let info = any.call("getdescriptorinfo", json!([text]));
    // As Core gives it, and the addresses too.
    assert_eq!(info["descriptor"], format!("{text}#u06nckj3"));
    let addresses = [
        "bcrt1pq99ml0ff9ywpntzqs8nj7yv28vg5eyspqwsdwaj0ucg0c9kh7l0qkheapz",
        "bcrt1pt9s77f2y7xngzwnqnwpgnrzlta9ttxlmwyvgvjelqxa8vpjncr9suz3ya4",
        "bcrt1p9yuzfxja79jl3xf5n9u6dlnawwvcw92wlse06d7z8qau4srjcv2sky0zy2",
        "bcrt1p0jufxwnyz7m5532sy0zlpysy5tg2nrna0kmyhaecjz2s8k0cx06qnzy8eq",
    ];
    assert_eq!(
        any.call("deriveaddresses", json!([info["descriptor"], [0, 3]])),
        json!(addresses)
    );
    let import = watching(&any);
    let request =
        json!({ "desc": info["descriptor"], "timestamp": "now", "active": true, "range": [0, 3] });
    assert_eq!(import(request), json!({ "success": true }));
    any.call("unloadwallet", json!(["watch"]));
    any.call("loadwallet", json!(["watch"]));
    for address in addresses {
        assert_eq!(any.text("getnewaddress", json!(["", "bech32m"])), address);
        let known = any.call("getaddressinfo", json!([address]));
        assert_eq!(known["parent_desc"], info["descriptor"]);
        assert_eq!(
            any.call("deriveaddresses", json!([known["desc"]])),
            json!([address])
        );
    }
}

#[test]
fn one_address_that_is_imported_stands_in_the_book_and_keeps_its_label() {
    let node = node();
    let any = Asker::any(&node);
    let text = checked(&any, &format!("addr({ADDRESS})"));
    let import = watching(&any);
    let labels = || any.call("getaddressinfo", json!([ADDRESS]))["labels"].clone();
    import(json!({ "desc": text, "timestamp": "now" }));
    assert_eq!(labels(), json!([""]));
    assert_eq!(any.call("listlabels", json!([])), json!([""]));
    import(json!({ "desc": text, "timestamp": "now", "label": "shop" }));
    import(json!({ "desc": text, "timestamp": "now" }));
    assert_eq!(labels(), json!(["shop"]));
}

#[test]
fn an_address_of_a_script_has_no_way_of_its_own_though_one_key_is_in_it() {
    let node = node();
    let any = Asker::any(&node);
    let [script, key] = [
        format!("wsh(pkh({TPUB}/0))"),
        format!("tr({TPUB}/0,pk({TPUB}/1))"),
    ]
    .map(|text| checked(&any, &text));
    let import = watching(&any);
    for (text, path) in [(script, Value::Null), (key, json!("m/0"))] {
        import(json!({ "desc": text, "timestamp": "now" }));
        let address = any.call("deriveaddresses", json!([text]))[0].clone();
        let info = any.call("getaddressinfo", json!([address]));
        assert_eq!(info["hdkeypath"], path, "{info}");
    }
}

#[test]
fn change_that_a_known_payment_has_is_not_given_out_when_its_descriptor_comes_later() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let own = Asker::of(&node, "w");
    let address = own.text("getnewaddress", json!([]));
    any.call("generatetoaddress", json!([1, address]));
    any.call("generatetodescriptor", json!([100, "raw(51)#8lvh9jxk"]));
    own.call(
        "sendtoaddress",
        json!([ADDRESS, 20, null, null, null, null, null, null, null, 5]),
    );
    let texts = |internal: bool| {
        let list = own.call("listdescriptors", json!([]));
        let all = list["descriptors"].as_array().unwrap().clone().into_iter();
        let wanted = all.filter(|one| {
            one["internal"] == internal
                && ["wpkh", "pkh("]
                    .iter()
                    .any(|kind| one["desc"].as_str().unwrap().starts_with(kind))
        });
        wanted
            .map(|one| json!({ "desc": one["desc"], "timestamp": "now", "active": true, "internal": internal, "range": [0, 9] }))
            .collect::<Vec<Value>>()
    };
    let [outer, inner] = [false, true].map(texts);
    let copy = |name: &str| {
        any.call(
            "createwallet",
            json!({ "wallet_name": name, "disable_private_keys": true }),
        );
        Asker::of(&node, name)
    };
    let watch = copy("watch");
    // The payment is known when the descriptors of its change come.
    watch.call("importdescriptors", json!([outer]));
    assert_eq!(watch.call("getwalletinfo", json!([]))["txcount"], 2);
    watch.call("importdescriptors", json!([inner]));
    for kind in ["legacy", "bech32"] {
        assert_eq!(
            watch.text("getrawchangeaddress", json!([kind])),
            own.text("getrawchangeaddress", json!([kind]))
        );
    }
}

#[test]
fn private_keys_that_come_later_join_those_that_a_descriptor_has() {
    let node = node();
    let any = Asker::any(&node);
    let key = |name: &str| {
        any.call("createwallet", json!([name]));
        let asker = Asker::of(&node, name);
        let key = asker.call("gethdkeys", json!({ "private": true }))[0].clone();
        ["xprv", "xpub"].map(|part| key[part].as_str().unwrap().to_owned())
    };
    let [first, second] = ["first", "second"].map(key);
    any.call(
        "createwallet",
        json!({ "wallet_name": "both", "blank": true }),
    );
    let both = Asker::of(&node, "both");
    let import = |one: &str, other: &str| {
        let text = checked(&any, &format!("wsh(multi(2,{one}/*,{other}/*))"));
        let request = json!([[{ "desc": text, "timestamp": "now", "range": [0, 9] }]]);
        assert_eq!(both.call("importdescriptors", request)[0]["success"], true);
        let listed = both.call("listdescriptors", json!([true]));
        let listed = listed["descriptors"].as_array().unwrap().clone();
        assert_eq!(listed.len(), 1);
        (text, listed[0]["desc"].as_str().unwrap().to_owned())
    };
    let (given, listed) = import(&first[0], &second[1]);
    assert_eq!(listed, given);
    // One is brought, and the other one stays.
    import(&first[1], &second[0]);
    let (whole, listed) = import(&first[0], &second[0]);
    assert_eq!(listed, whole);
    let (_, listed) = import(&first[0], &second[1]);
    assert_eq!(listed, whole);
    any.call("unloadwallet", json!(["both"]));
    any.call("loadwallet", json!(["both"]));
    let listed = both.call("listdescriptors", json!([true]));
    assert_eq!(listed["descriptors"][0]["desc"], whole);
}

#[test]
fn a_rawtr_is_solvable_and_its_own_descriptor() {
    let node = node();
    let any = Asker::any(&node);
    let text = checked(&any, &format!("rawtr({TPUB}/*)"));
    let import = watching(&any);
    import(json!({ "desc": text, "timestamp": "now", "active": true, "range": [0, 2] }));
    let address = any.text("getnewaddress", json!(["", "bech32m"]));
    let known = any.call("getaddressinfo", json!([address]));
    assert_eq!(known["solvable"], true);
    let own = known["desc"].as_str().unwrap();
    assert!(own.starts_with("rawtr([0c5f9a1e/0]"), "{own}");
    assert_eq!(any.call("deriveaddresses", json!([own])), json!([address]));
}

#[test]
fn an_import_warns_of_what_it_assumes_also_where_it_is_refused() {
    let node = node();
    let any = Asker::any(&node);
    let ranged = checked(&any, &format!("wpkh({TPUB}/*)"));
    let locked = |lock: u32| checked(&any, &format!("wsh(and_v(v:pk({TPUB}/*),older({lock})))"));
    let [blocks, times, short] = [65_536, 4_259_840, 65_535].map(locked);
    let import = watching(&any);
    let answer = import(json!({ "desc": ranged, "timestamp": "now", "label": "l" }));
    assert_eq!(
        (&answer["success"], &answer["warnings"]),
        (
            &json!(false),
            &json!(["Range not given, using default keypool range"])
        )
    );
    for (text, warning) in [
        (
            blocks,
            "height-based relative locktime: older(65536) > 65535 blocks is unsafe",
        ),
        (
            times,
            "time-based relative locktime: older(4259840) > (65535 * 512) seconds is unsafe",
        ),
    ] {
        let answer = import(json!({ "desc": text, "timestamp": "now", "range": [0, 1] }));
        assert_eq!(answer, json!({ "success": true, "warnings": [warning] }));
    }
    assert_eq!(
        import(json!({ "desc": short, "timestamp": "now", "range": [0, 1] })),
        json!({ "success": true })
    );
    let answer =
        import(json!({ "desc": ranged, "timestamp": "now", "range": [0, 1], "next_index": -1 }));
    assert_eq!(
        answer["error"],
        json!({ "code": -8, "message": "next_index is out of range" })
    );
    // It only watches: nothing was brought that it could sign with.
    assert_eq!(any.call("getwalletinfo", json!([]))["blank"], true);
    let hardened = checked(&any, &format!("wpkh({TPUB}/1h/*)"));
    let answer = import(json!({ "desc": hardened, "timestamp": "now", "range": 1 }));
    assert_eq!(
        answer["error"],
        json!({
            "code": -4,
            "message": "Cannot expand descriptor. Probably because of hardened derivations without private keys provided",
        })
    );
}

#[test]
fn a_range_that_begins_lower_is_given_out_from_its_beginning_unless_an_address_was_given_out() {
    let node = node();
    let any = Asker::any(&node);
    let text = checked(&any, &format!("wpkh({TPUB}/*)"));
    let import = watching(&any);
    let request = |from: u32| json!({ "desc": text, "timestamp": "now", "active": true, "range": [from, 10] });
    let ahead = || any.call("getwalletinfo", json!([]))["keypoolsize"].clone();
    import(request(5));
    assert_eq!(ahead(), 6);
    import(request(0));
    assert_eq!(ahead(), 11);
    any.call("getnewaddress", json!([]));
    import(request(0));
    assert_eq!(ahead(), 10);
    let again = json!({ "desc": text, "timestamp": "now", "active": true, "range": [0, 10], "next_index": 0 });
    import(again);
    assert_eq!(ahead(), 11);
}

#[test]
fn what_a_used_wallet_lists_is_taken_up_by_it_again() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let list = || any.call("listdescriptors", json!([true]))["descriptors"].clone();
    let fresh = list();
    for _ in 0..3 {
        let address = any.text("getnewaddress", json!([]));
        any.call("generatetoaddress", json!([1, address]));
    }
    // What was paid is made up for.
    let info = any.call("getwalletinfo", json!([]));
    assert_eq!(info["keypoolsize"], 4 * KEYPOOL);
    let used = list();
    let mut without_ranges = used.clone();
    for one in without_ranges.as_array_mut().unwrap() {
        let one = one.as_object_mut().unwrap();
        for name in ["range", "next", "next_index"] {
            one.remove(name);
        }
    }
    for again in [&used, &used, &without_ranges] {
        let answers = any.call("importdescriptors", json!([again]));
        let answers = answers.as_array().unwrap();
        assert!(
            answers.iter().all(|one| *one == json!({ "success": true })),
            "{answers:?}"
        );
        assert_eq!(list(), used);
    }
    // What it listed before it was used has a smaller range.
    let answers = any.call("importdescriptors", json!([fresh]));
    let answers = answers.as_array().unwrap();
    let refused: Vec<&Value> = (answers.iter())
        .filter(|one| one["success"] == false)
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["error"]["code"], -4);
    let message = refused[0]["error"]["message"].as_str().unwrap();
    let range = format!("new range must include current range = [0,{}]", KEYPOOL + 2);
    assert!(
        message.starts_with("Could not add descriptor '") && message.ends_with(&range),
        "{message}"
    );
    any.refused(
        "createwalletdescriptor",
        json!(["bech32"]),
        -4,
        "Descriptor already exists",
    );
    assert_eq!(list(), used);
}

#[test]
fn the_keys_of_others_in_a_descriptor_are_listed_without_private_ones() {
    let node = node();
    let any = Asker::any(&node);
    any.call("createwallet", json!(["w"]));
    let own = any.call("gethdkeys", json!({ "private": true }))[0].clone();
    let [xprv, xpub] = ["xprv", "xpub"].map(|name| own[name].as_str().unwrap());
    let text = checked(&any, &format!("wsh(multi(2,{xprv}/*,{TPUB}/*))"));
    let public = any.call("getdescriptorinfo", json!([text]))["descriptor"].clone();
    any.call(
        "importdescriptors",
        json!([[{ "desc": text, "timestamp": "now", "range": [0, 1] }]]),
    );
    let keys = any.call("gethdkeys", json!({ "private": true }));
    let named = |key: &str| {
        let all = keys.as_array().unwrap();
        all.iter().find(|one| one["xpub"] == key).unwrap().clone()
    };
    let theirs = named(TPUB);
    assert_eq!(theirs["has_private"], false);
    assert!(theirs["xprv"].is_null());
    assert_eq!(
        theirs["descriptors"],
        json!([{ "desc": public, "active": false }])
    );
    let ours = named(xpub);
    assert_eq!(
        (&ours["has_private"], &ours["xprv"]),
        (&json!(true), &own["xprv"])
    );
    assert_eq!(ours["descriptors"].as_array().unwrap().len(), 9);
}

#[test]
fn a_wallet_is_as_old_as_the_oldest_that_it_found() {
    let node = node();
    let any = Asker::any(&node);
    let text = checked(&any, &format!("addr({ADDRESS})"));
    any.call("generatetoaddress", json!([1, ADDRESS]));
    let block = any.call(
        "getblockheader",
        json!([any.call("getbestblockhash", json!([]))]),
    );
    // Too old to be looked into with what is paid from now on.
    let later = block["time"].as_u64().unwrap() + 100_000;
    any.call("setmocktime", json!([later]));
    any.call("generatetodescriptor", json!([12, "raw(51)#8lvh9jxk"]));
    let import = watching(&any);
    let birth = || any.call("getwalletinfo", json!([]))["birthtime"].clone();
    assert!(birth().is_null());
    import(json!({ "desc": text, "timestamp": "now" }));
    assert!(birth().as_u64() > block["time"].as_u64());
    any.call("rescanblockchain", json!([]));
    assert_eq!(birth(), block["time"]);
}
