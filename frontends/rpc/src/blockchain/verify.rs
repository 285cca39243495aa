//! Owns the second look at blocks that were accepted.

use everett_ledger::decode::decode_block;
use everett_ledger::rules::block::check_block;
use everett_ledger::rules::script_check::ScriptsAssumedValid;

use super::block::{read_block, spent};
use crate::call::Call;
use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// What is checked unless it is said.
const DEFAULT_LEVEL: i32 = 3;
/// How many blocks are checked unless it is said.
const DEFAULT_BLOCKS: i32 = 6;

pub(super) static VERIFYCHAIN: Method = Method {
    name: "verifychain",
    category: Category::Blockchain,
    about: "Checks the last blocks of the chain once more. Level 0 reads them, 1 checks what a block has to be by \
            itself, 2 and above that what it spends is known and is not less than it pays.",
    arguments: &[
        Argument::optional(
            "checklevel",
            Kind::Number,
            "How thoroughly, 0 to 4 (default 3)",
        ),
        Argument::optional(
            "nblocks",
            Kind::Number,
            "How many blocks, 0 for all (default 6)",
        ),
    ],
    result: "true|false    (boolean) Whether all of it is as it should be",
    at: true,
    run: Run::Read(verify_chain),
};

fn verify_chain(call: &Call) -> Answer {
    let level: i32 = call.int_or(0, DEFAULT_LEVEL)?;
    let blocks: i32 = call.int_or(1, DEFAULT_BLOCKS)?;
    let world = call.world()?;
    let blocks = match u32::try_from(blocks) {
        Ok(blocks) if blocks > 0 => blocks.min(world.height()),
        _ => world.height(),
    };
    for height in (world.height() - blocks + 1..=world.height()).rev() {
        if !call.goes_on() {
            return Err(everett_ledger::ReadError::Cancelled.into());
        }
        if !is_sound(call, &world, height, level)? {
            return Ok(Json::Bool(false));
        }
    }
    Ok(Json::Bool(true))
}

fn is_sound(
    call: &Call,
    world: &everett_ledger::World,
    height: u32,
    level: i32,
) -> Result<bool, RpcError> {
    let ledger = call.ledger();
    let Some(info) = world
        .block_hash_at(height)
        .and_then(|hash| ledger.block_info(&hash))
    else {
        return Ok(false);
    };
    if height < ledger.pruned_below() {
        return Ok(true);
    }
    let bytes = ledger.block_bytes(&info.hash)?;
    let Ok((decoded, _)) = decode_block(&bytes) else {
        return Ok(false);
    };
    if decoded.hash != info.hash {
        return Ok(false);
    }
    if level >= 1 && check_block(&decoded, ledger.params(), &ScriptsAssumedValid).is_err() {
        return Ok(false);
    }
    if level < 2 {
        return Ok(true);
    }
    let block = read_block(&info.hash, &bytes)?;
    let spent = spent(call, &info, &block)?;
    let pays = block
        .txdata
        .iter()
        .zip(&spent)
        .skip(1)
        .all(|(transaction, spent)| {
            let Some(spent) = spent else { return false };
            let taken: u64 = spent.iter().map(|coin| coin.amount.to_sat()).sum();
            let given: u64 = transaction
                .output
                .iter()
                .map(|output| output.value.to_sat())
                .sum();
            taken >= given
        });
    Ok(pays && spent.len() == block.txdata.len())
}
