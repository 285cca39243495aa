//! Owns the functions that scripts begin with: worlds, blocks, transactions, balances, comparisons.
//! Promises that `at`, wherever it stands, may be left out and is then the best world.
//! Refuses to make up an answer: what is not there yet says so.

mod help;
mod peers;
mod wallet;
mod write;

use std::time::Duration;

use bitcoin::hex::FromHex;
use everett_proto::v1::ErrorReason;
use rhai::{Array, Dynamic, Engine};

use crate::book::Book;
use crate::context::Ctx;
use crate::fault::{Fault, Given};
use crate::show::btc;
use crate::value::{
    BalanceValue, Block, CoinValue, ConflictValue, DiffValue, SetValue, StatsValue, Tx, WorldValue,
};
use crate::which::{as_height, as_index, which_transaction};

/// Makes all functions known to an engine.
pub(crate) fn register(engine: &mut Engine, book: &Book, context: &Ctx) {
    chains(engine, book, context);
    blocks(engine, book, context);
    transactions(engine, book, context);
    balances(engine, book, context);
    comparisons(engine, book, context);
    node(engine, book, context);
    peers::register(engine, book, context);
    wallet::register(engine, book, context);
    write::register(engine, book, context);
    help::register(engine, book);
}

fn chains(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function("worlds()", "every tip of every branch, the best one first");
    let of = context.clone();
    engine.register_fn("worlds", move || -> Given<Array> {
        let tips = of.ledger.tips();
        let world = |tip| Dynamic::from(WorldValue::of_tip(&of, tip));
        Ok(tips.iter().map(world).collect())
    });
    book.function("best()", "the best world");
    let of = context.clone();
    engine.register_fn("best", move || WorldValue::best(&of));
    book.function(
        "world(at)",
        "the world at a block, by hash or by height of the best chain",
    );
    let of = context.clone();
    engine.register_fn("world", move |at: Dynamic| -> Given<WorldValue> {
        Ok(WorldValue::at(&of, &of.which_block(&at)?)?)
    });
}

fn blocks(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function("by_num(height)", "all blocks at a height, on every branch");
    let of = context.clone();
    engine.register_fn("by_num", move |height: i64| -> Given<Array> {
        let blocks = of.ledger.blocks_at_height(as_height(height)?);
        let block = |info| Dynamic::from(Block::of_info(&of, info));
        Ok(blocks.iter().map(block).collect())
    });
    book.function(
        "block(at)",
        "a block, by hash on any branch or by height of the best chain",
    );
    let of = context.clone();
    engine.register_fn("block", move |at: Dynamic| -> Given<Block> {
        Ok(Block::at(&of, &of.which_block(&at)?)?)
    });
    book.function("orphans()", "the blocks that wait for their parents");
    let of = context.clone();
    engine.register_fn("orphans", move || -> Array {
        let orphan = |orphan: everett_ledger::OrphanInfo| {
            let mut map = rhai::Map::new();
            map.insert("hash".into(), orphan.hash.to_string().into());
            map.insert("previous_hash".into(), orphan.previous.to_string().into());
            Dynamic::from(map)
        };
        of.ledger.orphans().into_iter().map(orphan).collect()
    });
}

fn transactions(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function("tx(txid)", "a transaction of the best chain");
    let of = context.clone();
    engine.register_fn("tx", move |txid: Dynamic| -> Given<Tx> {
        Ok(Tx::find(
            &of,
            &of.ledger.best().hash(),
            &which_transaction(&txid)?,
        )?)
    });
    book.function("tx(txid, at)", "a transaction of the chain of a world");
    let of = context.clone();
    engine.register_fn("tx", move |txid: Dynamic, at: Dynamic| -> Given<Tx> {
        Ok(Tx::find(
            &of,
            &of.which_block(&at)?,
            &which_transaction(&txid)?,
        )?)
    });
    book.function(
        "decode(hex)",
        "a transaction from its bytes; it verifies in the best world",
    );
    let of = context.clone();
    engine.register_fn("decode", move |hex: &str| -> Given<Tx> {
        let bytes = Vec::<u8>::from_hex(hex.trim())
            .map_err(|error| Fault::argument(format!("it is not hexadecimal: {error}")))?;
        Ok(Tx::decode(&of, &bytes)?)
    });
}

