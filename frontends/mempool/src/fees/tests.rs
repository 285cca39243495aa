use bitcoin::hashes::Hash;

use super::*;

fn txid(number: u32) -> Txid {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Txid::from_byte_array(bytes)
}

/// A history in which, with each block, ten transactions come for each rate, and those of a rate wait so many blocks.
fn history(blocks: u32, rates: &[(i64, u32)]) -> Fees {
    let mut fees = Fees::new();
    let mut number = 0;
    let mut waiting: Vec<(Confirmed, u32)> = Vec::new();
    for height in 1..=blocks {
        let due = |(_, at): &(Confirmed, u32)| *at == height;
        let confirmed: Vec<Confirmed> = waiting
            .iter()
            .filter(|one| due(one))
            .map(|(one, _)| *one)
            .collect();
        waiting.retain(|one| !due(one));
        fees.block(height, &confirmed);
        for (sat, waits) in rates {
            for _ in 0..10 {
                number += 1;
                let rate = FeeRate::per_kvb(*sat);
                fees.entered(txid(number), height, rate);
                let one = Confirmed {
                    txid: txid(number),
                    height,
                    rate,
                };
                waiting.push((one, height + waits));
            }
        }
    }
    fees
}

#[test]
fn nothing_is_known_at_first() {
    let fees = Fees::new();
    let nothing = FeeEstimate {
        rate: None,
        blocks: 0,
        basis: None,
    };
    assert_eq!(fees.smart(6, true), nothing);
    let raw = fees.raw(Horizon::Short, 6, 0.95).unwrap();
    assert_eq!((raw.rate, raw.ranges.pass.start), (None, -1.0));
    assert_eq!((raw.ranges.fail.start, raw.ranges.fail.end), (0.0, 1e99));
    assert_eq!(fees.raw(Horizon::Short, 13, 0.95), None);
}

#[test]
fn who_may_wait_pays_what_those_paid_who_waited() {
    let fees = history(200, &[(50_000, 1), (2_000, 8)]);
    let soon = fees.smart(2, false);
    assert_eq!(
        (soon.blocks, soon.rate),
        (2, Some(FeeRate::per_kvb(50_000)))
    );
    // What is confirmed at once says the same in each way of asking: the first one counts.
    assert_eq!(soon.basis, Some(EstimateBasis::Half));
    let later = fees.smart(20, false);
    assert_eq!(later.rate, Some(FeeRate::per_kvb(2_000)));
    // Within six blocks the cheaper ones are not confirmed, within eleven and twenty-two they are.
    let between = fees.smart(11, false);
    assert_eq!(
        (between.rate, between.basis),
        (Some(FeeRate::per_kvb(50_000)), Some(EstimateBasis::Half))
    );
}

#[test]
fn what_leaves_unconfirmed_makes_its_rate_too_low() {
    let mut fees = history(100, &[(10_000, 2)]);
    assert!(fees.raw(Horizon::Short, 3, 0.95).unwrap().rate.is_some());
    let rate = FeeRate::per_kvb(10_000);
    for number in 1_000_000..1_003_000 {
        fees.entered(txid(number), 100, rate);
    }
    for height in 101..105 {
        fees.block(height, &[]);
    }
    for number in 1_000_000..1_003_000 {
        fees.left(&txid(number));
    }
    let raw = fees.raw(Horizon::Short, 3, 0.95).unwrap();
    assert_eq!(raw.rate, None);
    assert!(raw.ranges.fail.left > 2_000.0);
}

#[test]
fn undone_heights_are_not_counted_again() {
    let mut fees = history(10, &[(10_000, 1)]);
    let before = fees.raw(Horizon::Medium, 4, 0.5);
    fees.block(9, &[]);
    fees.entered(txid(77_777), 9, FeeRate::per_kvb(10_000));
    assert_eq!(fees.raw(Horizon::Medium, 4, 0.5), before);
    assert_eq!(fees.tracked.len(), 10);
}
