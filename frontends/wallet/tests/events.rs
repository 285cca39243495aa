//! What wallets tell as it happens: each change once, in order, in the best world; warnings when a rival is close.

mod scene;

use bitcoin::{Amount, Txid};
use everett_wallet::{PaymentState, SendTerms, WalletEventKind as Kind};
use scene::{Scene, address, told};

fn btc(amount: u64) -> Amount {
    Amount::from_int_btc(amount)
}

fn word(kind: &Kind) -> String {
    match kind {
        Kind::Loaded => "loaded".to_owned(),
        Kind::Unloaded => "unloaded".to_owned(),
        Kind::PaymentAppeared { state, .. } => format!("appeared {}", state.word()),
        Kind::PaymentChanged { before, state, .. } => {
            format!("{} -> {}", before.word(), state.word())
        }
        Kind::PaymentForgotten { .. } => "forgotten".to_owned(),
        Kind::BalanceChanged { balance, .. } => {
            format!("balance {} {}", balance.trusted, balance.pending)
        }
        Kind::WarningAppeared(warning) => format!("warned of {}", warning.lost_amount),
        Kind::WarningChanged { warning, .. } => format!("warning: {} behind", warning.behind),
        Kind::WarningCleared { why, .. } => format!("cleared: {}", why.word()),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_receipt_a_rival_that_double_spends_it_and_a_branch_that_wins_are_told_once_each_and_in_order()
{
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let mut events = scene.wallets.subscribe();
    let alice = scene.wallet("alice");
    let mut heard = || -> Vec<String> {
        let told = told(&scene.wallets, &mut events);
        told.iter().map(word).collect()
    };
    assert_eq!(heard(), ["loaded"]);
    assert!(heard().is_empty(), "nothing is told twice");

    let payment = scene.payment(&payer, &address(&alice), btc(30));
    let txid = scene.accept(&payment);
    assert_eq!(heard(), ["appeared pending", "balance 0 BTC 30 BTC"]);

    let fork = scene.best();
    let first = scene.mine(&fork, std::slice::from_ref(&payment));
    assert_eq!(heard(), ["pending -> confirmed", "balance 30 BTC 0 BTC"]);
    scene.mine(&first, &[]);
    assert!(heard().is_empty(), "that it gets deeper is not told");

    // Another block on the fork pays the same coin to somebody else.
    let thief = scene.lab.party("thief");
    let other = scene.payment_at(&fork, &payer, thief.script_pubkey(), btc(49));
    let rival = scene.mine(&fork, std::slice::from_ref(&other));
    assert_eq!(heard(), ["warned of 30 BTC"]);
    let rival = scene.mine(&rival, &[]);
    assert_eq!(heard(), ["warning: 0 behind"]);

    scene.mine(&rival, &[]);
    let events_now: Vec<Kind> = told(&scene.wallets, &mut events).into();
    let words: Vec<String> = events_now.iter().map(word).collect();
    assert_eq!(
        words,
        [
            "confirmed -> conflicted",
            "balance 0 BTC 0 BTC",
            "cleared: won"
        ]
    );
    let Kind::PaymentChanged {
        txid: told, state, ..
    } = &events_now[0]
    else {
        panic!("{events_now:?}");
    };
    assert_eq!(*told, txid);
    let by = Some(other.compute_txid());
    assert!(
        matches!(state, PaymentState::Conflicted { by: other, block: Some(_), .. } if *other == by),
        "{state:?}"
    );
}

#[test]
fn a_warning_ends_when_the_rival_falls_behind_or_is_harmless() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let payment = scene.payment(&payer, &address(&alice), btc(30));
    let fork = scene.best();
    let mut tip = scene.mine(&fork, std::slice::from_ref(&payment));
    let rival = scene.mine(&fork, &[]);
    let mut events = scene.wallets.subscribe();
    let last = |events: &mut _| told(&scene.wallets, events).iter().map(word).next_back();
    // What comes before the subscription is not told.
    let view = alice.view().expect("a view");
    assert_eq!(view.warnings(6).expect("warnings").len(), 1);
    drop(view);
    assert_eq!(last(&mut events), Some("warned of 30 BTC".to_owned()));
    for behind in 1..=6 {
        tip = scene.mine(&tip, &[]);
        let said = format!("warning: {behind} behind");
        assert_eq!(last(&mut events), Some(said));
    }
    scene.mine(&tip, &[]);
    assert_eq!(last(&mut events), Some("cleared: fell behind".to_owned()));
    // It comes close again, and has the payment, too.
    let rival = scene.mine(&rival, &[]);
    assert_eq!(last(&mut events), Some("warned of 30 BTC".to_owned()));
    scene.mine(&rival, &[payment]);
    assert_eq!(last(&mut events), Some("cleared: harmless".to_owned()));
}

#[test]
fn warnings_that_stand_when_a_wallet_is_loaded_are_told_after_it_and_nothing_after_it_is_unloaded()
{
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let payment = scene.payment(&payer, &address(&alice), btc(30));
    let fork = scene.best();
    scene.mine(&fork, &[payment]);
    drop(alice);
    let mut events = scene.wallets.subscribe();
    scene.wallets.unload("alice").expect("it is open");
    scene.mine(&fork, &[]);
    let again = scene.wallets.load("alice").expect("it is there");
    let heard: Vec<String> = told(&scene.wallets, &mut events).iter().map(word).collect();
    assert_eq!(heard[heard.len() - 2..], ["loaded", "warned of 30 BTC"]);
    assert!(heard.contains(&"unloaded".to_owned()), "{heard:?}");
    scene.wallets.unload("alice").expect("it is open");
    scene.mine(&scene.best(), &[]);
    again.catch_up().expect("whoever still holds it may ask");
    let heard: Vec<String> = told(&scene.wallets, &mut events).iter().map(word).collect();
    assert_eq!(heard, ["unloaded"]);
}

#[test]
fn who_does_not_keep_up_is_told_how_much_was_missed_and_goes_on() {
    let scene = Scene::new();
    let mut events = scene.wallets.subscribe();
    let alice = scene.wallet("alice");
    drop(alice);
    scene.wallets.unload("alice").expect("it is open");
    let rounds = everett_wallet::MAX_EVENTS / 2;
    // Two events each, and two before.
    for _ in 0..rounds {
        scene.wallets.load("alice").expect("it is there");
        scene.wallets.unload("alice").expect("it is open");
    }
    let missed = events.try_next().expect("something").expect_err("missed");
    assert_eq!(missed.count, 2);
    let next = events.try_next().expect("something").expect("an event");
    assert_eq!(next.sequence, 2);
}

#[test]
fn what_was_refused_when_it_was_sent_is_not_told_as_a_payment() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(10));
    let mut events = scene.wallets.subscribe();
    told(&scene.wallets, &mut events);
    let mut spoilt = scene.payment(&payer, &address(&alice), btc(1));
    spoilt.input[0].witness = bitcoin::Witness::new();
    let notes = Default::default();
    alice
        .send(spoilt, &notes, SendTerms::NONE)
        .expect_err("no witness");
    let heard = told(&scene.wallets, &mut events);
    let known: Vec<Txid> = heard
        .iter()
        .filter_map(|kind| match kind {
            Kind::PaymentAppeared { txid, .. } => Some(*txid),
            _ => None,
        })
        .collect();
    assert!(known.is_empty(), "{heard:?}");
}

