//! Owns how a header and a block are shown.

use bitcoin::block::Header;
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, CompactTarget, Network, Target};
use everett_ledger::{BlockInfo, World};

use super::transaction::{Spent, Verbosity, transaction_json};
use crate::json::{Json, object};

/// How many times harder than the easiest target of mainnet.
pub(crate) fn difficulty(bits: CompactTarget) -> f64 {
    let bits = bits.to_consensus();
    let mut difficulty = f64::from(0xffff_u32) / f64::from(bits & 0x00ff_ffff);
    let exponent = bits >> 24;
    for _ in exponent..29 {
        difficulty *= 256.0;
    }
    for _ in 29..exponent {
        difficulty /= 256.0;
    }
    difficulty
}

/// The target that a header had to meet.
pub(crate) fn target_hex(bits: CompactTarget) -> String {
    format!("{:064x}", Target::from_compact(bits))
}

/// A version in hexadecimal.
pub(crate) fn version_hex(header: &Header) -> String {
    format!("{:08x}", header.version.to_consensus())
}

/// A header, seen from a world.
pub(crate) fn header_json(info: &BlockInfo, world: &World) -> Json {
    let header = &info.header;
    let holds = world.block_hash_at(info.height) == Some(info.hash);
    let confirmations = match holds {
        true => i64::from(world.height()) - i64::from(info.height) + 1,
        false => -1,
    };
    let mut json = object! {
        "hash" => info.hash,
        "confirmations" => confirmations,
        "height" => info.height,
        "version" => header.version.to_consensus(),
        "versionHex" => version_hex(header),
        "merkleroot" => header.merkle_root,
        "time" => header.time,
        "mediantime" => info.median_time_past,
        "nonce" => header.nonce,
        "bits" => format!("{:08x}", header.bits.to_consensus()),
        "target" => target_hex(header.bits),
        "difficulty" => difficulty(header.bits),
        "chainwork" => info.chainwork,
        "nTx" => info.tx_count,
    };
    if info.height > 0 {
        json.push("previousblockhash", header.prev_blockhash);
    }
    let next = holds
        .then(|| world.block_hash_at(info.height + 1))
        .flatten();
    json.push_some("nextblockhash", next);
    json
}

/// What stands in a coinbase besides its outputs.
fn coinbase_json(block: &Block) -> Json {
    let Some(coinbase) = block.txdata.first() else {
        return Json::Object(Vec::new());
    };
    let mut json = object! {
        "version" => coinbase.version.0 as u32,
        "locktime" => coinbase.lock_time.to_consensus_u32(),
    };
    if let Some(input) = coinbase.input.first() {
        json.push("sequence", input.sequence.to_consensus_u32());
        json.push(
            "coinbase",
            input.script_sig.as_bytes().to_lower_hex_string(),
        );
        let witness = input.witness.nth(0).map(|item| item.to_lower_hex_string());
        json.push_some("witness", witness);
    }
    json
}

/// A block, seen from a world: with the ids of its transactions, or with `details` all of them and what they spend.
pub(crate) fn block_json(
    info: &BlockInfo,
    block: &Block,
    world: &World,
    network: Network,
    details: Option<(Verbosity, &[Option<Vec<Spent>>])>,
) -> Json {
    let mut json = header_json(info, world);
    let size = block.total_size();
    let weight = block.weight().to_wu();
    // Each byte weighs four, but one of a witness weighs one.
    let stripped = (weight.saturating_sub(size as u64)) / 3;
    json.push("strippedsize", stripped);
    json.push("size", size);
    json.push("weight", weight);
    json.push("coinbase_tx", coinbase_json(block));
    let transactions: Json = match details {
        None => block
            .txdata
            .iter()
            .map(|transaction| transaction.compute_txid())
            .collect(),
        Some((verbosity, spent)) => block
            .txdata
            .iter()
            .enumerate()
            .map(|(index, transaction)| {
                let spent = spent.get(index).and_then(|spent| spent.as_deref());
                transaction_json(transaction, network, spent, verbosity, true)
            })
            .collect(),
    };
    json.push("tx", transactions);
    json
}
