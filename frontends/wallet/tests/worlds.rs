//! What wallets say of coins and payments where worlds differ, and what ends with a payment.

mod scene;

use std::collections::BTreeMap;
use std::path::Path;

use bitcoin::{Amount, OutPoint, Transaction, TxOut};
use everett_mempool::FeeRate;
use everett_scenario::Party;
use everett_wallet::keys::{Import, with_checksum};
use everett_wallet::spend::{
    BumpWish, ChangeTo, FeeChoice, In, Request, Scope, SpendError, Unspendable,
};
use everett_wallet::{
    Chain, NewWallet, OutputType, PaymentState, SendTerms, Wallet, WalletError, WalletFlags,
    Wallets,
};
use scene::{Scene, address, request};
use zeroize::Zeroizing;

fn btc(amount: u64) -> Amount {
    Amount::from_int_btc(amount)
}

fn named(outpoint: OutPoint) -> In {
    In {
        outpoint,
        sequence: None,
        weight: None,
    }
}

/// The coins of a party in the best world.
fn coins(scene: &Scene, party: &Party) -> Vec<(OutPoint, TxOut)> {
    let found = (scene.best()).coins_of(&party.script_hash(), None, 10);
    let told = found.expect("coins").into_iter().map(|(outpoint, coin)| {
        let output = TxOut {
            value: coin.amount,
            script_pubkey: party.script_pubkey().clone(),
        };
        (outpoint, output)
    });
    told.collect()
}

/// A payment of Alice's that takes this coin, signed and not sent.
fn spending(scene: &Scene, alice: &Wallet, coin: OutPoint) -> Transaction {
    let asked = Request {
        inputs: vec![named(coin)],
        add_inputs: false,
        use_locked: true,
        scope: Scope::Best,
        ..request(scene.lab.nobody().script_pubkey(), btc(1))
    };
    let prepared = alice.prepare(&asked, false, false).expect("a payment");
    prepared.tx.expect("it is signed")
}

#[test]
fn a_lock_ends_when_the_coin_is_spent_in_the_best_world_and_not_when_a_rival_spends_it() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let sent = scene.earn(&payer, &alice, btc(3));
    let seen = scene.earn(&payer, &alice, btc(3));
    let kept = scene.earn(&payer, &alice, btc(3));
    for coin in [sent, seen, kept] {
        alice.lock_coin(coin, true, true).expect("a lock");
    }
    let locked = |wallet: &Wallet| wallet.view().expect("a view").locked();
    let by_wallet = spending(&scene, &alice, sent);
    alice
        .send(by_wallet, &Default::default(), SendTerms::NONE)
        .expect("it is sent");
    let mut left = vec![seen, kept];
    left.sort();
    assert_eq!(locked(&alice), left);
    // Signed here and sent by somebody else.
    scene.accept(&spending(&scene, &alice, seen));
    assert_eq!(locked(&alice), [kept]);
    // A rival alone has the payment.
    let fork = scene.best();
    let by_rival = spending(&scene, &alice, kept);
    let tip = scene.mine(&fork, &[]);
    scene.mine(&tip, &[]);
    scene.mine(&fork, &[by_rival]);
    assert_eq!(locked(&alice), [kept]);
    drop(alice);
    scene.wallets.unload("alice").expect("it is open");
    let quiet = silent_in(&scene, &scene.wallets.config().directory);
    let again = quiet.load("alice").expect("it is there");
    assert_eq!(locked(&again), [kept]);
    drop(again);
    quiet.unload("alice").expect("it is open");
    scene.mempool.set_loaded();
    // Where payments are sent, what the rival has waits in the best world, too, when the wallet is opened.
    let again = scene.wallets.load("alice").expect("it is there");
    assert_eq!(locked(&again), []);
}

/// The same wallets, which do not give what they send to the mempool.
fn silent(scene: &Scene) -> Wallets {
    silent_in(scene, &scene.directory.path().join("silent"))
}

