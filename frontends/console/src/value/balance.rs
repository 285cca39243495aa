//! Owns what a script has in a world, as scripts of the console have it.

use bitcoin::BlockHash;
use everett_ledger::{Balance, ScriptHash};
use rhai::{Dynamic, Engine};
use serde_json::{Value, json};

use super::WorldValue;
use super::output::sat;
use crate::book::Book;
use crate::context::Ctx;
use crate::fault::Fault;
use crate::show::{Align, Shown, btc, facts};

/// What a script has in a world.
#[derive(Clone)]
pub(crate) struct BalanceValue {
    world: WorldValue,
    name: String,
    hash: ScriptHash,
    balance: Balance,
}

impl BalanceValue {
    pub(crate) fn read(
        context: &Ctx,
        script: &Dynamic,
        world: &BlockHash,
    ) -> Result<BalanceValue, Fault> {
        let script = context.which_script(script)?;
        let open = context.world(world)?;
        Ok(BalanceValue {
            balance: open.balance(&script.hash)?,
            name: script.name,
            hash: script.hash,
            world: WorldValue {
                context: context.clone(),
                hash: open.hash(),
                height: open.height(),
            },
        })
    }

    fn confirmed(&self) -> i64 {
        sat(self.balance.confirmed)
    }

    fn immature(&self) -> i64 {
        sat(self.balance.immature)
    }

    fn coins(&self) -> i64 {
        i64::try_from(self.balance.coins).unwrap_or(i64::MAX)
    }
}

impl Shown for BalanceValue {
    const KIND: &'static str = "Balance";

    fn line(&self) -> String {
        format!(
            "{} BTC of {} at height {}",
            btc(self.confirmed()),
            self.name,
            self.world.height
        )
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(facts([
            ("balance", format!("{} BTC", btc(self.confirmed()))),
            ("immature", format!("{} BTC", btc(self.immature()))),
            ("coins", self.coins().to_string()),
            ("of", self.name.clone()),
            ("in", self.world.line()),
        ]))
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "world": { "tip_hash": self.world.hash.to_string(), "height": self.world.height },
            "script": self.name,
            "script_hash": self.hash.to_string(),
            "confirmed_sat": self.confirmed(),
            "immature_sat": self.immature(),
            "utxo_count": self.coins(),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("BTC", Align::Right),
            ("IMMATURE", Align::Right),
            ("COINS", Align::Right),
            ("HEIGHT", Align::Right),
            ("SCRIPT", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            btc(self.confirmed()),
            btc(self.immature()),
            self.coins().to_string(),
            self.world.height.to_string(),
            self.name.clone(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<BalanceValue>(engine, "what a script has in a world")
        .equal_by(|balance| (balance.hash, balance.balance))
        .get(
            "confirmed_sat",
            "all its coins there, in satoshis",
            |balance| Ok(balance.confirmed()),
        )
        .get(
            "immature_sat",
            "the part of it that is coinbase younger than 100 blocks",
            |balance| Ok(balance.immature()),
        )
        .get(
            "btc",
            "all its coins there, in bitcoin, as text",
            |balance| Ok(btc(balance.confirmed())),
        )
        .get("coins", "how many coins there are", |balance| {
            Ok(balance.coins())
        })
        .get("script", "the script, as it was named", |balance| {
            Ok(balance.name.clone())
        })
        .get(
            "script_hash",
            "the script's hash, as Electrum has it",
            |balance| Ok(balance.hash.to_string()),
        )
        .get("world", "the world", |balance| {
            Ok(Dynamic::from(balance.world.clone()))
        });
}
