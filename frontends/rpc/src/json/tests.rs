use super::*;

fn round(text: &str) -> String {
    Json::parse(text.as_bytes()).unwrap().write()
}

#[test]
fn what_is_read_is_written_with_the_same_digits_and_order() {
    for text in [
        r#"{"b":1.0,"a":[1e5,-0,0.10],"b":null}"#,
        r#"[]"#,
        r#""\u0001\"\\""#,
        "\"ä€\"",
        "-12345678901234567890.5",
    ] {
        assert_eq!(round(text), text);
    }
    assert_eq!(round(" [ 1 , \"\\u00e4\\ud83d\\ude00\" ] "), "[1,\"ä😀\"]");
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        "{",
        "[1,]",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "nul",
        "nullx",
        "{\"a\"}",
        "[1]]",
        "\"\n\"",
        "\"\\ud800\"",
        "{a:1}",
        "'a'",
    ] {
        assert_eq!(Json::parse(text.as_bytes()), Err(parse::NotJson), "{text}");
    }
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Json::parse(deep(512).as_bytes()).is_ok());
    assert!(Json::parse(deep(513).as_bytes()).is_err());
}

#[test]
fn amounts_have_eight_decimals() {
    assert_eq!(amount(5_000_000_000).write(), "50.00000000");
    assert_eq!(amount(-1).write(), "-0.00000001");
    assert_eq!(amount(0).write(), "0.00000000");
}

#[test]
fn floats_are_written_as_core_writes_them() {
    for (value, text) in [
        (4.656542373906925e-10, "4.656542373906925e-10"),
        (1.0, "1"),
        (0.5, "0.5"),
        (0.1, "0.1"),
        (1e16, "1e+16"),
        (123456789012345.6, "123456789012345.6"),
        (0.00012, "0.00012"),
        (0.000012, "1.2e-05"),
        (-2.5, "-2.5"),
        (0.0, "0"),
        (100.0, "100"),
    ] {
        assert_eq!(Json::from(value).write(), text);
    }
}

#[test]
fn decimal_numbers_are_read_without_rounding() {
    for (text, value) in [
        ("0.00000001", Some(1)),
        ("1", Some(100_000_000)),
        ("-1.5", Some(-150_000_000)),
        ("1e-8", Some(1)),
        ("0.1e-7", Some(1)),
        ("1e-9", None),
        ("0.000000001", None),
        ("0.0000000010000000", None),
        ("1.10000000000000000000", Some(110_000_000)),
        ("01", None),
        ("1.", None),
        (".1", None),
        ("", None),
        ("1e", None),
        ("93e+9", None),
        ("92e+8", Some(920_000_000_000_000_000)),
    ] {
        assert_eq!(parse_fixed_point(text, 8), value, "{text}");
    }
}
