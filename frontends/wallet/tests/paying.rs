//! How open wallets pay: children that pay for their parents, checks before sending, what is not there for change.

mod scene;

use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid};
use everett_mempool::{FeeRate, Mempool, MempoolConfig};
use everett_wallet::spend::{BumpWish, Childless, FeeChoice, Irreplaceable, SpendError};
use everett_wallet::{
    Chain, CoinState, OutputType, PaymentState, RequestId, SendTerms, TimeLock, Wallet, WalletError,
};
use scene::{Scene, address, request};

fn btc(amount: u64) -> Amount {
    Amount::from_int_btc(amount)
}

fn rate(sat_per_vb: i64) -> FeeChoice {
    FeeChoice::Rate(FeeRate::per_kvb(sat_per_vb * 1_000))
}

/// What some transactions that wait pay together for each 1,000 virtual bytes.
fn package_rate(scene: &Scene, txids: &[Txid]) -> i64 {
    let view = scene.mempool.view().expect("a mempool");
    let (mut fee, mut size) = (0, 0);
    for txid in txids {
        let entry = view.entry(txid).expect("it waits");
        fee += entry.fee;
        size += entry.vsize as i64;
    }
    FeeRate::paid(fee, size).sat_per_kvb()
}

/// The rate is met, and not exceeded by more than shorter signatures account for.
#[track_caller]
fn assert_rate(found: i64, sat_per_vb: i64) {
    let wished = sat_per_vb * 1_000;
    assert!((wished..wished + wished / 50).contains(&found), "{found}");
}

#[test]
fn a_child_lifts_a_receipt_to_the_rate_that_was_wished_for() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let receipt = scene.accept(&scene.payment(&payer, &address(&alice), btc(2)));
    let paid = alice.bump_child(&receipt, Some(rate(50))).expect("a child");
    assert_eq!(paid.tx.input.len(), 1);
    assert_eq!(paid.tx.output.len(), 1, "all of it comes back");
    assert_rate(package_rate(&scene, &[receipt, paid.txid]), 50);
    // A second one on top of the first finds that enough is paid.
    let enough = alice.bump_child(&paid.txid, Some(rate(50)));
    assert!(
        matches!(
            enough,
            Err(SpendError::NoChild {
                why: Childless::PaysEnough,
                ..
            })
        ),
        "{enough:?}"
    );
    // Its output is spent: there is nothing of ours left.
    let again = alice.bump_child(&receipt, Some(rate(90)));
    assert!(
        matches!(
            again,
            Err(SpendError::NoChild {
                why: Childless::NothingOfOurs,
                ..
            })
        ),
        "{again:?}"
    );
}

#[test]
fn ancestors_that_a_miner_leaves_are_paid_for_and_those_that_he_takes_are_not() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    // The payer's own change, poor, pays Alice: two ancestors.
    let first = scene.payment(&payer, scene.lab.nobody().script_pubkey(), btc(1));
    let first_id = scene.accept(&first);
    let change = OutPoint::new(first_id, 1);
    let second = scene::spending(
        &payer,
        change,
        first.output[1].clone(),
        &address(&alice),
        btc(2),
        Amount::from_sat(300),
    );
    let second_id = scene.accept(&second);
    let paid = alice
        .bump_child(&second_id, Some(rate(40)))
        .expect("a child");
    assert_rate(package_rate(&scene, &[first_id, second_id, paid.txid]), 40);

    // Now one whose parent is rich.
    let rich = scene.rich("rich");
    let coins = scene.best().coins_of(&rich.script_hash(), None, 1);
    let (outpoint, coin) = coins.expect("coins").remove(0);
    let coin = TxOut {
        value: coin.amount,
        script_pubkey: rich.script_pubkey().clone(),
    };
    let nobody = scene.lab.nobody().script_pubkey();
    let fee = Amount::from_sat(50_000);
    let first = scene::spending(&rich, outpoint, coin, nobody, btc(1), fee);
    let first_id = scene.accept(&first);
    let second = scene::spending(
        &rich,
        OutPoint::new(first_id, 1),
        first.output[1].clone(),
        &address(&alice),
        btc(2),
        Amount::from_sat(300),
    );
    let second_id = scene.accept(&second);
    let paid = alice
        .bump_child(&second_id, Some(rate(40)))
        .expect("a child");
    assert_rate(package_rate(&scene, &[second_id, paid.txid]), 40);
}

