//! Owns a ledger, a mempool and wallets for the tests of what wallets do.
//! Promises the same keys of the parties and the same blocks each time.
//! Refuses to know what is tested.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Script, ScriptBuf, Transaction, TxOut, Txid};
use everett_lab::Lab;
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{Ledger, World};
use everett_mempool::{FeeRate, Mempool, MempoolConfig};
use everett_scenario::Party;
use everett_wallet::keys::Kdf;
use everett_wallet::spend::{FeeChoice, Payee, Request};
use everett_wallet::{
    Chain, NewWallet, OutputType, Wallet, WalletConfig, WalletError, WalletEventKind, WalletEvents,
    Wallets,
};
use tempfile::TempDir;

/// What a payment of a party pays to the miner.
pub const FEE: Amount = Amount::from_sat(1_000);

/// A ledger with a mempool and wallets.
pub struct Scene {
    pub lab: Lab,
    pub mempool: Mempool,
    pub wallets: Wallets,
    pub directory: TempDir,
}

/// Wallets in a directory: few addresses ahead, and a passphrase that costs little.
pub fn wallets(directory: &Path, ledger: &Ledger, mempool: &Mempool) -> Wallets {
    let mut config = WalletConfig::new(directory, bitcoin::Network::Regtest);
    config.keypool = 5;
    config.kdf = Kdf {
        memory: 64,
        passes: 1,
        lanes: 1,
    };
    Wallets::new(config, ledger.clone(), mempool.clone())
}

impl Scene {
    pub fn new() -> Scene {
        let directory = tempfile::tempdir().expect("a directory");
        let lab = Lab::builder()
            .seed(7)
            .in_directory(directory.path().join("ledger"))
            .open()
            .expect("a lab");
        let mempool = Mempool::new(lab.ledger().clone(), MempoolConfig::default());
        let wallets = wallets(&directory.path().join("wallets"), lab.ledger(), &mempool);
        Scene {
            lab,
            mempool,
            wallets,
            directory,
        }
    }

    pub fn wallet(&self, name: &str) -> Wallet {
        let made = self.wallets.create(name, NewWallet::default());
        made.expect("a new wallet")
    }

    /// A party with a coin that can be spent.
    pub fn rich(&self, name: &str) -> Party {
        let party = self.lab.party(name);
        self.lab.fund(&party).expect("a coinbase that matured");
        party
    }

    /// A payment of a party to a script, from its first coin in the best world; nobody has it yet.
    pub fn payment(&self, from: &Party, to: &Script, amount: Amount) -> Transaction {
        self.payment_at(&self.lab.best(), from, to, amount)
    }

    /// The same from its first coin in another world.
    pub fn payment_at(
        &self,
        world: &World,
        from: &Party,
        to: &Script,
        amount: Amount,
    ) -> Transaction {
        let coins = world.coins_of(&from.script_hash(), None, 1);
        let (outpoint, coin) = coins.expect("coins").remove(0);
        let spent = TxOut {
            value: coin.amount,
            script_pubkey: from.script_pubkey().clone(),
        };
        spending(from, outpoint, spent, to, amount, FEE)
    }

    /// Gives a transaction to the mempool.
    pub fn accept(&self, tx: &Transaction) -> Txid {
        let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
        let answer = self.mempool.accept(&decoded).expect("a mempool");
        answer.expect("it is let in");
        decoded.txid
    }

    /// Pays a wallet in a block on the best tip.
    pub fn earn(&self, from: &Party, wallet: &Wallet, amount: Amount) -> OutPoint {
        let to = address(wallet);
        let tx = self.payment(from, &to, amount);
        let txid = tx.compute_txid();
        self.lab.mine(everett_lab::At::Best, [tx]).expect("a block");
        OutPoint::new(txid, 0)
    }

    pub fn best(&self) -> World {
        self.lab.best()
    }

    /// Mines these on a block.
    pub fn mine(&self, on: &World, transactions: &[Transaction]) -> World {
        let mined = self.lab.mine(on, transactions.to_vec());
        mined.expect("a block")
    }
}

/// A payment from one coin; what is left goes back.
pub fn spending(
    from: &Party,
    outpoint: OutPoint,
    coin: TxOut,
    to: &Script,
    amount: Amount,
    fee: Amount,
) -> Transaction {
    let back = coin.value - amount - fee;
    let mut outputs = vec![TxOut {
        value: amount,
        script_pubkey: to.to_owned(),
    }];
    if back > Amount::ZERO {
        outputs.push(TxOut {
            value: back,
            script_pubkey: from.script_pubkey().clone(),
        });
    }
    from.spend(&[(outpoint, coin)], outputs)
        .expect("its own coin")
}

/// A new address of a wallet.
pub fn address(wallet: &Wallet) -> ScriptBuf {
    let new = wallet.change_keys(|keyring| -> Result<ScriptBuf, WalletError> {
        Ok(keyring.new_script(OutputType::Bech32, Chain::External)?.1)
    });
    new.expect("an address")
}

/// A payment at two satoshis per virtual byte.
pub fn request(to: &Script, amount: Amount) -> Request {
    let payee = Payee {
        script_pubkey: to.to_owned(),
        amount,
        pays_fee: false,
        shares: false,
    };
    Request {
        fee: FeeChoice::Rate(FeeRate::per_kvb(2_000)),
        ..Request::to(vec![payee])
    }
}

/// What was told until now, after everything was looked at.
pub fn told(wallets: &Wallets, events: &mut WalletEvents) -> VecDeque<WalletEventKind> {
    wallets.catch_up().expect("nothing in the way");
    let mut told = VecDeque::new();
    while let Some(event) = events.try_next() {
        told.push_back(event.expect("nothing missed").kind.clone());
    }
    told
}
