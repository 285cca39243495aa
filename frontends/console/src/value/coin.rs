//! Owns the unspent coin as scripts have it.

use bitcoin::{BlockHash, OutPoint};
use everett_ledger::{Coin, Network};
use everett_script::assembly::to_asm;
use everett_script::policy::Template;
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::output::{address, recipient, sat};
use crate::book::Book;
use crate::context::Ctx;
use crate::fault::Fault;
use crate::limits::{COINS_PER_READ, MAX_COINS};
use crate::show::{Align, Shown, btc, facts};

/// An unspent output, and where it was made.
#[derive(Clone)]
pub(crate) struct CoinValue {
    pub(crate) outpoint: OutPoint,
    pub(crate) coin: Coin,
    pub(crate) network: Network,
}

impl CoinValue {
    pub(crate) fn new(context: &Ctx, outpoint: OutPoint, coin: Coin) -> CoinValue {
        CoinValue {
            outpoint,
            coin,
            network: context.ledger.params().network,
        }
    }

    /// The coin at an outpoint in a world, or the unit value.
    pub(crate) fn find(
        context: &Ctx,
        world: &BlockHash,
        outpoint: OutPoint,
    ) -> Result<Dynamic, Fault> {
        let coin = context.world(world)?.coin(&outpoint)?;
        Ok(coin.map_or(Dynamic::UNIT, |coin| {
            Dynamic::from(CoinValue::new(context, outpoint, coin))
        }))
    }

    /// The coins of a script in a world; without a limit all of them, if they are not too many.
    pub(crate) fn list(
        context: &Ctx,
        script: &Dynamic,
        world: &BlockHash,
        limit: Option<usize>,
    ) -> Result<Array, Fault> {
        let script = context.which_script(script)?;
        let world = context.world(world)?;
        let wanted = limit.unwrap_or(MAX_COINS + 1).min(MAX_COINS + 1);
        let mut coins = Array::new();
        let mut after = None;
        while coins.len() < wanted {
            context.patience.check()?;
            let page = (wanted - coins.len()).min(COINS_PER_READ);
            let read = world.coins_of(&script.hash, after, page)?;
            after = read.last().map(|(outpoint, _)| *outpoint);
            let last = read.len() < page;
            for (outpoint, coin) in read {
                coins.push(Dynamic::from(CoinValue::new(context, outpoint, coin)));
            }
            if last {
                break;
            }
        }
        if coins.len() > MAX_COINS {
            return Err(Fault::argument(format!(
                "{} has more than {MAX_COINS} coins; give a limit, like coins(script, at, 1000)",
                script.name
            )));
        }
        Ok(coins)
    }

    fn recipient(&self) -> String {
        recipient(&self.coin.script_pubkey, self.network)
    }
}

impl Shown for CoinValue {
    const KIND: &'static str = "Coin";

    fn line(&self) -> String {
        format!(
            "coin {}: {} BTC of {}",
            self.outpoint,
            btc(sat(self.coin.amount)),
            self.recipient()
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let coinbase = if self.coin.coinbase { ", coinbase" } else { "" };
        Ok(facts([
            ("coin", self.outpoint.to_string()),
            ("amount", format!("{} BTC", btc(sat(self.coin.amount)))),
            ("of", self.recipient()),
            ("made at", format!("height {}{coinbase}", self.coin.height)),
        ]))
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "txid": self.outpoint.txid.to_string(),
            "vout": self.outpoint.vout,
            "amount_sat": sat(self.coin.amount),
            "script_pubkey": self.coin.script_pubkey.to_hex_string(),
            "address": address(&self.coin.script_pubkey, self.network),
            "height": self.coin.height,
            "coinbase": self.coin.coinbase,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("BTC", Align::Right),
            ("HEIGHT", Align::Right),
            ("COINBASE", Align::Left),
            ("COIN", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let coinbase = if self.coin.coinbase { "coinbase" } else { "" };
        Ok(vec![
            btc(sat(self.coin.amount)),
            self.coin.height.to_string(),
            coinbase.to_owned(),
            self.outpoint.to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<CoinValue>(engine, "an unspent output, and where it was made")
        .equal_by(|coin| (coin.outpoint, coin.coin.height))
        .get("outpoint", "where it is, as txid:vout", |coin| {
            Ok(coin.outpoint.to_string())
        })
        .get("txid", "the transaction that made it", |coin| {
            Ok(coin.outpoint.txid.to_string())
        })
        .get("vout", "which output of it", |coin| {
            Ok(i64::from(coin.outpoint.vout))
        })
        .get("amount_sat", "its value in satoshis", |coin| {
            Ok(sat(coin.coin.amount))
        })
        .get("btc", "its value in bitcoin, as text", |coin| {
            Ok(btc(sat(coin.coin.amount)))
        })
        .get("height", "height of the block that made it", |coin| {
            Ok(i64::from(coin.coin.height))
        })
        .get("coinbase", "whether a coinbase made it", |coin| {
            Ok(coin.coin.coinbase)
        })
        .get("script_pubkey", "its script in hexadecimal", |coin| {
            Ok(coin.coin.script_pubkey.to_hex_string())
        })
        .get("asm", "its script in words", |coin| {
            Ok(to_asm(&coin.coin.script_pubkey))
        })
        .get(
            "type",
            "what kind of script it is, by Bitcoin Core's names",
            |coin| Ok(Template::of(coin.coin.script_pubkey.as_bytes()).name()),
        )
        .get("address", "its address, or ()", |coin| {
            let address = address(&coin.coin.script_pubkey, coin.network);
            Ok(address.map_or(Dynamic::UNIT, Dynamic::from))
        });
}
