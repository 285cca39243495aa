//! What cannot be done is refused with a reason, and leaves the wallet as it was: on the disk to the last byte.

mod scene;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount, Network, OutPoint};
use everett_wallet::spend::{In, Request, SpendError};
use everett_wallet::{FileError, KeyError, NewWallet, Wallet, WalletError, Wallets};
use scene::{Scene, request};
use zeroize::Zeroizing;

fn btc(amount: u64) -> Amount {
    Amount::from_int_btc(amount)
}

/// The file that is the wallet.
fn data(scene: &Scene, name: &str) -> PathBuf {
    let path = scene.wallets.path(name).expect("a name");
    path.join("data.mdb")
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("it is there")
}

/// What tells whether the file is another one.
fn seal(path: &Path) -> sha256::Hash {
    sha256::Hash::hash(&bytes(path))
}

fn why(loaded: Result<Wallet, WalletError>) -> FileError {
    match loaded {
        Err(WalletError::File(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was loaded"),
    }
}

/// A wallet with payments, shut.
fn used(scene: &Scene) -> PathBuf {
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    for _ in 0..3 {
        scene.earn(&payer, &alice, btc(2));
    }
    alice
        .pay(&request(scene.lab.nobody().script_pubkey(), btc(3)))
        .expect("enough");
    drop(alice);
    scene.wallets.unload("alice").expect("it is open");
    data(scene, "alice")
}

#[test]
fn whatever_byte_of_the_file_is_another_one_it_is_told_or_the_wallet_is_the_same() {
    let scene = Scene::new();
    let path = used(&scene);
    let balance = |wallet: &Wallet| {
        let view = wallet.view().expect("a view");
        let records: Vec<_> = view.records().map(|record| record.txid).collect();
        let descriptors = view.keyring().descriptors().count();
        (
            view.balance(view.best()).expect("a balance"),
            records,
            descriptors,
        )
    };
    let wallet = scene.wallets.load("alice").expect("it is whole");
    let before = balance(&wallet);
    drop(wallet);
    scene.wallets.unload("alice").expect("it is open");
    let whole = bytes(&path);
    let (mut told, mut same) = (0, 0);
    for place in (0..whole.len()).step_by(whole.len() / 97 + 1) {
        let mut spoilt = whole.clone();
        spoilt[place] ^= 0x40;
        std::fs::write(&path, &spoilt).expect("a disk");
        match scene.wallets.load("alice") {
            Ok(wallet) => {
                // What was hit says nothing: free pages, and those of steps before the last.
                assert_eq!(balance(&wallet), before, "byte {place}");
                same += 1;
                drop(wallet);
                scene.wallets.unload("alice").expect("it is open");
            }
            Err(WalletError::File(
                FileError::DamagedRow { .. }
                | FileError::DamagedFile { .. }
                | FileError::Lmdb { .. }
                | FileError::NewerSchema { .. }
                | FileError::OtherNetwork { .. },
            )) => {
                told += 1;
                assert!(bytes(&path) == spoilt, "byte {place}: nothing is written");
            }
            Err(other) => panic!("byte {place}: {other}"),
        }
    }
    assert!(told > 0, "{told} told, {same} the same");
    std::fs::write(&path, &whole).expect("a disk");
    let wallet = scene.wallets.load("alice").expect("it is whole again");
    assert_eq!(balance(&wallet), before);
}

#[test]
fn a_file_that_is_cut_or_no_wallet_is_refused_and_left() {
    let scene = Scene::new();
    let path = used(&scene);
    let whole = bytes(&path);
    for (spoilt, what) in [
        (whole[..whole.len() / 2].to_vec(), "half of it"),
        (whole[..100].to_vec(), "its beginning"),
        (b"my coins are in here".repeat(1_000), "something else"),
        (vec![0; whole.len()], "nothing but zeros"),
    ] {
        std::fs::write(&path, &spoilt).expect("a disk");
        let error = why(scene.wallets.load("alice"));
        let damaged = matches!(
            error,
            FileError::DamagedFile { .. } | FileError::DamagedRow { .. } | FileError::Lmdb { .. }
        );
        assert!(damaged, "{what}: {error}");
        assert!(bytes(&path) == spoilt, "{what}: nothing is written");
        assert!(scene.wallets.get("alice").is_none());
    }
    // Nor is a new one made in its place.
    let before = seal(&path);
    let again = why(scene.wallets.create("alice", NewWallet::default()));
    let refused = matches!(
        again,
        FileError::Exists { .. } | FileError::DamagedFile { .. }
    );
    assert!(refused, "{again}");
    assert_eq!(seal(&path), before);
}

#[test]
fn a_wallet_that_was_cut_anywhere_is_told_as_damaged_with_what_to_do() {
    let scene = Scene::new();
    let path = used(&scene);
    let whole = bytes(&path);
    let page = 4096;
    let half = whole.len() / 2;
    for length in [
        0,
        1,
        100,
        page - 1,
        page,
        page + 1,
        2 * page - 1,
        2 * page,
        half,
    ] {
        std::fs::write(&path, &whole[..length]).expect("a disk");
        let error = why(scene.wallets.load("alice"));
        assert!(error.is_of_contents(), "{length}: {error}");
        let told = error.to_string();
        assert!(told.contains("is damaged"), "{length}: {told}");
        assert!(told.contains("restore the wallet from a backup"), "{told}");
        if let FileError::Cut { length: told, .. } = error {
            assert_eq!(told, length as u64);
        }
        // Nor is a new one made where there was one.
        let again = why(scene.wallets.create("alice", NewWallet::default()));
        assert!(matches!(again, FileError::Exists { .. }), "{again}");
        assert_eq!(bytes(&path), whole[..length]);
    }
}

#[test]
fn a_damaged_backup_is_named_and_nothing_is_made_of_it() {
    let scene = Scene::new();
    let path = used(&scene);
    let alice = scene.wallets.load("alice").expect("it is whole");
    let backup = scene.directory.path().join("alice.bak");
    alice.backup(&backup).expect("a disk");
    drop(alice);
    scene.wallets.unload("alice").expect("it is open");
    let whole = bytes(&backup);
    let name = backup.display().to_string();
    let mut spoilt: Vec<(String, Vec<u8>)> = [0, 1, 4095, 4096, 6000, 8191, 8192, whole.len() - 1]
        .map(|length| (format!("cut to {length}"), whole[..length].to_vec()))
        .into();
    spoilt.push(("a letter".to_owned(), b"dear".repeat(5_000)));
    // One byte of a row that the wallet reads.
    let row = whole.windows(4).rposition(|four| four == b"wpkh");
    let mut changed = whole.clone();
    changed[row.expect("a descriptor") + 20] ^= 1;
    spoilt.push(("a row".to_owned(), changed));
    for (what, spoilt) in spoilt {
        std::fs::write(&backup, spoilt).expect("a disk");
        let error = why(scene.wallets.restore("again", &backup));
        let told = error.to_string();
        let of_backup = matches!(error, FileError::DamagedBackup { .. });
        assert!(of_backup && told.contains(&name), "{what}: {told}");
        assert!(!told.contains("again"), "{what}: {told}");
        assert!(!scene.wallets.path("again").expect("a name").exists());
    }
    // One of another network is named, too.
    std::fs::write(&backup, &whole).expect("a disk");
    let mut config = scene.wallets.config().clone();
    config.network = Network::Signet;
    let others = Wallets::new(config, scene.lab.ledger().clone(), scene.mempool.clone());
    let error = why(others.restore("again", &backup));
    assert!(error.to_string().contains(&name), "{error}");
    scene
        .wallets
        .restore("again", &backup)
        .expect("it is whole");
    assert!(path.is_file());
}

#[test]
fn names_that_some_systems_keep_for_devices_are_no_names_of_wallets() {
    let scene = Scene::new();
    for name in ["CON", "aux.txt", "nul", "Prn.", "COM1", "lpt9.dat", "com0"] {
        let made = scene.wallets.create(name, NewWallet::default());
        assert!(matches!(made, Err(WalletError::BadName { .. })), "{name}");
    }
    for name in ["console", "com", "COM10", "auxiliary.txt", "null"] {
        let made = scene.wallets.create(name, NewWallet::default());
        assert!(made.is_ok(), "{name}");
    }
}

#[test]
fn a_wallet_that_has_the_name_of_a_device_already_is_loaded_by_it() {
    let scene = Scene::new();
    drop(scene.wallet("alice"));
    scene.wallets.unload("alice").expect("it was open");
    let path = |name: &str| scene.wallets.path(name).expect("a name");
    std::fs::rename(path("alice"), path("aux.txt")).expect("not such a system");
    let backup = path("backup");
    let copied = scene.wallets.backup_closed("aux.txt", &backup);
    copied.expect("it is there");
    drop(scene.wallets.load("aux.txt").expect("it is there"));
    let made = scene.wallets.restore("con", &backup);
    assert!(matches!(made, Err(WalletError::BadName { .. })));
}

#[test]
fn of_those_who_open_one_wallet_at_once_one_does_and_the_others_hear_of_it() {
    let scene = Scene::new();
    drop(scene.wallet("alice"));
    scene.wallets.unload("alice").expect("it was open");
    for _ in 0..20 {
        let start = std::sync::Barrier::new(4);
        let open = || {
            start.wait();
            scene.wallets.load("alice").map(drop)
        };
        let results = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            let results = threads.into_iter().map(|thread| thread.join());
            results
                .map(|result| result.expect("no panic"))
                .collect::<Vec<_>>()
        });
        let opened = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(opened, 1, "{results:?}");
        for error in results.into_iter().filter_map(Result::err) {
            let told = matches!(
                error,
                WalletError::Opening { .. } | WalletError::AlreadyOpen { .. }
            );
            assert!(told, "{error}");
        }
        scene.wallets.unload("alice").expect("one has opened it");
    }
}

