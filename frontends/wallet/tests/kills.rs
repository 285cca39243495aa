//! A process that makes addresses, receives, pays, labels and locks, killed at any moment: what it was told is there again.
//!
//! `EVERETT_KILLS=200 cargo test -p everett-wallet --test kills` kills as often.

mod scene;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid};
use everett_lab::{At, Lab};
use everett_mempool::{Mempool, MempoolConfig};
use everett_wallet::{NewWallet, Purpose, State, Wallet, WalletError, Wallets};
use scene::{FEE, address, request, spending};

/// How often it is killed unless `EVERETT_KILLS` says otherwise.
const KILLS: u64 = 6;
/// Names the directory to the child.
const CHILD: &str = "EVERETT_WALLET_KILLED_IN";

/// The ledger and the wallets in a directory, whatever is there.
fn open(directory: &Path) -> (Lab, Mempool, Wallets) {
    let ledger = Lab::builder()
        .seed(7)
        .in_directory(directory.join("ledger"));
    let lab = ledger.open().expect("a ledger that opens");
    let mempool = Mempool::new(lab.ledger().clone(), MempoolConfig::default());
    let wallets = scene::wallets(&directory.join("wallets"), lab.ledger(), &mempool);
    (lab, mempool, wallets)
}

/// Tells what is done and must not be lost.
fn acknowledge(what: &str) {
    println!("done: {what}");
}

/// Not a test of its own: what the other one starts and kills.
#[test]
fn child_that_works_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else {
        return;
    };
    let (lab, _mempool, wallets) = open(Path::new(&directory));
    let alice = wallets.load("alice").expect("it opens");
    let payer = lab.party("payer");
    for round in 0u32.. {
        // A new address with a label.
        let script = address(&alice);
        acknowledge(&format!(
            "address {}",
            script.as_bytes().to_lower_hex_string()
        ));
        let labelled = alice.change_keys(|keyring| -> Result<(), WalletError> {
            let name = script.as_bytes().to_lower_hex_string();
            Ok(keyring
                .labels_mut()
                .set_address(&name, "mine", Purpose::Receive)?)
        });
        labelled.expect("a label");
        acknowledge(&format!(
            "label {}",
            script.as_bytes().to_lower_hex_string()
        ));
        // It is paid in a block, now and then on a branch.
        let best = lab.best();
        let parent = match round % 4 {
            3 => lab.world(best.height() - 1).expect("a world"),
            _ => best,
        };
        let coin = (parent
            .coins_of(&payer.script_hash(), None, 100)
            .expect("coins")
            .into_iter())
        .find(|(_, coin)| !coin.coinbase || coin.height + 100 <= parent.height());
        if let Some((outpoint, coin)) = coin {
            let spent = TxOut {
                value: coin.amount,
                script_pubkey: payer.script_pubkey().clone(),
            };
            let amount = coin.amount / 4;
            let tx = spending(&payer, outpoint, spent, &script, amount, FEE);
            let txid = tx.compute_txid();
            lab.mine_to(&payer, &parent, [tx]).expect("a block");
            alice.catch_up().expect("nothing in the way");
            acknowledge(&format!("received {txid}"));
            let lock = OutPoint::new(txid, 0);
            if round % 5 == 0 {
                alice.lock_coin(lock, true, true).expect("a lock");
                acknowledge(&format!("locked {lock}"));
            }
        }
        // She pays somebody else, and a block has it sometimes.
        let to = lab.nobody().script_pubkey();
        if let Ok(paid) = alice.pay(&request(to, Amount::from_sat(50_000))) {
            acknowledge(&format!("paid {}", paid.txid));
            if round % 2 == 0 && lab.mine(At::Best, [paid.tx]).is_ok() {
                alice.catch_up().expect("nothing in the way");
            }
        }
    }
}

/// What was acknowledged.
#[derive(Default)]
struct Told {
    addresses: BTreeSet<ScriptBuf>,
    labels: BTreeSet<String>,
    payments: BTreeSet<Txid>,
    locks: BTreeSet<OutPoint>,
}

