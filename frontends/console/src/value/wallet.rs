//! Owns the wallet as scripts have it: what it has in any world, its coins, payments and warnings, new addresses and payments
//! that are prepared.
//! Promises the state of the moment in which it is asked, and that nothing secret is shown.
//! Refuses to change anything without leave.

mod balance;
mod coin;
mod payment;
mod request;
mod warning;

use everett_proto::v1::ErrorReason;
use everett_wallet::spend::SpendError;
use everett_wallet::{
    Chain, FileError, KeyError, Purpose, View, Wallet, WalletError, WorldBalance,
};
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

pub(crate) use balance::WalletBalance;
pub(crate) use coin::OwnCoinValue;
pub(crate) use payment::{PaymentStateValue, PaymentValue};
pub(crate) use request::SendRequest;
pub(crate) use warning::WarningValue;

use super::output::sat;
use crate::book::Book;
use crate::context::Ctx;
use crate::fault::{Fault, Given};
use crate::show::{Align, Shown, btc, facts};
use crate::which::as_index;

/// A wallet that is open, or whichever is the usual one.
#[derive(Clone)]
pub(crate) struct WalletValue {
    context: Ctx,
    /// Its name; `None` for the only one, or of several the one without a name.
    name: Option<String>,
}

impl From<WalletError> for Fault {
    fn from(error: WalletError) -> Fault {
        match error {
            WalletError::World(error) => error.into(),
            WalletError::BlockRead(error) => error.into(),
            WalletError::Keys(KeyError::Locked | KeyError::KeypoolRanOut) => Fault::named(
                "WALLET_LOCKED",
                format!(
                    "{error}; `everett wallet unlock` or `everett cli walletpassphrase` opens it"
                ),
            ),
            WalletError::File(FileError::Full { .. })
            | WalletError::Keys(KeyError::File(FileError::Full { .. })) => {
                Fault::new(ErrorReason::DiskFull, error)
            }
            WalletError::NoSuchTransaction { .. } => Fault::named("PAYMENT_UNKNOWN", error),
            other => Fault::named("WALLET_FAILED", other),
        }
    }
}

impl From<SpendError> for Fault {
    fn from(error: SpendError) -> Fault {
        match error {
            SpendError::Wallet(error) => error.into(),
            SpendError::InsufficientFunds { .. } => Fault::named("INSUFFICIENT_FUNDS", error),
            SpendError::Refused(_) => Fault::named("TX_REJECTED", error),
            SpendError::Unsigned { .. } => Fault::named("NOT_SIGNED", error),
            other => Fault::named("NOT_SPENDABLE", other),
        }
    }
}

impl WalletValue {
    pub(crate) fn usual(context: &Ctx) -> WalletValue {
        WalletValue {
            context: context.clone(),
            name: None,
        }
    }

    pub(crate) fn of(context: &Ctx, wallet: &Wallet) -> WalletValue {
        WalletValue {
            context: context.clone(),
            name: Some(wallet.name().to_owned()),
        }
    }

    /// The wallet, if it is open.
    fn open(&self) -> Result<Wallet, Fault> {
        self.context.patience.check()?;
        let wallets = self.context.wallets()?;
        if let Some(name) = &self.name {
            return wallets.get(name).ok_or_else(|| Fault::no_wallet(name));
        }
        let mut open = wallets.list();
        match (open.pop(), open.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Fault::named(
                "WALLET_UNKNOWN",
                "no wallet is open; `everett cli createwallet NAME` makes one",
            )),
            (Some(_), false) => wallets.get("").ok_or_else(|| {
                Fault::named(
                    "WALLET_UNKNOWN",
                    "several wallets are open, none of them without a name; say which, like wallet(\"name\"); wallets() lists them",
                )
            }),
        }
    }

    /// What it knows now.
    fn look<T>(&self, ask: impl FnOnce(&View<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let wallet = self.open()?;
        let view = wallet.view()?;
        ask(&view)
    }

    fn best(&self) -> Result<WorldBalance, Fault> {
        self.look(|view| Ok(view.balance(view.best())?))
    }

    /// Everything together: what can be spent, what is at addresses that are avoided, what is pending, what is too young.
    fn total(&self) -> Result<i64, Fault> {
        let balance = self.best()?;
        Ok(sat(balance.trusted)
            .saturating_add(sat(balance.reused))
            .saturating_add(sat(balance.pending))
            .saturating_add(sat(balance.immature)))
    }

    fn safe(&self) -> Result<i64, Fault> {
        self.look(|view| Ok(sat(view.safe()?.amount)))
    }

    fn lock_word(&self) -> Result<&'static str, Fault> {
        self.look(|view| {
            let keyring = view.keyring();
            Ok(match () {
                () if keyring.flags().disable_private_keys => "watches only",
                () if keyring.is_locked() => "locked",
                () if keyring.is_encrypted() => "unlocked",
                () => "no passphrase",
            })
        })
    }

    /// Gives the next address out.
    fn new_key(&self, label: &str) -> Result<String, Fault> {
        self.context.pen.check("new_key")?;
        let kind = self.context.wallets()?.config().address_type;
        let address = self
            .open()?
            .change_keys(|keyring| -> Result<String, WalletError> {
                let (_, address) = keyring.new_address(kind, Chain::External)?;
                let address = address.to_string();
                let labels = keyring.labels_mut();
                labels.set_address(&address, label, Purpose::Receive)?;
                Ok(address)
            })?;
        Ok(address)
    }
}

