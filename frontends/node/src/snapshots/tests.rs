//! Snapshots of real nodes in temporary directories, of which everything that can happen to one on the disk does.

use std::fs;

use bitcoin::Amount;
use everett_ledger::{Ledger, LedgerConfig, Network, Policy, Start};
use everett_mempool::MempoolConfig;
use everett_scenario::assemble;
use everett_wallet::keys::{Chain, Kdf, OutputType};
use everett_wallet::spend::{Payee, Request, Scope};
use everett_wallet::{NewWallet, Wallet, WalletConfig, Wallets};
use tempfile::TempDir;

use super::*;

fn params() -> Params {
    Params::new(Network::Regtest)
}

/// A node without threads.
struct Rig {
    directory: TempDir,
    ledger: Ledger,
    mempool: everett_mempool::Mempool,
    wallets: Wallets,
}

impl Rig {
    fn new() -> Rig {
        Rig::at(tempfile::tempdir().unwrap())
    }

    fn at(directory: TempDir) -> Rig {
        let (ledger, mempool, wallets) = open(directory.path());
        Rig {
            directory,
            ledger,
            mempool,
            wallets,
        }
    }

    /// Blocks on a parent, which pay a wallet or anybody; the last one's hash.
    fn mine(
        &self,
        parent: bitcoin::BlockHash,
        count: u32,
        wallet: Option<&Wallet>,
        time: u32,
    ) -> bitcoin::BlockHash {
        let payout = match wallet {
            Some(wallet) => address(wallet).script_pubkey(),
            None => bitcoin::ScriptBuf::from_bytes(vec![0x51]),
        };
        let mut hash = parent;
        for step in 0..count {
            let world = self.ledger.world(&hash).unwrap();
            let at = Some(world.header().time + time + step % 2);
            let block = assemble::mine(&self.ledger, &world, Vec::new(), &payout, at).unwrap();
            self.ledger.submit_block(&block).unwrap();
            hash = bitcoin::consensus::deserialize::<bitcoin::Block>(&block)
                .unwrap()
                .block_hash();
        }
        hash
    }

    fn snapshots(&self) -> Snapshots {
        Snapshots::of(self.directory.path())
    }

    fn save(&self, name: &str) -> Result<SnapshotManifest, SnapshotsError> {
        self.save_while(name, &mut |_| true)
    }

    fn save_while(&self, name: &str, told: Told<'_>) -> Result<SnapshotManifest, SnapshotsError> {
        let parts = Parts {
            ledger: &self.ledger,
            mempool: &self.mempool,
            mempool_file: None,
            wallets: Some(&self.wallets),
            peers: None,
        };
        self.snapshots().save(name, &parts, told)
    }
}

fn open(directory: &Path) -> (Ledger, everett_mempool::Mempool, Wallets) {
    open_with(directory, true)
}

/// The same; `broadcast`: whether wallets give the mempool what waits.
fn open_with(directory: &Path, broadcast: bool) -> (Ledger, everett_mempool::Mempool, Wallets) {
    let ledger = Ledger::open(LedgerConfig::new(params(), directory)).unwrap();
    let mempool = everett_mempool::Mempool::new(ledger.clone(), MempoolConfig::default());
    let file = directory.join("mempool.dat");
    if file.exists() {
        mempool
            .load(&file, everett_mempool::LoadOptions::default())
            .unwrap();
    }
    mempool.set_loaded();
    let mut config = WalletConfig::new(directory.join("wallets"), bitcoin::Network::Regtest);
    config.keypool = 2;
    config.broadcast = broadcast;
    config.kdf = Kdf {
        memory: 64,
        passes: 1,
        lanes: 1,
    };
    let wallets = Wallets::new(config, ledger.clone(), mempool.clone());
    (ledger, mempool, wallets)
}

fn address(wallet: &Wallet) -> bitcoin::Address {
    let given = wallet.change_keys(|keyring| {
        Ok::<_, everett_wallet::WalletError>(
            keyring.new_address(OutputType::Bech32, Chain::External)?,
        )
    });
    given.unwrap().1
}

