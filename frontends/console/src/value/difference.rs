//! Owns what sets two worlds apart, as scripts have it: blocks, coins, balances, conflicts.

use bitcoin::BlockHash;
use everett_ledger::{BalanceChange, CoinChange, Conflict, ConflictKind, Diff, Network, Side};
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};
use std::rc::Rc;

use super::output::{address, recipient, sat};
use super::{Block, CoinValue};
use crate::book::Book;
use crate::context::Ctx;
use crate::fault::Fault;
use crate::show::{Align, Shown, btc, facts};

/// What sets two worlds apart.
#[derive(Clone)]
pub(crate) struct DiffValue {
    context: Ctx,
    a: BlockHash,
    b: BlockHash,
    diff: Rc<Diff>,
}

/// A coin that only one of two worlds has.
#[derive(Clone)]
pub(crate) struct CoinChangeValue {
    coin: CoinValue,
    side: Side,
}

/// A script whose balance differs between two worlds.
#[derive(Clone)]
pub(crate) struct BalanceChangeValue {
    change: BalanceChange,
    network: Network,
}

/// A coin that two worlds spend in different transactions.
#[derive(Clone)]
pub(crate) struct ConflictValue {
    context: Ctx,
    conflict: Conflict,
}

impl DiffValue {
    pub(crate) fn read(context: &Ctx, a: &BlockHash, b: &BlockHash) -> Result<DiffValue, Fault> {
        let (open_a, open_b) = (context.world(a)?, context.world(b)?);
        Ok(DiffValue {
            context: context.clone(),
            a: *a,
            b: *b,
            diff: Rc::new(context.ledger.diff(&open_a, &open_b)?),
        })
    }

    fn blocks(&self, hashes: &[BlockHash]) -> Result<Array, Fault> {
        let block = |hash| Ok(Dynamic::from(Block::at(&self.context, hash)?));
        hashes.iter().map(block).collect()
    }

    fn coins(&self) -> Vec<CoinChangeValue> {
        let change = |change: &CoinChange| CoinChangeValue {
            coin: CoinValue::new(&self.context, change.outpoint, change.coin.clone()),
            side: change.side,
        };
        self.diff.coins.iter().map(change).collect()
    }

    fn balances(&self) -> Vec<BalanceChangeValue> {
        let change = |change: &BalanceChange| BalanceChangeValue {
            change: change.clone(),
            network: self.context.ledger.params().network,
        };
        self.diff.balances.iter().map(change).collect()
    }
}

impl Shown for DiffValue {
    const KIND: &'static str = "Diff";