impl Shown for WalletValue {
    const KIND: &'static str = "Wallet";

    fn line(&self) -> String {
        match &self.name {
            Some(name) => format!("wallet \"{name}\""),
            None => "the wallet".to_owned(),
        }
    }

    fn text(&self) -> Result<String, Fault> {
        let wallet = self.open()?;
        let (balance, safe, payments) = self.look(|view| {
            let balance = view.balance(view.best())?;
            Ok((balance, view.safe()?, view.records().count()))
        })?;
        let amount = |amount| format!("{} BTC", btc(sat(amount)));
        let mut lines = vec![
            ("wallet", format!("\"{}\"", wallet.name())),
            ("keys", self.lock_word()?.to_owned()),
            ("can spend", amount(balance.trusted)),
            ("pending", amount(balance.pending)),
            ("immature", amount(balance.immature)),
            (
                "safe",
                format!("{} in all of {} worlds", amount(safe.amount), safe.worlds),
            ),
        ];
        if safe.at_risk > bitcoin::Amount::ZERO {
            lines.push(("at risk", amount(safe.at_risk)));
        }
        if balance.reused > bitcoin::Amount::ZERO {
            lines.push(("reused", amount(balance.reused)));
        }
        lines.push(("coins", balance.coins.to_string()));
        lines.push(("payments", payments.to_string()));
        Ok(facts(lines))
    }