fn pay(wallet: &Wallet, to: &bitcoin::Address, sat: u64) {
    let request = Request {
        payees: vec![Payee {
            script_pubkey: to.script_pubkey(),
            amount: Amount::from_sat(sat),
            pays_fee: false,
            shares: false,
        }],
        ..Request::to(Vec::new())
    };
    wallet.pay(&request).unwrap();
}

/// Everything that a snapshot is to have, beside the bytes of blocks.
fn picture(ledger: &Ledger, mempool: &everett_mempool::Mempool, wallet: &Wallet) -> String {
    let tips: Vec<String> = ledger
        .tips()
        .iter()
        .map(|tip| format!("{} {:?}", tip.hash, tip.status))
        .collect();
    let view = mempool.view().unwrap();
    let mut waiting: Vec<String> = view.transactions().map(|tx| tx.txid.to_string()).collect();
    waiting.sort();
    drop(view);
    let view = wallet.view().unwrap();
    let worlds = ledger.validated_tips().into_iter().map(|tip| {
        let world = ledger.world(&tip.hash).unwrap();
        format!("{:?}", view.state(&world).balance(world.height()))
    });
    let worlds: Vec<String> = worlds.collect();
    let subscribers: Vec<String> = (ledger.subscribers().unwrap().iter())
        .map(|subscriber| format!("{} {:?}", subscriber.name, subscriber.cursor))
        .collect();
    let next = *ledger.event_seq().borrow();
    format!("{tips:?} {waiting:?} {worlds:?} {subscribers:?} {next}")
}

#[test]
fn a_snapshot_has_all_worlds_cursors_mempool_and_wallets_of_one_moment() {
    let rig = Rig::new();
    let mut log = rig
        .ledger
        .subscribe("reader", Policy::Lossless, Start::Stored)
        .unwrap();
    let wallet = rig.wallets.create("savings", NewWallet::default()).unwrap();
    rig.wallets.create("closed", NewWallet::default()).unwrap();
    rig.wallets.unload("closed").unwrap();
    rig.wallets.open_at_start("savings", true).unwrap();
    let genesis = rig.ledger.best().hash();
    let first = rig.mine(genesis, 3, Some(&wallet), 1);
    let trunk = rig.mine(first, 101, None, 1);
    let fork = rig.mine(trunk, 5, None, 1);
    rig.mine(trunk, 3, None, 600);
    assert_eq!(rig.ledger.best().hash(), fork);
    let batch = log.next_batch(10).unwrap();
    // Not on the disk by itself for another while.
    log.acknowledge(batch.last().unwrap().cursor).unwrap();
    pay(&wallet, &address(&wallet), 10_000_000);
    wallet.encrypt("correct horse").unwrap();
    let seen = picture(&rig.ledger, &rig.mempool, &wallet);
    let manifest = rig.save("monday").unwrap();
    assert_eq!(manifest.best_height, 109);
    assert_eq!(manifest.world_count, 2);
    assert_eq!(manifest.mempool_transactions, Some(1));
    assert_eq!(manifest.subscribers, ["reader"]);
    let wallets: Vec<(&str, bool)> = (manifest.wallets.iter())
        .map(|wallet| (wallet.name.as_str(), wallet.open))
        .collect();
    assert_eq!(wallets, [("closed", false), ("savings", true)]);
    // What happens to the node later does not happen to the snapshot.
    rig.mine(fork, 2, Some(&wallet), 1);
    assert_ne!(picture(&rig.ledger, &rig.mempool, &wallet), seen);
    let snapshots = rig.snapshots();
    let (one, told) = snapshots
        .throw_away("monday", &params(), &mut |_| true)
        .unwrap();
    assert_eq!(told, manifest);
    let (two, _) = snapshots
        .throw_away("monday", &params(), &mut |_| true)
        .unwrap();
    for copy in [&one, &two] {
        let (ledger, mempool, wallets) = open(copy.directory());
        assert_eq!(wallets.opened_at_start().unwrap(), ["savings"]);
        let wallet = wallets.load("savings").unwrap();
        assert_eq!(picture(&ledger, &mempool, &wallet), seen);
        // Sealed in the snapshot as it was.
        assert!(wallet.view().unwrap().keyring().is_locked());
        wallet
            .unlock("correct horse", std::time::Duration::from_secs(9))
            .unwrap();
        pay(&wallet, &address(&wallet), 1_000_000);
        assert_eq!(mempool.view().unwrap().transactions().count(), 2);
        wallets.load("closed").unwrap();
    }
    let place = one.directory().to_owned();
    drop((one, two));
    assert!(!place.exists());
    snapshots.get("monday").unwrap();
}