    fn line(&self) -> String {
        format!(
            "{} coins and {} balances differ between {} and {}",
            self.diff.coins.len(),
            self.diff.balances.len(),
            self.a,
            self.b
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let between = &self.diff.comparison;
        let text = facts([
            ("a", self.a.to_string()),
            ("b", self.b.to_string()),
            (
                "fork",
                format!("{} (height {})", between.fork_hash, between.fork_height),
            ),
            ("undone", format!("{} blocks", between.undone.len())),
            ("applied", format!("{} blocks", between.applied.len())),
            (
                "coins",
                format!("{} are only in one of them", self.diff.coins.len()),
            ),
            ("balances", format!("{} differ", self.diff.balances.len())),
        ]);
        if self.diff.balances.is_empty() {
            return Ok(text);
        }
        let balances: Array = self.balances().into_iter().map(Dynamic::from).collect();
        let table = crate::show::text(&Dynamic::from(balances))?.unwrap_or_default();
        Ok(format!("{text}{table}\n"))
    }

    fn json(&self) -> Result<Value, Fault> {
        let hex = |hashes: &[BlockHash]| -> Vec<String> {
            hashes.iter().map(BlockHash::to_string).collect()
        };
        let coins = self.coins();
        let balances = self.balances();
        Ok(json!({
            "a": self.a.to_string(),
            "b": self.b.to_string(),
            "fork_hash": self.diff.comparison.fork_hash.to_string(),
            "fork_height": self.diff.comparison.fork_height,
            "undone": hex(&self.diff.comparison.undone),
            "applied": hex(&self.diff.comparison.applied),
            "coins": coins.iter().map(Shown::json).collect::<Result<Vec<_>, _>>()?,
            "balances": balances.iter().map(Shown::json).collect::<Result<Vec<_>, _>>()?,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("FORK", Align::Right),
            ("COINS", Align::Right),
            ("BALANCES", Align::Right),
            ("A", Align::Left),
            ("B", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            self.diff.comparison.fork_height.to_string(),
            self.diff.coins.len().to_string(),
            self.diff.balances.len().to_string(),
            self.a.to_string(),
            self.b.to_string(),
        ])
    }
}

fn letter(side: Side) -> &'static str {
    match side {
        Side::A => "a",
        Side::B => "b",
    }
}

impl Shown for CoinChangeValue {
    const KIND: &'static str = "CoinChange";

    fn line(&self) -> String {
        format!("only in {}: {}", letter(self.side), self.coin.line())
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(facts([("only in", letter(self.side))]) + self.coin.text()?.as_str())
    }

    fn json(&self) -> Result<Value, Fault> {
        let mut value = self.coin.json()?;
        value["only_in"] = letter(self.side).into();
        Ok(value)
    }

    fn columns() -> Vec<(&'static str, Align)> {
        let mut columns = vec![("ONLY IN", Align::Left)];
        columns.extend(CoinValue::columns());
        columns
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let mut cells = vec![letter(self.side).to_owned()];
        cells.extend(self.coin.cells()?);
        Ok(cells)
    }
}

impl BalanceChangeValue {
    fn sat_a(&self) -> i64 {
        i64::try_from(self.change.sat_a).unwrap_or(i64::MAX)
    }

    fn sat_b(&self) -> i64 {
        i64::try_from(self.change.sat_b).unwrap_or(i64::MAX)
    }

    fn of(&self) -> String {
        recipient(&self.change.script_pubkey, self.network)
    }
}

impl Shown for BalanceChangeValue {
    const KIND: &'static str = "BalanceChange";

    fn line(&self) -> String {
        format!(
            "{}: {} BTC in a, {} BTC in b",
            self.of(),
            btc(self.sat_a()),
            btc(self.sat_b())
        )
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(facts([
            ("of", self.of()),
            ("in a", format!("{} BTC", btc(self.sat_a()))),
            ("in b", format!("{} BTC", btc(self.sat_b()))),
        ]))
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "script_pubkey": self.change.script_pubkey.to_hex_string(),
            "address": address(&self.change.script_pubkey, self.network),
            "balance_a_sat": self.sat_a(),
            "balance_b_sat": self.sat_b(),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("BTC IN A", Align::Right),
            ("BTC IN B", Align::Right),
            ("B - A", Align::Right),
            ("SCRIPT", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            btc(self.sat_a()),
            btc(self.sat_b()),
            btc(self.sat_b().saturating_sub(self.sat_a())),
            self.of(),
        ])
    }
}

impl ConflictValue {
    pub(crate) fn list(context: &Ctx, a: &BlockHash, b: &BlockHash) -> Result<Array, Fault> {
        let (a, b) = (context.world(a)?, context.world(b)?);
        let conflicts = context.ledger.conflicts(&a, &b)?;
        let value = |conflict| {
            Dynamic::from(ConflictValue {
                context: context.clone(),
                conflict,
            })
        };
        Ok(conflicts.into_iter().map(value).collect())
    }

    fn kind(&self) -> &'static str {
        match self.conflict.kind {
            ConflictKind::SameRecipients => "same-recipients",
            ConflictKind::FeeBump => "fee-bump",
            ConflictKind::DoubleSpend => "double-spend",
        }
    }

    fn of(&self) -> String {
        recipient(
            &self.conflict.script_pubkey,
            self.context.ledger.params().network,
        )
    }
}

impl Shown for ConflictValue {
    const KIND: &'static str = "Conflict";

