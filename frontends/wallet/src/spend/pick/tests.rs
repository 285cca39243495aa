use proptest::prelude::*;

use super::*;

const NEEDED: Needed = Needed {
    value: 0,
    weight: 124,
    outputs: 1,
    rate: FeeRate::per_kvb(2_000),
    payees_pay: false,
    bump: 0,
    change_weight: 124,
    change_spend_weight: 272,
    least_change: 680,
    later: FeeRate::per_kvb(10_000),
    most_weight: 400_000,
};

fn coin(value: u64) -> Offered {
    Offered {
        value,
        bump: 0,
        weight: 272,
        inputs: 1,
        segwit: true,
        wanted: false,
    }
}

fn sums(offered: &[Offered], places: &[usize]) -> Sums {
    Sums::of(places.iter().map(|place| &offered[*place]))
}

#[test]
fn amounts_of_many_bitcoins_do_not_stop_the_search() {
    for step in 0..20_u64 {
        let offered: Vec<Offered> = (0..12)
            .map(|number| coin(4_999_999_000 + 77_777 * number + step))
            .collect();
        for value in [
            6_000_000_000 + step,
            30_000_000_001 + 3 * step,
            59_000_000_000,
        ] {
            let chosen = pick(&offered, &Needed { value, ..NEEDED }).expect("there is enough");
            let worth: u64 = chosen
                .places
                .iter()
                .map(|place| offered[*place].value)
                .sum();
            assert!(worth > value);
        }
    }
}

fn offers() -> impl Strategy<Value = Vec<Offered>> {
    let kind = prop_oneof![Just((272, true)), Just((230, true)), Just((593, false))];
    let bump = prop_oneof![4 => Just(0), 1 => 0..5_000_u64];
    let one = (1_000..200_000_u64, bump, kind, 1..3_usize);
    let one = one.prop_map(|(value, bump, (weight, segwit), inputs)| Offered {
        value,
        bump,
        weight: weight * inputs as u64,
        inputs,
        segwit,
        wanted: false,
    });
    proptest::collection::vec(one, 1..11)
}

proptest! {
    /// Among few coins the search gets to its end: no set of those that bring in something costs less.
    #[test]
    fn no_set_is_cheaper_than_the_one_that_is_picked(
        offered in offers(),
        value in 10_000..600_000_u64,
        rate in prop_oneof![Just(0), 1_000..60_000_i64],
        later in 1_000..60_000_i64,
        payees_pay: bool,
        most_weight in prop_oneof![Just(400_000), 300..2_500_u64],
    ) {
        let needed = Needed {
            value,
            rate: FeeRate::per_kvb(rate),
            later: FeeRate::per_kvb(later),
            payees_pay,
            most_weight,
            ..NEEDED
        };
        let ranked = Ranked::of(&offered, &needed);
        let useful = ranked.places();
        let sets = (0..1_usize << useful.len()).map(|set| {
            let taken = (0..useful.len()).filter(|bit| set >> bit & 1 == 1);
            let taken: Vec<usize> = taken.map(|bit| useful[bit]).collect();
            sums(&offered, &taken)
        });
        let (mut is_enough, mut cheapest) = (false, None);
        for set in sets.filter(|set| set.is_enough(&needed)) {
            is_enough = true;
            if set.fits(&needed) {
                let cost = set.cost(&needed);
                cheapest = Some(cheapest.map_or(cost, |cheapest: u64| cheapest.min(cost)));
            }
        }
        match pick(&offered, &needed) {
            Ok(picked) => {
                let picked = sums(&offered, &picked.places);
                prop_assert!(picked.is_enough(&needed) && picked.fits(&needed));
                prop_assert_eq!(Some(picked.cost(&needed)), cheapest);
            }
            Err(why) => {
                let too_heavy = why == NotPicked::TooHeavy;
                prop_assert_eq!((is_enough, cheapest), (too_heavy, None), "{:?}", why);
            }
        }
    }
}