impl Told {
    /// Whether there is something that could have been lost.
    fn is_enough(&self) -> bool {
        self.payments.len() > 2 && self.addresses.len() > 3
    }

    fn take(&mut self, line: &str) {
        let Some((_, done)) = line.split_once("done: ") else {
            return;
        };
        let (what, of) = done.split_once(' ').expect("what, and of what");
        match what {
            "address" => {
                let script = Vec::from_hex(of).expect("hex");
                let is_new = self.addresses.insert(ScriptBuf::from_bytes(script));
                assert!(is_new, "{of} was given out twice");
            }
            "label" => {
                self.labels.insert(of.to_owned());
            }
            "received" | "paid" => {
                self.payments.insert(of.parse().expect("an id"));
            }
            "locked" => {
                self.locks.insert(of.parse().expect("an outpoint"));
            }
            other => panic!("{other}"),
        }
    }
}

fn states(wallet: &Wallet, lab: &Lab) -> Vec<State> {
    let view = wallet.view().expect("a view");
    let tips = lab.ledger().validated_tips().into_iter();
    let worlds = tips.map(|tip| lab.world(tip.hash).expect("a live world"));
    worlds.map(|world| view.state(&world)).collect()
}

/// All that was acknowledged is there, and what the wallet has is what a look through all blocks finds.
fn check(directory: &Path, told: &Told) {
    let (lab, _mempool, wallets) = open(directory);
    let alice = wallets.load("alice").expect("it opens");
    let before = states(&alice, &lab);
    {
        let view = alice.view().expect("a view");
        let keyring = view.keyring();
        for script in &told.addresses {
            let slot = keyring.slot_of(script).expect("it is ours");
            let descriptor = keyring.descriptor(slot.descriptor).expect("its descriptor");
            assert!(slot.index < descriptor.next, "it would be given out again");
        }
        for name in &told.labels {
            let label = keyring.labels().address(name).expect("a label");
            assert_eq!(label.text, "mine");
        }
        for txid in &told.payments {
            assert!(view.record(txid).is_some(), "{txid} is lost");
        }
        for lock in &told.locks {
            let spent = !view.spenders(lock).is_empty();
            assert!(
                spent || view.lock_of(lock) == Some(true),
                "{lock} is not locked"
            );
        }
    }
    alice.rescan(0, None, &mut |_, _| true).expect("a rescan");
    assert_eq!(states(&alice, &lab), before);
}

#[test]
fn nothing_that_was_acknowledged_is_lost_whenever_the_process_is_killed() {
    let kills = std::env::var("EVERETT_KILLS").ok();
    let kills = kills.map_or(KILLS, |kills| kills.parse().expect("a number"));
    let directory = tempfile::tempdir().expect("a directory");
    {
        let (lab, _mempool, wallets) = open(directory.path());
        let payer = lab.party("payer");
        lab.grow_to(&payer, At::Best, 20).expect("coinbases");
        lab.grow(At::Best, 101).expect("blocks");
        wallets
            .create("alice", NewWallet::default())
            .expect("a new wallet");
    }
    let mut told = Told::default();
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "--nocapture",
                "child_that_works_until_it_is_killed",
            ])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        // It is at work when it has told of something, the first one when it has told enough for all of them; then it has this
        // much time.
        for line in lines.by_ref() {
            let line = line.expect("text");
            told.take(&line);
            let is_enough = match kill {
                0 => line.contains("done: paid ") && told.is_enough(),
                _ => line.contains("done: "),
            };
            if is_enough {
                break;
            }
        }
        std::thread::sleep(Duration::from_millis(10 + kill * 7919 % 700));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        // What it had said by then lies in the pipe.
        lines
            .map_while(Result::ok)
            .for_each(|line| told.take(&line));
        check(directory.path(), &told);
    }
    assert!(told.is_enough());
}
