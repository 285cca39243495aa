//! Owns the figures of a world's whole set of coins, as scripts have them.

use bitcoin::BlockHash;
use everett_ledger::SetInfo;
use rhai::{Dynamic, Engine};
use serde_json::{Value, json};

use super::WorldValue;
use crate::book::Book;
use crate::context::Ctx;
use crate::fault::Fault;
use crate::show::{Align, Shown, btc, facts};

/// The figures of a set of coins.
#[derive(Clone)]
pub(crate) struct SetValue {
    world: WorldValue,
    info: SetInfo,
}

impl SetValue {
    pub(crate) fn read(context: &Ctx, world: &BlockHash) -> Result<SetValue, Fault> {
        let open = context.world(world)?;
        let info = open.set_info_while(|| context.patience.check().is_ok());
        context.patience.check()?;
        Ok(SetValue {
            info: info?,
            world: WorldValue {
                context: context.clone(),
                hash: open.hash(),
                height: open.height(),
            },
        })
    }

    fn total(&self) -> i64 {
        i64::try_from(self.info.total_sat).unwrap_or(i64::MAX)
    }
}

impl Shown for SetValue {
    const KIND: &'static str = "CoinSet";

    fn line(&self) -> String {
        format!(
            "{} coins of {} BTC at height {}",
            self.info.txouts,
            btc(self.total()),
            self.world.height
        )
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(facts([
            ("coins", self.info.txouts.to_string()),
            ("amount", format!("{} BTC", btc(self.total()))),
            ("bogosize", self.info.bogosize.to_string()),
            ("muhash", self.info.muhash_hex()),
            ("serialized_3", self.info.hash_serialized_3_hex()),
            ("in", self.world.line()),
        ]))
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "world": { "tip_hash": self.world.hash.to_string(), "height": self.world.height },
            "txouts": self.info.txouts,
            "total_amount_sat": self.total(),
            "bogosize": self.info.bogosize,
            "muhash": self.info.muhash_hex(),
            "hash_serialized_3": self.info.hash_serialized_3_hex(),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("COINS", Align::Right),
            ("BTC", Align::Right),
            ("HEIGHT", Align::Right),
            ("MUHASH", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            self.info.txouts.to_string(),
            btc(self.total()),
            self.world.height.to_string(),
            self.info.muhash_hex(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<SetValue>(engine, "the figures of a world's whole set of coins")
        .get("txouts", "how many coins there are", |set| {
            Ok(i64::try_from(set.info.txouts).unwrap_or(i64::MAX))
        })
        .get(
            "total_amount_sat",
            "the sum of their values in satoshis",
            |set| Ok(set.total()),
        )
        .get(
            "bogosize",
            "a size that is the same in every implementation",
            |set| Ok(i64::try_from(set.info.bogosize).unwrap_or(i64::MAX)),
        )
        .get("muhash", "their hash, whatever their order", |set| {
            Ok(set.info.muhash_hex())
        })
        .get("hash_serialized_3", "their hash in order", |set| {
            Ok(set.info.hash_serialized_3_hex())
        })
        .get("world", "the world", |set| {
            Ok(Dynamic::from(set.world.clone()))
        });
}