#[test]
fn a_receipt_too_small_to_pay_for_itself_is_joined_by_confirmed_coins() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(3));
    let receipt = scene.accept(&scene.payment(&payer, &address(&alice), Amount::from_sat(1_000)));
    let paid = alice.bump_child(&receipt, Some(rate(30))).expect("a child");
    assert_eq!(paid.tx.input.len(), 2);
    assert_rate(package_rate(&scene, &[receipt, paid.txid]), 30);

    let bob = scene.wallet("bob");
    let receipt = scene.accept(&scene.payment(
        &scene.rich("other"),
        &address(&bob),
        Amount::from_sat(1_000),
    ));
    let poor = bob.bump_child(&receipt, Some(rate(30)));
    assert!(
        matches!(poor, Err(SpendError::InsufficientFunds { .. })),
        "{poor:?}"
    );
}

#[test]
fn coins_join_a_child_only_if_every_live_world_has_them() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let other = scene.rich("other");
    let alice = scene.wallet("alice");
    let fork = scene.best();
    let elsewhere = scene.payment(&payer, scene.lab.nobody().script_pubkey(), btc(3));
    scene.earn(&payer, &alice, btc(3));
    scene.mine(&scene.best(), &[]);
    // Over there the payer's coin is spent otherwise: what Alice has exists in the best world alone.
    scene.mine(&fork, &[elsewhere]);
    let receipt = scene.accept(&scene.payment(&other, &address(&alice), Amount::from_sat(1_000)));
    let poor = alice.bump_child(&receipt, Some(rate(30)));
    assert!(
        matches!(poor, Err(SpendError::InsufficientFunds { .. })),
        "{poor:?}"
    );
    // A receipt that can come in the best world alone pays for itself there.
    let coins = scene.best().coins_of(&payer.script_hash(), None, 1);
    let (outpoint, coin) = coins.expect("coins").remove(0);
    let coin = TxOut {
        value: coin.amount,
        script_pubkey: payer.script_pubkey().clone(),
    };
    let fee = Amount::from_sat(300);
    let to = address(&alice);
    let here = scene::spending(&payer, outpoint, coin, &to, btc(2), fee);
    let receipt = scene.accept(&here);
    let paid = alice.bump_child(&receipt, Some(rate(30))).expect("a child");
    assert_eq!(paid.tx.input.len(), 1);
}

#[test]
fn what_cannot_have_a_child_is_refused_with_the_reason() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let why = |txid: &Txid| match alice.bump_child(txid, Some(rate(30))) {
        Err(SpendError::NoChild { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    let payment = scene.payment(&payer, &address(&alice), btc(1));
    let txid = payment.compute_txid();
    assert_eq!(why(&txid), Childless::Unknown);
    let outpoint = OutPoint::new(scene.accept(&payment), 0);
    alice.lock_coin(outpoint, true, false).expect("a lock");
    assert_eq!(why(&txid), Childless::NothingOfOurs);
    scene.mine(&scene.best(), &[payment]);
    assert_eq!(why(&txid), Childless::Confirmed);
}

/// A transaction of Alice's that is signed and not sent.
fn prepared(scene: &Scene, alice: &Wallet) -> Transaction {
    let to = scene.lab.nobody().script_pubkey();
    let asked = request(to, btc(1));
    let prepared = alice.prepare(&asked, false, false).expect("a payment");
    prepared.tx.expect("it is signed")
}

#[test]
fn a_check_before_sending_tells_of_each_input_in_every_world_and_what_the_mempool_says() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let fork = scene.best();
    let elsewhere = scene.payment(&payer, scene.lab.nobody().script_pubkey(), btc(3));
    scene.earn(&payer, &alice, btc(2));
    let first = scene.best();
    let tx = prepared(&scene, &alice);
    let found = alice.verify(&tx).expect("a look");
    assert!(found.is_valid() && found.mempool.is_ok(), "{found:?}");
    assert_eq!(found.inputs[0].script, Some(Ok(())));
    assert!(found.inputs[0].ours.is_some());
    let going: Amount = tx.output.iter().map(|output| output.value).sum();
    assert_eq!(found.fee, Some(btc(2) - going));

    // A rival does not have the coin yet: what the best chain's block has waits there.
    let rival = scene.mine(&fork, &[]);
    let found = alice.verify(&tx).expect("a look");
    assert_eq!(found.inputs[0].worlds[1].coin.word(), "pending");
    assert!(found.inputs[0].is_everywhere());
    // Then it has the payer's coin spent otherwise.
    let rival = scene.mine(&rival, &[elsewhere]);
    scene.mine(&scene.mine(&first, &[]), &[]);
    let found = alice.verify(&tx).expect("a look");
    let worlds = &found.inputs[0].worlds;
    assert_eq!(worlds.len(), 2);
    let told = worlds.iter().find(|there| there.tip == rival.hash());
    assert_eq!(told.map(|there| there.coin), Some(CoinState::Missing));
    assert!(!found.inputs[0].is_everywhere());

    // Spoilt signatures, and coins that nobody has.
    let mut spoilt = tx.clone();
    let mut witness = spoilt.input[0].witness.to_vec();
    witness[0][10] ^= 1;
    spoilt.input[0].witness = bitcoin::Witness::from_slice(&witness);
    let found = alice.verify(&spoilt).expect("a look");
    assert!(matches!(found.inputs[0].script, Some(Err(_))), "{found:?}");
    assert!(!found.is_valid() && found.mempool.is_err());

    let mut foreign = tx.clone();
    foreign.input[0].previous_output.vout = 77;
    let found = alice.verify(&foreign).expect("a look");
    assert_eq!(found.inputs[0].worlds[0].coin, CoinState::Missing);
    assert_eq!((found.inputs[0].script, found.fee), (None, None));

    let mut empty = tx.clone();
    empty.output.clear();
    assert!(alice.verify(&empty).expect("a look").whole.is_err());

    // Sent and mined, its coin is spent.
    scene.accept(&tx);
    let tip = scene.mine(&scene.best(), std::slice::from_ref(&tx));
    let found = alice.verify(&tx).expect("a look");
    let spent = CoinState::Spent {
        block: Some(tip.hash()),
    };
    assert_eq!(found.inputs[0].worlds[0].coin, spent);
}

#[test]
fn a_transaction_that_waits_is_no_hindrance_to_itself_and_one_that_spends_the_same_is_named() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(2));
    let tx = prepared(&scene, &alice);
    let other = prepared(&scene, &alice);
    let sent = scene.accept(&tx);
    let spender =
        |tx: &Transaction| match alice.verify(tx).expect("a look").inputs[0].worlds[0].coin {
            CoinState::Unspent { spender, .. } => spender,
            other => panic!("{other:?}"),
        };
    assert_eq!(spender(&tx), None);
    assert_eq!(spender(&other), Some(sent));
}