#[test]
fn payees_who_pay_pay_for_no_more_inputs_than_it_takes() {
    // Twenty coins that come to the amount without change, or one with change.
    let mut offered = vec![coin(50_000); 20];
    offered.push(coin(1_500_000));
    let needed = Needed {
        value: 1_000_000,
        rate: FeeRate::per_kvb(100_000),
        payees_pay: true,
        ..NEEDED
    };
    assert_eq!(pick(&offered, &needed).expect("enough").places, [20]);
    // Nor for what waits before a coin where another is to be had.
    let mut waits = coin(1_400_000);
    waits.bump = 40_000;
    let offered = [waits, coin(1_500_000)];
    assert_eq!(pick(&offered, &needed).expect("enough").places, [1]);
}

#[test]
fn of_two_kinds_of_coins_the_one_that_takes_fewer_inputs_wastes_less_also_where_payees_pay() {
    let needed = Needed {
        value: 1_000_000,
        rate: FeeRate::per_kvb(100_000),
        payees_pay: true,
        ..NEEDED
    };
    let few = pick(&[coin(1_500_000)], &needed).expect("enough").waste;
    let many = pick(&[coin(150_000); 10], &needed).expect("enough").waste;
    assert!(few < many, "{few} {many}");
}

#[test]
fn inputs_without_witness_weigh_an_empty_one_only_beside_inputs_that_have_one() {
    let mut legacy = coin(100_000);
    (legacy.weight, legacy.segwit) = (593, false);
    // Version, lock time, counts, the output; and each input.
    let bare = 4 * 10 + 124;
    let weight = |coins: &[Offered]| Sums::of(coins.iter()).weight(&NEEDED, false);
    assert_eq!(weight(&[legacy, legacy]), bare + 2 * 592);
    assert_eq!(weight(&[legacy, coin(1)]), bare + 2 + 593 + 272);
}

#[test]
fn what_would_weigh_too_much_is_given_up_without_a_look_at_all_coins_again_and_again() {
    // Were each look one at all that was taken before, this took minutes.
    let offered: Vec<Offered> = (0..200_000).map(|number| coin(1_000 + number)).collect();
    let needed = Needed {
        value: 5_000_000_000,
        ..NEEDED
    };
    assert_eq!(pick(&offered, &needed), Err(NotPicked::TooHeavy));
    // A search among as many that cannot get to its end.
    let needed = Needed {
        value: 60_000_000,
        ..NEEDED
    };
    let picked = pick(&offered, &needed).expect("enough");
    assert_eq!(picked.places.len(), 299);
}

#[test]
fn where_change_would_weigh_too_much_a_set_without_it_is_found() {
    let needed = Needed {
        value: 50_000_000,
        rate: FeeRate::per_kvb(1_000),
        most_weight: 500,
        ..NEEDED
    };
    let offered = [coin(100_000_000), coin(50_000_200)];
    assert_eq!(pick(&offered, &needed).expect("enough").places, [1]);
    assert_eq!(pick(&offered[..1], &needed), Err(NotPicked::TooHeavy));
}

#[test]
fn among_many_coins_that_are_alike_what_is_found_is_no_dearer_than_the_largest_of_them() {
    let value = |number: u64| match number {
        0..1_800 => 100_000,
        number => 90_000 + number * 7_919 % 30_000,
    };
    let offered: Vec<Offered> = (0..2_000).map(|number| coin(value(number))).collect();
    for coins in [1, 10, 500, 1_000, 1_400] {
        let needed = Needed {
            value: 100_000 * coins - 1_000 * coins + 777,
            ..NEEDED
        };
        let ranked = Ranked::of(&offered, &needed);
        let known = gather(&offered, &needed, Sums::default(), ranked.places());
        let (largest, _) = known.expect("enough");
        let picked = pick(&offered, &needed).expect("enough");
        let sums = sums(&offered, &picked.places);
        assert!(sums.is_enough(&needed));
        assert!(sums.cost(&needed) <= largest.cost(&needed), "{coins} coins");
    }
}
