use super::*;

#[test]
fn a_fee_rate_of_a_bitcoin_is_taken_for_a_mistake() {
    let number = |text: &str| Json::Number(text.to_owned());
    assert_eq!(max_fee_rate(None).unwrap(), FeeRate::per_kvb(10_000_000));
    assert_eq!(max_fee_rate(Some(&number("0"))).unwrap(), FeeRate::ZERO);
    let most = max_fee_rate(Some(&number("0.99999999"))).unwrap();
    assert_eq!(most.sat_per_kvb(), 99_999_999);
    assert!(max_fee_rate(Some(&number("1"))).is_err());
    assert!(max_fee_rate(Some(&number("-1"))).is_err());
}

#[test]
fn outputs_that_nobody_can_spend_are_weighed_against_what_may_burn() {
    let paying = |script: &[u8], sat: u64| Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: Vec::new(),
        output: vec![bitcoin::TxOut {
            value: bitcoin::Amount::from_sat(sat),
            script_pubkey: bitcoin::ScriptBuf::from_bytes(script.to_vec()),
        }],
    };
    assert!(check_burn(&paying(&[0x51], 5), 0).is_ok());
    assert!(check_burn(&paying(&[0x6a], 0), 0).is_ok());
    assert!(check_burn(&paying(&[0x6a], 1), 0).is_err());
    assert!(check_burn(&paying(&[0x6a], 1), 1).is_ok());
    assert!(
        check_burn(&paying(&[0x4c], 1), 0).is_err(),
        "a push that ends too early"
    );
    assert!(check_burn(&paying(&[0xba], 1), 0).is_err(), "no opcode");
    assert!(
        check_burn(&paying(&[0x6a], u64::MAX), 0).is_ok(),
        "negative"
    );
}

#[test]
fn as_many_transactions_are_taken_as_may_be_judged_together() {
    let list = |count| Json::Array(vec![Json::Null; count]);
    assert!(check_count(&list(0)).is_err());
    assert!(check_count(&list(1)).is_ok());
    assert!(check_count(&list(MAX_PACKAGE_COUNT)).is_ok());
    assert!(check_count(&list(MAX_PACKAGE_COUNT + 1)).is_err());
}