fn silent_in(scene: &Scene, directory: &Path) -> Wallets {
    let mut config = scene.wallets.config().clone();
    config.directory = directory.to_path_buf();
    config.broadcast = false;
    Wallets::new(config, scene.lab.ledger().clone(), scene.mempool.clone())
}

#[test]
fn a_payment_that_was_given_up_and_is_confirmed_after_all_is_not_given_up_any_more() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let wallets = silent(&scene);
    let alice = wallets
        .create("alice", NewWallet::default())
        .expect("a new wallet");
    let coins = [1, 2].map(|_| scene.earn(&payer, &alice, btc(3)));
    let [mined, waiting] = coins.map(|coin| spending(&scene, &alice, coin));
    let txids = [&mined, &waiting].map(Transaction::compute_txid);
    for (tx, txid) in [&mined, &waiting].into_iter().zip(&txids) {
        alice
            .send(tx.clone(), &Default::default(), SendTerms::NONE)
            .expect("it is kept");
        alice.abandon(txid).expect("nobody has it");
    }
    let given_up = |wallet: &Wallet| {
        let view = wallet.view().expect("a view");
        txids.map(|txid| view.record(&txid).expect("a record").abandoned)
    };
    assert_eq!(given_up(&alice), [true, true]);
    scene.mine(&scene.best(), &[mined]);
    assert_eq!(given_up(&alice), [false, true]);
    scene.accept(&waiting);
    assert_eq!(given_up(&alice), [false, false]);
    drop(alice);
    wallets.unload("alice").expect("it is open");
    let again = wallets.load("alice").expect("it is there");
    assert_eq!(given_up(&again), [false, false]);
}

#[test]
fn a_payment_without_change_needs_no_address_for_change() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let blank = NewWallet {
        flags: WalletFlags {
            blank: true,
            ..WalletFlags::default()
        },
        ..NewWallet::default()
    };
    let alice = scene.wallets.create("alice", blank).expect("a new wallet");
    let key = "wpkh(tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK/0/*)";
    let imported = alice.change_keys(|keyring| -> Result<(), WalletError> {
        keyring.import(&Import {
            text: Zeroizing::new(with_checksum(key)),
            active: true,
            ..Import::default()
        })?;
        Ok(())
    });
    imported.expect("a descriptor");
    scene.earn(&payer, &alice, btc(1));
    let to = scene.lab.nobody().script_pubkey();
    let exact = btc(1) - Amount::from_sat(500);
    let plan = alice.plan(&request(to, exact)).expect("nothing comes back");
    assert_eq!(plan.change, None);
    let half = alice.plan(&request(to, btc(1) / 2));
    assert!(matches!(half, Err(SpendError::NoChange(_))), "{half:?}");
    let elsewhere = Request {
        change: ChangeTo::Script(to.clone()),
        ..request(to, btc(1) / 2)
    };
    assert!(
        alice
            .plan(&elsewhere)
            .expect("it has somewhere to go")
            .change
            .is_some()
    );
    let kind = Request {
        change: ChangeTo::Kind(OutputType::Legacy),
        ..request(to, exact)
    };
    alice.plan(&kind).expect("nothing comes back");
}

