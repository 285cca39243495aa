use super::*;

use bitcoin::Network::{Bitcoin, Regtest};

const TXID: &str = "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd";
const ADDRESS: &str = "bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c";
const OTHER: &str = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
const KEY: &str = "0283409659355b6d1cc3c32decd5d561abaac86c37a353b52895a5e6c196d6f448";
const EXTENDED: &str = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8";

#[test]
fn what_is_exported_is_the_same_when_imported() {
    let mut labels = Labels::default();
    labels
        .set_address(ADDRESS, "Alice", Purpose::Receive)
        .unwrap();
    labels.set_address(OTHER, "", Purpose::Send).unwrap();
    let coin = Label {
        text: "change \"quoted\"\n".to_owned(),
        spendable: Some(false),
        ..Label::default()
    };
    let first = format!("{TXID}:1");
    labels.set(LabelKind::Output, &first, coin).unwrap();
    for kind in LabelKind::ALL {
        let label = Label {
            text: kind.name().to_owned(),
            origin: Some("wpkh([d34db33f/84h/0h/0h])".to_owned()),
            ..Label::default()
        };
        let what = match kind {
            LabelKind::Tx => TXID.to_owned(),
            LabelKind::Addr => "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2".to_owned(),
            LabelKind::Pubkey => KEY.to_owned(),
            LabelKind::Input | LabelKind::Output => format!("{TXID}:0"),
            LabelKind::Xpub => EXTENDED.to_owned(),
        };
        labels.set(kind, &what, label).unwrap();
    }
    let text = labels.export_bip329();
    assert_eq!(text.lines().count(), 9);
    let mut again = Labels::default();
    assert_eq!(again.import_bip329(&text, Bitcoin).unwrap(), 9);
    assert_eq!(again.export_bip329(), text);
    assert_eq!(
        again.get(LabelKind::Output, &first).unwrap().spendable,
        Some(false)
    );
}

#[test]
fn what_is_labelled_is_written_in_one_way_and_what_is_nothing_is_refused() {
    let mut labels = Labels::default();
    let line = |kind: &str, what: &str| {
        format!("{{\"type\":\"{kind}\",\"ref\":\"{what}\",\"label\":\"x\"}}\n")
    };
    let twice = [
        line("addr", ADDRESS),
        line("addr", &ADDRESS.to_uppercase()),
        line("tx", TXID),
        line("tx", &TXID.to_uppercase()),
    ];
    assert_eq!(labels.import_bip329(&twice.concat(), Bitcoin).unwrap(), 4);
    assert_eq!(labels.iter().count(), 2);
    for kind in LabelKind::ALL {
        for what in ["", "xyz", "aa:1", KEY.split_at(20).0] {
            let error = labels.import_bip329(&line(kind.name(), what), Bitcoin);
            let error = error.unwrap_err();
            assert!(matches!(error, KeyError::Labels { line: 1, .. }), "{error}");
        }
    }
    // Of another network.
    assert!(
        labels
            .import_bip329(&line("addr", ADDRESS), Regtest)
            .is_err()
    );
}

#[test]
fn the_bips_own_example_is_read() {
    let example = r#"{ "type": "tx", "ref": "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd", "label": "Transaction", "origin": "wpkh([d34db33f/84'/0'/0'])" }
{ "type": "addr", "ref": "bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c", "label": "Address" }
{ "type": "pubkey", "ref": "0283409659355b6d1cc3c32decd5d561abaac86c37a353b52895a5e6c196d6f448", "label": "Public Key" }
{ "type": "input", "ref": "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd:0", "label": "Input" }
{ "type": "output", "ref": "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd:1", "label": "Output" , "spendable" : false }
{ "type": "xpub", "ref": "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8", "label": "Extended Public Key" }
{ "type": "tx", "ref": "f546156d9044844e02b181026a1a407abfca62e7ea1159f87bbeaa77b4286c74", "label": "Account #1 Transaction", "origin": "wpkh([d34db33f/84'/0'/1'])" }
{ "type": "of another time", "ref": "x", "label": "passed over" }
"#;
    let mut labels = Labels::default();
    assert_eq!(labels.import_bip329(example, Bitcoin).unwrap(), 7);
    assert_eq!(labels.iter().count(), 7);
}

#[test]
fn a_line_that_is_no_record_is_named_and_nothing_is_taken() {
    let mut labels = Labels::default();
    let lines =
        format!("{{\"type\":\"tx\",\"ref\":\"{TXID}\",\"label\":\"x\"}}\n{{\"type\":\"tx\"}}\n");
    let error = labels.import_bip329(&lines, Bitcoin).unwrap_err();
    assert!(matches!(error, KeyError::Labels { line: 2, .. }), "{error}");
    assert_eq!(labels.iter().count(), 0);
    let long = "x".repeat(MAX_LABEL_LENGTH + 1);
    assert!(matches!(
        labels.set_address("a", &long, Purpose::Send),
        Err(KeyError::TooLong { .. })
    ));
}

#[test]
fn names_and_addresses_are_found_by_each_other() {
    let mut labels = Labels::default();
    labels.set_address("a", "x", Purpose::Receive).unwrap();
    labels.set_address("b", "x", Purpose::Receive).unwrap();
    labels.set_address("c", "y", Purpose::Send).unwrap();
    assert_eq!(labels.names(None), ["x", "y"]);
    assert_eq!(labels.names(Some(Purpose::Send)), ["y"]);
    assert_eq!(labels.addresses_of("x").count(), 2);
    assert!(labels.remove(LabelKind::Addr, "b") && !labels.remove(LabelKind::Addr, "b"));
    assert_eq!(labels.addresses_of("x").count(), 1);
}
