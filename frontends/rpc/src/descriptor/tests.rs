use super::*;

#[test]
fn ranges_are_read_as_core_reads_them() {
    let range = |text: &str| parse_range(&Json::parse(text.as_bytes()).unwrap());
    assert_eq!(range("8"), Ok((0, 8)));
    assert_eq!(range("[5,5]"), Ok((5, 5)));
    for wrong in [
        "[5,2]",
        "[5]",
        "-1",
        "2000000",
        "\"x\"",
        "[-1,2]",
        "[0,3000000000]",
    ] {
        assert!(range(wrong).is_err(), "{wrong}");
    }
}