#[test]
fn saving_that_is_called_off_or_fails_leaves_nothing() {
    let rig = Rig::new();
    rig.mine(rig.ledger.best().hash(), 3, None, 1);
    let off = rig.save_while("off", &mut |_| false);
    assert!(matches!(off, Err(SnapshotsError::Cancelled)), "{off:?}");
    let directory = rig.snapshots().directory().to_owned();
    let left: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left, [LOCK]);
    // What a killed process leaves is not listed, and swept.
    fs::create_dir(directory.join(".saving-torn")).unwrap();
    fs::write(directory.join(".saving-torn/manifest.json"), "{").unwrap();
    assert!(rig.snapshots().list().unwrap().is_empty());
    rig.save("whole").unwrap();
    assert!(!directory.join(".saving-torn").exists());
    assert!(matches!(
        rig.save("whole"),
        Err(SnapshotsError::Exists { .. })
    ));
    let turn = rig.snapshots().take_turn().unwrap();
    assert!(matches!(
        rig.save("other"),
        Err(SnapshotsError::Busy { .. })
    ));
    drop(turn);
    let listed = rig.snapshots().list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, "whole");
    rig.snapshots().delete("whole").unwrap();
    assert!(rig.snapshots().list().unwrap().is_empty());
    assert!(matches!(
        rig.snapshots().delete("whole"),
        Err(SnapshotsError::Unknown { .. })
    ));
}

#[test]
fn blocks_are_taken_out_by_hand_while_it_is_saved_and_nobody_waits_for_the_other() {
    let rig = Rig::new();
    let tip = rig.mine(rig.ledger.best().hash(), 3, None, 1);
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20 {
                let undone = (rig.mempool).undo_with(&tip, || rig.ledger.invalidate_block(&tip));
                undone.unwrap().unwrap();
                rig.ledger.reconsider_block(&tip).unwrap();
            }
            done.send(()).unwrap();
        });
        let mut saved = 0;
        while is_done.try_recv().is_err() {
            let name = format!("s{saved}");
            match rig.save(&name) {
                Ok(_) => rig.snapshots().delete(&name).unwrap(),
                Err(SnapshotsError::NotSettled { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            saved += 1;
        }
    });
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let snapshots = Snapshots::at("/nowhere");
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../a",
        ".hidden",
        "-x",
        "ü",
        "a b",
        &"x".repeat(65),
    ] {
        let refused = snapshots.path(name);
        assert!(
            matches!(refused, Err(SnapshotsError::BadName { .. })),
            "{name}"
        );
    }
    assert!(snapshots.path("2026-11-22_before.fork").is_ok());
    assert!(matches!(
        snapshots.get("none"),
        Err(SnapshotsError::Unknown { .. })
    ));
}

