//! Owns the guess at how many hashes a second the network tries.

use bitcoin::Work;
use everett_ledger::World;

use crate::call::Call;
use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Blocks that are looked at unless another number is given.
const DEFAULT_BLOCKS: i32 = 120;

pub(super) static GETNETWORKHASHPS: Method = Method {
    name: "getnetworkhashps",
    category: Category::Mining,
    about: "How many hashes a second the blocks of late took, as their times say.",
    arguments: &[
        Argument::default(
            "nblocks",
            Kind::Number,
            "120",
            "How many blocks to look at; -1: those since the target changed",
        ),
        Argument::default(
            "height",
            Kind::Number,
            "-1",
            "The last block to look at; -1: the chain's last one",
        ),
    ],
    result: "n    (numeric) Hashes a second",
    at: true,
    run: Run::Read(network_hash_rate),
};

fn network_hash_rate(call: &Call) -> Answer {
    let blocks = call.int_or(0, DEFAULT_BLOCKS)?;
    let height = call.int_or(1, -1)?;
    hash_rate(call, &call.world()?, blocks, height)
}

/// The guess for the last 120 blocks of a world.
pub(super) fn recent_hash_rate(call: &Call, world: &World) -> Answer {
    hash_rate(call, world, DEFAULT_BLOCKS, -1)
}

fn hash_rate(call: &Call, world: &World, blocks: i32, height: i32) -> Answer {
    if blocks < -1 || blocks == 0 {
        return Err(RpcError::parameter(
            "Invalid nblocks. Must be a positive number or -1.",
        ));
    }
    let unknown = || RpcError::parameter("Block does not exist at specified height");
    let last = match u32::try_from(height) {
        Ok(height) if height > world.height() => return Err(unknown()),
        Ok(height) => height,
        Err(_) if height < -1 => return Err(unknown()),
        Err(_) => world.height(),
    };
    if last == 0 {
        return Ok(Json::from(0));
    }
    let blocks = match u32::try_from(blocks) {
        Ok(blocks) => blocks,
        Err(_) => last % call.ledger().params().difficulty_interval() + 1,
    };
    let first = last - blocks.min(last);
    let hash = world.hash();
    let header = |height| call.ledger().ancestor(&hash, height).ok_or_else(unknown);
    let (mut earliest, mut latest) = (u32::MAX, 0);
    for height in first..=last {
        if !call.goes_on() {
            return Err(everett_ledger::ReadError::Cancelled.into());
        }
        let time = header(height)?.header.time;
        earliest = earliest.min(time);
        latest = latest.max(time);
    }
    if earliest >= latest {
        return Ok(Json::from(0));
    }
    let work = header(last)?.chainwork - header(first)?.chainwork;
    Ok(Json::from(as_real(work) / f64::from(latest - earliest)))
}

/// A number of hashes as a float, rounded the way Core rounds it: from the lowest 32 bits up.
fn as_real(work: Work) -> f64 {
    let mut sum = 0.0;
    let mut factor = 1.0;
    for part in work.to_le_bytes().chunks_exact(4) {
        let part = part.try_into().map_or(0, u32::from_le_bytes);
        sum += factor * f64::from(part);
        factor *= 4_294_967_296.0;
    }
    sum
}
