use proptest::prelude::*;

use super::*;

fn script(hex: &str) -> ScriptBuf {
    ScriptBuf::from_hex(hex).unwrap()
}

#[test]
fn every_kind_of_word_is_read() {
    let read = |text| parse(text).unwrap().to_hex_string();
    assert_eq!(read(" DUP OP_HASH160\t0x14\n"), "76a914");
    assert_eq!(
        read("0 1 16 17 -1 -2 128"),
        "005160011 14f018202 8000".replace(' ', "")
    );
    assert_eq!(read("'abc' ''"), "0361626300");
    assert_eq!(read("4294967295 -4294967295"), "05ffffffff0005ffffffff80");
    assert_eq!(read("RESERVED NOP1 CHECKSIGADD").len(), 6);
    assert_eq!(read(""), "");
}

#[test]
fn unknown_words_are_named() {
    for word in [
        "FOO",
        "0x",
        "0x0",
        "'a",
        "OP_PUSHDATA1",
        "--1",
        "OP_INVALIDOPCODE",
        "1NEGATE",
    ] {
        assert_eq!(
            parse(word),
            Err(ParseError::UnknownWord {
                word: word.to_owned()
            })
        );
    }
    let word = "4294967296".to_owned();
    assert_eq!(parse(&word), Err(ParseError::NumberRange { word }));
}

#[test]
fn asm_is_what_core_shows() {
    assert_eq!(to_asm(&script("0301020376")), "197121 OP_DUP");
    assert_eq!(
        to_asm(&script("0051604f50ba")),
        "0 1 16 -1 OP_RESERVED OP_CHECKSIGADD"
    );
    assert_eq!(to_asm(&script("0480000000")), "128");
    assert_eq!(to_asm(&script("04000000800100")), "0 0");
    assert_eq!(to_asm(&script("050102030405")), "0102030405");
    assert_eq!(to_asm(&script("5102ab")), "1 [error]");
    assert_eq!(to_asm(&script("bbff")), "OP_UNKNOWN OP_INVALIDOPCODE");
}

#[test]
fn only_script_sigs_show_hash_types() {
    let signature = "300602010102010101";
    let pushed = script(&format!("09{signature}"));
    assert_eq!(to_asm(&pushed), signature);
    assert_eq!(to_asm_with_hash_types(&pushed), "3006020101020101[ALL]");
    let pushed = script("0930060201010201 0183".replace(' ', "").as_str());
    assert_eq!(
        to_asm_with_hash_types(&pushed),
        "3006020101020101[SINGLE|ANYONECANPAY]"
    );
    let data = script(&format!("6a09{signature}"));
    assert_eq!(
        to_asm_with_hash_types(&data),
        format!("OP_RETURN {signature}")
    );
}

#[test]
fn the_format_of_test_vectors_is_cores() {
    assert_eq!(
        format(&script("03010203760051ab4f")),
        "0x03 0x010203 DUP 0 1 CODESEPARATOR -1"
    );
    assert_eq!(format(&script("4c0050bb")), "0x4c00 0x50 0xbb");
    assert_eq!(format(&script("7602ab")), "DUP 0x02ab");
}

proptest! {
    #[test]
    fn what_is_formatted_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let script = ScriptBuf::from_bytes(bytes);
        prop_assert_eq!(parse(&format(&script)), Ok(script));
    }
}
