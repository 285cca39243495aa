//! The figures of a large wallet: 10,000 addresses that were given out, 100,000 coins of 10,000 transactions, ten worlds.
//!
//! `cargo bench -p everett-wallet --bench wallet [-- worlds|blocks|keys|load]` prints one line a figure, beside its aim. The
//! wallet lies in the directory of temporary files: what is told of writing is that disk's.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bitcoin::{Amount, Network, OutPoint, Script, ScriptBuf, Transaction, TxOut};
use everett_lab::{At, Lab};
use everett_ledger::World;
use everett_mempool::{FeeRate, Mempool, MempoolConfig};
use everett_scenario::Party;
use everett_wallet::spend::{FeeChoice, Payee, Request, Scope};
use everett_wallet::{Chain, NewWallet, OutputType, Wallet, WalletConfig, WalletError, Wallets};

/// Addresses that were given out.
const ADDRESSES: usize = 10_000;
/// Transactions that pay the wallet, and what each has for it.
const PAYMENTS: usize = 10_000;
const COINS_EACH: usize = 10;
/// Transactions of a block that is followed.
const FULL: usize = 2_000;
/// Live worlds.
const WORLDS: usize = 10;
/// Addresses that are given out one by one.
const ONE_BY_ONE: usize = 10_000;
/// How often a question is asked; the median is told.
const ROUNDS: usize = 15;

const FEE: Amount = Amount::from_sat(10_000);

fn main() {
    let part = std::env::args()
        .skip(1)
        .find(|argument| argument != "--bench");
    let wanted = |name| part.as_deref().is_none_or(|part| part == name);
    let mut rig = Rig::new();
    if wanted("blocks") {
        rig.blocks("", "< 50 ms");
    }
    if wanted("worlds") {
        rig.worlds();
        rig.blocks(" beside nine rivals", "< 500 ms");
    }
    if wanted("keys") {
        rig.keys();
    }
    if wanted("load") {
        rig.load();
    }
}

fn line(what: &str, measured: Duration, aim: &str) {
    let measured = match measured.as_micros() {
        0..10_000 => format!("{} us", measured.as_micros()),
        _ => format!("{:.1} ms", measured.as_secs_f64() * 1e3),
    };
    println!("{what:<72} {measured:>12}   {aim}");
}

fn once<T>(what: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let done = black_box(what());
    (start.elapsed(), done)
}

fn median<T>(mut what: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| once(&mut what).0).collect();
    times.sort();
    times[ROUNDS / 2]
}

type Coin = (OutPoint, TxOut);

struct Rig {
    lab: Lab,
    mempool: Mempool,
    wallets: Wallets,
    payer: Party,
    /// The payer's coins that are left, all alike.
    purse: Vec<Coin>,
    addresses: Vec<ScriptBuf>,
    _directory: tempfile::TempDir,
}

impl Rig {
    fn new() -> Rig {
        let directory = tempfile::tempdir().expect("a directory");
        let lab = Lab::new(7);
        let mempool = Mempool::new(lab.ledger().clone(), MempoolConfig::default());
        let config = WalletConfig::new(directory.path(), Network::Regtest);
        let wallets = Wallets::new(config, lab.ledger().clone(), mempool.clone());
        let wallet = wallets
            .create("large", NewWallet::default())
            .expect("a new wallet");
        let (time, addresses) = once(|| addresses(&wallet, ADDRESSES));
        line(
            "10,000 addresses, 9,000 of them derived, in one step",
            time,
            "",
        );
        let payer = lab.party("payer");
        let mut rig = Rig {
            lab,
            mempool,
            wallets,
            payer,
            purse: Vec::new(),
            addresses,
            _directory: directory,
        };
        rig.fill_purse();
        rig.earn(&wallet);
        rig
    }

    fn wallet(&self) -> Wallet {
        self.wallets.get("large").expect("it is open")
    }

