//! Owns what a wallet has in one world, as scripts have it.

use bitcoin::BlockHash;
use everett_ledger::World;
use everett_wallet::{View, WorldBalance};
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::WalletValue;
use crate::book::Book;
use crate::context::Ctx;
use crate::fault::Fault;
use crate::show::{Align, Shown, btc, facts};
use crate::value::WorldValue;
use crate::value::output::sat;

/// What a wallet has in one world.
#[derive(Clone)]
pub(crate) struct WalletBalance {
    world: WorldValue,
    best: bool,
    balance: WorldBalance,
}

impl WalletBalance {
    fn of(context: &Ctx, view: &View<'_>, world: &World) -> Result<WalletBalance, Fault> {
        Ok(WalletBalance {
            balance: view.balance(world)?,
            best: world.hash() == view.best().hash(),
            world: WorldValue {
                context: context.clone(),
                hash: world.hash(),
                height: world.height(),
            },
        })
    }

    /// In the world at a block, or the best one.
    pub(super) fn read(
        wallet: &WalletValue,
        at: Option<BlockHash>,
    ) -> Result<WalletBalance, Fault> {
        let context = &wallet.context;
        wallet.look(|view| match at {
            None => WalletBalance::of(context, view, view.best()),
            Some(at) => WalletBalance::of(context, view, &context.world(&at)?),
        })
    }

    /// In every live world, the best one first, the others by height.
    pub(super) fn all(wallet: &WalletValue) -> Result<Array, Fault> {
        let context = &wallet.context;
        wallet.look(|view| {
            let mut rivals: Vec<&World> = view.rivals().iter().collect();
            rivals.sort_by_key(|world| (std::cmp::Reverse(world.height()), world.hash()));
            let worlds = std::iter::once(view.best()).chain(rivals);
            let read = |world| {
                context.patience.check()?;
                Ok(Dynamic::from(WalletBalance::of(context, view, world)?))
            };
            worlds.map(read).collect()
        })
    }
}

impl Shown for WalletBalance {
    const KIND: &'static str = "WalletBalance";

    fn line(&self) -> String {
        format!(
            "{} BTC at height {}",
            btc(sat(self.balance.trusted)),
            self.world.height
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let amount = |amount| format!("{} BTC", btc(sat(amount)));
        let mut lines = vec![
            ("can spend", amount(self.balance.trusted)),
            ("confirmed", amount(self.balance.confirmed)),
            ("pending", amount(self.balance.pending)),
            ("immature", amount(self.balance.immature)),
            ("coins", self.balance.coins.to_string()),
            ("in", self.world.line()),
        ];
        if self.balance.reused > bitcoin::Amount::ZERO {
            lines.push(("reused", amount(self.balance.reused)));
        }
        Ok(facts(lines))
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "world": { "tip_hash": self.world.hash.to_string(), "height": self.world.height },
            "best": self.best,
            "trusted_sat": sat(self.balance.trusted),
            "reused_sat": sat(self.balance.reused),
            "confirmed_sat": sat(self.balance.confirmed),
            "pending_sat": sat(self.balance.pending),
            "immature_sat": sat(self.balance.immature),
            "held_sat": sat(self.balance.held.trusted),
            "coins": self.balance.coins,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("BTC", Align::Right),
            ("PENDING", Align::Right),
            ("IMMATURE", Align::Right),
            ("COINS", Align::Right),
            ("HEIGHT", Align::Right),
            ("", Align::Left),
            ("WORLD", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            btc(sat(self.balance.trusted)),
            btc(sat(self.balance.pending)),
            btc(sat(self.balance.immature)),
            self.balance.coins.to_string(),
            self.world.height.to_string(),
            if self.best { "best" } else { "" }.to_owned(),
            self.world.hash.to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<WalletBalance>(engine, "what a wallet has in a world")
        .equal_by(|balance| (balance.world.hash, balance.balance))
        .get(
            "btc",
            "what can be spent there, in bitcoin, as text",
            |balance| Ok(btc(sat(balance.balance.trusted))),
        )
        .get("trusted_sat", "the same in satoshis", |balance| {
            Ok(sat(balance.balance.trusted))
        })
        .get(
            "reused_sat",
            "what is at addresses that were paid from before, where the wallet avoids those",
            |balance| Ok(sat(balance.balance.reused)),
        )
        .get(
            "confirmed_sat",
            "confirmed and mature, whatever is pending",
            |balance| Ok(sat(balance.balance.confirmed)),
        )
        .get("pending_sat", "what others are about to pay", |balance| {
            Ok(sat(balance.balance.pending))
        })
        .get("immature_sat", "coinbases that are too young", |balance| {
            Ok(sat(balance.balance.immature))
        })
        .get("coins", "how many coins it has there", |balance| {
            Ok(i64::try_from(balance.balance.coins).unwrap_or(i64::MAX))
        })
        .get("best", "whether the world is the best one", |balance| {
            Ok(balance.best)
        })
        .get("world", "the world", |balance| {
            Ok(Dynamic::from(balance.world.clone()))
        });
}