#[test]
fn a_payment_that_is_asked_for_twice_by_one_name_is_made_once_also_after_a_restart() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(3));
    scene.earn(&payer, &alice, btc(3));
    let name = RequestId::new("order 7").expect("an id");
    let asked = request(scene.lab.nobody().script_pubkey(), btc(1));
    let paid = alice.pay_once(&asked, Some(&name)).expect("a payment");
    let repeated = |alice: &Wallet| {
        let again = alice.pay_once(&asked, Some(&name));
        assert!(
            matches!(again, Err(SpendError::Repeated { txid }) if txid == paid.txid),
            "{again:?}"
        );
        let sent = alice.send_once(
            paid.tx.clone(),
            &Default::default(),
            SendTerms::NONE,
            Some(&name),
        );
        assert!(matches!(sent, Err(SpendError::Repeated { .. })));
        // Also where the amount is beyond all counting.
        let mut other = asked.clone();
        (other.payees[0].amount, other.payees[0].pays_fee) = (Amount::MAX, true);
        let other = alice.pay_once(&other, Some(&name));
        assert!(matches!(other, Err(SpendError::OtherPayment { .. })));
        assert_eq!(alice.payment_asked_for(&name), Some(paid.txid));
        assert_eq!(
            scene
                .mempool
                .view()
                .expect("a mempool")
                .transactions()
                .count(),
            1
        );
    };
    repeated(&alice);
    drop(alice);
    scene.wallets.unload("alice").expect("it was open");
    let alice = scene.wallets.load("alice").expect("it opens");
    repeated(&alice);
    // Another name is another payment.
    let other = RequestId::new("order 8").expect("an id");
    alice.pay_once(&asked, Some(&other)).expect("a payment");
    // What was not made has no name.
    let too_much = request(scene.lab.nobody().script_pubkey(), btc(100));
    let third = RequestId::new("order 9").expect("an id");
    let refused = alice.pay_once(&too_much, Some(&third));
    assert!(matches!(refused, Err(SpendError::InsufficientFunds { .. })));
    assert_eq!(alice.payment_asked_for(&third), None);
    assert!(RequestId::new("").is_err());
    assert!(RequestId::new(&"x".repeat(64)).is_ok() && RequestId::new(&"x".repeat(65)).is_err());
}

