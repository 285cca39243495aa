//! Owns the methods about the chain and its coins.
//! Promises that those which read the chain take `at`: they answer for any live world, and leave the best one alone.

mod activity;
mod block;
mod block_stats;
mod chain_stats;
mod coins;
mod deployments;
mod dump;
mod fetch;
mod filter;
mod info;
mod proof;
mod scan;
mod scan_blocks;
mod steer;
mod submit;
mod tip;
mod tips;
mod verify;
mod wait;

use everett_ledger::BlockInfo;

pub(crate) use block::{GETBLOCK, read_block, spent, verbosity};
pub(crate) use deployments::GETDEPLOYMENTINFO;
pub(crate) use filter::FilterHeaders;
pub(crate) use info::{GETBLOCKCHAININFO, chain_name, is_catching_up};

use crate::call::{Call, parse_block_hash};
use crate::error::RpcError;
use crate::json::Json;
use crate::method::Method;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &activity::GETDESCRIPTORACTIVITY,
    &block::GETBLOCK,
    &block::GETBLOCKHEADER,
    &block_stats::GETBLOCKSTATS,
    &chain_stats::GETCHAINTXSTATS,
    &coins::GETTXOUT,
    &coins::GETTXOUTSETINFO,
    &deployments::GETDEPLOYMENTINFO,
    &dump::DUMPTXOUTSET,
    &fetch::GETBLOCKFROMPEER,
    &fetch::LOADTXOUTSET,
    &filter::GETBLOCKFILTER,
    &info::GETBLOCKCHAININFO,
    &info::GETCHAINSTATES,
    &proof::GETTXOUTPROOF,
    &proof::VERIFYTXOUTPROOF,
    &scan::SCANTXOUTSET,
    &scan_blocks::SCANBLOCKS,
    &steer::INVALIDATEBLOCK,
    &steer::PRECIOUSBLOCK,
    &steer::PRUNEBLOCKCHAIN,
    &steer::RECONSIDERBLOCK,
    &steer::SYNCWITHVALIDATIONINTERFACEQUEUE,
    &submit::SUBMITBLOCK,
    &submit::SUBMITHEADER,
    &tip::GETBESTBLOCKHASH,
    &tip::GETBLOCKCOUNT,
    &tip::GETBLOCKHASH,
    &tip::GETDIFFICULTY,
    &tips::GETCHAINTIPS,
    &verify::VERIFYCHAIN,
    &wait::WAITFORBLOCK,
    &wait::WAITFORBLOCKHEIGHT,
    &wait::WAITFORNEWBLOCK,
];

/// What the tree knows of a block that a caller named.
fn known_block(call: &Call, place: usize, name: &str) -> Result<BlockInfo, RpcError> {
    let hash = call.block_hash(place, name)?;
    let info = call.ledger().block_info(&hash);
    info.ok_or_else(|| RpcError::not_found("Block not found"))
}

/// A block named by its hash, or by its height on the chain of the world that is asked.
fn block_or_height(call: &Call, place: usize) -> Result<BlockInfo, RpcError> {
    find_block_or_height(call, call.arg(place))
}

fn find_block_or_height(call: &Call, wanted: &Json) -> Result<BlockInfo, RpcError> {
    if !matches!(wanted, Json::Number(_)) {
        let hash = parse_block_hash(wanted, "hash_or_height")?;
        let info = call.ledger().block_info(&hash);
        return info.ok_or_else(|| RpcError::not_found("Block not found"));
    }
    let height: i32 = wanted.int()?;
    let world = call.world()?;
    let wanted = u32::try_from(height)
        .map_err(|_| RpcError::parameter(format!("Target block height {height} is negative")))?;
    let hash = world.block_hash_at(wanted).ok_or_else(|| {
        RpcError::parameter(format!(
            "Target block height {height} after current tip {}",
            world.height()
        ))
    })?;
    let info = call.ledger().block_info(&hash);
    info.ok_or_else(|| RpcError::not_found("Block not found"))
}
