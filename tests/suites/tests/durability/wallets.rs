//! Wallets on a disk that is full: what does not fit is refused as that and leaves nothing, what is there stays, and with room
//! again everything goes on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bitcoin::{Amount, Network, ScriptBuf};
use everett_lab::{At, Lab};
use everett_mempool::{FeeRate, Mempool, MempoolConfig};
use everett_wallet::keys::Kdf;
use everett_wallet::spend::{FeeChoice, Payee, Request, SpendError};
use everett_wallet::{
    Chain, FileError, KeyError, NewWallet, OutputType, Purpose, Wallet, WalletConfig, WalletError,
    Wallets,
};

use super::small_disk::SmallDisk;

/// Bytes of room that are given at a time.
const ROOM: u64 = 4 << 10;
/// So often there is too little, at most.
const MOST: u64 = 1_000;

struct Scene {
    disk: SmallDisk,
    lab: Lab,
    wallets: Wallets,
    _ledger: tempfile::TempDir,
}

impl Scene {
    /// Wallets on a small disk, and a ledger elsewhere.
    fn new() -> Option<Scene> {
        let disk = SmallDisk::mount()?;
        let ledger = tempfile::tempdir().unwrap();
        let lab = Lab::builder()
            .seed(7)
            .in_directory(ledger.path())
            .open()
            .unwrap();
        let mempool = Mempool::new(lab.ledger().clone(), MempoolConfig::default());
        let mut config = WalletConfig::new(disk.path().join("wallets"), Network::Regtest);
        config.keypool = 50;
        config.kdf = Kdf {
            memory: 64,
            passes: 1,
            lanes: 1,
        };
        let wallets = Wallets::new(config, lab.ledger().clone(), mempool);
        Some(Scene {
            disk,
            lab,
            wallets,
            _ledger: ledger,
        })
    }

    /// Tries with no room at all, and with a little more each time; how often it was refused, as what has to name `path`.
    fn until_it_fits<T>(
        &self,
        path: &Path,
        mut what: impl FnMut() -> Result<T, WalletError>,
        mut after_refusal: impl FnMut(),
    ) -> (T, u64) {
        self.disk.fill();
        for refused in 0..MOST {
            match what() {
                Ok(done) => return (done, refused),
                Err(
                    WalletError::File(error @ FileError::Full { .. })
                    | WalletError::Keys(KeyError::File(error @ FileError::Full { .. })),
                ) => {
                    let FileError::Full { path: named, .. } = &error else {
                        unreachable!("it was just looked at")
                    };
                    assert!(named.starts_with(path), "{error}");
                    assert!(error.to_string().contains("free some space"), "{error}");
                    after_refusal();
                }
                Err(other) => panic!("not a full disk: {other}"),
            }
            self.disk.give_room(ROOM);
        }
        panic!("{MOST} times refused: {}", path.display());
    }

    /// All files in the directory of wallets, and directories.
    fn files(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut left = vec![self.wallets.config().directory.clone()];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path.clone());
                }
                found.insert(path);
            }
        }
        found
    }
}

fn address(wallet: &Wallet, label: &str) -> Result<ScriptBuf, WalletError> {
    wallet.change_keys(|keyring| {
        let (_, address) = keyring.new_address(OutputType::Bech32, Chain::External)?;
        let labels = keyring.labels_mut();
        labels.set_address(&address.to_string(), label, Purpose::Receive)?;
        Ok(address.script_pubkey())
    })
}

fn labels(wallet: &Wallet) -> Vec<String> {
    let view = wallet.view().unwrap();
    let labels = view.keyring().labels().iter();
    labels.map(|(_, _, label)| label.text.clone()).collect()
}