#[test]
fn what_a_payment_that_waits_spends_is_not_safe_and_its_change_is_where_it_can_come() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let everywhere = scene.earn(&payer, &alice, btc(5));
    let fork = scene.best();
    // Somebody pays two in the best world alone.
    let receipt = scene.payment(&payer, &address(&alice), btc(2));
    let here = OutPoint::new(receipt.compute_txid(), 0);
    let first = scene.mine(&fork, &[receipt]);
    scene.mine(&first, &[]);
    scene.mine(&fork, &[]);
    let safe = || {
        let view = alice.view().expect("a view");
        let safe = view.safe().expect("what is safe");
        let spendable = view.balance(view.best()).expect("a balance").trusted;
        assert_eq!(safe.amount + safe.at_risk, spendable);
        assert_eq!(safe.worlds, 2);
        (safe.amount, safe.coins, safe.at_risk)
    };
    assert_eq!(safe(), (btc(5), 1, btc(2)));
    // One of the five is paid in every world: the change can be spent in each of them as well.
    scene.accept(&spending(&scene, &alice, everywhere));
    alice.catch_up().expect("nothing in the way");
    let (amount, coins, at_risk) = safe();
    assert!(amount < btc(4) && amount > btc(3), "{amount}");
    assert_eq!((coins, at_risk), (1, btc(2)));
    // One of the two cannot come in the rival, and no more can its change.
    scene.accept(&spending(&scene, &alice, here));
    alice.catch_up().expect("nothing in the way");
    let (same, coins, at_risk) = safe();
    assert_eq!((same, coins), (amount, 1));
    assert!(at_risk < btc(1) && at_risk > Amount::ZERO, "{at_risk}");
    // Who needs more is told what the rival lacks, and no more than can be spent.
    let to = scene.lab.nobody().script_pubkey().clone();
    let refused = alice.plan(&request(&to, btc(4)));
    let Err(SpendError::InsufficientFunds { lacking, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(lacking.expect("a world").amount, at_risk);
}

#[test]
fn change_that_only_the_best_branch_confirmed_is_safe_and_a_receipt_is_not() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let coin = scene.earn(&payer, &alice, btc(5));
    let fork = scene.best();
    // Alice pays one of five: four come back. Somebody pays her two.
    let own = spending(&scene, &alice, coin);
    let receipt = scene.payment(&payer, &address(&alice), btc(2));
    let first = scene.mine(&fork, &[own.clone(), receipt.clone()]);
    scene.mine(&first, &[]);
    let all = {
        let view = alice.view().expect("a view");
        let safe = view.safe().expect("what is safe");
        assert_eq!((safe.at_risk, safe.worlds), (Amount::ZERO, 1));
        safe.amount
    };
    scene.mine(&fork, &[]);
    let view = alice.view().expect("a view");
    let safe = view.safe().expect("what is safe");
    assert_eq!(safe.worlds, 2);
    // The receipt's sender can still pay somebody else there.
    assert_eq!((safe.amount, safe.at_risk), (all - btc(2), btc(2)));
    let risky: Vec<OutPoint> = view.unsafe_coins().into_iter().collect();
    assert_eq!(risky, [OutPoint::new(receipt.compute_txid(), 0)]);
    drop(view);
    let to = scene.lab.nobody().script_pubkey();
    let plan = alice
        .plan(&request(to, btc(3)))
        .expect("the change will do");
    assert!(
        plan.tx
            .input
            .iter()
            .all(|input| input.previous_output.txid == own.compute_txid()),
        "{plan:?}"
    );
}

#[test]
fn what_stands_against_a_payment_in_a_rival_world_is_asked_of_its_own_mempool() {
    let scene = Scene::new();
    let alice = scene.wallet("alice");
    let party = scene.lab.party("payer");
    scene.lab.fund(&party).expect("a coinbase");
    scene.lab.fund(&party).expect("a coinbase");
    let coins = coins(&scene, &party);
    let fork = scene.best();
    let nobody = scene.lab.nobody().script_pubkey().clone();
    // A receipt, and what takes its place: it spends a second coin, too.
    let to_alice = TxOut {
        value: btc(49),
        script_pubkey: address(&alice),
    };
    let receipt = party.spend(&coins[..1], vec![to_alice]).expect("its coin");
    let txid = scene.accept(&receipt);
    alice.catch_up().expect("nothing in the way");
    scene.mine(&fork, &[]);
    let both = coins[0].1.value + coins[1].1.value;
    let to_nobody = TxOut {
        value: both - btc(3),
        script_pubkey: nobody.clone(),
    };
    let other = party.spend(&coins, vec![to_nobody]).expect("its coins");
    let other = scene.accept(&other);
    // The rival has the second coin spent: the other one cannot wait there.
    let elsewhere = TxOut {
        value: btc(40),
        script_pubkey: nobody,
    };
    let spent = party.spend(&coins[1..], vec![elsewhere]).expect("its coin");
    let rival = scene.mine(&fork, &[spent]);
    let view = alice.view().expect("a view");
    assert_eq!(view.rivals().len(), 1);
    let here = view.payment(&txid, view.best()).expect("ours");
    assert!(
        matches!(here, PaymentState::Conflicted { by: Some(by), block: None, .. } if by == other),
        "{here:?}"
    );
    let there = view.payment(&txid, &rival).expect("ours");
    assert_eq!(there, PaymentState::Pending { in_mempool: false });
}