    /// Makes coins of the payer, one for each payment.
    fn fill_purse(&mut self) {
        let script = self.payer.script_pubkey().clone();
        let payments = PAYMENTS + 4 * FULL + WORLDS * 20;
        // A transaction of 2,500 outputs fits into a block ten times.
        let spreads = payments.div_ceil(2_500);
        self.lab
            .grow_to(&self.payer, At::Best, spreads as u32)
            .expect("coinbases");
        let tip = self.lab.grow(At::Best, 100).expect("blocks");
        let coins = tip.coins_of(&self.payer.script_hash(), None, spreads);
        let spread = coins.expect("coins").into_iter().map(|(outpoint, coin)| {
            let spent = TxOut {
                value: coin.amount,
                script_pubkey: script.clone(),
            };
            let part = TxOut {
                value: (coin.amount - Amount::from_sat(100_000)) / 2_500,
                script_pubkey: script.clone(),
            };
            let outputs = vec![part; 2_500];
            let tx = self.payer.spend(&[(outpoint, spent)], outputs);
            tx.expect("its own coin")
        });
        let spread: Vec<Transaction> = spread.collect();
        for tx in &spread {
            let txid = tx.compute_txid();
            let made = (0u32..).zip(&tx.output);
            let made = made.map(|(vout, output)| (OutPoint::new(txid, vout), output.clone()));
            self.purse.extend(made);
        }
        self.lab.mine(At::Best, spread).expect("a block");
    }

    /// A payment of one of the payer's coins, in equal parts to these.
    fn payment(&mut self, to: &[&Script]) -> Transaction {
        let (outpoint, spent) = self.purse.pop().expect("enough of them");
        let part = (spent.value - FEE) / to.len() as u64;
        let outputs = to.iter().map(|script| TxOut {
            value: part,
            script_pubkey: (*script).to_owned(),
        });
        let paid = self.payer.spend(&[(outpoint, spent)], outputs.collect());
        paid.expect("its own coin")
    }

    fn payments(&mut self, count: usize, each: usize) -> Vec<Transaction> {
        let addresses = self.addresses.clone();
        let mut to = addresses.iter().map(|script| script.as_script()).cycle();
        let mut pay = || {
            let to: Vec<&Script> = to.by_ref().take(each).collect();
            self.payment(&to)
        };
        (0..count).map(|_| pay()).collect()
    }

    fn earn(&mut self, wallet: &Wallet) {
        let payments = self.payments(PAYMENTS, COINS_EACH);
        let mut spent = Duration::ZERO;
        for block in payments.chunks(FULL) {
            self.mine(&self.lab.best(), block.to_vec());
            let (time, caught_up) = once(|| wallet.catch_up());
            caught_up.expect("nothing in the way");
            spent += time;
        }
        line(
            "100,000 coins of 10,000 transactions in five blocks followed",
            spent,
            "",
        );
        let coins = wallet
            .view()
            .expect("a view")
            .state(&self.lab.best())
            .coin_count();
        assert_eq!(coins, PAYMENTS * COINS_EACH);
    }

    /// Mines a block, and lets the mempool move to it: what that costs is not the wallet's.
    fn mine(&self, on: &World, transactions: Vec<Transaction>) -> World {
        let mined = self.lab.mine(on, transactions).expect("a block");
        self.mempool.catch_up().expect("a mempool");
        mined
    }

    fn worlds(&mut self) {
        let wallet = self.wallet();
        let fork = self.lab.best();
        let best = self.payments(20, 2);
        let mut tip = self.mine(&fork, best);
        for _ in 1..WORLDS {
            let paid = self.payments(20, 2);
            let rival = self.mine(&fork, paid);
            tip = if rival.height() > tip.height() {
                rival
            } else {
                tip
            };
        }
        self.mine(&tip, Vec::new());
        let (time, view) = once(|| wallet.view());
        let view = view.expect("a view");
        line("ten worlds appear: looked into, told of, asked", time, "");
        let worlds: Vec<&World> = std::iter::once(view.best()).chain(view.rivals()).collect();
        assert_eq!(worlds.len(), WORLDS);
        let mut first = Vec::new();
        for world in &worlds {
            first.push(once(|| view.balance(world).expect("a balance")).0);
        }
        // In turns, as who shows them side by side asks.
        let mut rounds: Vec<Vec<Duration>> = vec![Vec::new(); WORLDS];
        for _ in 0..ROUNDS {
            for (world, times) in worlds.iter().zip(&mut rounds) {
                times.push(once(|| view.balance(world).expect("a balance")).0);
            }
        }
        let again: Vec<Duration> = (rounds.into_iter())
            .map(|mut times| {
                times.sort();
                times[ROUNDS / 2]
            })
            .collect();
        let worst = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
        line(
            "balance in each of ten worlds, asked first (the slowest)",
            worst(&first),
            "",
        );
        line(
            "balance in each of ten worlds (the slowest)",
            worst(&again),
            "< 1 ms",
        );
        let states: Vec<Duration> = (worlds.iter())
            .map(|world| median(|| view.state(world).balance(world.height())))
            .collect();
        line(
            "the same without what waits (the slowest)",
            worst(&states),
            "< 1 ms",
        );
        line(
            "safe in all ten worlds",
            median(|| view.safe().expect("what is safe")),
            "< 10 ms",
        );
        let warned = median(|| view.warnings(6).expect("warnings"));
        line("warnings of nine rivals", warned, "< 50 ms");
        let listed = median(|| view.spendable(view.best()).expect("coins").len());
        line("all 100,000 coins listed", listed, "< 200 ms");
        drop(view);
        let to = self.lab.nobody().script_pubkey().clone();
        for (scope, name) in [(Scope::AllWorlds, "all worlds"), (Scope::Best, "the best")] {
            // A coin is worth some 0.001: the last is a payment of a thousand coins.
            for (coins, sat) in [("one coin", 100_000), ("1,000 coins", 150_000_000)] {
                let request = Request {
                    scope,
                    fee: FeeChoice::Rate(FeeRate::per_kvb(2_000)),
                    ..Request::to(vec![Payee {
                        script_pubkey: to.clone(),
                        amount: Amount::from_sat(sat),
                        pays_fee: false,
                        shares: false,
                    }])
                };
                let planned = median(|| wallet.plan(&request).expect("enough coins"));
                line(
                    &format!("{coins} chosen of 100,000 in {name}"),
                    planned,
                    "< 500 ms",
                );
            }
        }
    }

