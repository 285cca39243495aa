//! Owns the world as scripts have it: a block, and all that can be asked at it.
//! Promises the state of the moment in which it is asked: what was best may be best no more.

use bitcoin::BlockHash;
use everett_ledger::{BlockInfo, Tip};
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::{BalanceValue, Block, CoinValue, ConflictValue, DiffValue, SetValue, Tx};
use crate::book::Book;
use crate::context::{Ctx, work_hex};
use crate::fault::{Fault, Given};
use crate::show::{Align, Shown, facts, standing};
use crate::which::{as_index, which_outpoint, which_transaction};

/// A world: a block, and the chain that ends there.
#[derive(Clone)]
pub(crate) struct WorldValue {
    pub(crate) context: Ctx,
    pub(crate) hash: BlockHash,
    pub(crate) height: u32,
}

impl WorldValue {
    pub(crate) fn of_tip(context: &Ctx, tip: &Tip) -> WorldValue {
        WorldValue {
            context: context.clone(),
            hash: tip.hash,
            height: tip.height,
        }
    }

    /// The world at a block, which has to be there.
    pub(crate) fn at(context: &Ctx, hash: &BlockHash) -> Result<WorldValue, Fault> {
        let world = context.world(hash)?;
        Ok(WorldValue {
            context: context.clone(),
            hash: world.hash(),
            height: world.height(),
        })
    }

    pub(crate) fn best(context: &Ctx) -> WorldValue {
        let best = context.ledger.best();
        WorldValue {
            context: context.clone(),
            hash: best.hash(),
            height: best.height(),
        }
    }

    fn info(&self) -> Result<BlockInfo, Fault> {
        self.context.info(&self.hash)
    }

    fn is_best(&self) -> bool {
        self.context.ledger.best().hash() == self.hash
    }

    fn block(&self) -> Result<Block, Fault> {
        Block::at(&self.context, &self.hash)
    }
}

impl Shown for WorldValue {
    const KIND: &'static str = "World";

    fn line(&self) -> String {
        format!("world {} (height {})", self.hash, self.height)
    }

    fn text(&self) -> Result<String, Fault> {
        let info = self.info()?;
        let mut lines = vec![
            ("world", self.hash.to_string()),
            ("height", self.height.to_string()),
            ("status", standing(&info, self.is_best())),
        ];
        if info.fork_hash != self.hash {
            let fork = format!(
                "{} (height {}), {} blocks ago",
                info.fork_hash,
                info.fork_height,
                self.height.saturating_sub(info.fork_height)
            );
            lines.push(("forks off at", fork));
        }
        lines.push(("chainwork", work_hex(info.chainwork)));
        lines.push(("first seen", info.first_seen.to_string()));
        if let Some(reason) = info.reject_reason {
            lines.push(("rejected for", reason));
        }
        Ok(facts(lines))
    }

    fn json(&self) -> Result<Value, Fault> {
        let info = self.info()?;
        Ok(json!({
            "tip_hash": self.hash.to_string(),
            "height": self.height,
            "chainwork": work_hex(info.chainwork),
            "fork_hash": info.fork_hash.to_string(),
            "fork_height": info.fork_height,
            "status": info.status.as_str(),
            "first_seen": info.first_seen,
            "best": self.is_best(),
            "live": info.live,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("HEIGHT", Align::Right),
            ("STATUS", Align::Left),
            ("FORK", Align::Right),
            ("LENGTH", Align::Right),
            ("WORLD", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let info = self.info()?;
        let (fork, length) = match info.fork_hash == self.hash {
            true => (String::new(), String::new()),
            false => (
                info.fork_height.to_string(),
                self.height.saturating_sub(info.fork_height).to_string(),
            ),
        };
        Ok(vec![
            self.height.to_string(),
            standing(&info, self.is_best()),
            fork,
            length,
            self.hash.to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<WorldValue>(
        engine,
        "a world: all coins and balances as they stand at one block",
    )
    .equal_by(|world| world.hash)
    .get("hash", "hash of its block", |world| {
        Ok(world.hash.to_string())
    })
    .get("height", "height of its block", |world| {
        Ok(i64::from(world.height))
    })
    .get(
        "chainwork",
        "work of its whole chain, in hexadecimal",
        |world| Ok(work_hex(world.info()?.chainwork)),
    )
    .get(
        "status",
        "active, valid-fork, valid-headers, headers-only or invalid",
        |world| Ok(world.info()?.status.as_str()),
    )
    .get("best", "whether it is the best world", |world| {
        Ok(world.is_best())
    })
    .get("live", "whether balances can be read in it", |world| {
        Ok(world.info()?.live)
    })
    .get(
        "fork_hash",
        "hash of the last block that it shares with the best chain",
        |world| Ok(world.info()?.fork_hash.to_string()),
    )
    .get("fork_height", "height of that block", |world| {
        Ok(i64::from(world.info()?.fork_height))
    })
    .get("length", "blocks since that block", |world| {
        Ok(i64::from(
            world.height.saturating_sub(world.info()?.fork_height),
        ))
    })
    .get("first_seen", "unix seconds when its header came", |world| {
        Ok(world.info()?.first_seen as i64)
    })
    .get("reject_reason", "why it is invalid, if it is", |world| {
        Ok(world
            .info()?
            .reject_reason
            .map_or(Dynamic::UNIT, Dynamic::from))
    })
    .get("block", "its block", |world| {
        Ok(Dynamic::from(world.block()?))
    })
    .method1(
        "block_at(height)",
        "the block of its chain at a height",
        |world, height| {
            let index = as_index(&height, "a height")?;
            let open = world.context.world(&world.hash)?;
            let hash = u32::try_from(index)
                .ok()
                .and_then(|height| open.block_hash_at(height));
            let hash = hash.ok_or_else(|| {
                Fault::argument(format!("its chain ends at height {}", world.height))
            })?;
            Ok(Block::at(&world.context, &hash)?)
        },
    )
    .method1(
        "balance(script)",
        "what a script has in it",
        |world, script| Ok(BalanceValue::read(&world.context, &script, &world.hash)?),
    )
    .method1(
        "coins(script)",
        "the coins of a script in it",
        |world, script| -> Given<Array> {
            Ok(CoinValue::list(&world.context, &script, &world.hash, None)?)
        },
    )
    .method1(
        "coin(outpoint)",
        "the unspent coin at \"txid:vout\", or ()",
        |world, outpoint| {
            let outpoint = which_outpoint(&outpoint)?;
            Ok(CoinValue::find(&world.context, &world.hash, outpoint)?)
        },
    )
    .method1("tx(txid)", "a transaction of its chain", |world, txid| {
        let txid = which_transaction(&txid)?;
        Ok(Tx::find(&world.context, &world.hash, &txid)?)
    })
    .method1(
        "diff(other)",
        "what sets it and another world apart",
        |world, other| {
            let other = world.context.which_block(&other)?;
            Ok(DiffValue::read(&world.context, &world.hash, &other)?)
        },
    )
    .method1(
        "conflicts(other)",
        "the coins that it and another world spend in different transactions",
        |world, other| -> Given<Array> {
            let other = world.context.which_block(&other)?;
            Ok(ConflictValue::list(&world.context, &world.hash, &other)?)
        },
    )
    .method(
        "utxo_info()",
        "the figures of its whole set of coins; reads all of it",
        |world| Ok(SetValue::read(&world.context, &world.hash)?),
    );
}
