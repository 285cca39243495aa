//! The laws of a wallet over random histories with forks: what it has in each world is what the ledger has there, whichever
//! way it came to know of it; and no coin is taken that a chosen world does not have.

use std::path::Path;

use bitcoin::{Amount, OutPoint, PublicKey, Script, ScriptBuf, TxOut, Txid, hashes::Hash};
use everett_lab::{Chaos, Lab};
use everett_ledger::{Ledger, ScriptHash, World};
use everett_mempool::{FeeRate, Mempool, MempoolConfig};
use everett_scenario::Party;
use everett_wallet::keys::{Import, with_checksum};
use everett_wallet::spend::{ChangeTo, FeeChoice, In, Payee, Request, Scope, SpendError};
use everett_wallet::{NewWallet, State, Wallet, WalletConfig, WalletError, WalletFlags, Wallets};
use zeroize::Zeroizing;

/// Things that happen in one history.
const STEPS: usize = 60;

/// The key of a party, as its signature for a coin that nobody has shows it.
fn public_key(party: &Party) -> PublicKey {
    let outpoint = OutPoint::new(Txid::all_zeros(), 0);
    let coin = TxOut {
        value: Amount::from_sat(10_000),
        script_pubkey: party.script_pubkey().clone(),
    };
    let paid = TxOut {
        value: Amount::from_sat(9_000),
        script_pubkey: party.script_pubkey().clone(),
    };
    let signed = party
        .spend(&[(outpoint, coin)], vec![paid])
        .expect("it is its own coin");
    let witness = &signed.input[0].witness;
    PublicKey::from_slice(witness.nth(1).expect("a signature and a key")).expect("a key")
}

/// A wallet of this name that watches these parties.
fn watching(wallets: &Wallets, name: &str, parties: &[Party]) -> Wallet {
    let flags = WalletFlags {
        disable_private_keys: true,
        ..WalletFlags::default()
    };
    let new = NewWallet {
        flags,
        ..NewWallet::default()
    };
    let wallet = wallets.create(name, new).expect("a new wallet");
    let imported = wallet.change_keys(|keyring| -> Result<(), WalletError> {
        for party in parties {
            let text = with_checksum(format!("wpkh({})", public_key(party)));
            keyring.import(&Import {
                text: Zeroizing::new(text),
                ..Import::default()
            })?;
        }
        Ok(())
    });
    imported.expect("descriptors");
    wallet
}

fn live(ledger: &Ledger) -> Vec<World> {
    let tips = ledger.validated_tips().into_iter();
    tips.map(|tip| ledger.world(&tip.hash).expect("a live world"))
        .collect()
}

/// The wallet's states in all worlds.
fn picture(wallet: &Wallet, worlds: &[World]) -> Vec<State> {
    let view = wallet.view().expect("a view");
    worlds.iter().map(|world| view.state(world)).collect()
}

fn compare_with_ledger(wallet: &Wallet, worlds: &[World], scripts: &[&Script]) {
    let view = wallet.view().expect("a view");
    for world in worlds {
        let state = view.state(world);
        let balance = state.balance(world.height());
        let (mut all, mut immature, mut coins) = (Amount::ZERO, Amount::ZERO, 0);
        for script in scripts {
            let there = world.balance(&ScriptHash::of(script)).expect("a balance");
            all += there.confirmed;
            immature += there.immature;
            coins += there.coins;
        }
        let found = (
            balance.confirmed + balance.immature,
            balance.immature,
            balance.coins,
        );
        assert_eq!(found, (all, immature, coins), "at {}", world.hash());
        for (outpoint, coin) in state.coins() {
            let there = world
                .coin(outpoint)
                .expect("a read")
                .expect("a coin of the wallet's");
            assert_eq!((there.amount, there.height), (coin.amount, coin.height));
        }
    }
}

fn request(to: &Script, amount: Amount, scope: Scope) -> Request {
    let payee = Payee {
        script_pubkey: to.to_owned(),
        amount,
        pays_fee: false,
        shares: false,
    };
    Request {
        scope,
        fee: FeeChoice::Rate(FeeRate::per_kvb(2_000)),
        change: ChangeTo::Script(to.to_owned()),
        ..Request::to(vec![payee])
    }
}

/// A coin is in a world, or its transaction waits and that world could have it.
fn check_there(wallet: &Wallet, world: &World, outpoint: &OutPoint) {
    let coin = world.coin(outpoint).expect("a read");
    let view = wallet.view().expect("a view");
    let pending = view.pending_on(world).expect("what waits");
    let could_be =
        pending.contains(&outpoint.txid) && view.state(world).place(&outpoint.txid).is_none();
    assert!(
        coin.is_some() || could_be,
        "{outpoint} is not at {}",
        world.hash()
    );
}

