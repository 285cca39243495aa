//! The laws of a wallet over random histories with forks: what it has in each world is what the ledger has there, whichever
//! way it came to know of it; no coin is taken that a chosen world does not have; and what it told, one after the other, is how
//! it stands.
//!
//! `EVERETT_WALLET_CASES=1000 cargo test -p everett-wallet --test laws` lives through as many.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use bitcoin::{
    Amount, OutPoint, PublicKey, Script, ScriptBuf, Transaction, TxOut, Txid, hashes::Hash,
};
use everett_lab::Lab;
use everett_lab::strategy::{Arrival, History, Shape, TRUNK, histories};
use everett_ledger::decode::{DecodedTransaction, decode_block};
use everett_ledger::{Ledger, ScriptHash, World};
use everett_mempool::{FeeRate, Mempool, MempoolConfig};
use everett_scenario::Party;
use everett_wallet::keys::{Import, with_checksum};
use everett_wallet::spend::{ChangeTo, FeeChoice, In, Payee, Request, Scope, SpendError};
use everett_wallet::{
    DEFAULT_WARN_BLOCKS, NewWallet, PaymentState, Spendable, State, Wallet, WalletConfig,
    WalletError, WalletEventKind, WalletEvents, WalletFlags, Wallets, Warning, WorldBalance,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use zeroize::Zeroizing;

/// Histories that are lived through unless `EVERETT_WALLET_CASES` says otherwise.
const CASES: u32 = 24;

/// What is done beside a history.
#[derive(Clone, Debug)]
struct Look {
    /// How many arrivals after the last look.
    after: u8,
    /// Whether the transactions of the next block wait before it comes.
    waits: bool,
    /// Whether another wallet of the same scripts looks through all blocks.
    rescans: bool,
    /// Whether the wallet is shut and opened, with what arrives meanwhile.
    reopens: bool,
}

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let look = (0..4u8, any::<bool>(), 0..6u8, 0..8u8);
    let look = look.prop_map(|(after, waits, rescans, reopens)| Look {
        after,
        waits,
        rescans: rescans == 5,
        reopens: reopens == 7,
    });
    vec(look, 1..30)
}

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
fn watching(wallets: &Wallets, name: &str, parties: &[Party], avoid_reuse: bool) -> Wallet {
    let flags = WalletFlags {
        disable_private_keys: true,
        avoid_reuse,
        ..WalletFlags::default()
    };
    let new = NewWallet {
        flags,
        ..NewWallet::default()
    };
    let wallet = wallets.create(name, new).expect("a new wallet");
    let imported = wallet.change_keys(|keyring| -> Result<(), WalletError> {
        for party in parties {
            let text = with_checksum(&format!("wpkh({})", public_key(party)));
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

fn open(directory: &Path, ledger: &Ledger, mempool: &Mempool) -> Wallets {
    let mut config = WalletConfig::new(directory, bitcoin::Network::Regtest);
    config.keypool = 1;
    Wallets::new(config, ledger.clone(), mempool.clone())
}

/// How a wallet stands, as far as that was told.
#[derive(Default)]
struct Heard {
    payments: HashMap<Txid, PaymentState>,
    balance: WorldBalance,
    warnings: Vec<Arc<Warning>>,
}

impl Heard {
    fn take(&mut self, events: &mut WalletEvents) {
        while let Some(event) = events.try_next() {
            let event = event.expect("nothing missed");
            if event.wallet != "followed" {
                continue;
            }
            match &event.kind {
                WalletEventKind::PaymentAppeared { txid, state } => {
                    let known = self.payments.insert(*txid, *state);
                    assert_eq!(known, None, "{txid} appeared twice");
                }
                WalletEventKind::PaymentChanged {
                    txid,
                    before,
                    state,
                } => {
                    let known = self.payments.insert(*txid, *state);
                    let known = known.expect("it appeared");
                    assert!(known.is_as(before), "{known:?} and then from {before:?}");
                    assert!(!before.is_as(state), "nothing changed: {state:?}");
                }
                WalletEventKind::PaymentForgotten { txid } => {
                    self.payments.remove(txid).expect("it appeared");
                }
                WalletEventKind::BalanceChanged {
                    before, balance, ..
                } => {
                    assert_eq!(self.balance, *before);
                    self.balance = *balance;
                }
                WalletEventKind::WarningAppeared(warning) => self.warnings.push(warning.clone()),
                WalletEventKind::WarningChanged { before, warning } => {
                    let place = self.place(before);
                    self.warnings[place] = warning.clone();
                }
                WalletEventKind::WarningCleared { warning, .. } => {
                    let place = self.place(warning);
                    self.warnings.remove(place);
                }
                _ => {}
            }
        }
    }

    /// How a wallet stands now.
    fn of(wallet: &Wallet) -> Heard {
        let view = wallet.view().expect("a view");
        let best = view.best();
        let warnings = view.warnings(DEFAULT_WARN_BLOCKS).expect("warnings");
        let payments = view.records().map(|record| {
            let state = view.payment(&record.txid, best).expect("a payment");
            (record.txid, state)
        });
        Heard {
            payments: payments.collect(),
            balance: view.balance(best).expect("a balance"),
            warnings: warnings.into_iter().map(Arc::new).collect(),
        }
    }

    fn place(&self, warning: &Warning) -> usize {
        let place = self.warnings.iter().position(|known| **known == *warning);
        place.expect("it was warned of")
    }

    /// What was told is how it stands.
    fn compare(&self, wallet: &Wallet) {
        let view = wallet.view().expect("a view");
        let best = view.best();
        for record in view.records() {
            let state = view.payment(&record.txid, best).expect("a payment");
            let heard = self.payments.get(&record.txid).expect("it was told");
            assert!(
                heard.is_as(&state),
                "{}: {heard:?}, not {state:?}",
                record.txid
            );
        }
        assert_eq!(self.payments.len(), view.records().count());
        assert_eq!(self.balance, view.balance(best).expect("a balance"));
        let mut heard: Vec<&Warning> = self.warnings.iter().map(|warning| &**warning).collect();
        let standing = view.warnings(DEFAULT_WARN_BLOCKS).expect("warnings");
        let mut standing: Vec<&Warning> = standing.iter().collect();
        heard.sort_by_key(|warning| warning.tip);
        standing.sort_by_key(|warning| warning.tip);
        assert_eq!(heard, standing);
    }
}

/// What is safe are the coins that are said to be, and with what is at risk it is what can be spent in the best world. What is at
/// addresses that are avoided is counted apart.
fn check_safe(wallet: &Wallet) {
    let view = wallet.view().expect("a view");
    let best = view.best();
    let is_safe = view.is_safe().expect("what is safe");
    let spendable = view.spendable(best).expect("coins");
    let trusted = spendable.iter().filter(|coin| coin.trusted);
    let (reused, trusted): (Vec<&Spendable>, Vec<&Spendable>) =
        trusted.partition(|coin| coin.reused);
    let reused_at_risk = reused.iter().filter(|coin| !is_safe(&coin.outpoint));
    let reused_at_risk: Vec<OutPoint> = reused_at_risk.map(|coin| coin.outpoint).collect();
    let trusted = trusted.into_iter();
    let (safe, at_risk): (Vec<&Spendable>, Vec<&Spendable>) =
        trusted.partition(|coin| is_safe(&coin.outpoint));
    let worth = |coins: &[&Spendable]| coins.iter().map(|coin| coin.output.amount).sum();
    let told = view.safe().expect("what is safe");
    assert_eq!(told.amount, worth(&safe));
    assert_eq!(told.coins, safe.len() as u64);
    assert_eq!(told.at_risk, worth(&at_risk));
    let balance = view.balance(best).expect("a balance");
    assert_eq!(told.amount + told.at_risk, balance.trusted);
    assert_eq!(balance.reused, worth(&reused));
    assert!(reused.is_empty() || view.keyring().flags().avoid_reuse);
    let others = spendable.iter().filter(|coin| !coin.trusted);
    assert!(others.into_iter().all(|coin| !is_safe(&coin.outpoint)));
    let risky = at_risk.iter().map(|coin| coin.outpoint);
    let risky: HashSet<OutPoint> = risky.chain(reused_at_risk).collect();
    assert_eq!(risky, view.coins_at_risk().expect("what is at risk"));
    // In each other world it can be spent as well: it is there, or its transaction can still come.
    for rival in view.rivals() {
        let state = view.state(rival);
        for coin in &safe {
            let there = state.coin(&coin.outpoint);
            let is_there = there.is_some_and(|coin| coin.is_mature(rival.height()));
            let can_come = state.place(&coin.outpoint.txid).is_none();
            assert!(is_there || can_come, "{coin:?}");
        }
    }
    if told.worlds == 1 {
        assert!(at_risk.is_empty(), "there is no other world");
    }
}

/// Lets what a block has wait for it, as far as the mempool takes it.
fn let_wait(mempool: &Mempool, block: &[u8]) {
    let (block, _) = decode_block(block).expect("a block of the lab's");
    for tx in block.transactions.iter().skip(1) {
        let tx: Transaction = tx.tx.clone();
        let tx = Arc::new(DecodedTransaction::new(tx));
        let _ = mempool.accept(&tx).expect("a mempool");
    }
}

fn live_through(history: &History, looks: &[Look]) {
    let tale = history.tell();
    let directory = tempfile::tempdir().expect("a directory");
    let lab = Lab::new(history.seed);
    let ledger = lab.ledger().clone();
    ledger.clock().set(tale.lab.ledger().clock().now());
    let mempool = Mempool::new(ledger.clone(), MempoolConfig::default());
    let parties: Vec<Party> = tale.people[..2].to_vec();
    let scripts: Vec<ScriptBuf> = parties
        .iter()
        .map(|party| party.script_pubkey().clone())
        .collect();
    let scripts: Vec<&Script> = scripts.iter().map(|script| script.as_script()).collect();
    let place = directory.path().join("wallets");
    let mut wallets = open(&place, &ledger, &mempool);
    let mut events = wallets.subscribe();
    let avoid_reuse = history.seed.is_multiple_of(2);
    let mut wallet = watching(&wallets, "followed", &parties, avoid_reuse);
    let mut heard = Heard::default();
    let mut looks = looks.iter().cycle();
    let mut next = looks.next().expect("one at least");
    let mut waited = 0;
    for (number, arrival) in tale.arrivals.iter().enumerate() {
        match arrival {
            Arrival::Block(block) => {
                if next.waits {
                    let_wait(&mempool, block);
                    wallet.catch_up().expect("nothing in the way");
                }
                ledger.submit_block(block).expect("a disk");
            }
            Arrival::Invalidate(hash) => ledger.invalidate_block(hash).expect("it is there"),
            Arrival::Reconsider(hash) => ledger.reconsider_block(hash).expect("it is there"),
        }
        waited += 1;
        // The trunk has one look at its end.
        let is_trunk = number + 1 < TRUNK as usize;
        let is_last = number + 1 == tale.arrivals.len();
        if is_trunk || (waited <= next.after && !is_last) {
            continue;
        }
        let look = next;
        (next, waited) = (looks.next().expect("they go round"), 0);
        let worlds = live(&ledger);
        compare_with_ledger(&wallet, &worlds, &scripts);
        check_spending(&wallet, &worlds, &ledger.best(), scripts[0]);
        check_safe(&wallet);
        heard.take(&mut events);
        heard.compare(&wallet);
        if look.rescans || is_last {
            let followed = picture(&wallet, &worlds);
            let name = format!("again {number}");
            let again = watching(&wallets, &name, &parties, avoid_reuse);
            again.rescan(0, None, &mut |_, _| true).expect("a rescan");
            assert_eq!(picture(&again, &worlds), followed, "rescanned");
            drop(again);
            wallets.unload(&name).expect("it is open");
        }
        if look.reopens {
            let followed = picture(&wallet, &worlds);
            drop(wallet);
            drop(wallets);
            // It is told anew from what lies in the file.
            wallets = open(&place, &ledger, &mempool);
            wallet = wallets.load("followed").expect("the wallet");
            assert_eq!(picture(&wallet, &worlds), followed, "opened again");
            heard = Heard::of(&wallet);
            events = wallets.subscribe();
        }
    }
}

#[test]
fn a_wallet_has_in_each_world_what_the_ledger_has_there_and_has_told_how_it_stands() {
    let cases = std::env::var("EVERETT_WALLET_CASES");
    let cases = cases.map_or(CASES, |cases| cases.parse().expect("a number of cases"));
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::with_cases(cases)
    };
    let shape = Shape {
        steps: 14,
        ..Shape::small()
    };
    TestRunner::new(config)
        .run(&(histories(shape), looks()), |(history, looks)| {
            live_through(&history, &looks);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