fn balances(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function(
        "balance(script)",
        "what a script has in the best world: an address, hex, or a script hash",
    );
    let of = context.clone();
    engine.register_fn("balance", move |script: Dynamic| -> Given<BalanceValue> {
        Ok(BalanceValue::read(&of, &script, &of.ledger.best().hash())?)
    });
    book.function("balance(script, at)", "what it has in the world at a block");
    let of = context.clone();
    engine.register_fn(
        "balance",
        move |script: Dynamic, at: Dynamic| -> Given<BalanceValue> {
            Ok(BalanceValue::read(&of, &script, &of.which_block(&at)?)?)
        },
    );
    book.function("coins(script)", "the coins of a script in the best world");
    let of = context.clone();
    engine.register_fn("coins", move |script: Dynamic| -> Given<Array> {
        Ok(CoinValue::list(
            &of,
            &script,
            &of.ledger.best().hash(),
            None,
        )?)
    });
    book.function("coins(script, at)", "its coins in the world at a block");
    let of = context.clone();
    engine.register_fn(
        "coins",
        move |script: Dynamic, at: Dynamic| -> Given<Array> {
            Ok(CoinValue::list(&of, &script, &of.which_block(&at)?, None)?)
        },
    );
    book.function("coins(script, at, limit)", "at most so many of them");
    let of = context.clone();
    engine.register_fn(
        "coins",
        move |script: Dynamic, at: Dynamic, limit: Dynamic| -> Given<Array> {
            let limit = as_index(&limit, "a limit")?;
            Ok(CoinValue::list(
                &of,
                &script,
                &of.which_block(&at)?,
                Some(limit),
            )?)
        },
    );
    book.function(
        "utxo_info()",
        "the figures of the best world's whole set of coins; reads all of it",
    );
    let of = context.clone();
    engine.register_fn("utxo_info", move || -> Given<SetValue> {
        Ok(SetValue::read(&of, &of.ledger.best().hash())?)
    });
    book.function("utxo_info(at)", "the same in the world at a block");
    let of = context.clone();
    engine.register_fn("utxo_info", move |at: Dynamic| -> Given<SetValue> {
        Ok(SetValue::read(&of, &of.which_block(&at)?)?)
    });
    book.function("btc(sat)", "an amount of satoshis in bitcoin, as text");
    engine.register_fn("btc", btc);
}

fn comparisons(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function(
        "diff(a, b)",
        "what sets two worlds apart: blocks, coins, balances",
    );
    let of = context.clone();
    engine.register_fn("diff", move |a: Dynamic, b: Dynamic| -> Given<DiffValue> {
        Ok(DiffValue::read(
            &of,
            &of.which_block(&a)?,
            &of.which_block(&b)?,
        )?)
    });
    book.function(
        "conflicts(a, b)",
        "the coins that two worlds spend in different transactions",
    );
    let of = context.clone();
    engine.register_fn("conflicts", move |a: Dynamic, b: Dynamic| -> Given<Array> {
        Ok(ConflictValue::list(
            &of,
            &of.which_block(&a)?,
            &of.which_block(&b)?,
        )?)
    });
}

fn node(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function("stats()", "the ledger's figures about itself");
    let of = context.clone();
    engine.register_fn("stats", move || -> Given<StatsValue> {
        Ok(StatsValue::read(&of)?)
    });
    book.function(
        "sleep(seconds)",
        "waits, at most as long as the script may run",
    );
    let of = context.clone();
    engine.register_fn("sleep", move |seconds: i64| -> Given<()> {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        Ok(of.patience.sleep(Duration::from_secs(seconds))?)
    });
    let of = context.clone();
    engine.register_fn("sleep", move |seconds: f64| -> Given<()> {
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
        Ok(of.patience.sleep(time)?)
    });
    book.function("fail(message)", "ends the script with an error of your own");
    engine.register_fn("fail", |message: &str| -> Given<()> {
        Err(Fault::new(ErrorReason::InvalidArgument, message).into())
    });
}