#[test]
fn each_name_of_a_payment_tells_it_and_what_took_its_place_once_something_did() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(3));
    let names = ["first", "second"].map(|name| RequestId::new(name).expect("an id"));
    let asked = request(scene.lab.nobody().script_pubkey(), btc(1));
    let paid = alice.pay_once(&asked, Some(&names[0])).expect("a payment");
    let tx = paid.tx.clone();
    let sent = alice.send_once(tx, &Default::default(), SendTerms::NONE, Some(&names[1]));
    assert_eq!(sent.expect("it waits"), paid.txid);
    let told = |alice: &Wallet| names.each_ref().map(|name| alice.payment_asked_for(name));
    assert_eq!(told(&alice), [Some(paid.txid); 2]);
    let wish = BumpWish {
        fee: Some(rate(20)),
        ..BumpWish::default()
    };
    let bumped = alice.bump(&paid.txid, wish).expect("a replacement").new;
    assert_eq!(told(&alice), [Some(bumped.txid); 2]);
    drop(alice);
    scene.wallets.unload("alice").expect("it was open");
    let alice = scene.wallets.load("alice").expect("it opens");
    assert_eq!(told(&alice), [Some(bumped.txid); 2]);
    // The best chain has the old one after all.
    scene.mine(&scene.best(), &[paid.tx]);
    scene.wallets.catch_up().expect("nothing in the way");
    assert_eq!(told(&alice), [Some(paid.txid); 2]);
}

#[test]
fn what_we_pay_to_an_address_of_ours_that_was_not_given_out_here_is_not_given_out_any_more() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(3));
    // The wallet that this one was copied from gave out more.
    let copy = alice.view().expect("a view").keyring().clone();
    let later = |skip: usize| {
        let mut copy = copy.clone();
        let mut scripts = std::iter::repeat_with(move || {
            let new = copy.new_script(OutputType::Bech32, Chain::External);
            new.expect("a script").1
        });
        scripts.nth(skip).expect("endless")
    };
    alice.pay(&request(&later(2), btc(1))).expect("a payment");
    alice.catch_up().expect("nothing in the way");
    assert_eq!(address(&alice), later(3));
}

#[test]
fn peers_are_told_again_of_what_waits_and_was_known_before() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(3));
    let asked = request(scene.lab.nobody().script_pubkey(), btc(1));
    let paid = alice.pay(&asked).expect("a payment");
    let received = {
        let view = alice.view().expect("a view");
        view.record(&paid.txid).expect("its record").received
    };
    let waiting = |time: u64| alice.waiting_since(time).expect("a mempool");
    assert_eq!(waiting(received), [paid.txid]);
    assert!(waiting(received - 1).is_empty());
    scene.mine(&scene.best(), &[paid.tx]);
    assert!(waiting(received).is_empty(), "a block has it");
}

#[test]
fn a_payment_whose_change_another_one_spends_is_not_replaced() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(3));
    let asked = request(scene.lab.nobody().script_pubkey(), btc(1));
    let paid = alice.pay(&asked).expect("a payment");
    alice.pay(&asked).expect("another one, of the change");
    let refused = alice.bump(&paid.txid, BumpWish::default());
    assert!(
        matches!(
            refused,
            Err(SpendError::NotReplaceable {
                why: Irreplaceable::SpentByWallet,
                ..
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn a_child_pays_once_for_a_parent_that_pays_us_twice() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(1));
    let coins = scene.best().coins_of(&payer.script_hash(), None, 1);
    let (outpoint, coin) = coins.expect("coins").remove(0);
    let coin = TxOut {
        value: coin.amount,
        script_pubkey: payer.script_pubkey().clone(),
    };
    // Each part is more than the parent lacks, and less than twice that.
    let part = |script_pubkey, value| TxOut {
        value,
        script_pubkey,
    };
    let (small, fee) = (Amount::from_sat(9_000), Amount::from_sat(200));
    let back = coin.value - small * 2 - fee;
    let outputs = vec![
        part(address(&alice), small),
        part(address(&alice), small),
        part(payer.script_pubkey().clone(), back),
    ];
    let tx = payer.spend(&[(outpoint, coin)], outputs);
    let receipt = scene.accept(&tx.expect("its own coin"));
    let paid = alice.bump_child(&receipt, Some(rate(40))).expect("a child");
    assert_eq!(paid.tx.input.len(), 2, "what it is paid is enough");
    assert_rate(package_rate(&scene, &[receipt, paid.txid]), 40);
}

#[test]
fn a_payment_that_the_mempool_refuses_leaves_its_name_free() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(3));
    let asked = request(scene.lab.nobody().script_pubkey(), btc(1));
    let prepared = alice.prepare(&asked, false, false).expect("a payment");
    let mut spoilt = prepared.tx.expect("it is signed");
    spoilt.output[0].value += Amount::ONE_SAT;
    let name = RequestId::new("order 7").expect("an id");
    let sent = alice.send_once(spoilt, &Default::default(), SendTerms::NONE, Some(&name));
    assert!(matches!(sent, Err(SpendError::Refused(_))), "{sent:?}");
    assert_eq!(alice.payment_asked_for(&name), None);
    alice.pay_once(&asked, Some(&name)).expect("a payment");
}

