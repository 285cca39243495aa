//! Expectations, and what is said where they do not hold.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bitcoin::Amount;
use everett_lab::Lab;

#[test]
fn all_that_does_not_hold_is_told_with_the_tree_of_worlds() {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    let ready = lab.fund(&alice).unwrap();
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let paid = lab.mine(&ready, [payment.clone()]).unwrap();
    lab.label(&paid, "payment").unwrap();
    lab.reorg(1).unwrap();
    let unmet = lab
        .expect(&paid)
        .best()
        .balance(&bob, Amount::from_int_btc(2))
        .height(101)
        .has_no_tx(&payment)
        .verify()
        .unwrap_err();
    assert_eq!(unmet.what.len(), 3);
    assert_eq!(unmet.block, Some(paid.hash()));
    let text = unmet.to_string();
    for part in [
        "expecting.rs",
        "expected it to be the best world",
        "expected bob to have 2 BTC, found 1 BTC",
        "expected no transaction",
        "0..100",
        "├─ 101..102",
        "best",
        "└─ 101",
        "valid-fork",
        "\"payment\"",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn an_expectation_that_nobody_asks_about_panics() {
    let lab = Lab::new(1);
    let tip = lab.grow(0, 2).unwrap();
    lab.expect(&tip).height(2);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        lab.expect(&tip).height(3).best();
    }));
    let text = caught.unwrap_err();
    let text = text.downcast_ref::<String>().unwrap();
    assert!(text.contains("expected height 3, found 2"), "{text}");
}

#[test]
fn what_is_expected_of_a_block_that_is_not_there_does_not_hold() {
    let lab = Lab::new(1);
    let unmet = lab.expect(5).best().verify().unwrap_err();
    assert_eq!(unmet.block, None);
    assert!(
        unmet.to_string().contains("there is no world there"),
        "{unmet}"
    );
}

#[test]
fn a_picture_of_very_many_branches_ends() {
    let lab = Lab::new(1);
    for _ in 0..300 {
        lab.mine(0, []).unwrap();
    }
    let picture = lab.picture().to_string();
    assert_eq!(picture.lines().count(), 101);
    assert!(picture.ends_with("… and 201 more branches\n"), "{picture}");
}
