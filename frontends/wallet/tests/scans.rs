//! The scans of blocks that keys ask for which are older than the wallet: owed until they are done, one at a time.

mod scene;

use bitcoin::{Amount, Script, TxOut};
use everett_lab::{At, Lab};
use everett_ledger::{Ledger, LedgerConfig, MIN_PRUNE_TARGET_REGTEST, Network, Params};
use everett_mempool::{Mempool, MempoolConfig};
use everett_wallet::keys::{Import, Master, with_checksum};
use everett_wallet::{
    KeyError, Keyring, NewWallet, ScanTurn, Wallet, WalletError, WalletFlags, Wallets,
};
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
                keeps_use: false,
                range: None,
                next_index: None,
                birth: 1,
                label: None,
            })?;
        }
        Ok(())
    })
    .map(drop)
}

/// Has a script's address watched, that may have been paid since a height, and looks for what it was paid; from which height on.
fn watch(turn: &ScanTurn, script: &Script, from: u32) -> u32 {
    let address = bitcoin::Address::from_script(script, bitcoin::Network::Regtest);
    let text = with_checksum(&format!("addr({})", address.expect("an address")));
    let taken = turn.take_up(Some(from), |keyring| -> Result<(), WalletError> {
        keyring.import(&Import {
            text: Zeroizing::new(text),
            birth: 1,
            ..Import::default()
        })?;
        Ok(())
    });
    let (_, since) = taken.expect("keys that are taken up");
    let since = since.expect("a scan");
    turn.pay_since(since, &mut |_, _| true).expect("a scan");
    since
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
fn keys_that_a_payment_of_ours_paid_already_are_looked_for_from_there_however_young_they_are_said_to_be()
 {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let vault = watching(&scene, "vault");
    let alice = scene.wallet("alice");
    let to = address(&alice);
    let turn = vault.scan_turn().expect("no scan runs");
    let tip = scene.best().height();
    assert_eq!(watch(&turn, &to, tip), tip);
    let tx = scene.payment(&payer, &to, Amount::from_int_btc(3));
    let paid = scene.mine(&scene.best(), std::slice::from_ref(&tx));
    let rest = &tx.output[1];
    assert_eq!(rest.script_pubkey, *payer.script_pubkey());
    (0..3).for_each(|_| drop(scene.mine(&scene.best(), &[])));
    assert_eq!(balances(&scene, &vault), [Amount::from_int_btc(3)]);
    let tip = scene.best().height();
    assert_eq!(watch(&turn, &rest.script_pubkey, tip), paid.height());
    assert_eq!(
        balances(&scene, &vault),
        [Amount::from_int_btc(3) + rest.value]
    );
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
    // Both branches pay her in their first block.
    let first = scene.best().height() - 1;
    take_up(&turn, &alice, Some(first)).expect("keys that are taken up");
    assert_eq!(vault.owed_scan(), Some(1));
    let done = turn.pay_owed(&mut |height, _| {
        assert!(height >= first, "what lies below her keys was looked into");
        true
    });
    done.expect("it is done");
    drop(turn);
    assert_eq!(balances(&scene, &vault), balances(&scene, &alice));
}

#[test]
fn keys_that_are_older_than_those_of_an_owed_scan_are_looked_for_from_below() {
    let (scene, alice, vault) = two_branches();
    let turn = vault.scan_turn().expect("no scan runs");
    let tip = scene.best().height();
    let bob = scene.wallet("bob");
    take_up(&turn, &bob, Some(tip)).expect("keys that are taken up");
    take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    assert_eq!(vault.owed_scan(), Some(1));
    turn.pay_owed(&mut |_, _| true).expect("it is done");
    drop(turn);
    assert_eq!(vault.owed_scan(), None);
    assert_eq!(balances(&scene, &vault), balances(&scene, &alice));
}

#[test]
fn who_takes_keys_up_waits_for_those_alone() {
    let (scene, alice, vault) = two_branches();
    let turn = vault.scan_turn().expect("no scan runs");
    let bob = scene.wallet("bob");
    take_up(&turn, &bob, Some(1)).expect("keys that are taken up");
    let first = scene.best().height() - 1;
    take_up(&turn, &alice, Some(first)).expect("keys that are taken up");
    let done = turn.pay_since(first, &mut |height, _| {
        assert!(height >= first, "the others are older");
        true
    });
    done.expect("it is done");
    assert_eq!(balances(&scene, &vault), balances(&scene, &alice));
    assert_eq!(
        vault.owed_scan(),
        Some(1),
        "nobody has looked for the others"
    );
    // Its owner ends what asks for the newer ones alone.
    let ended = turn.pay_since(first, &mut |_, _| vault.abort_scan().expect("a disk"));
    assert!(matches!(ended, Err(WalletError::ScanAborted { .. })));
    assert_eq!(vault.owed_scan(), Some(1));
    drop(turn);
    let mut heights = Vec::new();
    let done = vault.pay_owed_scan(&mut |height, _| {
        heights.push(height);
        true
    });
    assert!(done.expect("it is done"));
    assert_eq!(heights[0], 1);
    assert_eq!(vault.owed_scan(), None);
    // Without others there is nothing that could be left.
    let turn = vault.scan_turn().expect("no scan runs");
    let carol = scene.wallet("carol");
    take_up(&turn, &carol, Some(first)).expect("keys that are taken up");
    turn.pay_since(first, &mut |_, _| true).expect("it is done");
    assert_eq!(vault.owed_scan(), None);
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
    let abort = || other.abort_scan().expect("a disk");
    assert_eq!(other.scan_progress(), None, "one has the turn, and no more");
    assert!(!abort());
    assert_eq!(vault.owed_scan(), Some(1));
    let ended = turn.pay_owed(&mut |height, last| {
        let scan = other.scan_progress().expect("it runs");
        assert!((0.0..=1.0).contains(&scan.part) && height <= last);
        assert!(abort());
        assert!(!abort(), "it was ended already");
        // As where the node stops at the same time.
        false
    });
    assert!(matches!(ended, Err(WalletError::ScanAborted { height: 1 })));
    drop(turn);
    assert_eq!(vault.scan_progress(), None);
    assert!(!abort());
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
        let (background, scene) = (&vault, &scene);
        let scan = scope.spawn(move || {
            background.pay_owed_scan(&mut |_, _| {
                begun.send(()).expect("somebody waits");
                // With a block more at each step it comes to no end before the other one asks for the turn.
                scene.mine(&scene.best(), &[]);
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
fn what_is_owed_is_done_without_also_where_no_scan_runs() {
    let (scene, alice, vault) = two_branches();
    let turn = vault.scan_turn().expect("no scan runs");
    take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    drop(turn);
    assert!(vault.abort_scan().expect("a disk"));
    assert!(!vault.abort_scan().expect("a disk"));
    assert_eq!(vault.owed_scan(), None);
    assert_eq!(reload(&scene, vault).owed_scan(), None);
}

#[test]
fn no_scan_begins_for_a_wallet_that_was_unloaded() {
    let (scene, alice, vault) = two_branches();
    let turn = vault.scan_turn().expect("no scan runs");
    take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    // Under the hands of who has the turn: its scan ends as soon as it can.
    let left = turn.pay_owed(&mut |_, _| {
        scene.wallets.unload("vault").expect("it was open");
        true
    });
    assert!(matches!(left, Err(WalletError::ScanLeft { height: 1 })));
    drop(turn);
    assert!(!vault.pay_owed_scan(&mut |_, _| true).expect("none"));
    let refused = vault.scan_turn().map(drop);
    assert!(matches!(refused, Err(WalletError::NotOpen { name }) if name == "vault"));
    drop(vault);
    let vault = scene.wallets.load("vault").expect("it opens");
    assert_eq!(vault.owed_scan(), Some(1));
    assert!(vault.pay_owed_scan(&mut |_, _| true).expect("a scan"));
}

/// A private descriptor whose addresses nobody makes without its key.
const HARDENED: &str = "wpkh(tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK/7/*h)";

#[test]
fn a_scan_that_may_need_private_keys_waits_until_the_wallet_is_unlocked() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let create = |name: &str, passphrase: Option<&str>| {
        let new = NewWallet {
            passphrase: passphrase.map(|text| Zeroizing::new(text.to_owned())),
            ..NewWallet::default()
        };
        scene.wallets.create(name, new).expect("a new wallet")
    };
    let import = Import {
        text: Zeroizing::new(with_checksum(HARDENED)),
        active: true,
        birth: 1,
        ..Import::default()
    };
    let take = |keyring: &mut Keyring| keyring.import(&import).map(drop);
    let alice = create("alice", None);
    alice
        .change_keys(|keyring| Ok::<(), WalletError>(take(keyring)?))
        .expect("a descriptor");
    // The last one is watched when the one before was seen.
    let addresses: Vec<_> = (0..9).map(|_| address(&alice)).collect();
    for (place, coin) in [(3, 3), (8, 1)] {
        let amount = Amount::from_int_btc(coin);
        let tx = scene.payment(&payer, &addresses[place], amount);
        scene.mine(&scene.best(), &[tx]);
    }
    let vault = create("vault", Some("secret"));
    let hour = std::time::Duration::from_secs(3_600);
    vault.unlock("secret", hour).expect("its passphrase");
    let turn = vault.scan_turn().expect("no scan runs");
    turn.take_up(Some(1), |keyring| Ok::<(), WalletError>(take(keyring)?))
        .expect("keys that are taken up");
    drop(turn);
    vault.lock().expect("it has a passphrase");
    assert!(!vault.wants_scan());
    assert!(!vault.pay_owed_scan(&mut |_, _| true).expect("it waits"));
    assert_eq!(vault.owed_scan(), Some(1));
    vault.unlock("secret", hour).expect("its passphrase");
    assert!(vault.wants_scan());
    // Locked in between.
    let left = vault.pay_owed_scan(&mut |_, _| {
        vault.lock().expect("it has a passphrase");
        true
    });
    assert!(!left.expect("it waits"));
    assert_eq!(vault.owed_scan(), Some(1));
    // One that looks into all blocks without the keys pays for nothing.
    vault.rescan(0, None, &mut |_, _| true).expect("a scan");
    assert_eq!(vault.owed_scan(), Some(1));
    vault.unlock("secret", hour).expect("its passphrase");
    assert!(vault.wants_scan());
    assert!(vault.pay_owed_scan(&mut |_, _| true).expect("a scan"));
    assert_eq!(balances(&scene, &vault), [Amount::from_int_btc(4)]);
    assert_eq!(balances(&scene, &alice), [Amount::from_int_btc(4)]);
}

#[test]
fn a_wallet_is_not_locked_while_somebody_has_its_turn() {
    let scene = Scene::new();
    let new = NewWallet {
        passphrase: Some(Zeroizing::new("secret".to_owned())),
        ..NewWallet::default()
    };
    let alice = scene.wallets.create("alice", new).expect("a new wallet");
    let is_locked = || alice.view().expect("a view").keyring().is_locked();
    let none = std::time::Duration::ZERO;
    let turn = alice.scan_turn().expect("no scan runs");
    alice.unlock("secret", none).expect("its passphrase");
    assert!(!is_locked());
    alice.lock_when_due();
    assert!(!is_locked());
    drop(turn);
    assert!(is_locked());
    // Who comes when the time is over does not put it off.
    alice.unlock("secret", none).expect("its passphrase");
    let turn = alice.scan_turn().expect("no scan runs");
    assert!(is_locked());
    drop(turn);
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

/// A node that prunes, with wallets.
struct Pruned {
    lab: Lab,
    mempool: Mempool,
    wallets: Wallets,
    directory: tempfile::TempDir,
}

impl Pruned {
    fn new() -> Pruned {
        let directory = tempfile::tempdir().expect("a directory");
        let params = Params::new(Network::Regtest);
        let mut config = LedgerConfig::new(params, directory.path().join("l"));
        config.prune_target = Some(MIN_PRUNE_TARGET_REGTEST);
        // Branches that are live have their blocks.
        config.horizon = Some(10);
        let lab = Lab::around(Ledger::open(config).expect("a ledger"), 7);
        let mempool = Mempool::new(lab.ledger().clone(), MempoolConfig::default());
        let place = directory.path().join("wallets");
        let wallets = scene::wallets(&place, lab.ledger(), &mempool);
        Pruned {
            lab,
            mempool,
            wallets,
            directory,
        }
    }

    /// So many hundred blocks, that the wallets see as they come.
    fn grow(&self, hundreds: u32) {
        for _ in 0..hundreds {
            self.lab.grow(At::Best, 100).expect("blocks");
            self.wallets.catch_up().expect("nothing in the way");
        }
    }

    /// The first block that is here.
    fn first(&self) -> u32 {
        self.lab.ledger().pruned_below()
    }

    fn watching(&self, name: &str) -> Wallet {
        let flags = WalletFlags {
            disable_private_keys: true,
            ..WalletFlags::default()
        };
        let new = NewWallet {
            flags,
            ..NewWallet::default()
        };
        self.wallets.create(name, new).expect("a new wallet")
    }
}

#[test]
fn an_owed_scan_goes_on_where_it_was_although_blocks_below_were_pruned_since() {
    let node = Pruned::new();
    node.grow(3);
    let alice = node.wallets.create("alice", NewWallet::default());
    let alice = alice.expect("a new wallet");
    let vault = node.watching("vault");
    let turn = vault.scan_turn().expect("no scan runs");
    take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    let mut steps = 0;
    let left = turn.pay_owed(&mut |_, _| {
        steps += 1;
        // All of them; and new ones are there then.
        if steps == 1 {
            node.lab.grow(At::Best, 1).expect("a block");
        }
        steps == 1
    });
    assert!(matches!(left, Err(WalletError::ScanLeft { height: 301 })));
    drop(turn);
    node.grow(2);
    let first = node.first();
    assert!((2..=301).contains(&first), "{first} is pruned");
    // Younger keys forget nothing of that.
    let bob = node.wallets.create("bob", NewWallet::default());
    let bob = bob.expect("a new wallet");
    let turn = vault.scan_turn().expect("no scan runs");
    take_up(&turn, &bob, Some(400)).expect("keys that are taken up");
    drop(turn);
    let mut heights = Vec::new();
    let done = vault.pay_owed_scan(&mut |height, _| {
        heights.push(height);
        true
    });
    assert!(done.expect("it is done"));
    assert_eq!(heights[0], 301);
    assert_eq!((vault.owed_scan(), vault.missed_scan()), (None, None));
}

#[test]
fn what_is_owed_and_pruned_keeps_nothing_else_from_being_looked_into() {
    let node = Pruned::new();
    node.grow(1);
    let alice = node.wallets.create("alice", NewWallet::default());
    let alice = alice.expect("a new wallet");
    let (vault, shelf) = (node.watching("vault"), node.watching("shelf"));
    for wallet in [&vault, &shelf] {
        let turn = wallet.scan_turn().expect("no scan runs");
        take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    }
    node.grow(8);
    let first = node.first();
    assert!(first > 1, "nothing is pruned");
    let tip = node.lab.best().height();
    // By the background.
    let mut told = Vec::new();
    let done = shelf.pay_owed_scan(&mut |height, last| {
        told.push((height, last));
        true
    });
    assert!(done.expect("it is done"));
    assert_eq!(told[0], (first, tip));
    assert_eq!(shelf.owed_scan(), None);
    assert_eq!(shelf.missed_scan(), Some(1..first));
    assert!(!shelf.wants_scan());
    // By who takes up other keys, and did not ask for those blocks.
    let bob = node.wallets.create("bob", NewWallet::default());
    let bob = bob.expect("a new wallet");
    let turn = vault.scan_turn().expect("no scan runs");
    take_up(&turn, &bob, Some(tip)).expect("keys that are taken up");
    turn.pay_since(tip, &mut |_, _| true).expect("it is done");
    drop(turn);
    assert_eq!(
        vault.owed_scan(),
        Some(first),
        "the rest is for the background"
    );
    assert!(vault.wants_scan());
    assert!(vault.pay_owed_scan(&mut |_, _| true).expect("a scan"));
    assert_eq!(vault.owed_scan(), None);
    // It is known until its owner does without.
    assert_eq!(vault.missed_scan(), Some(1..first));
    node.wallets.unload("vault").expect("it was open");
    drop(vault);
    let vault = node.wallets.load("vault").expect("it opens");
    assert_eq!(
        (vault.owed_scan(), vault.missed_scan()),
        (None, Some(1..first))
    );
    assert!(vault.abort_scan().expect("a disk"));
    assert_eq!(vault.missed_scan(), None);
    node.wallets.unload("vault").expect("it was open");
    drop(vault);
    let vault = node.wallets.load("vault").expect("it opens");
    assert_eq!((vault.owed_scan(), vault.missed_scan()), (None, None));
}

#[test]
fn keys_that_were_paid_in_a_block_that_is_pruned_are_looked_for_as_far_as_blocks_are_here() {
    let node = Pruned::new();
    let payer = node.lab.party("payer");
    node.lab.fund(&payer).expect("a coinbase that matured");
    let vault = node.watching("vault");
    let alice = node.wallets.create("alice", NewWallet::default());
    let to = address(&alice.expect("a new wallet"));
    let best = node.lab.best();
    let turn = vault.scan_turn().expect("no scan runs");
    watch(&turn, &to, best.height());
    let coins = best.coins_of(&payer.script_hash(), None, 1);
    let (outpoint, coin) = coins.expect("coins").remove(0);
    let spent = TxOut {
        value: coin.amount,
        script_pubkey: payer.script_pubkey().clone(),
    };
    let three = Amount::from_int_btc(3);
    let tx = scene::spending(&payer, outpoint, spent, &to, three, scene::FEE);
    let rest = tx.output[1].script_pubkey.clone();
    node.lab.mine(At::Best, [tx]).expect("a block");
    node.wallets.catch_up().expect("nothing in the way");
    node.grow(8);
    let first = node.first();
    assert!(first > best.height() + 1, "its block is pruned");
    let tip = node.lab.best().height();
    assert_eq!(watch(&turn, &rest, tip), first);
    assert_eq!((vault.owed_scan(), vault.missed_scan()), (None, None));
}

#[test]
fn what_was_missed_is_owed_again_where_its_blocks_are_here() {
    let node = Pruned::new();
    node.grow(1);
    let alice = node.wallets.create("alice", NewWallet::default());
    let alice = alice.expect("a new wallet");
    let vault = node.watching("vault");
    let turn = vault.scan_turn().expect("no scan runs");
    take_up(&turn, &alice, Some(1)).expect("keys that are taken up");
    drop(turn);
    node.grow(8);
    assert!(vault.pay_owed_scan(&mut |_, _| true).expect("a scan"));
    assert!(vault.missed_scan().is_some());
    let Pruned {
        lab,
        mempool,
        wallets,
        directory,
    } = node;
    drop((alice, vault, wallets, mempool));
    // The same chain on a node that has all of it.
    let params = Params::new(Network::Regtest);
    let whole = Ledger::open(LedgerConfig::new(params, directory.path().join("whole")));
    let whole = Lab::around(whole.expect("a ledger"), 7);
    whole.grow(At::Best, lab.best().height()).expect("blocks");
    let mempool = Mempool::new(whole.ledger().clone(), MempoolConfig::default());
    let place = directory.path().join("wallets");
    let wallets = scene::wallets(&place, whole.ledger(), &mempool);
    let vault = wallets.load("vault").expect("it opens");
    assert_eq!((vault.owed_scan(), vault.missed_scan()), (Some(1), None));
    assert!(vault.pay_owed_scan(&mut |_, _| true).expect("a scan"));
    assert_eq!(vault.owed_scan(), None);
}

#[test]
fn nothing_is_taken_up_where_blocks_are_pruned_that_it_may_be_paid_in() {
    let node = Pruned::new();
    node.grow(9);
    let (first, wallets) = (node.first(), &node.wallets);
    assert!(first > 1, "nothing is pruned");
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
        keeps_use: false,
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
