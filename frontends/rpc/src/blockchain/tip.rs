//! Owns the questions about a chain's end and its blocks by height.

use crate::call::Call;
use crate::error::RpcError;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::difficulty;

pub(super) static GETBESTBLOCKHASH: Method = Method {
    name: "getbestblockhash",
    category: Category::Blockchain,
    about: "The hash of the block at the end of the valid chain with the most work.",
    arguments: &[],
    result: "\"hex\"    (string) The hash of the block",
    at: true,
    run: Run::Read(best_block_hash),
};

fn best_block_hash(call: &Call) -> Answer {
    Ok(call.world()?.hash().into())
}

pub(super) static GETBLOCKCOUNT: Method = Method {
    name: "getblockcount",
    category: Category::Blockchain,
    about: "The height of the valid chain with the most work; the genesis block has height 0.",
    arguments: &[],
    result: "n    (numeric) The height",
    at: true,
    run: Run::Read(block_count),
};

fn block_count(call: &Call) -> Answer {
    Ok(call.world()?.height().into())
}

pub(super) static GETBLOCKHASH: Method = Method {
    name: "getblockhash",
    category: Category::Blockchain,
    about: "The hash of the block at a height of the chain.",
    arguments: &[Argument::required("height", Kind::Number, "The height")],
    result: "\"hex\"    (string) The hash of the block",
    at: true,
    run: Run::Read(block_hash),
};

fn block_hash(call: &Call) -> Answer {
    let height: i32 = call.int(0)?;
    let world = call.world()?;
    let hash = u32::try_from(height)
        .ok()
        .and_then(|height| world.block_hash_at(height));
    hash.map(Into::into)
        .ok_or_else(|| RpcError::parameter("Block height out of range"))
}

pub(super) static GETDIFFICULTY: Method = Method {
    name: "getdifficulty",
    category: Category::Blockchain,
    about: "How many times harder the chain's last block was to find than the easiest one.",
    arguments: &[],
    result: "n    (numeric) The difficulty",
    at: true,
    run: Run::Read(tip_difficulty),
};

fn tip_difficulty(call: &Call) -> Answer {
    Ok(difficulty(call.world()?.header().bits).into())
}
