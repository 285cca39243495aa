use super::*;

/// A transaction of one input without a scriptSig.
const TX: &str = "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff00ffffffff0100000000000000000000000000";

fn answer_to(text: &str) -> Answer {
    answer(&Line::Text(text.as_bytes().to_vec()), 7)
}

fn line(input: &str, script: &str, rest: &str) -> String {
    format!(
        r#"{{"tx":"{TX}","input":{input},"spent_outputs":[{{"amount_sat":5,"script_pubkey":"{script}"}}]{rest}}}"#
    )
}

#[test]
fn a_line_is_answered_with_its_verdict() {
    let ok = answer_to(&line(
        "0",
        "51",
        r#","flags":"P2SH,WITNESS","comment":"mine""#,
    ));
    assert_eq!(
        serde_json::to_string(&ok).unwrap(),
        r#"{"ok":true,"error":null}"#
    );
    let fails = answer_to(&line("0", "00", ""));
    assert_eq!(
        (fails.ok, fails.error, fails.line),
        (false, Some("EVAL_FALSE"), None)
    );
    assert_eq!(
        (fails.input, answer_to(&line("null", "00", "")).input),
        (None, Some(0))
    );
}

#[test]
fn flags_are_those_of_blocks_unless_others_are_named() {
    let unspendable = format!("0014{}", "11".repeat(20));
    let error = |rest| answer_to(&line("0", &unspendable, rest)).error;
    assert_eq!(error(""), Some("WITNESS_PROGRAM_MISMATCH"));
    assert_eq!(error(r#","flags":"""#), None);
    assert_eq!(error(r#","flags":"NONE""#), None);
}

#[test]
fn what_is_wrong_with_a_line_is_named_with_its_number() {
    let cases = [
        (String::new(), "MALFORMED"),
        ("[]".into(), "MALFORMED"),
        (line("-1", "51", ""), "MALFORMED"),
        (line("0", "5", ""), "MALFORMED"),
        (
            line("0", "51", "").replace("amount_sat", "amount"),
            "MALFORMED",
        ),
        (
            line("0", "51", "").replace("\"tx\"", "\"transaction\""),
            "MALFORMED",
        ),
        (line("0", "51", r#","flags":"P2SH,WITNES""#), "UNKNOWN_FLAG"),
        (line("0", "51", "").replace(TX, "00"), "TX_MALFORMED"),
        (line("1", "51", ""), "INPUT_OUT_OF_RANGE"),
        (
            line("0", r#"51"},{"amount_sat":1,"script_pubkey":""#, ""),
            "SPENT_OUTPUT_COUNT",
        ),
    ];
    for (text, reason) in cases {
        let answer = answer_to(&text);
        assert_eq!(
            (answer.error, answer.line),
            (Some(reason), Some(7)),
            "{text} {answer:?}"
        );
        let message = answer.message.expect("it says why");
        assert!(message.starts_with("line 7: "), "{message}");
    }
    assert_eq!(answer(&Line::TooLong, 1).error, Some("MALFORMED"));
    assert_eq!(answer(&Line::Text(vec![0xff]), 1).error, Some("MALFORMED"));
}
