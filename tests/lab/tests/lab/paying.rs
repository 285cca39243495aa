//! Payments of the lab's people.

use bitcoin::Amount;
use everett_lab::{AddressKind, FEE, Lab, LabError, MineError};
use everett_ledger::ConflictKind;

#[test]
fn people_with_every_kind_of_address_can_spend() {
    let lab = Lab::new(1);
    let carol = lab.party("carol");
    for kind in AddressKind::ALL {
        let party = lab.party_of(kind.as_str(), kind);
        lab.fund(&party).unwrap();
        let before = lab.balance(lab.best(), &carol).unwrap();
        let payment = lab.pay(&party, &carol, Amount::ONE_BTC).unwrap();
        let tip = lab.mine(lab.best(), [payment.clone()]).unwrap();
        // The change is spent too.
        let second = lab.pay(&party, &carol, Amount::ONE_BTC).unwrap();
        let tip = lab.mine(&tip, [second.clone()]).unwrap();
        lab.expect(&tip)
            .has_tx(&payment)
            .has_tx(&second)
            .balance(&carol, before + Amount::ONE_BTC * 2);
    }
}

#[test]
fn payments_made_one_after_the_other_fit_into_one_block() {
    let lab = Lab::new(1);
    let (alice, bob, carol) = (lab.party("alice"), lab.party("bob"), lab.party("carol"));
    let ready = lab.fund(&alice).unwrap();
    let payments = [
        lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap(),
        lab.pay(&alice, &carol, Amount::ONE_BTC).unwrap(),
        lab.pay(&bob, &carol, Amount::from_sat(50_000_000)).unwrap(),
    ];
    let tip = lab.mine(&ready, payments).unwrap();
    let half = Amount::from_sat(50_000_000);
    lab.expect(&tip)
        .balance(&bob, half - FEE)
        .balance(&carol, Amount::ONE_BTC + half);
}

#[test]
fn money_comes_back_with_the_branch_that_does_not_spend_it() {
    let lab = Lab::new(1);
    let (alice, bob, carol) = (lab.party("alice"), lab.party("bob"), lab.party("carol"));
    let ready = lab.fund(&alice).unwrap();
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let paid = lab.mine(&ready, [payment.clone()]).unwrap();
    let reorg = lab.reorg(1).unwrap();
    assert_eq!(reorg.from.hash(), paid.hash());
    assert_eq!(reorg.fork.hash(), ready.hash());
    // The same coin goes to someone else in the new best world.
    let other = lab.pay(&alice, &carol, Amount::ONE_BTC).unwrap();
    assert_eq!(
        other.input[0].previous_output,
        payment.input[0].previous_output
    );
    let tip = lab.mine(&reorg.to, [other]).unwrap();
    lab.expect(&tip)
        .balance(&bob, Amount::ZERO)
        .balance(&carol, Amount::ONE_BTC)
        .conflicts(&paid, ConflictKind::DoubleSpend, 1);
    lab.expect(&paid).balance(&bob, Amount::ONE_BTC);
}

#[test]
fn a_payment_is_spent_again_otherwise_or_with_a_higher_fee() {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    let ready = lab.fund(&alice).unwrap();
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let theft = lab.double_spend(&payment, &alice).unwrap();
    let bumped = lab.bump_fee(&payment, Amount::from_sat(9_000)).unwrap();
    let worlds = [payment.clone(), theft, bumped.clone()].map(|tx| lab.mine(&ready, [tx]).unwrap());
    lab.expect(&worlds[0])
        .conflicts(&worlds[1], ConflictKind::DoubleSpend, 1)
        .conflicts(&worlds[2], ConflictKind::FeeBump, 1);
    lab.expect(&worlds[2])
        .balance(&bob, Amount::ONE_BTC)
        .has_tx(&bumped)
        .has_no_tx(&payment);
    let too_much = lab.bump_fee(&payment, Amount::from_int_btc(50));
    assert!(matches!(too_much, Err(LabError::Worth { .. })));
    let foreign = Lab::new(2).double_spend(&payment, &alice);
    assert!(matches!(foreign, Err(LabError::UnknownPayment { .. })));
}

#[test]
fn amounts_that_do_not_add_up_are_errors() {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    lab.fund(&alice).unwrap();
    for amount in [Amount::MAX, Amount::MAX - FEE, Amount::MAX_MONEY] {
        let error = lab.pay(&alice, &bob, amount).unwrap_err();
        assert!(matches!(&error, LabError::Funds { .. }), "{error}");
    }
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let error = lab.bump_fee(&payment, Amount::MAX).unwrap_err();
    assert!(matches!(&error, LabError::Worth { .. }), "{error}");
}

#[test]
fn who_has_no_money_is_told_what_there_is() {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    lab.grow_to(&alice, 0, 1).unwrap();
    let error = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap_err();
    assert!(matches!(
        &error,
        LabError::Funds {
            has: Amount::ZERO,
            height: 1,
            ..
        }
    ));
    assert!(error.to_string().contains("alice needs"), "{error}");
}

#[test]
fn a_payment_does_not_fit_on_a_branch_without_its_coins() {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    lab.fund(&alice).unwrap();
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let mined = lab.mine(0, [payment]);
    assert!(matches!(
        mined,
        Err(LabError::Mine(MineError::MissingCoin { .. }))
    ));
}

#[test]
fn what_breaks_a_rule_is_refused_in_bitcoin_cores_words() {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    let ready = lab.fund(&alice).unwrap();
    let mut payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    payment.output[0].value -= Amount::from_sat(1); // The signature is for something else now.
    let error = lab.mine(&ready, [payment]).unwrap_err();
    assert!(matches!(&error, LabError::Refused { height: 101, .. }));
    assert!(
        error
            .to_string()
            .contains("block-script-verify-flag-failed"),
        "{error}"
    );
}
