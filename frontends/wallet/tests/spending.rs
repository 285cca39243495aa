//! What payments cost, who pays for that, and which coins they take.

mod scene;

use bitcoin::{Amount, OutPoint, TxOut};
use everett_mempool::{EstimateBasis, FeeRate, FeesKept};
use everett_wallet::spend::{
    ChangeTo, FeeChoice, In, Payee, RateReason, Request, SpendError, Unspendable,
};
use everett_wallet::{Chain, OutputType, WalletError};
use scene::{Scene, address, request};

fn btc(amount: u64) -> Amount {
    Amount::from_int_btc(amount)
}

fn sat(amount: u64) -> Amount {
    Amount::from_sat(amount)
}

/// At a rate at which change costs less than what is left without it.
fn cheap(payees: Vec<Payee>) -> Request {
    Request {
        fee: FeeChoice::Rate(FeeRate::per_kvb(1_000)),
        ..Request::to(payees)
    }
}

fn paying(scene: &Scene, amount: Amount) -> Payee {
    Payee {
        script_pubkey: scene.lab.nobody().script_pubkey().clone(),
        amount,
        pays_fee: true,
        shares: false,
    }
}

#[test]
fn payees_who_pay_get_what_is_too_little_for_change() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(2));
    let exact = |weight: u64| sat(FeeRate::per_kvb(1_000).fee(weight.div_ceil(4) as i64) as u64);

    let one = cheap(vec![paying(&scene, btc(2) - sat(600))]);
    let plan = alice.plan(&one).expect("a payment");
    assert_eq!(plan.change, None);
    assert_eq!(plan.fee, exact(plan.weight), "the rate, and no more");
    assert_eq!(plan.tx.output[0].value, btc(2) - plan.fee);

    let two = cheap(vec![
        paying(&scene, btc(1)),
        paying(&scene, btc(1) - sat(601)),
    ]);
    let plan = alice.plan(&two).expect("a payment");
    assert_eq!((plan.change, plan.fee), (None, exact(plan.weight)));
    let more = sat(601) - plan.fee;
    let parts = [more - more / 2, more / 2];
    let paid: Vec<Amount> = plan.tx.output.iter().map(|output| output.value).collect();
    assert_eq!(paid, [btc(1) + parts[0], btc(1) - sat(601) + parts[1]]);

    // What is left is less than the fee: they pay the rest.
    let little = cheap(vec![paying(&scene, btc(2) - sat(20))]);
    let plan = alice.plan(&little).expect("a payment");
    assert_eq!(plan.tx.output[0].value, btc(2) - plan.fee);
    assert_eq!(plan.fee, exact(plan.weight));
}

/// The bytes of Core's file of estimates: fast confirmations at `soon` for those who look back a little, at `long` for those who look
/// back far, in satoshis for 1,000 virtual bytes. `empty` is what is written where nothing is known.
fn estimates(empty: &[u8], soon: f64, long: f64) -> Vec<u8> {
    const HEADER: usize = 16;
    const CONFIRMED: f64 = 1_000.0;
    let mut bytes = empty.to_vec();
    for (place, number) in [(4, 100_u32), (8, 1), (12, 100)] {
        bytes[place..place + 4].copy_from_slice(&number.to_le_bytes());
    }
    // A list has its length before it, of one byte.
    let buckets = usize::from(bytes[HEADER]);
    let list = 1 + 8 * buckets;
    let end = |bucket: usize| {
        let at = HEADER + 1 + 8 * bucket;
        f64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    };
    let of = |rate: f64| (0..buckets).find(|bucket| end(*bucket) >= rate);
    let [soon_bucket, long_bucket] = [soon, long].map(|rate| of(rate).expect("a bucket"));
    let mut put = |at: usize, bucket: usize, number: f64| {
        let at = at + 1 + 8 * bucket;
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    };
    let mut at = HEADER + list;
    // The horizons in their order: how many periods each has, and what is written of it.
    for (periods, written) in [
        (24, None),
        (12, Some((soon, soon_bucket))),
        (42, Some((long, long_bucket))),
    ] {
        at += 8 + 4;
        if let Some((rate, bucket)) = written {
            put(at, bucket, rate * CONFIRMED);
            put(at + list, bucket, CONFIRMED);
            for period in 0..periods {
                put(at + 2 * list + 1 + period * list, bucket, CONFIRMED);
            }
        }
        at += 2 * list + 2 * (1 + periods * list);
    }
    assert_eq!(at, bytes.len());
    bytes
}

