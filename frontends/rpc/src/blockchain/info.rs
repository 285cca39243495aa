//! Owns what is said of the chain as a whole.

use bitcoin::hex::DisplayHex;
use everett_ledger::{Network, World};

use super::chain_stats::transactions_up_to;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Category, Method, Run};
use crate::show::{difficulty, target_hex};

/// A tip this close to now counts as now.
const NEAR: u64 = 2 * 3600;

pub(crate) static GETBLOCKCHAININFO: Method = Method {
    name: "getblockchaininfo",
    category: Category::Blockchain,
    about: "Where the chain is, and how far the node has caught up with it.",
    arguments: &[],
    result: "{...}    (json object) chain, blocks, headers, bestblockhash, bits, target, difficulty, time, mediantime, \
             verificationprogress, initialblockdownload, chainwork, size_on_disk, pruned, warnings",
    at: true,
    run: Run::Read(blockchain_info),
};

/// Core's name of a network.
pub(crate) fn chain_name(network: Network) -> &'static str {
    match network {
        Network::Mainnet => "main",
        Network::Testnet3 => "test",
        Network::Testnet4 => "testnet4",
        Network::Signet => "signet",
        Network::Regtest => "regtest",
    }
}

/// When, how many transactions there were, and how many come a second.
fn transaction_rate(call: &Call) -> (u64, u64, f64) {
    let params = call.ledger().params();
    let known = everett_ledger::Params::new(params.network);
    match params.network {
        Network::Mainnet => (1_772_055_173, 1_315_805_869, 5.401_110_064_961_22),
        Network::Testnet3 => (1_772_051_651, 536_108_416, 0.026_914_790_162_571_17),
        Network::Testnet4 => (1_772_013_387, 14_191_421, 0.018_485_795_795_284_12),
        Network::Signet if params.signet_challenge == known.signet_challenge => {
            (1_772_055_248, 28_676_833, 0.067_366_234_363_389_29)
        }
        Network::Signet => (0, 0, 0.0),
        Network::Regtest => (0, 0, 0.001),
    }
}

/// Which part of all transactions up to now the chain holds, as far as one can guess.
fn progress(call: &Call, world: &World) -> Result<f64, RpcError> {
    let Some(count) = transactions_up_to(call, &world.hash())? else {
        return Ok(0.0);
    };
    let (time, known, rate) = transaction_rate(call);
    let now = call.ledger().clock().now();
    let mut block_time = u64::from(world.header().time);
    let best_header = call.ledger().best_header();
    if best_header.height == world.height() && now.abs_diff(block_time) <= NEAR {
        block_time = now;
    }
    let since = |start: u64| (now as f64 - start as f64) * rate;
    let total = match count <= known {
        true => known as f64 + since(time),
        false => count as f64 + since(block_time),
    };
    let part = count as f64 / total;
    Ok(if part.is_finite() { part.min(1.0) } else { 1.0 })
}

/// Whether the node is still catching up; once it has, it is for good.
pub(crate) fn is_catching_up(call: &Call) -> bool {
    call.site.handle.initial_download()
}

fn blockchain_info(call: &Call) -> Answer {
    let ledger = call.ledger();
    let world = call.world()?;
    let header = world.header();
    let params = ledger.params();
    let mut json = object! {
        "chain" => chain_name(params.network),
        "blocks" => world.height(),
        "headers" => ledger.best_header().height,
        "bestblockhash" => world.hash(),
        "bits" => format!("{:08x}", header.bits.to_consensus()),
        "target" => target_hex(header.bits),
        "difficulty" => difficulty(header.bits),
        "time" => header.time,
        "mediantime" => world.median_time_past(),
        "verificationprogress" => progress(call, &world)?,
        "initialblockdownload" => is_catching_up(call),
        "chainwork" => world.chainwork(),
        "size_on_disk" => ledger.block_file_bytes()?,
        "pruned" => ledger.prune_target().is_some(),
    };
    if let Some(target) = ledger.prune_target() {
        json.push("pruneheight", ledger.pruned_below());
        json.push("automatic_pruning", true);
        json.push("prune_target_size", target);
    }
    if let Some(challenge) = &params.signet_challenge {
        json.push("signet_challenge", challenge.to_lower_hex_string());
    }
    json.push("warnings", Json::Array(Vec::new()));
    Ok(json)
}

pub(super) static GETCHAINSTATES: Method = Method {
    name: "getchainstates",
    category: Category::Blockchain,
    about: "The chain states that are validated; there is one, whose coins cover every live world.",
    arguments: &[],
    result: "{\"headers\", \"chainstates\": [...]}    (json object) The height of the headers, and the chain state",
    at: true,
    run: Run::Read(chain_states),
};

fn chain_states(call: &Call) -> Answer {
    let ledger = call.ledger();
    let world = call.world()?;
    let header = world.header();
    let state = object! {
        "blocks" => world.height(),
        "bestblockhash" => world.hash(),
        "bits" => format!("{:08x}", header.bits.to_consensus()),
        "target" => target_hex(header.bits),
        "difficulty" => difficulty(header.bits),
        "verificationprogress" => progress(call, &world)?,
        "coins_db_cache_bytes" => 0,
        "coins_tip_cache_bytes" => ledger.stats()?.overlay_bytes,
        "validated" => true,
    };
    Ok(object! {
        "headers" => ledger.best_header().height,
        "chainstates" => vec![state],
    })
}