#[test]
fn restoring_moves_what_was_there_aside_and_goes_on_where_it_was_interrupted() {
    let rig = Rig::new();
    let wallet = rig.wallets.create("w", NewWallet::default()).unwrap();
    let tip = rig.mine(rig.ledger.best().hash(), 3, Some(&wallet), 1);
    rig.save("early").unwrap();
    let later = rig.mine(tip, 2, None, 1);
    let snapshots = rig.snapshots();
    let here = rig.directory.path().to_owned();
    let restore = |force| snapshots.restore("early", &here, &params(), force, &mut |_| true);
    let in_use = restore(true);
    assert!(
        matches!(in_use, Err(SnapshotsError::Store(_))),
        "{in_use:?}"
    );
    let Rig {
        directory,
        ledger,
        mempool,
        wallets,
    } = rig;
    drop((wallet, wallets, mempool, ledger));
    assert!(matches!(
        restore(false),
        Err(SnapshotsError::NotEmpty { .. })
    ));
    let restored = restore(true).unwrap();
    let aside = restored.aside.unwrap();
    assert_eq!(aside, here.join("replaced-1"));
    let best = |path: &Path| open(path).0.best().hash();
    assert_eq!((best(&here), best(&aside)), (tip, later));
    // Killed after the old files began to move.
    let elsewhere = tempfile::tempdir().unwrap();
    let there = elsewhere.path();
    let new = there.join(".restoring");
    fs::create_dir_all(&new).unwrap();
    fs::write(there.join("data.mdb"), "old").unwrap();
    let early = snapshots.path("early").unwrap();
    fs::create_dir(new.join("blocks")).unwrap();
    for name in ["data.mdb", "blocks/blk00000.dat"] {
        fs::copy(early.join(name), new.join(name)).unwrap();
    }
    fs::write(new.join("moving"), "early\nreplaced-1\n").unwrap();
    assert!(matches!(
        refuse_half_restored(there),
        Err(SnapshotsError::HalfRestored { .. })
    ));
    let done = snapshots
        .restore("early", there, &params(), false, &mut |_| true)
        .unwrap();
    assert_eq!(done.aside.unwrap(), there.join("replaced-1"));
    assert_eq!(fs::read(there.join("replaced-1/data.mdb")).unwrap(), b"old");
    assert_eq!(best(there), tip);
    refuse_half_restored(there).unwrap();
    drop(directory);
}

#[test]
fn what_is_not_what_was_saved_is_refused() {
    let rig = Rig::new();
    rig.mine(rig.ledger.best().hash(), 3, None, 1);
    rig.save("s").unwrap();
    let (snapshots, target) = (rig.snapshots(), tempfile::tempdir().unwrap());
    let restore = |params: &Params| {
        snapshots.restore("s", &target.path().join("new"), params, false, &mut |_| {
            true
        })
    };
    let signet = restore(&Params::new(Network::Signet));
    assert!(
        matches!(signet, Err(SnapshotsError::OtherNetwork { .. })),
        "{signet:?}"
    );
    let path = snapshots.path("s").unwrap();
    let manifest = fs::read_to_string(path.join(MANIFEST)).unwrap();
    for (from, to) in [
        ("\"format\": 1", "\"format\": 2"),
        ("data.mdb", "../../etc"),
        ("data.mdb", "writer.lock"),
        ("\"files\"", "\"nothing\""),
    ] {
        fs::write(path.join(MANIFEST), manifest.replace(from, to)).unwrap();
        let refused = restore(&params());
        let newer = matches!(refused, Err(SnapshotsError::NewerFormat { .. }));
        let damaged = matches!(refused, Err(SnapshotsError::Damaged { .. }));
        assert!(newer || damaged, "{to}: {refused:?}");
        assert!(snapshots.list().unwrap()[0].manifest.is_err());
    }
    fs::write(path.join(MANIFEST), &manifest).unwrap();
    let tables = path.join(TABLES);
    let good = fs::read(&tables).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&tables, &bad).unwrap();
    let flipped = restore(&params());
    assert!(
        matches!(flipped, Err(SnapshotsError::Damaged { .. })),
        "{flipped:?}"
    );
    assert!(!target.path().join("new/data.mdb").exists());
    fs::write(&tables, &good[..good.len() - 1]).unwrap();
    assert!(matches!(
        restore(&params()),
        Err(SnapshotsError::Damaged { .. })
    ));
    assert!(matches!(
        snapshots.throw_away("s", &params(), &mut |_| true),
        Err(SnapshotsError::Damaged { .. })
    ));
    fs::write(&tables, &good).unwrap();
    restore(&params()).unwrap();
}

