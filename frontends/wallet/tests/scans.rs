//! The scans of blocks that keys ask for which are older than the wallet: owed until they are done, one at a time.

mod scene;

use bitcoin::Amount;
use everett_lab::{At, Lab};
use everett_ledger::{Ledger, LedgerConfig, MIN_PRUNE_TARGET_REGTEST, Network, Params};
use everett_mempool::{Mempool, MempoolConfig};
use everett_wallet::keys::{Import, Master};
use everett_wallet::{KeyError, NewWallet, ScanTurn, Wallet, WalletError, WalletFlags};
use scene::{Scene, address};
use zeroize::Zeroizing;

/// A wallet of Alice's with a receipt on each of two branches, and one that is to watch all that she has.
fn two_branches() -> (Scene, Wallet, Wallet) {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let fork = scene.best();
    let to = address(&alice);
    let long = scene.payment_at(&fork, &payer, &to, Amount::from_int_btc(3));
    let tip = scene.mine(&fork, &[long]);
    scene.mine(&tip, &[]);
    let short = scene.payment_at(&fork, &payer, &to, Amount::from_int_btc(1));
    scene.mine(&fork, &[short]);
    let vault = watching(&scene, "vault");
    (scene, alice, vault)
}

fn watching(scene: &Scene, name: &str) -> Wallet {
    let flags = WalletFlags {
        disable_private_keys: true,
        ..WalletFlags::default()
    };
    let new = NewWallet {
        flags,
        ..NewWallet::default()
    };
    scene.wallets.create(name, new).expect("a new wallet")
}

/// Takes up all descriptors of a wallet, that may have been paid since a height.
fn take_up(turn: &ScanTurn, of: &Wallet, from: Option<u32>) -> Result<(), WalletError> {
    let texts: Vec<String> = {
        let view = of.view().expect("a view");
        let descriptors = view.keyring().descriptors();
        descriptors.map(|one| one.text.to_string()).collect()
    };
    turn.take_up(from, |keyring| -> Result<(), WalletError> {
        for text in texts {
            keyring.import(&Import {
                text: Zeroizing::new(text),
                active: false,
                internal: None,
                range: None,
                next_index: None,
                birth: 1,
                label: None,
            })?;
        }
        Ok(())
    })
}

/// What a wallet has in every live world.
fn balances(scene: &Scene, wallet: &Wallet) -> Vec<Amount> {
    let view = wallet.view().expect("a view");
    let tips = scene.lab.ledger().validated_tips().into_iter();
    tips.map(|tip| scene.lab.world(tip.hash).expect("a live world"))
        .map(|world| view.balance(&world).expect("a balance").confirmed)
        .collect()
}

fn reload(scene: &Scene, wallet: Wallet) -> Wallet {
    let name = wallet.name().to_owned();
    scene.wallets.unload(&name).expect("it was open");
    drop(wallet);
    scene.wallets.load(&name).expect("it opens")
}

#[test]
fn a_scan_that_is_owed_outlasts_the_run_and_goes_on_where_it_was_left() {
    let (scene, alice, vault) = two_branches();
    let sees = balances(&scene, &alice);
    assert_eq!(sees.len(), 2);
    let turn = vault.scan_turn().expect("no scan runs");
    take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    drop(turn);
    // As if the process had ended before the scan began.
    let vault = reload(&scene, vault);
    assert_eq!(vault.owed_scan(), Some(1));
    assert!(vault.wants_scan());
    assert_eq!(balances(&scene, &vault), [Amount::ZERO; 2]);
    // The best branch, and no further.
    let mut stretches = 0;
    let done = vault.pay_owed_scan(&mut |_, _| {
        stretches += 1;
        stretches == 1
    });
    assert!(!done.expect("it is left"));
    let vault = reload(&scene, vault);
    assert_eq!(balances(&scene, &vault), [sees[0], Amount::ZERO]);
    assert_eq!(vault.owed_scan(), Some(1));
    let fork = scene.best().height() - 2;
    let done = vault.pay_owed_scan(&mut |height, _| {
        assert_eq!(height, fork + 1, "what was looked into is done");
        true
    });
    assert!(done.expect("it is done"));
    assert_eq!(balances(&scene, &vault), sees);
    assert_eq!(vault.owed_scan(), None);
    assert!(!vault.wants_scan());
    assert_eq!(reload(&scene, vault).owed_scan(), None);
}

#[test]
fn keys_that_come_while_a_scan_is_owed_are_looked_for_everywhere() {
    let (scene, alice, vault) = two_branches();
    let turn = vault.scan_turn().expect("no scan runs");
    // Somebody else's first: this scan comes half its way.
    let bob = scene.wallet("bob");
    take_up(&turn, &bob, Some(1)).expect("keys that are taken up");
    let mut stretches = 0;
    let left = turn.pay_owed(&mut |_, _| {
        stretches += 1;
        stretches == 1
    });
    assert!(matches!(left, Err(WalletError::ScanLeft { .. })));
    take_up(&turn, &alice, Some(scene.best().height())).expect("keys that are taken up");
    turn.pay_owed(&mut |_, _| true).expect("it is done");
    drop(turn);
    assert_eq!(balances(&scene, &vault), balances(&scene, &alice));
}

