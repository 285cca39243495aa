//! Owns the counts of transactions along a chain.

use bitcoin::BlockHash;

use super::known_block;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::object;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// A month, in seconds.
const MONTH: u32 = 30 * 24 * 3600;

pub(super) static GETCHAINTXSTATS: Method = Method {
    name: "getchaintxstats",
    category: Category::Blockchain,
    about: "How many transactions a chain has, and how fast they came in its last blocks.",
    arguments: &[
        Argument::optional(
            "nblocks",
            Kind::Number,
            "How many blocks to look at; without, those of a month",
        ),
        Argument::optional(
            "blockhash",
            Kind::Text,
            "The last of them; without, the chain's last one",
        ),
    ],
    result: "{...}    (json object) time, txcount, window_final_block_hash, window_final_block_height, \
             window_block_count, window_interval, window_tx_count, txrate",
    at: true,
    run: Run::Read(chain_tx_stats),
};

/// Transactions of a chain up to a block; `None` where a block on the way has not come.
pub(super) fn transactions_up_to(call: &Call, hash: &BlockHash) -> Result<Option<u64>, RpcError> {
    let ledger = call.ledger();
    let mut counts = call.site.counts.lock();
    let mut sum = 0_u64;
    let mut at = *hash;
    loop {
        if let Some(known) = counts.get(&at) {
            sum += known;
            break;
        }
        if !call.goes_on() {
            return Err(everett_ledger::ReadError::Cancelled.into());
        }
        let info = ledger
            .block_info(&at)
            .ok_or_else(|| RpcError::not_found("Block not found"))?;
        if info.tx_count == 0 {
            return Ok(None);
        }
        sum += u64::from(info.tx_count);
        if info.height == 0 {
            break;
        }
        at = info.header.prev_blockhash;
    }
    counts.insert(*hash, sum);
    Ok(Some(sum))
}

fn chain_tx_stats(call: &Call) -> Answer {
    let ledger = call.ledger();
    let world = call.world()?;
    let last = match call.maybe(1) {
        None => ledger
            .block_info(&world.hash())
            .ok_or_else(|| RpcError::not_found("Block not found"))?,
        Some(_) => {
            let info = known_block(call, 1, "blockhash")?;
            if world.block_hash_at(info.height) != Some(info.hash) {
                return Err(RpcError::parameter("Block is not in main chain"));
            }
            info
        }
    };
    let below = last.height.saturating_sub(1);
    let blocks = match call.maybe(0) {
        None => (MONTH / ledger.params().target_spacing).min(below),
        Some(value) => {
            let blocks: i32 = value.int()?;
            let fits = u32::try_from(blocks).ok();
            fits.filter(|blocks| *blocks == 0 || *blocks < last.height)
                .ok_or_else(|| {
                    RpcError::parameter(
                        "Invalid block count: should be between 0 and the block's height - 1",
                    )
                })?
        }
    };
    let first = ledger
        .ancestor(&last.hash, last.height - blocks)
        .ok_or_else(|| RpcError::not_found("Block not found"))?;
    let count = transactions_up_to(call, &last.hash)?;
    let mut json = object! { "time" => last.header.time };
    json.push_some("txcount", count);
    json.push("window_final_block_hash", last.hash);
    json.push("window_final_block_height", last.height);
    json.push("window_block_count", blocks);
    if blocks > 0 {
        let interval = i64::from(last.median_time_past) - i64::from(first.median_time_past);
        json.push("window_interval", interval);
        if let (Some(count), Some(before)) = (count, transactions_up_to(call, &first.hash)?) {
            let window = count - before;
            json.push("window_tx_count", window);
            if interval > 0 {
                json.push("txrate", window as f64 / interval as f64);
            }
        }
    }
    Ok(json)
}