    fn line(&self) -> String {
        format!(
            "{} of {} ({} BTC): {} in a, {} in b",
            self.kind(),
            self.conflict.outpoint,
            btc(sat(self.conflict.amount)),
            self.conflict.txid_a,
            self.conflict.txid_b
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let conflict = &self.conflict;
        Ok(facts([
            ("conflict", self.kind().to_owned()),
            ("coin", conflict.outpoint.to_string()),
            ("amount", format!("{} BTC", btc(sat(conflict.amount)))),
            ("of", self.of()),
            (
                "spent in a",
                format!("by {} in block {}", conflict.txid_a, conflict.block_a),
            ),
            (
                "spent in b",
                format!("by {} in block {}", conflict.txid_b, conflict.block_b),
            ),
        ]))
    }

    fn json(&self) -> Result<Value, Fault> {
        let conflict = &self.conflict;
        Ok(json!({
            "kind": self.kind(),
            "txid": conflict.outpoint.txid.to_string(),
            "vout": conflict.outpoint.vout,
            "amount_sat": sat(conflict.amount),
            "script_pubkey": conflict.script_pubkey.to_hex_string(),
            "txid_a": conflict.txid_a.to_string(),
            "txid_b": conflict.txid_b.to_string(),
            "block_a": conflict.block_a.to_string(),
            "block_b": conflict.block_b.to_string(),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("KIND", Align::Left),
            ("BTC", Align::Right),
            ("COIN", Align::Left),
            ("IN A", Align::Left),
            ("IN B", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            self.kind().to_owned(),
            btc(sat(self.conflict.amount)),
            self.conflict.outpoint.to_string(),
            self.conflict.txid_a.to_string(),
            self.conflict.txid_b.to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<DiffValue>(engine, "what sets two worlds apart")
        .get(
            "fork_hash",
            "hash of the last block that both share",
            |diff| Ok(diff.diff.comparison.fork_hash.to_string()),
        )
        .get("fork_height", "height of that block", |diff| {
            Ok(i64::from(diff.diff.comparison.fork_height))
        })
        .get(
            "undone",
            "blocks of a since the fork, highest first",
            |diff| Ok(diff.blocks(&diff.diff.comparison.undone)?),
        )
        .get(
            "applied",
            "blocks of b since the fork, lowest first",
            |diff| Ok(diff.blocks(&diff.diff.comparison.applied)?),
        )
        .get("coins", "coins that only one of them has", |diff| {
            Ok(diff
                .coins()
                .into_iter()
                .map(Dynamic::from)
                .collect::<Array>())
        })
        .get("balances", "scripts whose balances differ", |diff| {
            Ok(diff
                .balances()
                .into_iter()
                .map(Dynamic::from)
                .collect::<Array>())
        });
    book.kind::<CoinChangeValue>(engine, "a coin that only one of two worlds has")
        .get("only_in", "\"a\" or \"b\"", |change| {
            Ok(letter(change.side))
        })
        .get("coin", "the coin", |change| {
            Ok(Dynamic::from(change.coin.clone()))
        });
    book.kind::<BalanceChangeValue>(engine, "a script whose balance differs between two worlds")
        .get("balance_a_sat", "what it has in a, in satoshis", |change| {
            Ok(change.sat_a())
        })
        .get("balance_b_sat", "what it has in b, in satoshis", |change| {
            Ok(change.sat_b())
        })
        .get("script_pubkey", "the script in hexadecimal", |change| {
            Ok(change.change.script_pubkey.to_hex_string())
        })
        .get("address", "its address, or ()", |change| {
            let address = address(&change.change.script_pubkey, change.network);
            Ok(address.map_or(Dynamic::UNIT, Dynamic::from))
        });
    book.kind::<ConflictValue>(
        engine,
        "a coin that two worlds spend in different transactions",
    )
    .get(
        "kind",
        "same-recipients, fee-bump or double-spend",
        |conflict| Ok(conflict.kind()),
    )
    .get("outpoint", "the coin, as txid:vout", |conflict| {
        Ok(conflict.conflict.outpoint.to_string())
    })
    .get("amount_sat", "its value in satoshis", |conflict| {
        Ok(sat(conflict.conflict.amount))
    })
    .get("btc", "its value in bitcoin, as text", |conflict| {
        Ok(btc(sat(conflict.conflict.amount)))
    })
    .get(
        "txid_a",
        "the transaction that spends it in a",
        |conflict| Ok(conflict.conflict.txid_a.to_string()),
    )
    .get(
        "txid_b",
        "the transaction that spends it in b",
        |conflict| Ok(conflict.conflict.txid_b.to_string()),
    )
    .get("block_a", "the block of the first", |conflict| {
        Ok(Dynamic::from(Block::at(
            &conflict.context,
            &conflict.conflict.block_a,
        )?))
    })
    .get("block_b", "the block of the second", |conflict| {
        Ok(Dynamic::from(Block::at(
            &conflict.context,
            &conflict.conflict.block_b,
        )?))
    });
}