#[test]
fn a_branch_that_is_let_in_again_is_looked_into_and_warned_of_though_no_event_tells_of_it() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let fork = scene.best();
    let payment = scene.payment(&payer, &address(&alice), btc(30));
    let tip = scene.mine(&fork, &[payment]);
    scene.mine(&tip, &[]);
    let mut events = scene.wallets.subscribe();
    told(&scene.wallets, &mut events);
    scene.wallets.unload("alice").expect("it is open");
    drop(alice);
    // It comes and is taken back while the wallet is shut.
    let other = scene.payment_at(
        &fork,
        &payer,
        scene.lab.party("thief").script_pubkey(),
        btc(49),
    );
    let rival = scene.mine(&fork, &[other]);
    scene.lab.invalidate(&rival).expect("a rival");
    let alice = scene.wallets.load("alice").expect("it is there");
    told(&scene.wallets, &mut events);
    scene.lab.reconsider(rival.hash()).expect("a rival");
    let heard: Vec<String> = told(&scene.wallets, &mut events).iter().map(word).collect();
    assert_eq!(heard, ["warned of 30 BTC"]);
    assert_eq!(alice.view().expect("a view").rivals().len(), 1);
}

#[test]
fn who_unloads_a_wallet_the_moment_it_is_there_is_told_that_it_was_loaded_first() {
    const ROUNDS: usize = 30;
    let scene = Scene::new();
    scene.wallet("alice");
    scene.wallets.unload("alice").expect("it is open");
    let mut events = scene.wallets.subscribe();
    let wallets = scene.wallets.clone();
    let unloads = std::thread::spawn(move || {
        for _ in 0..ROUNDS {
            while wallets.unload("alice").is_err() {
                std::hint::spin_loop();
            }
        }
    });
    for _ in 0..ROUNDS {
        // Until the one before is shut.
        while scene.wallets.load("alice").is_err() {
            std::thread::yield_now();
        }
    }
    unloads.join().expect("it unloads each");
    let heard: Vec<String> = told(&scene.wallets, &mut events).iter().map(word).collect();
    assert_eq!(heard, ["loaded", "unloaded"].repeat(ROUNDS));
}