#[test]
fn a_closed_wallet_that_is_damaged_is_left_out_and_told_of() {
    let rig = Rig::new();
    for name in ["damaged", "good"] {
        rig.wallets.create(name, NewWallet::default()).unwrap();
        rig.wallets.unload(name).unwrap();
    }
    let file = rig.wallets.path("damaged").unwrap().join("data.mdb");
    fs::write(&file, [0x5a; 8_192]).unwrap();
    let manifest = rig.save("monday").unwrap();
    let names: Vec<&str> = (manifest.wallets.iter())
        .map(|wallet| wallet.name.as_str())
        .collect();
    assert_eq!(names, ["good"]);
    let [left_out] = manifest.left_out.as_slice() else {
        panic!("{manifest:?}");
    };
    assert_eq!(left_out.name, "damaged");
    assert!(left_out.why.contains("damaged"), "{left_out:?}");
    let snapshots = rig.snapshots();
    assert_eq!(snapshots.get("monday").unwrap(), manifest);
    let (copy, _) = snapshots
        .throw_away("monday", &params(), &mut |_| true)
        .unwrap();
    let (_ledger, _mempool, wallets) = open(copy.directory());
    assert_eq!(wallets.names().unwrap(), ["good"]);
}

#[test]
fn a_wallet_that_was_cut_to_nothing_is_left_out_and_told_of_and_one_that_never_came_to_be_is_none()
{
    let rig = Rig::new();
    rig.wallets.create("good", NewWallet::default()).unwrap();
    let cut = rig.wallets.path("cut").unwrap();
    fs::create_dir_all(&cut).unwrap();
    fs::write(cut.join("data.mdb"), []).unwrap();
    // What is left where the node was killed while it made one.
    let begun = rig.wallets.path("begun").unwrap();
    fs::create_dir_all(begun.join("create")).unwrap();
    fs::write(begun.join("create/data.mdb"), []).unwrap();
    let manifest = rig.save("monday").unwrap();
    let [left_out] = manifest.left_out.as_slice() else {
        panic!("{manifest:?}");
    };
    assert_eq!(left_out.name, "cut");
    assert!(left_out.why.contains("holds no wallet"), "{left_out:?}");
    assert_eq!(manifest.wallets.len(), 1);
    let (copy, _) = rig
        .snapshots()
        .throw_away("monday", &params(), &mut |_| true)
        .unwrap();
    let (_ledger, _mempool, wallets) = open(copy.directory());
    assert_eq!(wallets.names().unwrap(), ["good"]);
}

#[test]
fn a_snapshot_that_is_being_copied_is_not_deleted_and_copies_of_the_dead_are_swept() {
    let rig = Rig::new();
    rig.save("s").unwrap();
    let snapshots = rig.snapshots();
    let held = snapshots.hold("s", &params()).unwrap();
    assert!(matches!(
        snapshots.delete("s"),
        Err(SnapshotsError::InUse { .. })
    ));
    drop(held);
    let stale = snapshots.directory().join(".copies/s-dead");
    fs::create_dir_all(&stale).unwrap();
    fs::write(stale.join("data.mdb"), "left").unwrap();
    let (living, _) = snapshots.throw_away("s", &params(), &mut |_| true).unwrap();
    assert!(!stale.exists());
    let (other, _) = snapshots.throw_away("s", &params(), &mut |_| true).unwrap();
    assert!(living.directory().exists() && other.directory().exists());
}

/// A payment of a wallet to itself, of another amount at each step.
fn payment(wallet: &Wallet, step: u32) -> Request {
    Request::to(vec![Payee {
        script_pubkey: address(wallet).script_pubkey(),
        amount: Amount::from_sat(50_000 + u64::from(step)),
        pays_fee: false,
        shares: false,
    }])
}