#[test]
fn a_check_before_sending_tells_from_when_on_each_world_may_have_it() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let fork = scene.best();
    let receipt = scene.payment(&payer, &address(&alice), btc(2));
    let first = scene.mine(&fork, std::slice::from_ref(&receipt));
    scene.mine(&first, &[]);
    // On a rival the same coin is a block younger.
    let rival = scene.mine(&scene.mine(&fork, &[]), std::slice::from_ref(&receipt));
    let mut tx = prepared(&scene, &alice);
    let locks = |tx: &Transaction| -> Vec<(TimeLock, bool)> {
        let found = alice.verify(tx).expect("a look");
        let worlds = &found.inputs[0].worlds;
        assert_eq!(found.is_final(), worlds[0].is_final);
        worlds
            .iter()
            .map(|there| (there.lock, there.is_final))
            .collect()
    };
    let at = |height| TimeLock {
        height: Some(height),
        time: None,
    };
    let (made, tip) = (first.height(), scene.best().height());
    assert_eq!((made + 1, rival.height()), (tip, tip));
    // Wallets say that a transaction is not for older blocks than the next, and of one in ten that it is not for some
    // that are older still: which one this is, is left to chance.
    let bound = tx.lock_time.to_consensus_u32();
    assert!((tip.saturating_sub(100)..=tip).contains(&bound), "{bound}");
    tx.lock_time = bitcoin::absolute::LockTime::from_consensus(tip);
    assert_eq!(locks(&tx), [(at(tip + 1), true), (at(tip + 1), true)]);
    tx.lock_time = bitcoin::absolute::LockTime::from_consensus(tip + 4);
    assert_eq!(locks(&tx), [(at(tip + 5), false), (at(tip + 5), false)]);
    // Nobody asks for the lock time where every input is final.
    tx.input[0].sequence = bitcoin::Sequence::MAX;
    assert_eq!(locks(&tx), [(TimeLock::default(), true); 2]);
    tx.lock_time = bitcoin::absolute::LockTime::ZERO;
    tx.input[0].sequence = bitcoin::Sequence::from_height(2);
    assert_eq!(locks(&tx), [(at(made + 2), true), (at(made + 3), false)]);
    tx.input[0].sequence = bitcoin::Sequence::from_512_second_intervals(1);
    let time = |world: &everett_ledger::World, made: u32| {
        let before = world.median_time_past_at(made - 1).expect("a block of it");
        TimeLock {
            height: None,
            time: Some(before + 512),
        }
    };
    let told: Vec<TimeLock> = locks(&tx).into_iter().map(|(lock, _)| lock).collect();
    assert_eq!(told, [time(&scene.best(), made), time(&rival, made + 1)]);
    // The mempool says the same.
    tx.input[0].sequence = bitcoin::Sequence::from_height(4);
    let found = alice.verify(&tx).expect("a look");
    let reason = found.mempool.expect_err("it is too early").rejection;
    assert!(!found.inputs[0].worlds[0].is_final);
    assert_eq!(reason.reason, "non-BIP68-final");
    // What no block has room for is not looked at.
    tx.output[0].script_pubkey = bitcoin::ScriptBuf::from_bytes(vec![0; 1_000_001]);
    assert!(matches!(
        alice.verify(&tx),
        Err(WalletError::TooHeavy { .. })
    ));
}

#[test]
fn what_waited_when_a_wallet_was_shut_is_given_to_the_mempool_when_it_is_opened() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    scene.earn(&payer, &alice, btc(3));
    let asked = request(scene.lab.nobody().script_pubkey(), btc(1));
    let paid = alice.pay(&asked).expect("a payment");
    drop(alice);
    scene.wallets.unload("alice").expect("it was open");
    // Another node, whose mempool has nothing.
    let mempool = Mempool::new(scene.lab.ledger().clone(), MempoolConfig::default());
    mempool.set_loaded();
    let place = scene.directory.path().join("wallets");
    let wallets = scene::wallets(&place, scene.lab.ledger(), &mempool);
    let alice = wallets.load("alice").expect("it opens");
    let view = mempool.view().expect("a mempool");
    assert!(view.transaction(&paid.txid).is_some());
    drop(view);
    let view = alice.view().expect("a view");
    let state = view.payment(&paid.txid, view.best()).expect("hers");
    assert_eq!(state, PaymentState::Pending { in_mempool: true });
}