#[test]
fn a_child_whose_parent_can_never_come_does_not_hold_its_other_coins() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let own = scene.earn(&payer, &alice, btc(5));
    let fork = scene.best();
    let (coin, output) = coins(&scene, &payer).remove(0);
    let receipt = scene.payment(&payer, &address(&alice), btc(2));
    let received = OutPoint::new(scene.accept(&receipt), 0);
    let both = Request {
        inputs: vec![named(own), named(received)],
        include_unsafe: true,
        ..request(scene.lab.nobody().script_pubkey(), btc(6))
    };
    let child = alice.pay(&both).expect("both are hers").txid;
    let view = alice.view().expect("a view");
    assert_eq!(
        view.spendable(view.best()).expect("coins").len(),
        1,
        "the change"
    );
    drop(view);
    // The sender pays somebody else in a block.
    let nobody = scene.lab.nobody().script_pubkey();
    let other = scene::spending(&payer, coin, output, nobody, btc(1), scene::FEE);
    scene.mine(&fork, &[other]);
    let view = alice.view().expect("a view");
    let state = view.payment(&child, view.best()).expect("hers");
    assert_eq!(
        state,
        PaymentState::Gone {
            missing: Some(received)
        }
    );
    let free: Vec<OutPoint> = (view.spendable(view.best()).expect("coins").iter())
        .map(|coin| coin.outpoint)
        .collect();
    assert_eq!(free, [own]);
    assert_eq!(
        view.balance(view.best()).expect("a balance").trusted,
        btc(5)
    );
}

#[test]
fn a_payment_that_was_made_before_is_sent_only_as_its_terms_say() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let (alice, bob) = (scene.wallet("alice"), scene.wallet("bob"));
    let coin = scene.earn(&payer, &alice, btc(3));
    let made = |amount| {
        let request = Request {
            inputs: vec![named(coin)],
            ..request(&address(&bob), btc(amount))
        };
        let prepared = alice.prepare(&request, false, false).expect("it is made");
        prepared.tx.expect("it is signed")
    };
    let (first, other) = (made(1), made(2));
    let stingy = SendTerms {
        may_replace: false,
        scope: Scope::AllWorlds,
        max_fee: Some(Amount::from_sat(1)),
    };
    let notes = BTreeMap::from([("comment".to_owned(), "rent".to_owned())]);
    let refused = alice.send(first.clone(), &notes, stingy);
    assert!(matches!(refused, Err(SpendError::FeeTooHigh { .. })));
    let terms = SendTerms {
        max_fee: Some(btc(1)),
        ..stingy
    };
    let txid = alice
        .send(first.clone(), &notes, terms)
        .expect("it is sent");
    // The other one would take its place.
    let refused = alice.send(other, &BTreeMap::new(), terms);
    assert!(matches!(refused, Err(SpendError::Coin { outpoint, .. }) if outpoint == coin));
    // Sent once more, it keeps what was noted; sent on by who is paid, it is not theirs.
    for wallet in [&alice, &bob] {
        let again = wallet.send(first.clone(), &BTreeMap::new(), SendTerms::NONE);
        assert_eq!(again.expect("it waits"), txid);
    }
    let hers = alice.view().expect("a view");
    assert_eq!(hers.record(&txid).expect("hers").notes, notes);
    let his = bob.view().expect("a view");
    assert!(!his.record(&txid).expect("his").ours);
}