/// Mines on a block, on the best one with all that waits.
fn mine_what_waits(rig: &Rig, parent: bitcoin::BlockHash, step: u32) {
    let world = rig.ledger.world(&parent).unwrap();
    let waiting: Vec<_> = match parent == rig.ledger.best().hash() {
        true => (rig.mempool.view().unwrap().transactions())
            .map(|tx| tx.tx.clone())
            .collect(),
        false => Vec::new(),
    };
    let payout = bitcoin::ScriptBuf::from_bytes(vec![0x51]);
    let time = Some(world.header().time + 1 + step % 600);
    let block = assemble::mine(&rig.ledger, &world, waiting, &payout, time).unwrap();
    rig.ledger.submit_block(&block).unwrap();
}

/// Pays, mines what waits, and forks, until it is told to stop.
fn live(rig: &Rig, wallet: &Wallet, stop: &std::sync::atomic::AtomicBool) {
    let mut step = 0u32;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        step += 1;
        // What is left may be too little, or in a rival world no more: then it is for the next block.
        let _ = wallet.pay(&payment(wallet, step));
        if step.is_multiple_of(4) {
            let best = rig.ledger.best();
            // Now and then beside the best tip rather than on it.
            let parent = match step.is_multiple_of(12) {
                true => best.block_hash_at(best.height() - 1).unwrap(),
                false => best.hash(),
            };
            mine_what_waits(rig, parent, step);
        }
    }
}

#[test]
fn mempool_and_wallet_of_a_busy_node_agree_in_every_snapshot() {
    let rig = Rig::new();
    let wallet = rig.wallets.create("w", NewWallet::default()).unwrap();
    let first = rig.mine(rig.ledger.best().hash(), 20, Some(&wallet), 1);
    rig.mine(first, 101, None, 1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let mut saved: Vec<SnapshotManifest> = std::thread::scope(|scope| {
        let living = scope.spawn(|| live(&rig, &wallet, &stop));
        let saved = (0..8).map(|number| {
            std::thread::sleep(std::time::Duration::from_millis(40));
            rig.save(&format!("s{number}"))
        });
        let saved: Result<Vec<_>, _> = saved.collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        living.join().unwrap();
        saved.unwrap()
    });
    // However soon blocks took what was paid above: here nothing takes it any more.
    mine_what_waits(&rig, rig.ledger.best().hash(), 0);
    let last = Request {
        scope: Scope::Best,
        ..payment(&wallet, 0)
    };
    wallet.pay(&last).unwrap();
    saved.push(rig.save("s8").unwrap());
    let mut waited = 0;
    for manifest in saved {
        let (copy, _) = rig
            .snapshots()
            .throw_away(&manifest.name, &params(), &mut |_| true)
            .unwrap();
        let file = copy.directory().join("mempool.dat");
        let kept = copy.directory().join("kept.dat");
        fs::rename(&file, &kept).unwrap();
        // A wallet beside an empty mempool: what it knows is what its file has.
        let (ledger, mempool, wallets) = open_with(copy.directory(), false);
        assert_eq!(ledger.best().hash().to_string(), manifest.best_hash);
        let wallet = wallets.load("w").unwrap();
        let view = wallet.view().unwrap();
        let best = ledger.best();
        let state = view.state(&best);
        let mut loose: Vec<bitcoin::Txid> = (view.records())
            .map(|record| record.txid)
            .filter(|txid| state.place(txid).is_none())
            .collect();
        drop(view);
        // Valid in that ledger's best world, all of it.
        let loaded = mempool
            .load(&kept, everett_mempool::LoadOptions::default())
            .unwrap();
        assert_eq!((loaded.refused, loaded.expired), (0, 0), "{loaded:?}");
        assert_eq!(
            Some(loaded.accepted as usize),
            manifest.mempool_transactions
        );
        let mut waiting: Vec<bitcoin::Txid> = (mempool.view().unwrap().transactions())
            .map(|tx| tx.txid)
            .collect();
        loose.sort();
        waiting.sort();
        // A coinbase of the wallet's that was reorganised away waits nowhere; there is none here.
        assert_eq!(loose, waiting, "{}", manifest.name);
        waited += waiting.len();
    }
    assert!(waited > 0, "nothing ever waited");
}