#[test]
fn a_wallet_that_does_not_fit_is_not_there_and_one_that_is_there_stays_as_it_is() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let wallets = &scene.wallets;
    let path = |name: &str| wallets.path(name).unwrap();
    // Made: with a passphrase or without.
    for (name, passphrase) in [("alice", None), ("sealed", Some("geheim"))] {
        let before = scene.files();
        let make = || {
            let new = NewWallet {
                passphrase: passphrase.map(|text| zeroize::Zeroizing::new(text.to_owned())),
                ..NewWallet::default()
            };
            wallets.create(name, new)
        };
        let nothing_is_left = || assert_eq!(scene.files(), before);
        let (_, refused) = scene.until_it_fits(&path(name), make, nothing_is_left);
        assert!(refused > 1, "{name}: {refused}");
        println!("{name}: refused {refused} times");
    }
    // Sealed later.
    let alice = wallets.get("alice").unwrap();
    scene.disk.give_room(1 << 20);
    let given = address(&alice, "mine").unwrap();
    let before = scene.files();
    let as_before = || {
        assert_eq!(scene.files(), before);
        let view = alice.view().unwrap();
        assert!(!view.keyring().is_encrypted());
        assert!(view.keyring().slot_of(&given).is_some());
    };
    let seal = || alice.encrypt("geheim");
    let (_, refused) = scene.until_it_fits(&path("alice"), seal, as_before);
    assert!(refused > 1, "{refused}");
    assert!(alice.view().unwrap().keyring().is_locked());
    // Copied: it is the copy that is told of, not the wallet.
    let backup = scene.disk.path().join("alice.bak");
    let beside = || std::fs::read_dir(scene.disk.path()).unwrap().count();
    let entries = beside();
    let (_, refused) = scene.until_it_fits(
        &backup,
        || alice.backup(&backup),
        || assert_eq!(beside(), entries),
    );
    assert!(refused > 1, "{refused}");
    // One that is there is replaced by a whole one, or stays.
    std::fs::write(&backup, "what was there").unwrap();
    let kept = || assert_eq!(std::fs::read(&backup).unwrap(), b"what was there");
    scene.until_it_fits(&backup, || alice.backup_over(&backup), kept);
    assert_eq!(beside(), entries + 1);
    // And put back.
    let before = scene.files();
    let restore = || wallets.restore("again", &backup);
    let nothing_is_left = || assert_eq!(scene.files(), before);
    let (again, refused) = scene.until_it_fits(&path("again"), restore, nothing_is_left);
    assert!(refused > 1, "{refused}");
    assert_eq!(labels(&again), ["mine"]);
    // The list of those that are opened at the start.
    let before = scene.files();
    let mark = || wallets.open_at_start("again", true);
    let nothing_is_left = || {
        assert_eq!(scene.files(), before);
        assert!(wallets.opened_at_start().unwrap().is_empty());
    };
    scene.until_it_fits(&wallets.config().directory, mark, nothing_is_left);
    assert_eq!(wallets.opened_at_start().unwrap(), ["again"]);
    drop((alice, again));
    scene.disk.give_room(1 << 20);
    for name in ["alice", "sealed", "again"] {
        wallets.unload(name).unwrap();
        wallets.load(name).unwrap();
    }
}

#[test]
fn a_step_that_does_not_fit_is_refused_whole_and_a_payment_is_not_sent() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let alice = scene.wallets.create("alice", NewWallet::default()).unwrap();
    let place = scene.wallets.path("alice").unwrap();
    let payer = scene.lab.party("payer");
    scene.lab.fund(&payer).unwrap();
    let own = address(&alice, "").unwrap();
    let best = scene.lab.best();
    let (outpoint, coin) = best
        .coins_of(&payer.script_hash(), None, 1)
        .unwrap()
        .remove(0);
    let spent = bitcoin::TxOut {
        value: coin.amount,
        script_pubkey: payer.script_pubkey().clone(),
    };
    let each = bitcoin::TxOut {
        value: Amount::from_int_btc(1),
        script_pubkey: own,
    };
    let tx = payer.spend(&[(outpoint, spent)], vec![each; 20]).unwrap();
    scene.lab.mine(At::Best, [tx]).unwrap();
    alice.catch_up().unwrap();
    // Labels as long as they may be, until the disk is full.
    scene.disk.fill();
    scene.disk.give_room(64 << 10);
    let mut told = labels(&alice);
    let text = |number: usize| format!("{number:04}").repeat(1_000);
    let mut refused = 0;
    for number in 0..200 {
        match address(&alice, &text(number)) {
            Ok(_) => told.push(text(number)),
            Err(WalletError::File(FileError::Full { path, .. })) => {
                assert!(path.starts_with(&place));
                refused += 1;
            }
            Err(other) => panic!("not a full disk: {other}"),
        }
    }
    assert!(refused > 1 && told.len() > 2, "{refused}, {}", told.len());
    let sorted = |mut labels: Vec<String>| {
        labels.sort();
        labels
    };
    assert_eq!(sorted(labels(&alice)), sorted(told.clone()));
    // Payments, until they do not fit either: coins, mempool and history are as they were.
    let request = Request {
        fee: FeeChoice::Rate(FeeRate::per_kvb(2_000)),
        ..Request::to(vec![Payee {
            script_pubkey: scene.lab.nobody().script_pubkey().clone(),
            amount: Amount::from_sat(100_000),
            pays_fee: false,
            shares: false,
        }])
    };
    let stand = || {
        let view = alice.view().unwrap();
        let records = view.records().count();
        (records, view.balance(view.best()).unwrap())
    };
    scene.disk.fill();
    let mut unpaid = 0;
    for _ in 0..40 {
        let before = stand();
        match alice.pay(&request) {
            Ok(_) => {}
            Err(SpendError::Wallet(WalletError::File(FileError::Full { .. }))) => {
                assert_eq!(stand(), before);
                unpaid += 1;
            }
            Err(other) => panic!("not a full disk: {other}"),
        }
    }
    assert!(unpaid > 0, "all payments fitted");
    // With room again both go on, and what was told is there in the next run.
    scene.disk.give_room(8 << 20);
    address(&alice, "there is room").unwrap();
    told.push("there is room".to_owned());
    alice.pay(&request).unwrap();
    let before = stand();
    drop(alice);
    scene.wallets.unload("alice").unwrap();
    let alice = scene.wallets.load("alice").unwrap();
    assert_eq!(sorted(labels(&alice)), sorted(told));
    let view = alice.view().unwrap();
    let after = (view.records().count(), view.balance(view.best()).unwrap());
    assert_eq!(after, before);
}