    /// Follows full blocks.
    fn blocks(&mut self, beside: &str, none: &str) {
        let wallet = self.wallet();
        let ours = self.payments(FULL, 1);
        let tip = self.mine(&self.lab.best(), ours);
        let (time, done) = once(|| wallet.catch_up());
        done.expect("nothing in the way");
        line(
            &format!("a block with 2,000 transactions of ours followed{beside}"),
            time,
            "< 500 ms",
        );
        let nobody = self.lab.nobody().script_pubkey().clone();
        let theirs = (0..FULL).map(|_| self.payment(&[&nobody])).collect();
        self.mine(&tip, theirs);
        let (time, done) = once(|| wallet.catch_up());
        done.expect("nothing in the way");
        line(
            &format!("a block with 2,000, none of ours, followed{beside}"),
            time,
            none,
        );
        line("nothing new", median(|| wallet.catch_up()), "< 1 ms");
    }

    fn keys(&mut self) {
        let wallet = self.wallet();
        let (time, _) = once(|| {
            for _ in 0..ONE_BY_ONE {
                addresses(&wallet, 1);
            }
        });
        line(
            "a new address, a step of its own (mean of 10,000)",
            time / ONE_BY_ONE as u32,
            "< 1 ms + sync",
        );
        let (time, _) = once(|| {
            for _ in 0..1_000 {
                addresses(&wallet, 1);
                let view = wallet.view().expect("a view");
                view.balance(view.best()).expect("a balance");
            }
        });
        line(
            "the same with the balance asked each time (mean of 1,000)",
            time / 1_000,
            "< 2 ms + sync",
        );
        let scripts = &self.addresses;
        let view = wallet.view().expect("a view");
        let keyring = view.keyring();
        let looked = median(|| {
            scripts
                .iter()
                .filter_map(|script| keyring.slot_of(script))
                .count()
        });
        line("10,000 scripts looked up", looked, "< 10 ms");
        drop(view);
        let (time, done) = once(|| wallet.encrypt("geheim"));
        done.expect("it has no passphrase yet");
        line("encrypted: the file written anew", time, "");
        let unlocked = median(|| wallet.unlock("geheim", Duration::from_secs(60)));
        line("a passphrase tried", unlocked, "> 100 ms");
    }

    fn load(&mut self) {
        self.wallets.unload("large").expect("it is open");
        let (time, loaded) = once(|| self.wallets.load("large"));
        loaded.expect("it is there");
        line("the wallet loaded from disk", time, "< 3 s");
        let mempool = self.mempool.view().expect("a mempool");
        assert!(mempool.is_empty());
    }
}

/// So many new addresses, in one step.
fn addresses(wallet: &Wallet, count: usize) -> Vec<ScriptBuf> {
    let new = wallet.change_keys(|keyring| -> Result<Vec<ScriptBuf>, WalletError> {
        let mut made = Vec::with_capacity(count);
        for _ in 0..count {
            made.push(keyring.new_script(OutputType::Bech32, Chain::External)?.1);
        }
        Ok(made)
    });
    new.expect("addresses")
}
