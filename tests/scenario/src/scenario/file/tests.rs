use super::super::SHIPPED;
use super::*;

const HEAD: &str = "title = \"T\"\n[parties]\nalice = \"p2wpkh\"\nbob = \"p2tr\"\n";

fn error(steps: &str) -> String {
    Scenario::parse(&format!("{HEAD}{steps}"))
        .unwrap_err()
        .to_string()
}

#[test]
fn the_shipped_scenarios_are_well_formed() {
    for (name, text) in SHIPPED {
        let scenario = Scenario::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!scenario.about().is_empty());
    }
}

#[test]
fn parties_keep_the_order_of_the_file() {
    let text = "title = \"T\"\n[parties]\nzoe = \"p2tr\"\nabel = \"p2wpkh\"\n[[step]]\nmine = 1\n";
    let scenario = Scenario::parse(text).unwrap();
    assert_eq!(
        scenario.parties,
        [
            ("zoe".to_owned(), AddressKind::P2tr),
            ("abel".to_owned(), AddressKind::P2wpkh)
        ]
    );
}

#[test]
fn the_seed_is_the_title_unless_given() {
    let step = "[[step]]\nmine = 1\n";
    let named = Scenario::parse(&format!("title = \"T\"\n{step}")).unwrap();
    let seeded = Scenario::parse(&format!("title = \"T\"\nseed = \"S\"\n{step}")).unwrap();
    assert_eq!((named.seed.as_str(), seeded.seed.as_str()), ("T", "S"));
}

#[test]
fn a_misspelt_key_is_an_error_with_its_line() {
    let error = error("[[step]]\nmien = 1\n");
    assert!(error.starts_with("line 6: unknown field `mien`"), "{error}");
}

#[test]
fn toml_that_does_not_parse_has_a_line() {
    let error = error("[[step]]\nmine = = 1\n");
    assert!(error.starts_with("line 6:"), "{error}");
}

#[test]
fn errors_in_steps_name_step_and_line() {
    for (steps, expected) in [
        (
            "[[step]]\nsay = \"\"\n",
            "line 5, step 1: the step does nothing",
        ),
        ("[[step]]\nmine = 0\n", "line 5, step 1: `mine = 0`"),
        (
            "[[step]]\nmine = 1\n\n[[step]]\nmine = 1\non = \"x\"\n",
            "line 8, step 2: no step before has called a block `x`",
        ),
        (
            "[[step]]\nmine = 1\nas = \"tip\"\n[[step]]\nmine = 1\nas = \"tip\"\n",
            "line 8, step 2: a step before has already called",
        ),
        (
            "[[step]]\nmine = 1\nas = \"best\"\n",
            "no block may be called `best`",
        ),
        (
            "[[step]]\nmine = 1\nas = \"Tip\"\n[[step]]\ninvalidate = \"tip\"\n",
            "did you mean `Tip`?",
        ),
        (
            "[[step]]\ninvalidate = \"genesis\"\n",
            "genesis cannot be the one to invalidate",
        ),
        (
            "[[step]]\nmine = 1\nexpect.tips = 1\n",
            "this one does mine and expect; make it 2 steps",
        ),
        (
            "[[step]]\nexpect.tips = 1\nby = \"alice\"\n",
            "`by` belongs to a step that mines",
        ),
        (
            "[[step]]\nmine = 1\nby = \"eve\"\n",
            "nobody is called `eve`",
        ),
        (
            "[[step]]\nexpect.status = { best = \"fine\" }\n",
            "`fine` is no status",
        ),
        (
            "[[step]]\nexpect.balances.best = { eve = 0 }\n",
            "nobody is called `eve`",
        ),
    ] {
        let error = error(steps);
        assert!(error.contains(expected), "{error}\n  is not\n{expected}");
    }
}

#[test]
fn errors_in_payments_name_the_payments_line() {
    for (payment, expected) in [
        (
            "{ from = \"alice\" }",
            "line 8, step 1: the payment lacks `to`",
        ),
        (
            "{ from = \"alice\", to = \"bob\" }",
            "the payment lacks an `amount`",
        ),
        (
            "{ from = \"alice\", to = \"bob\", amount = 1.5 }",
            "1.5 has no unit",
        ),
        (
            "{ from = \"alice\", to = \"bob\", amount = \"5 BTD\" }",
            "`5 BTD` is no amount",
        ),
        (
            "{ from = \"alice\", to = \"bob\", amount = -1 }",
            "-1 is negative",
        ),
        (
            "{ from = \"alice\", to = \"bob\", amount = \"21000001 BTC\" }",
            "more than there will ever be",
        ),
        ("{ again = \"x\" }", "no payment before is called `x`"),
        (
            "{ instead_of = \"x\", again = \"x\" }",
            "either `instead_of` another or that one `again`",
        ),
    ] {
        let error = error(&format!("[[step]]\nmine = 1\npay = [\n{payment},\n]\n"));
        assert!(error.contains("line 8"), "{error}");
        assert!(error.contains(expected), "{error}\n  is not\n{expected}");
    }
}

#[test]
fn amounts_are_exact() {
    let steps = "[[step]]\nmine = 1\npay = [{ from = \"alice\", to = \"bob\", amount = \"0.1 BTC\", fee = 7 }]\n";
    let scenario = Scenario::parse(&format!("{HEAD}{steps}")).unwrap();
    let Action::Mine(mining) = &scenario.steps[0].action else {
        panic!("not a mining step");
    };
    assert_eq!(
        mining.payments[0].kind,
        PaymentKind::Fresh {
            from: "alice".into(),
            to: "bob".into(),
            amount: Amount::from_sat(10_000_000),
            fee: Amount::from_sat(7),
        }
    );
}

#[test]
fn every_limit_is_enforced() {
    let over = "#".repeat(MAX_BYTES + 1);
    let message = Scenario::parse(&over).unwrap_err().to_string();
    assert!(
        message.contains("more than the 1048576 allowed"),
        "{message}"
    );

    let steps = "[[step]]\nmine = 1\n".repeat(MAX_STEPS + 1);
    assert!(error(&steps).contains("more than the 10000 allowed"));

    let steps = format!("[[step]]\nmine = {}\n", MAX_BLOCKS + 1);
    assert!(error(&steps).contains("more than the 100000 allowed"));

    let payments = "{ again = \"x\" },\n".repeat(MAX_PAYMENTS + 1);
    let steps = format!("[[step]]\nmine = 1\npay = [\n{payments}]\n");
    assert!(error(&steps).contains("more than the 1000 allowed"));

    let parties: String = (0..=MAX_PARTIES)
        .map(|index| format!("p{index} = \"p2tr\"\n"))
        .collect();
    let text = format!("title = \"T\"\n[parties]\n{parties}[[step]]\nmine = 1\n");
    let message = Scenario::parse(&text).unwrap_err().to_string();
    assert!(message.contains("more than the 1000 allowed"), "{message}");
}
