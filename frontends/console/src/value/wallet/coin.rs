//! Owns a coin of a wallet in one world, as scripts have it.

use bitcoin::BlockHash;
use everett_ledger::World;
use everett_wallet::{Spendable, View};
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::WalletValue;
use crate::book::Book;
use crate::fault::Fault;
use crate::limits::MAX_COINS;
use crate::show::{Align, Shown, btc, facts};
use crate::value::output::{recipient, sat};

/// A coin of a wallet in one world.
#[derive(Clone)]
pub(crate) struct OwnCoinValue {
    coin: Spendable,
    recipient: String,
    label: String,
    immature: bool,
    /// Whether every live world has it as well.
    safe: bool,
}

impl OwnCoinValue {
    /// In the world at a block, or the best one; by outpoint.
    pub(super) fn list(wallet: &WalletValue, at: Option<BlockHash>) -> Result<Array, Fault> {
        let context = &wallet.context;
        wallet.look(|view| match at {
            None => OwnCoinValue::in_world(wallet, view, view.best()),
            Some(at) => OwnCoinValue::in_world(wallet, view, &context.world(&at)?),
        })
    }

    fn in_world(wallet: &WalletValue, view: &View<'_>, world: &World) -> Result<Array, Fault> {
        let network = wallet.context.ledger.params().network;
        let spendable = view.spendable(world)?;
        let young = view.immature(world)?;
        if spendable.len() + young.len() > MAX_COINS {
            return Err(Fault::argument(format!(
                "the wallet has more than {MAX_COINS} coins there, too many for a list; coins(script) tells those of an address"
            )));
        }
        let is_safe = view.is_safe()?;
        let told = |coin: Spendable, immature: bool| {
            let script = view.script_of(&coin.outpoint).unwrap_or_default();
            let recipient = recipient(&script, network);
            let label = view.keyring().labels().address(&recipient);
            Dynamic::from(OwnCoinValue {
                label: label.map_or_else(String::new, |label| label.text.clone()),
                recipient,
                immature,
                safe: is_safe(&coin.outpoint),
                coin,
            })
        };
        let spendable = spendable.into_iter().map(|coin| told(coin, false));
        Ok(spendable
            .chain(young.into_iter().map(|coin| told(coin, true)))
            .collect())
    }

    fn words(&self) -> String {
        let words = [
            (self.coin.coin.is_none(), "waits"),
            (self.immature, "immature"),
            (self.coin.locked, "locked"),
            (self.coin.reused, "reused address"),
            (self.coin.coin.is_some() && !self.safe, "at risk"),
        ];
        let words: Vec<&str> = (words.iter().filter(|(is, _)| *is))
            .map(|(_, word)| *word)
            .collect();
        words.join(", ")
    }

    fn height(&self) -> Option<u32> {
        self.coin.coin.map(|coin| coin.height)
    }
}

impl Shown for OwnCoinValue {
    const KIND: &'static str = "WalletCoin";

    fn line(&self) -> String {
        format!(
            "coin {}: {} BTC",
            self.coin.outpoint,
            btc(sat(self.coin.output.amount))
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let mut lines = vec![
            ("coin", self.coin.outpoint.to_string()),
            (
                "amount",
                format!("{} BTC", btc(sat(self.coin.output.amount))),
            ),
            ("of", self.recipient.clone()),
            ("confirmations", self.coin.confirmations.to_string()),
        ];
        if !self.label.is_empty() {
            lines.push(("label", self.label.clone()));
        }
        let words = self.words();
        if !words.is_empty() {
            lines.push(("but", words));
        }
        Ok(facts(lines))
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "txid": self.coin.outpoint.txid.to_string(),
            "vout": self.coin.outpoint.vout,
            "amount_sat": sat(self.coin.output.amount),
            "address": self.recipient,
            "label": self.label,
            "height": self.height(),
            "confirmations": self.coin.confirmations,
            "immature": self.immature,
            "locked": self.coin.locked,
            "safe": self.safe,
            "reused": self.coin.reused,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("BTC", Align::Right),
            ("DEEP", Align::Right),
            ("BUT", Align::Left),
            ("LABEL", Align::Left),
            ("COIN", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            btc(sat(self.coin.output.amount)),
            self.coin.confirmations.to_string(),
            self.words(),
            self.label.clone(),
            self.coin.outpoint.to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<OwnCoinValue>(engine, "a coin of a wallet, in one world")
        .equal_by(|coin| coin.coin.outpoint)
        .get("outpoint", "where it is, as txid:vout", |coin| {
            Ok(coin.coin.outpoint.to_string())
        })
        .get("amount_sat", "its value in satoshis", |coin| {
            Ok(sat(coin.coin.output.amount))
        })
        .get("btc", "its value in bitcoin, as text", |coin| {
            Ok(btc(sat(coin.coin.output.amount)))
        })
        .get("address", "its address", |coin| Ok(coin.recipient.clone()))
        .get("label", "the label of its address", |coin| {
            Ok(coin.label.clone())
        })
        .get(
            "height",
            "height of the block that made it, or () while it waits",
            |coin| {
                Ok(coin
                    .height()
                    .map_or(Dynamic::UNIT, |height| i64::from(height).into()))
            },
        )
        .get(
            "confirmations",
            "how deep it lies; 0 while it waits",
            |coin| Ok(i64::from(coin.coin.confirmations)),
        )
        .get(
            "immature",
            "whether it is a coinbase that is too young",
            |coin| Ok(coin.immature),
        )
        .get("locked", "whether its owner locked it", |coin| {
            Ok(coin.coin.locked)
        })
        .get("safe", "whether every live world has it", |coin| {
            Ok(coin.safe)
        })
        .get(
            "reused",
            "whether its address was paid from before, where the wallet avoids such",
            |coin| Ok(coin.coin.reused),
        );
}