/// Alice with coins of 3 and 2 bitcoins that the best world has and a rival has not.
fn divided(scene: &Scene) -> (Wallet, OutPoint, OutPoint) {
    let (payer, other) = (scene.rich("payer"), scene.rich("other"));
    let alice = scene.wallet("alice");
    let fork = scene.best();
    let elsewhere = scene.payment(&payer, scene.lab.nobody().script_pubkey(), btc(3));
    let large = scene.earn(&payer, &alice, btc(3));
    let small = scene.earn(&other, &alice, btc(2));
    scene.mine(&scene.best(), &[]);
    scene.mine(&fork, &[elsewhere]);
    (alice, large, small)
}

#[test]
fn a_replacement_takes_further_coins_of_every_live_world_and_its_own_wherever_they_are() {
    let scene = Scene::new();
    let (alice, large, small) = divided(&scene);
    let nobody = scene.lab.nobody().script_pubkey();
    let at = |sat_per_vb: i64, scope| BumpWish {
        fee: Some(FeeChoice::Rate(FeeRate::per_kvb(sat_per_vb * 1_000))),
        scope,
        ..BumpWish::default()
    };
    // Nearly all of the coin: more fee needs another one.
    let asked = Request {
        inputs: vec![named(large)],
        scope: Scope::Best,
        ..request(nobody, btc(3) - Amount::from_sat(250))
    };
    let paid = alice.pay(&asked).expect("a payment");
    assert_eq!(paid.plan.change, None);
    let refused = alice.bump(&paid.txid, at(20, Scope::AllWorlds));
    assert!(
        matches!(refused, Err(SpendError::InsufficientFunds { .. })),
        "{refused:?}"
    );
    let bumped = alice.bump(&paid.txid, at(20, Scope::Best)).expect("more");
    let spent = |tx: &Transaction| -> Vec<OutPoint> {
        tx.input.iter().map(|input| input.previous_output).collect()
    };
    assert_eq!(spent(&bumped.new.tx), [large, small]);
    assert_eq!(bumped.old_fee, paid.plan.fee);
    // Now it has change that pays for more.
    let again = alice.bump(&bumped.new.txid, at(40, Scope::AllWorlds));
    assert_eq!(spent(&again.expect("more").new.tx), [large, small]);
}