    fn json(&self) -> Result<Value, Fault> {
        let name = self.open()?.name().to_owned();
        let lock = self.lock_word()?;
        self.look(|view| {
            let balance = view.balance(view.best())?;
            let safe = view.safe()?;
            Ok(json!({
                "name": name,
                "keys": lock,
                "trusted_sat": sat(balance.trusted),
                "reused_sat": sat(balance.reused),
                "pending_sat": sat(balance.pending),
                "immature_sat": sat(balance.immature),
                "safe_sat": sat(safe.amount),
                "at_risk_sat": sat(safe.at_risk),
                "worlds": safe.worlds,
                "coins": balance.coins,
                "payments": view.records().count(),
            }))
        })
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("BTC", Align::Right),
            ("SAFE", Align::Right),
            ("PENDING", Align::Right),
            ("IMMATURE", Align::Right),
            ("KEYS", Align::Left),
            ("WALLET", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let name = self.open()?.name().to_owned();
        let balance = self.best()?;
        Ok(vec![
            btc(sat(balance.trusted)),
            btc(self.safe()?),
            btc(sat(balance.pending)),
            btc(sat(balance.immature)),
            self.lock_word()?.to_owned(),
            format!("\"{name}\""),
        ])
    }
}

fn register(engine: &mut Engine, book: &Book) {
    let members = book.kind::<WalletValue>(
        engine,
        "a wallet that is open; what it has differs from world to world",
    );
    let members = members
        .get("name", "its name; empty for the one without", |wallet| {
            Ok(wallet.open()?.name().to_owned())
        })
        .get(
            "total_btc",
            "all that it has in the best world: to spend, pending and immature, in bitcoin, as text",
            |wallet| Ok(btc(wallet.total()?)),
        )
        .get("total_sat", "the same in satoshis", |wallet| Ok(wallet.total()?))
        .get("btc", "what it can spend in the best world, in bitcoin, as text", |wallet| {
            Ok(btc(sat(wallet.best()?.trusted)))
        })
        .get("safe_btc", "what is the same in every live world, in bitcoin, as text", |wallet| {
            Ok(btc(wallet.safe()?))
        })
        .get("safe_sat", "the same in satoshis", |wallet| Ok(wallet.safe()?))
        .get("locked", "whether its passphrase is wanted before it signs", |wallet| {
            Ok(wallet.look(|view| Ok(view.keyring().is_locked()))?)
        })
        .get("balance", "what it has in the best world", |wallet| {
            Ok(Dynamic::from(WalletBalance::read(wallet, None)?))
        })
        .method1("balance(at)", "what it has in the world at a block", |wallet, at| {
            let at = wallet.context.which_block(&at)?;
            Ok(WalletBalance::read(wallet, Some(at))?)
        })
        .get("balances", "what it has in each live world, the best one first", |wallet| {
            Ok(WalletBalance::all(wallet)?)
        });
    let members = members
        .method(
            "coins()",
            "its coins in the best world, also those that wait",
            |wallet| Ok(OwnCoinValue::list(wallet, None)?),
        )
        .method1(
            "coins(at)",
            "its coins in the world at a block",
            |wallet, at| {
                let at = wallet.context.which_block(&at)?;
                Ok(OwnCoinValue::list(wallet, Some(at))?)
            },
        )
        .method(
            "payments()",
            "its payments, those of all worlds, the last one first",
            |wallet| Ok(PaymentValue::list(wallet)?),
        )
        .method1("payment(txid)", "one of them", |wallet, txid| {
            Ok(PaymentValue::find(
                wallet,
                &crate::which::which_transaction(&txid)?,
            )?)
        })
        .method(
            "warnings()",
            "what rival branches would change, of those near enough that the node warns of them",
            |wallet| {
                let blocks = wallet.context.wallets()?.config().warn_blocks;
                Ok(WarningValue::list(wallet, blocks)?)
            },
        )
        .method1(
            "warnings(blocks)",
            "the same of those at most so many behind",
            |wallet, blocks| {
                let blocks = as_index(&blocks, "a number of blocks")?;
                let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
                Ok(WarningValue::list(wallet, blocks)?)
            },
        )
        .get(
            "addresses",
            "the addresses that it gave out, by name",
            |wallet| {
                Ok(wallet.look(|view| {
                    let labels = view.keyring().labels().iter();
                    let given =
                        labels.filter(|(_, _, label)| label.purpose == Some(Purpose::Receive));
                    Ok(given
                        .map(|(_, name, _)| Dynamic::from(name.to_owned()))
                        .collect::<Array>())
                })?)
            },
        );
    members
        .method("new_key()", "gives the address of a new key (--allow-write)", |wallet| {
            Ok(wallet.new_key("")?)
        })
        .method1("new_key(label)", "the same with a label (--allow-write)", |wallet, label| {
            wallet.context.pen.check("new_key")?;
            let label = label.into_immutable_string();
            let label = label.map_err(|kind| Fault::argument(format!("a label is text, not a {kind}")))?;
            Ok(wallet.new_key(&label)?)
        })
        .method1(
            "build_send_request(payees)",
            "prepares a payment to several, #{address: btc, …}; nothing is sent (--allow-write)",
            |wallet, payees| -> Given<SendRequest> {
                Ok(SendRequest::to_many(wallet, &payees, &Dynamic::UNIT)?)
            },
        )
        .method2(
            "build_send_request(address, btc)",
            "prepares a payment of bitcoin, like 0.5 or \"0.5\", for dump(), verify() and push() (--allow-write)",
            |wallet, to, amount| -> Given<SendRequest> {
                Ok(SendRequest::build(wallet, &to, &amount)?)
            },
        )
        .method3(
            "build_send_request(address, btc, options)",
            "the same with #{fee_rate: sat/vB, scope: \"best\", subtract_fee: true, comment: text} (--allow-write)",
            |wallet, to, amount, options| -> Given<SendRequest> {
                Ok(SendRequest::to_one(wallet, &to, &amount, &options)?)
            },
        );
}

/// Makes all kinds of wallets known to an engine.
pub(super) fn register_all(engine: &mut Engine, book: &Book) {
    register(engine, book);
    balance::register(engine, book);
    coin::register(engine, book);
    payment::register(engine, book);
    warning::register(engine, book);
    request::register(engine, book);
}
