//! Owns what moves the best chain by hand.

use everett_ledger::BlockError;

use super::known_block;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Blocks at the end of the chain that are kept, as in Core.
const MIN_BLOCKS_TO_KEEP: u32 = 288;

pub(super) static INVALIDATEBLOCK: Method = Method {
    name: "invalidateblock",
    category: Category::Hidden,
    about: "Takes a block and all that is built on it as invalid; the best of what is left becomes the best chain. To \
            read a rival chain, no block need be invalidated: ask it with at.",
    arguments: &[Argument::required(
        "blockhash",
        Kind::Text,
        "The hash of the block",
    )],
    result: "null    (json null)",
    at: false,
    run: Run::Write(invalidate_block),
};

fn invalidate_block(call: &Call) -> Answer {
    let info = known_block(call, 0, "blockhash")?;
    let mempool = call.handle().mempool();
    match mempool.undo_with(&info.hash, || call.ledger().invalidate_block(&info.hash))? {
        Ok(()) => Ok(Json::Null),
        Err(BlockError::Genesis) => Err(RpcError::misc("The genesis block cannot be invalidated")),
        Err(error) => Err(error.into()),
    }
}

pub(super) static RECONSIDERBLOCK: Method = Method {
    name: "reconsiderblock",
    category: Category::Hidden,
    about: "Forgets that a block, those below it and those on it are invalid, and looks at them again.",
    arguments: &[Argument::required(
        "blockhash",
        Kind::Text,
        "The hash of the block",
    )],
    result: "null    (json null)",
    at: false,
    run: Run::Write(reconsider_block),
};

fn reconsider_block(call: &Call) -> Answer {
    let info = known_block(call, 0, "blockhash")?;
    call.ledger().reconsider_block(&info.hash)?;
    Ok(Json::Null)
}

pub(super) static PRECIOUSBLOCK: Method = Method {
    name: "preciousblock",
    category: Category::Blockchain,
    about: "Takes a block as if it had come before others with the same work, until the node stops.",
    arguments: &[Argument::required(
        "blockhash",
        Kind::Text,
        "The hash of the block",
    )],
    result: "null    (json null)",
    at: false,
    run: Run::Write(precious_block),
};

fn precious_block(call: &Call) -> Answer {
    let info = known_block(call, 0, "blockhash")?;
    call.ledger().prefer_block(&info.hash)?;
    Ok(Json::Null)
}

pub(super) static PRUNEBLOCKCHAIN: Method = Method {
    name: "pruneblockchain",
    category: Category::Blockchain,
    about: "Deletes block files up to a height, as far as blocks at the end and those of live worlds allow.",
    arguments: &[Argument::required(
        "height",
        Kind::Number,
        "The height, or a time in unix seconds",
    )],
    result: "n    (numeric) The height of the last block that is deleted, or -1",
    at: false,
    run: Run::Write(prune_blockchain),
};

fn prune_blockchain(call: &Call) -> Answer {
    let ledger = call.ledger();
    if ledger.prune_target().is_none() {
        return Err(RpcError::misc(
            "Cannot prune blocks because node is not in prune mode.",
        ));
    }
    let height: i32 = call.int(0)?;
    let height =
        u32::try_from(height).map_err(|_| RpcError::parameter("Negative block height."))?;
    let best = ledger.best();
    if best.height() < MIN_BLOCKS_TO_KEEP {
        return Err(RpcError::misc("Blockchain is too short for pruning."));
    }
    if height > best.height() && height <= 1_000_000_000 {
        return Err(RpcError::parameter(
            "Blockchain is shorter than the attempted prune height.",
        ));
    }
    // The writer prunes by its target whenever it checkpoints; a height only asks it to do so now.
    ledger.checkpoint()?;
    Ok(Json::from(i64::from(ledger.pruned_below()) - 1))
}

pub(super) static SYNCWITHVALIDATIONINTERFACEQUEUE: Method = Method {
    name: "syncwithvalidationinterfacequeue",
    category: Category::Hidden,
    about: "Waits until the mempool stands at the best chain. A block is there for every other reader as soon as it is \
            accepted.",
    arguments: &[],
    result: "null    (json null)",
    at: false,
    run: Run::Read(|call| {
        call.handle().mempool().catch_up()?;
        Ok(Json::Null)
    }),
};