#[test]
fn a_coin_that_is_spoken_for_and_could_not_come_in_a_rival_world_is_refused_by_name() {
    let scene = Scene::new();
    let (alice, large, _) = divided(&scene);
    let nobody = scene.lab.nobody().script_pubkey();
    let spending = |coin, amount| Request {
        inputs: vec![named(coin)],
        scope: Scope::Best,
        ..request(nobody, btc(amount))
    };
    let first = alice.pay(&spending(large, 1)).expect("a payment");
    let place = first.plan.change.expect("change") as u32;
    let change = OutPoint::new(first.txid, place);
    alice.pay(&spending(change, 1)).expect("a payment");
    let other = Request {
        use_taken: true,
        ..spending(change, 1)
    };
    assert!(alice.prepare(&other, false, false).is_ok());
    let everywhere = Request {
        scope: Scope::AllWorlds,
        ..other
    };
    let refused = alice.prepare(&everywhere, false, false);
    assert!(
        matches!(
            refused,
            Err(SpendError::Coin {
                why: Unspendable::NotEverywhere,
                ..
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn a_child_of_a_payment_that_was_not_sent_yet_waits_with_it() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let wallets = silent(&scene);
    let alice = wallets
        .create("alice", NewWallet::default())
        .expect("a new wallet");
    let coin = scene.earn(&payer, &alice, btc(3));
    let parent = spending(&scene, &alice, coin);
    let parent_id = parent.compute_txid();
    let vout = (parent.output.iter())
        .position(|output| output.script_pubkey != *scene.lab.nobody().script_pubkey());
    alice
        .send(parent.clone(), &Default::default(), SendTerms::NONE)
        .expect("it is kept");
    let change = OutPoint::new(parent_id, vout.expect("change") as u32);
    let mut child = parent.clone();
    child.input[0].previous_output = change;
    child.output.truncate(1);
    child.output[0].value = Amount::from_sat(1_000);
    let child_id = child.compute_txid();
    alice
        .send(child, &Default::default(), SendTerms::NONE)
        .expect("it is kept");
    let view = alice.view().expect("a view");
    for txid in [parent_id, child_id] {
        let state = view.payment(&txid, view.best()).expect("hers");
        assert_eq!(state, PaymentState::Pending { in_mempool: false });
    }
}

#[test]
fn what_a_known_transaction_pays_to_a_script_that_is_watched_later_is_ours_then() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let (alice, bob) = (scene.wallet("alice"), scene.wallet("bob"));
    let coin = scene.earn(&payer, &alice, btc(5));
    let paid = Request {
        inputs: vec![named(coin)],
        ..request(&address(&bob), btc(1))
    };
    let waiting = alice.pay(&paid).expect("a payment");
    let to_bob = (waiting.tx.output.iter()).position(|output| output.value == btc(1));
    let outpoint = OutPoint::new(waiting.txid, to_bob.expect("an output") as u32);
    let watching = NewWallet {
        flags: WalletFlags {
            disable_private_keys: true,
            ..WalletFlags::default()
        },
        ..NewWallet::default()
    };
    let watcher = scene
        .wallets
        .create("watcher", watching)
        .expect("a new wallet");
    let descriptors = |wallet: &Wallet| -> Vec<String> {
        let view = wallet.view().expect("a view");
        let texts = view
            .keyring()
            .descriptors()
            .map(|descriptor| descriptor.text.to_string());
        texts.collect()
    };
    let import = |texts: Vec<String>| {
        let imported = watcher.change_keys(|keyring| -> Result<(), WalletError> {
            for text in texts {
                keyring.import(&Import {
                    text: Zeroizing::new(text),
                    ..Import::default()
                })?;
            }
            Ok(())
        });
        imported.expect("descriptors");
    };
    let knows = || watcher.view().expect("a view").output(&outpoint).is_some();
    import(descriptors(&alice));
    assert!(
        watcher
            .view()
            .expect("a view")
            .record(&waiting.txid)
            .is_some()
    );
    assert!(!knows());
    import(descriptors(&bob));
    assert!(knows());
    let view = watcher.view().expect("a view");
    let pending = view.balance(view.best()).expect("a balance");
    assert_eq!(pending.trusted + pending.pending, btc(5) - waiting.plan.fee);
}

#[test]
fn what_a_known_transaction_pays_behind_what_was_watched_is_not_given_out_where_more_is_watched() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    // As another copy of the wallet gives them out: it watches five ahead.
    let addresses: Vec<_> = {
        let mut other = alice.view().expect("a view").keyring().clone();
        let more = (0..9).map(|_| {
            let new = other.new_script(OutputType::Bech32, Chain::External);
            new.expect("an address").1
        });
        more.collect()
    };
    let (outpoint, coin) = coins(&scene, &payer).remove(0);
    let outputs = [0, 8].map(|place: usize| TxOut {
        value: btc(1),
        script_pubkey: addresses[place].clone(),
    });
    let tx = payer.spend(&[(outpoint, coin)], outputs.to_vec());
    scene.mine(&scene.best(), &[tx.expect("its own coin")]);
    let confirmed = |wallet: &Wallet| {
        let view = wallet.view().expect("a view");
        view.balance(view.best()).expect("a balance").confirmed
    };
    assert_eq!(confirmed(&alice), btc(1));
    scene.wallets.unload("alice").expect("it was open");
    drop(alice);
    let mut config = scene.wallets.config().clone();
    config.keypool = 20;
    let farther = Wallets::new(config, scene.lab.ledger().clone(), scene.mempool.clone());
    let alice = farther.load("alice").expect("it opens");
    let view = alice.view().expect("a view");
    let external = (view.keyring()).active(OutputType::Bech32, Chain::External);
    assert_eq!(external.expect("a descriptor").next, 9);
    assert_eq!(external.expect("a descriptor").keypool(), 20);
    assert!(
        view.output(&OutPoint::new(view.records().next().expect("it").txid, 1))
            .is_some()
    );
}
