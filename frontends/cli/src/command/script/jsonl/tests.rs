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
            r#"{"tx":"02000000000000000000","spent_outputs":[]}"#.into(),
            "NO_INPUTS",
        ),
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

#[test]
fn a_field_that_is_wrong_is_told_what_it_must_be() {
    let right = line("0", "51", "");
    let cases = [
        (
            format!(r#"["{TX}",0,[],null]"#),
            "an array, expected an object with `tx`",
        ),
        (
            right.replace(r#"{"amount_sat":5,"script_pubkey":"51"}"#, r#"[5,"51"]"#),
            "expected each of `spent_outputs` to be an object",
        ),
        (
            line("-1", "51", ""),
            "`input` to be the number of an input, counted from 0",
        ),
        (
            line("\"0\"", "51", ""),
            "`input` to be the number of an input",
        ),
        (
            line("0.5", "51", ""),
            "`input` to be the number of an input",
        ),
        (
            right.replace(":5,", ":-5,"),
            "`amount_sat` to be whole satoshis from 0 to",
        ),
        (
            right.replace(":5,", ":9223372036854775808,"),
            "`amount_sat` to be whole satoshis from 0 to 9223372036854775807",
        ),
        (
            right.replace(":5,", ":null,"),
            "`amount_sat` to be whole satoshis",
        ),
        (
            right.replace(&format!("\"{TX}\""), "7"),
            "`tx` to be a transaction in hexadecimal",
        ),
        (
            right.replace("\"51\"", "51"),
            "`script_pubkey` to be a script in hexadecimal",
        ),
        (
            right.replace('[', "{\"a\":[").replace("]}", "]}}"),
            "to be an array of objects",
        ),
        (
            line("0", "51", r#","flags":["P2SH"]"#),
            "`flags` to be names joined by commas",
        ),
        (
            line("0", "51", r#","flags":"P2SHH""#),
            "consensus and standard are sets",
        ),
    ];
    for (text, said) in cases {
        let message = answer_to(&text).message.expect("it says why");
        assert!(message.contains(said), "{text}: {message}");
        for word in ["usize", "u64", "struct", "sequence", "elements"] {
            assert!(!message.contains(word), "{text}: {message}");
        }
    }
    assert!(answer_to(&right.replace(":5,", ":9223372036854775807,")).ok);
    assert!(answer_to(&line("0", "51", r#","flags":" P2SH, WITNESS ""#)).ok);
    assert!(answer_to(&line("0", "51", r#","flags":" consensus""#)).ok);
    assert!(answer_to(&line("null", "51", r#","flags":null"#)).ok);
}
