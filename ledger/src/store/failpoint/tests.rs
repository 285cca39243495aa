use super::*;

fn parsed(text: &str) -> Option<(String, u64)> {
    parse(text).map(|armed| (armed.point, armed.left.into_inner()))
}

#[test]
fn a_point_is_armed_with_its_name_and_a_count_above_zero() {
    assert_eq!(
        parsed("before-commit:3"),
        Some(("before-commit".to_owned(), 3))
    );
    assert_eq!(
        parsed("before-commit"),
        Some(("before-commit".to_owned(), 1))
    );
    for text in [
        "before-commit:0",
        "before-commit:",
        "before-commit:x",
        "before-commit:-1",
    ] {
        assert_eq!(parsed(text), None, "{text}");
    }
}

#[test]
fn points_that_are_not_armed_do_nothing() {
    for point in POINTS {
        reach(point);
    }
}
