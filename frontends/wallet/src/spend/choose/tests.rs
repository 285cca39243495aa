use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash, XOnlyPublicKey};
use everett_mempool::FeeRate;

use super::*;
use crate::spend::ancestry::Before;

fn coin(number: u8, value: u64, address: u8) -> Candidate {
    Candidate {
        outpoint: OutPoint::new(Txid::from_byte_array([number; 32]), 0),
        output: TxOut {
            value: Amount::from_sat(value),
            script_pubkey: ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([address; 20])),
        },
        sequence: None,
        weight: 272,
        segwit: true,
        wanted: false,
        confirmations: 10,
        from_us: true,
        before: Before::default(),
    }
}

fn needed(value: u64) -> Needed {
    Needed {
        value,
        weight: 124,
        outputs: 1,
        rate: FeeRate::per_kvb(20_000),
        payees_pay: false,
        bump: 0,
        change_weight: 124,
        change_spend_weight: 272,
        least_change: 980,
        later: FeeRate::per_kvb(10_000),
        most_weight: 400_000,
    }
}

const TERMS: Terms = Terms {
    group: false,
    include_unsafe: false,
    limits: (25, 25),
    long_chains: false,
    add: true,
    version: 2,
};

#[test]
fn of_coins_that_cost_the_same_the_smallest_that_is_enough_is_taken() {
    let coins = [
        coin(1, 100_000_000, 1),
        coin(2, 50_000_000, 2),
        coin(3, 10_000_000, 3),
    ];
    assert_eq!(choose(&coins, &needed(20_000_000), &TERMS), Ok(vec![1]));
    assert_eq!(choose(&coins, &needed(70_000_000), &TERMS), Ok(vec![0]));
}

#[test]
fn coins_of_an_address_go_together_where_that_is_wished() {
    let coins = [
        coin(1, 100_000_000, 1),
        coin(2, 50_000_000, 2),
        coin(3, 10_000_000, 2),
    ];
    let together = Terms {
        group: true,
        ..TERMS
    };
    assert_eq!(choose(&coins, &needed(20_000_000), &TERMS), Ok(vec![1]));
    let mut places = choose(&coins[1..], &needed(20_000_000), &together).expect("enough");
    places.sort();
    assert_eq!(places, [0, 1]);
}

#[test]
fn of_more_than_a_hundred_coins_of_an_address_a_hundred_go_together() {
    let coins: Vec<Candidate> = (0..101).map(|number| coin(number, 1_000_000, 1)).collect();
    let together = Terms {
        group: true,
        ..TERMS
    };
    let places = choose(&coins, &needed(500_000), &together).expect("enough");
    assert_eq!(places.len(), 100);
}

#[test]
fn change_that_waits_is_taken_when_nothing_else_is_enough_and_never_behind_a_long_chain() {
    let mut waiting = coin(1, 100_000_000, 1);
    waiting.confirmations = 0;
    waiting.before = Before {
        bump: 0,
        ancestors: 1,
        cluster: 1,
    };
    let coins = [waiting, coin(2, 50_000_000, 2)];
    assert_eq!(choose(&coins, &needed(20_000_000), &TERMS), Ok(vec![1]));
    assert_eq!(choose(&coins, &needed(70_000_000), &TERMS), Ok(vec![0]));
    let mut coins = coins;
    coins[0].before.ancestors = 25;
    let refused = choose(&coins, &needed(70_000_000), &TERMS);
    assert_eq!(refused, Err(NotChosen::LongChain));
    let allowed = Terms {
        long_chains: true,
        ..TERMS
    };
    assert_eq!(choose(&coins, &needed(70_000_000), &allowed), Ok(vec![0]));
}

#[test]
fn as_many_other_coins_are_looked_at_as_well() {
    let waiting = |number, value, from_us, ancestors| {
        let mut coin = coin(number, value, number);
        (coin.confirmations, coin.from_us) = (0, from_us);
        coin.before = Before {
            bump: 0,
            ancestors,
            cluster: ancestors,
        };
        coin
    };
    // One is welcome because what others pay is, the other one because long chains are.
    let coins = [
        waiting(1, 10_000_000, false, 1),
        waiting(2, 90_000_000, true, 25),
    ];
    let terms = Terms {
        include_unsafe: true,
        long_chains: true,
        ..TERMS
    };
    assert_eq!(choose(&coins, &needed(50_000_000), &terms), Ok(vec![1]));
}

#[test]
fn kinds_of_addresses_are_not_mixed_where_one_is_enough() {
    let mut taproot = coin(1, 30_000_000, 1);
    let key = XOnlyPublicKey::from_slice(&[2; 32]).expect("a point");
    let key = bitcoin::key::TweakedPublicKey::dangerous_assume_tweaked(key);
    taproot.output.script_pubkey = ScriptBuf::new_p2tr_tweaked(key);
    let coins = [taproot, coin(2, 30_000_000, 2), coin(3, 30_000_000, 3)];
    let mut places = choose(&coins, &needed(50_000_000), &TERMS).expect("enough");
    places.sort();
    assert_eq!(places, [1, 2]);
    assert_eq!(
        choose(&coins, &needed(80_000_000), &TERMS).map(|all| all.len()),
        Ok(3)
    );
}

#[test]
fn what_does_not_fit_the_limit_on_the_weight_is_made_of_larger_coins_or_refused() {
    let mut coins: Vec<Candidate> = (0..20)
        .map(|number| coin(number, 1_000_000, number))
        .collect();
    coins.push(coin(20, 15_000_000, 20));
    let light = Needed {
        most_weight: 900,
        ..needed(14_000_000)
    };
    assert_eq!(choose(&coins, &light, &TERMS), Ok(vec![20]));
    let much = Needed {
        value: 30_000_000,
        ..light
    };
    let refused = choose(&coins, &much, &TERMS);
    assert_eq!(refused, Err(NotChosen::TooHeavy { asked: false }));
}

#[test]
fn coins_that_were_asked_for_are_enough_or_others_are_added_where_they_may_be() {
    let mut asked = coin(1, 5_000_000, 1);
    asked.wanted = true;
    let coins = [asked, coin(2, 50_000_000, 2)];
    assert_eq!(choose(&coins, &needed(1_000_000), &TERMS), Ok(vec![0]));
    assert_eq!(choose(&coins, &needed(20_000_000), &TERMS), Ok(vec![0, 1]));
    let alone = Terms {
        add: false,
        ..TERMS
    };
    assert_eq!(
        choose(&coins, &needed(20_000_000), &alone),
        Err(NotChosen::AskedTooFew)
    );
}

#[test]
fn a_coin_that_goes_together_with_one_that_may_not_be_taken_is_not_there() {
    let mut waiting = coin(1, 30_000_000, 1);
    (waiting.confirmations, waiting.from_us) = (0, true);
    let mut received = coin(2, 50_000_000, 1);
    received.from_us = false;
    let coins = [waiting, received, coin(3, 10_000_000, 2)];
    let together = Terms {
        group: true,
        ..TERMS
    };
    // What waits goes with what somebody else paid: it has to be deeper than it is.
    let refused = choose(&coins, &needed(20_000_000), &together).expect_err("too little");
    let NotChosen::NotEnough { available, missing } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(available, 10_000_000);
    assert!((10_000_000..10_100_000).contains(&missing), "{missing}");
    assert_eq!(choose(&coins, &needed(20_000_000), &TERMS), Ok(vec![1]));
}