/// Plans payments of several sizes: what they take exists where it has to, and one coin more is refused.
fn check_spending(wallet: &Wallet, worlds: &[World], best: &World, to: &Script) {
    for scope in [Scope::AllWorlds, Scope::Best] {
        let chosen: Vec<&World> = match scope {
            Scope::AllWorlds => worlds.iter().collect(),
            Scope::Best => vec![best],
        };
        for amount in [1, 60, 300, 100_000].map(Amount::from_int_btc) {
            match wallet.plan(&request(to, amount, scope)) {
                Ok(plan) => {
                    for input in &plan.tx.input {
                        for world in &chosen {
                            check_there(wallet, world, &input.previous_output);
                        }
                    }
                    let coming: Amount = plan.spent.iter().map(|output| output.value).sum();
                    let going: Amount = plan.tx.output.iter().map(|output| output.value).sum();
                    assert_eq!(coming, going + plan.fee);
                }
                Err(SpendError::InsufficientFunds {
                    available,
                    missing,
                    lacking,
                    ..
                }) => {
                    assert!(missing > Amount::ZERO && available < amount + missing);
                    if let Some(lacking) = lacking {
                        assert!(worlds.iter().any(|world| world.hash() == lacking.tip));
                    }
                }
                Err(other) => panic!("{amount} {scope:?}: {other}"),
            }
        }
    }
    // Coins that are named are held to the same.
    let view = wallet.view().expect("a view");
    let missing: Vec<OutPoint> = view.unsafe_coins().into_iter().collect();
    drop(view);
    for outpoint in missing {
        let wanted = In {
            outpoint,
            sequence: None,
            weight: None,
        };
        let mut asked = request(to, Amount::from_sat(10_000), Scope::AllWorlds);
        asked.inputs = vec![wanted];
        let refused = wallet
            .plan(&asked)
            .expect_err("some world does not have it");
        assert!(matches!(refused, SpendError::Coin { .. }), "{refused}");
    }
}

fn open(directory: &Path, ledger: &Ledger) -> Wallets {
    let mempool = Mempool::new(ledger.clone(), MempoolConfig::default());
    let mut config = WalletConfig::new(directory, bitcoin::Network::Regtest);
    config.keypool = 1;
    Wallets::new(config, ledger.clone(), mempool)
}

fn live_through(seed: u64) {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = Lab::builder()
        .seed(seed)
        .in_directory(directory.path().join("ledger"))
        .open()
        .expect("a lab");
    let ledger = lab.ledger().clone();
    let mut chaos = Chaos::in_lab(lab);
    let parties: Vec<Party> = chaos.people()[..2].to_vec();
    let scripts: Vec<ScriptBuf> = parties
        .iter()
        .map(|party| party.script_pubkey().clone())
        .collect();
    let scripts: Vec<&Script> = scripts.iter().map(|script| script.as_script()).collect();
    let mut wallets = open(&directory.path().join("wallets"), &ledger);
    let mut wallet = watching(&wallets, "followed", &parties);
    for step in 0..STEPS {
        chaos.step().expect("a step");
        // Several steps at once, now and then.
        if step % 3 == 1 {
            continue;
        }
        let worlds = live(&ledger);
        compare_with_ledger(&wallet, &worlds, &scripts);
        check_spending(&wallet, &worlds, &ledger.best(), scripts[0]);
        if step % 15 == 0 {
            let followed = picture(&wallet, &worlds);
            let again = watching(&wallets, &format!("again {step}"), &parties);
            again.rescan(0, None, &mut |_, _| true).expect("a rescan");
            assert_eq!(
                picture(&again, &worlds),
                followed,
                "rescanned at step {step}"
            );
            drop(again);
            wallets
                .unload(&format!("again {step}"))
                .expect("it is open");
        }
        if step % 20 == 0 {
            let followed = picture(&wallet, &worlds);
            drop(wallet);
            drop(wallets);
            // What happens meanwhile is looked at afterwards.
            wallets = open(&directory.path().join("wallets"), &ledger);
            wallet = wallets.load("followed").expect("the wallet");
            assert_eq!(
                picture(&wallet, &worlds),
                followed,
                "opened again at step {step}"
            );
        }
    }
}

#[test]
fn a_wallet_has_in_each_world_what_the_ledger_has_there() {
    for seed in [1, 2, 3] {
        live_through(seed);
    }
}
