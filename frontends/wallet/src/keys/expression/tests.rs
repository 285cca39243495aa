use super::*;

const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const TPRV: &str = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK";
const TPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";

fn parse(text: &str) -> Result<Expression, DescriptorError> {
    Expression::parse(text, Network::Regtest, false)
}

fn first(text: &str, index: u32) -> Derived {
    parse(text).unwrap().derive(0, index).unwrap().remove(0)
}

#[test]
fn a_script_has_a_descriptor_with_the_origin_of_its_key() {
    assert_eq!(
        first(&format!("wpkh({KEY})"), 0).descriptor,
        format!("wpkh([751e76e8]{KEY})#p7evpe7t")
    );
    assert_eq!(
        first(&format!("wpkh({TPUB}/1/*)"), 5).descriptor,
        "wpkh([0c5f9a1e/1/5]030712deb386a6b3fdc330253b2deb9983e37c1a02bbf50e32ec0534e4cb1280dd)#7ypgkjez"
    );
    assert_eq!(
        first(&format!("tr({KEY})"), 0).descriptor,
        "tr([751e76e8]79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798)#9c0rklxf"
    );
    assert_eq!(
        first(&format!("sh(wsh(multi(1,{KEY})))"), 0).descriptor,
        format!("sh(wsh(multi(1,[751e76e8]{KEY})))#dyzf4ccp")
    );
}

#[test]
fn combo_is_four_scripts() {
    let all = parse(&format!("combo({KEY})"))
        .unwrap()
        .derive(0, 0)
        .unwrap();
    let texts: Vec<&str> = all
        .iter()
        .map(|one| one.descriptor.split('(').next().unwrap())
        .collect();
    assert_eq!(texts, ["pk", "pkh", "wpkh", "sh"]);
}

#[test]
fn the_canonical_form_has_no_private_keys_and_one_kind_of_marker() {
    let expression = parse(&format!("wpkh({TPRV}/0'/1h/*)")).unwrap();
    assert_eq!(
        expression.canonical(),
        [format!("wpkh({TPUB}/0h/1h/*)#vu9rkhxu")]
    );
    assert_eq!(expression.checksum, "3xu3l8ur");
    assert!(expression.has_private_keys && expression.is_range());
    let several = parse(&format!("wpkh({TPUB}/<0;1>/*)")).unwrap();
    assert_eq!(several.checksum, "0pfxqzvr");
    assert_eq!(several.canonical()[1], format!("wpkh({TPUB}/1/*)#gaxlxt8m"));
}

#[test]
fn what_is_no_descriptor_is_told_why() {
    let error = |text: &str| parse(text).err().unwrap().0;
    assert_eq!(
        error("foo(a)"),
        "'foo(a)' is not a valid descriptor function"
    );
    assert_eq!(error(&format!("wpkh({KEY})#a#b")), "Multiple '#' symbols");
    assert_eq!(
        error(&format!("wpkh({KEY})#aaa")),
        "Expected 8 character checksum, not 3 characters"
    );
    assert_eq!(
        error("wpkh(KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn)"),
        "wpkh(): key 'KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn' is not valid"
    );
    let needs = Expression::parse("raw(6a)", Network::Regtest, true);
    assert_eq!(needs.err().unwrap().0, "Missing checksum");
}

#[test]
fn a_key_that_is_not_compressed_is_refused_in_every_segwit_script_and_not_as_taproots() {
    const UNCOMPRESSED: &str = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\
                                483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    /// The same key, private.
    const WIF: &str = "91avARGdfge8E4tZfYLoxeJ5sGBdNJQH4kvjJoQFacbgwmaKkrx";
    let leaf = format!("tr({KEY},pk(");
    for (who, before, after) in [
        ("wpkh(): ", "wpkh(", ")"),
        ("pk(): ", "wsh(pk(", "))"),
        ("pkh(): ", "wsh(pkh(", "))"),
        ("Multi: ", "wsh(multi(1,", "))"),
        ("Multi: ", "sh(wsh(sortedmulti(1,", ")))"),
        ("wpkh(): ", "sh(wpkh(", "))"),
        ("pkh(): ", "sh(wsh(pkh(", ")))"),
        ("tr(): ", "tr(", ")"),
        ("pk(): ", leaf.as_str(), "))"),
        // Miniscript, and its functions are none of a descriptor.
        ("", "wsh(and_v(v:pk(", "),older(1)))"),
        ("", "wsh(and_v(v:pkh(", "),older(1)))"),
    ] {
        for key in [UNCOMPRESSED, WIF] {
            let text = format!("{before}{key}{after}");
            let error = parse(&text).err().map(|error| error.to_string());
            let expected = format!("{who}Uncompressed keys are not allowed");
            assert_eq!(error, Some(expected), "{text}");
        }
    }
    assert!(parse(&format!("pkh({UNCOMPRESSED})")).is_ok());
}
