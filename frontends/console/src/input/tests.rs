use super::*;

#[test]
fn an_open_bracket_text_or_comment_goes_on() {
    for open in [
        "for b in by_num(1) {",
        "balance(",
        "[1,",
        "`a text",
        "/* a comment",
        "/* one /* in */ another",
        "let x =",
        "1 +",
        "best()\n  .",
    ] {
        assert!(!is_complete(open), "{open}");
    }
}

#[test]
fn brackets_in_texts_and_comments_do_not_count() {
    for whole in [
        "best()",
        "\"(\"",
        "'('",
        "`{`",
        "1 // (",
        "1 /* ( */",
        "\"a \\\" ( b\"",
        "for b in by_num(1) {\n  print(b)\n}",
        "x > 1 // more",
        // What is wrong is for the engine to say.
        "}",
        "\"no end",
    ] {
        assert!(is_complete(whole), "{whole}");
    }
}

#[test]
fn pieces_keep_their_place() {
    let text = "worlds()\n\nfor b in by_num(1) {\n  print(b)\n}\nbest(";
    let pieces = pieces(text);
    let begins: Vec<usize> = pieces.iter().map(|(begins, _)| *begins).collect();
    assert_eq!(begins, [0, 2, 5]);
    assert!(pieces[1].1.ends_with("}\n"));
}
