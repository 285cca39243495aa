//! Owns the judgement of a block that a miner proposes (BIP23).

use bitcoin::hex::FromHex;
use everett_ledger::ChainStatus;
use everett_ledger::decode::decode_block;

use crate::call::Call;
use crate::error::{DESERIALIZATION_ERROR, RpcError, TYPE_ERROR};
use crate::json::Json;
use crate::method::Answer;

/// What is wrong with the block, as BIP22 words it; `null` where nothing is.
pub(super) fn propose(call: &Call) -> Answer {
    let Json::Text(text) = call.arg(0).get("data") else {
        return Err(RpcError::new(
            TYPE_ERROR,
            "Missing data String key for proposal",
        ));
    };
    let undecodable = || RpcError::new(DESERIALIZATION_ERROR, "Block decode failed");
    let bytes = Vec::<u8>::from_hex(text).map_err(|_| undecodable())?;
    let (block, _) = decode_block(&bytes).map_err(|_| undecodable())?;
    if let Some(known) = call.ledger().block_info(&block.hash) {
        return Ok(Json::from(match known.status {
            ChainStatus::Active | ChainStatus::ValidFork => "duplicate",
            ChainStatus::Invalid => "duplicate-invalid",
            ChainStatus::ValidHeaders | ChainStatus::HeadersOnly => "duplicate-inconclusive",
        }));
    }
    let verdict = call.ledger().check_proposal(&call.world()?, &block, true)?;
    Ok(match verdict {
        Ok(()) => Json::Null,
        Err(reject) => Json::from(reject.reason.as_ref()),
    })
}