#[test]
fn one_scan_runs_at_a_time_and_is_ended_by_anybody_who_has_the_wallet() {
    let (scene, alice, vault) = two_branches();
    let turn = vault.scan_turn().expect("no scan runs");
    assert!(matches!(
        vault.scan_turn(),
        Err(WalletError::Scanning { name }) if name == "vault"
    ));
    take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    // Another one's hands on the same wallet.
    let other = scene.wallets.get("vault").expect("it is open");
    let ended = turn.pay_owed(&mut |height, last| {
        let scan = other.scan_progress().expect("it runs");
        assert!((0.0..=1.0).contains(&scan.part) && height <= last);
        other.abort_scan();
        assert!(!other.abort_scan(), "it was ended already");
        true
    });
    assert!(matches!(ended, Err(WalletError::ScanAborted { height: 1 })));
    drop(turn);
    assert_eq!(vault.scan_progress(), None);
    assert!(!vault.abort_scan());
    assert_eq!(vault.owed_scan(), None, "its owner does without");
    vault.rescan(0, None, &mut |_, _| true).expect("a scan");
    assert_eq!(balances(&scene, &vault), balances(&scene, &alice));
}

#[test]
fn a_scan_in_the_background_makes_way_and_a_whole_one_pays_for_it() {
    let (scene, alice, vault) = two_branches();
    let turn = vault.scan_turn().expect("no scan runs");
    take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    drop(turn);
    std::thread::scope(|scope| {
        let (begun, begins) = std::sync::mpsc::channel();
        let background = &vault;
        let scan = scope.spawn(move || {
            background.pay_owed_scan(&mut |_, _| {
                begun.send(()).expect("somebody waits");
                // Until the other one asks for the turn.
                std::thread::sleep(std::time::Duration::from_millis(100));
                true
            })
        });
        begins.recv().expect("it begins");
        let turn = vault.scan_turn().expect("it makes way");
        let done = scan.join().expect("no panic");
        assert!(!done.expect("it was left"));
        assert_eq!(vault.owed_scan(), Some(1));
        // Part of the blocks is not all of them.
        turn.run(2, None, &mut |_, _| true).expect("a scan");
        assert_eq!(vault.owed_scan(), Some(1));
        turn.run(0, None, &mut |_, _| true).expect("a scan");
        assert_eq!(vault.owed_scan(), None);
    });
    assert_eq!(balances(&scene, &vault), balances(&scene, &alice));
}

#[test]
fn a_wallet_of_keys_that_were_used_before_owes_the_scan_from_its_first_moment() {
    let scene = Scene::new();
    let new = NewWallet {
        master: Some(Master::random(bitcoin::Network::Regtest).expect("a key")),
        passphrase: Some(Zeroizing::new("secret".to_owned())),
        paid_since: Some(0),
        ..NewWallet::default()
    };
    let old = scene.wallets.create("old", new).expect("a new wallet");
    assert_eq!(old.owed_scan(), Some(0));
    let old = reload(&scene, old);
    assert!(old.pay_owed_scan(&mut |_, _| true).expect("a scan"));
    assert_eq!(old.owed_scan(), None);
}

#[test]
fn nothing_is_taken_up_where_blocks_are_pruned_that_it_may_be_paid_in() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory.path().join("l"));
    config.prune_target = Some(MIN_PRUNE_TARGET_REGTEST);
    // Branches that are live have their blocks.
    config.horizon = Some(10);
    let lab = Lab::around(Ledger::open(config).expect("a ledger"), 7);
    lab.grow(At::Best, 900).expect("blocks");
    let first = lab.ledger().pruned_below();
    assert!(first > 1, "nothing is pruned");
    let mempool = Mempool::new(lab.ledger().clone(), MempoolConfig::default());
    let place = directory.path().join("wallets");
    let wallets = scene::wallets(&place, lab.ledger(), &mempool);
    let create = |name| wallets.create(name, NewWallet::default());
    let alice = create("alice").expect("a new wallet");
    let flags = WalletFlags {
        blank: true,
        ..WalletFlags::default()
    };
    let new = NewWallet {
        flags,
        ..NewWallet::default()
    };
    let bob = wallets.create("bob", new).expect("a new wallet");
    let turn = bob.scan_turn().expect("no scan runs");
    let keys = || -> Result<Zeroizing<String>, KeyError> {
        let view = alice.view().expect("a view");
        let number = view.keyring().descriptors().next().expect("one").number;
        Ok(view.keyring().private_text(number).expect("it is open"))
    };
    let import = Import {
        text: keys().expect("a descriptor"),
        active: false,
        internal: None,
        range: None,
        next_index: None,
        birth: 1,
        label: None,
    };
    let take = |from| {
        turn.take_up(Some(from), |keyring| -> Result<(), WalletError> {
            keyring.import(&import)?;
            Ok(())
        })
    };
    let refused = take(1).expect_err("blocks are missing");
    assert!(
        matches!(refused, WalletError::BlocksMissing { from: 1, first: told } if told == first),
        "{refused}"
    );
    assert_eq!(
        bob.view().expect("a view").keyring().descriptors().count(),
        0
    );
    assert_eq!(bob.owed_scan(), None);
    take(first).expect("all of them are here");
    turn.pay_owed(&mut |_, _| true).expect("a scan");
    let refused = turn.run(0, None, &mut |_, _| true);
    assert!(matches!(
        refused,
        Err(WalletError::BlocksMissing { from: 0, .. })
    ));
}
