use super::*;

#[test]
fn amounts_of_many_bitcoins_do_not_stop_the_search() {
    let needed = |value| Needed {
        value,
        weight: 124,
        outputs: 1,
        rate: FeeRate::per_kvb(2_000),
        change_weight: 124,
        change_spend_weight: 272,
        least_change: 680,
        later: FeeRate::per_kvb(10_000),
        most_weight: 400_000,
    };
    let coin = |value| Offered {
        value,
        weight: 272,
        inputs: 1,
        segwit: true,
        wanted: false,
    };
    for step in 0..200_u64 {
        let offered: Vec<Offered> = (0..12)
            .map(|number| coin(4_999_999_000 + 77_777 * number + step))
            .collect();
        for value in [
            6_000_000_000 + step,
            30_000_000_001 + 3 * step,
            59_000_000_000,
        ] {
            let chosen = pick(&offered, &needed(value)).expect("there is enough");
            let worth: u64 = chosen
                .places
                .iter()
                .map(|place| offered[*place].value)
                .sum();
            assert!(worth > value);
        }
    }
}
