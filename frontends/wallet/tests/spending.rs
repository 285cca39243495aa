//! What payments cost, who pays for that, and which coins they take.

mod scene;

use bitcoin::{Amount, OutPoint, TxOut};
use everett_mempool::{EstimateBasis, FeeRate, FeesKept};
use everett_wallet::keys::{Import, with_checksum};
use everett_wallet::spend::{
    ChangeTo, FeeChoice, In, Payee, RateReason, Request, SpendError, Unspendable,
};
use everett_wallet::{Chain, NewWallet, OutputType, Wallet, WalletError, WalletFlags};
use scene::{Scene, address, request};
use zeroize::Zeroizing;

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
fn what_comes_to_an_address_that_was_paid_from_is_counted_apart_where_those_are_avoided() {
    let scene = Scene::new();
    let alice = scene.wallet("alice");
    let to = address(&alice);
    let nobody = scene.lab.nobody().script_pubkey();
    let receipt = scene.payment(&scene.rich("one"), &to, btc(1));
    scene.mine(&scene.best(), &[receipt]);
    let all = Request {
        everything: true,
        payees: vec![Payee {
            shares: true,
            amount: Amount::ZERO,
            ..request(nobody, btc(1)).payees.remove(0)
        }],
        ..request(nobody, btc(1))
    };
    let paid = alice.pay(&all).expect("a payment");
    scene.mine(&scene.best(), &[paid.tx]);
    let late = scene.payment(&scene.rich("two"), &to, btc(2));
    scene.mine(&scene.best(), &[late]);

    let told = |avoid: bool| {
        let set = alice.change_keys(|keyring| -> Result<(), WalletError> {
            keyring.set_avoid_reuse(avoid);
            Ok(())
        });
        set.expect("a flag");
        let view = alice.view().expect("a view");
        let balance = view.balance(view.best()).expect("a balance");
        let safe = view.safe().expect("what is safe");
        assert_eq!(balance.confirmed, btc(2));
        assert_eq!(balance.trusted, safe.amount);
        (balance.trusted, balance.reused, safe.coins)
    };
    assert_eq!(told(false), (btc(2), Amount::ZERO, 1));
    assert_eq!(told(true), (Amount::ZERO, btc(2), 0));
    let half = request(nobody, btc(1));
    let refused = alice.plan(&half).expect_err("it avoids the address");
    assert!(refused.to_string().contains("2 BTC more are at addresses"));
    let Short { reused, locked } = short(refused);
    assert_eq!((reused, locked), (btc(2), Amount::ZERO));
    let anyhow = Request {
        use_reused: true,
        ..half
    };
    alice.plan(&anyhow).expect("it was told to");
}

/// What would help a payment that there is too little for.
struct Short {
    reused: Amount,
    locked: Amount,
}

fn short(error: SpendError) -> Short {
    match error {
        SpendError::InsufficientFunds { reused, locked, .. } => Short { reused, locked },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_coin_that_is_asked_for_and_cannot_be_spent_says_which_of_the_reasons_it_is() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let nobody = scene.lab.nobody().script_pubkey();
    let why = |wallet: &Wallet, outpoint: OutPoint| {
        let named = In {
            outpoint,
            sequence: None,
            weight: None,
        };
        let asked = Request {
            inputs: vec![named],
            ..request(nobody, btc(1))
        };
        match wallet.plan(&asked) {
            Err(SpendError::Coin {
                outpoint: told,
                why,
            }) if told == outpoint => why,
            other => panic!("{other:?}"),
        }
    };
    let fork = scene.best();
    let coin = scene.earn(&payer, &alice, btc(2));
    let paid = alice.pay(&request(nobody, btc(1))).expect("a payment");
    assert_eq!(why(&alice, coin), Unspendable::Taken { by: paid.txid });
    scene.mine(&scene.best(), &[paid.tx]);
    assert_eq!(why(&alice, coin), Unspendable::Spent { by: paid.txid });

    let miner = scene.lab.party("miner");
    let flags = WalletFlags {
        disable_private_keys: true,
        ..WalletFlags::default()
    };
    let watching = scene.wallets.create(
        "watching",
        NewWallet {
            flags,
            ..NewWallet::default()
        },
    );
    let watching = watching.expect("a new wallet");
    let imported = watching.change_keys(|keyring| -> Result<(), WalletError> {
        let text = with_checksum(&format!("raw({})", miner.script_pubkey().to_hex_string()));
        keyring.import(&Import {
            text: Zeroizing::new(text),
            ..Import::default()
        })?;
        Ok(())
    });
    imported.expect("a script");
    let block = scene.lab.mine_to(&miner, scene.best(), []);
    let block = block.expect("a block");
    let coins = block.coins_of(&miner.script_hash(), None, 1);
    let (young, _) = coins.expect("coins").remove(0);
    let height = block.height() + 100;
    assert_eq!(why(&watching, young), Unspendable::Immature { height });
    // Another branch becomes the best one: there is no such coinbase there.
    let mut rival = fork;
    while scene.best().hash() != rival.hash() {
        rival = scene.mine(&rival, &[]);
    }
    assert_eq!(why(&watching, young), Unspendable::NotInBest);
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