#[test]
fn a_wallet_that_is_open_elsewhere_or_of_another_network_is_refused() {
    let scene = Scene::new();
    let alice = scene.wallet("alice");
    let before = seal(&data(&scene, "alice"));
    let again = scene.wallets.load("alice");
    assert!(matches!(again, Err(WalletError::AlreadyOpen { .. })));
    let others = |network| {
        let mut config = scene.wallets.config().clone();
        config.network = network;
        Wallets::new(config, scene.lab.ledger().clone(), scene.mempool.clone())
    };
    let error = why(others(Network::Regtest).load("alice"));
    assert!(matches!(error, FileError::InUse { .. }), "{error}");
    drop(alice);
    scene.wallets.unload("alice").expect("it is open");
    let error = why(others(Network::Signet).load("alice"));
    assert!(matches!(error, FileError::OtherNetwork { .. }), "{error}");
    assert_eq!(seal(&data(&scene, "alice")), before);
    scene.wallets.load("alice").expect("it is as it was");
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_changes_nothing() {
    let scene = Scene::new();
    let new = NewWallet {
        passphrase: Some(Zeroizing::new("right".to_owned())),
        ..NewWallet::default()
    };
    let alice = scene.wallets.create("alice", new).expect("a new wallet");
    scene.earn(&scene.rich("payer"), &alice, btc(2));
    alice.catch_up().expect("nothing in the way");
    let before = seal(&data(&scene, "alice"));
    for wrong in ["", "wrong", "Right", "right "] {
        let refused = alice.unlock(wrong, Duration::from_secs(60));
        assert!(
            matches!(refused, Err(WalletError::Keys(KeyError::WrongPassphrase))),
            "{refused:?}"
        );
        let changed = alice.change_keys(|keyring| -> Result<(), WalletError> {
            Ok(keyring.change_passphrase(wrong, "mine now")?)
        });
        assert!(
            matches!(changed, Err(WalletError::Keys(KeyError::WrongPassphrase))),
            "{changed:?}"
        );
    }
    let paid = alice.pay(&request(scene.lab.nobody().script_pubkey(), btc(1)));
    assert!(
        matches!(
            paid,
            Err(SpendError::Wallet(WalletError::Keys(KeyError::Locked)))
        ),
        "{paid:?}"
    );
    assert_eq!(seal(&data(&scene, "alice")), before);
    alice
        .unlock("right", Duration::from_secs(60))
        .expect("it is right");
}

#[test]
fn payments_that_cannot_be_made_say_why_and_leave_nothing() {
    let scene = Scene::new();
    let payer = scene.rich("payer");
    let alice = scene.wallet("alice");
    let coin = scene.earn(&payer, &alice, btc(2));
    alice.lock_coin(coin, true, true).expect("a lock");
    alice.catch_up().expect("nothing in the way");
    let to = scene.lab.nobody().script_pubkey();
    let before = seal(&data(&scene, "alice"));
    let poor = alice.pay(&request(to, btc(1)));
    let Err(SpendError::InsufficientFunds {
        available,
        missing,
        locked,
        lacking,
        ..
    }) = poor
    else {
        panic!("{poor:?}");
    };
    assert_eq!((available, locked, lacking), (Amount::ZERO, btc(2), None));
    assert!(missing > btc(1));
    let named = Request {
        inputs: vec![In {
            outpoint: coin,
            sequence: None,
            weight: None,
        }],
        ..request(to, btc(1))
    };
    let locked = alice.pay(&named);
    assert!(
        matches!(&locked, Err(SpendError::Coin { outpoint, .. }) if *outpoint == coin),
        "{locked:?}"
    );
    let dust = alice.pay(&request(to, Amount::from_sat(100)));
    assert!(
        matches!(dust, Err(SpendError::Dust { index: 0, .. })),
        "{dust:?}"
    );
    let mut nowhere = named.clone();
    nowhere.inputs[0].outpoint = OutPoint::new(coin.txid, 99);
    nowhere.inputs[0].weight = Some(272);
    let nowhere = alice.pay(&nowhere);
    assert!(
        matches!(nowhere, Err(SpendError::Coin { .. })),
        "{nowhere:?}"
    );
    assert_eq!(seal(&data(&scene, "alice")), before);
}