#[test]
fn a_payment_that_cannot_be_replaced_is_estimated_on_the_safe_side_unless_somebody_says_how() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(2));
    let to = scene.lab.nobody().script_pubkey();
    let planned = |conservative, replaceable| {
        let asked = Request {
            fee: FeeChoice::Target {
                blocks: 6,
                conservative,
            },
            replaceable,
            ..request(to, btc(1))
        };
        let plan = alice.plan(&asked).expect("a payment");
        (plan.rate().sat_per_kvb(), plan.reason)
    };
    assert_eq!(planned(None, false), (20_000, RateReason::Fallback));

    let file = scene.directory.path().join("fees");
    scene.mempool.save_fees(&file, false).expect("a file");
    let empty = std::fs::read(&file).expect("a file");
    std::fs::write(&file, estimates(&empty, 5_000.0, 50_000.0)).expect("a file");
    let kept = scene.mempool.load_fees(&file, false);
    assert_eq!(kept.expect("a file of estimates"), FeesKept::Taken);
    let [economical, cautious] = [
        (5_000, RateReason::Estimated(EstimateBasis::Half)),
        (50_000, RateReason::Estimated(EstimateBasis::Cautious)),
    ];
    assert_eq!(planned(None, true), economical);
    assert_eq!(planned(None, false), cautious);
    assert_eq!(planned(Some(false), false), economical);
    assert_eq!(planned(Some(true), true), cautious);
}

#[test]
fn a_wallet_that_avoids_addresses_it_paid_from_leaves_nothing_on_them() {
    let scene = Scene::new();
    let alice = scene.wallet("alice");
    let avoid = alice.change_keys(|keyring| -> Result<(), WalletError> {
        keyring.set_avoid_reuse(true);
        Ok(())
    });
    avoid.expect("a flag");
    let to = address(&alice);
    for name in ["one", "two"] {
        let receipt = scene.payment(&scene.rich(name), &to, btc(1));
        scene.mine(&scene.best(), &[receipt]);
    }
    let small = request(scene.lab.nobody().script_pubkey(), sat(10_000_000));
    assert_eq!(alice.plan(&small).expect("a payment").tx.input.len(), 2);
    // Who pays from such addresses all the same takes what is cheapest.
    let anyhow = Request {
        use_reused: true,
        ..small.clone()
    };
    assert_eq!(alice.plan(&anyhow).expect("a payment").tx.input.len(), 1);
    let mut all = small;
    all.everything = true;
    all.payees[0].amount = Amount::ZERO;
    all.payees[0].shares = true;
    assert_eq!(alice.plan(&all).expect("a payment").tx.input.len(), 2);
}

#[test]
fn a_coin_of_somebody_else_that_waits_here_alone_is_not_one_of_every_world() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let other = scene.rich("other");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(2));
    let fork = scene.best();
    let nobody = scene.lab.nobody().script_pubkey();
    let elsewhere = scene.payment(&other, nobody, btc(3));
    let here = scene.payment(&other, payer.script_pubkey(), btc(1));
    scene.mine(&scene.mine(&fork, &[]), &[]);
    let rival = scene.mine(&fork, &[]);
    let foreign = OutPoint::new(scene.accept(&here), 0);
    let asked = Request {
        inputs: vec![In {
            outpoint: foreign,
            sequence: None,
            weight: Some(272),
        }],
        ..request(nobody, btc(1))
    };
    // Both worlds can still have it.
    alice.plan(&asked).expect("a payment");
    scene.mine(&rival, &[elsewhere]);
    scene.mine(&scene.best(), &[]);
    let refused = alice.plan(&asked);
    assert!(
        matches!(
            refused,
            Err(SpendError::Coin {
                outpoint,
                why: Unspendable::NotEverywhere,
            }) if outpoint == foreign
        ),
        "{refused:?}"
    );
}

#[test]
fn an_address_for_change_is_given_to_nobody_else_while_a_payment_is_planned() {
    const TIMES: usize = 40;
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(2));
    let asked = Request {
        change: ChangeTo::Kind(OutputType::Bech32),
        ..request(scene.lab.nobody().script_pubkey(), btc(1))
    };
    let mut all = std::thread::scope(|scope| {
        let given = scope.spawn(|| {
            let give = |_| {
                let new = alice.change_keys(|keyring| -> Result<_, WalletError> {
                    Ok(keyring.new_script(OutputType::Bech32, Chain::Internal)?.1)
                });
                new.expect("an address")
            };
            (0..TIMES).map(give).collect::<Vec<_>>()
        });
        let planned = |_| {
            let plan = alice.plan(&asked).expect("a payment");
            let TxOut { script_pubkey, .. } = &plan.tx.output[plan.change.expect("change")];
            script_pubkey.clone()
        };
        let mut all: Vec<_> = (0..TIMES).map(planned).collect();
        all.extend(given.join().expect("it gives addresses out"));
        all
    });
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2 * TIMES);
}
