//! Owns what is said of the chain as a whole, and of its heights.

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;

use super::answer::{Found, RestError};
use super::ask::{Ask, Format, hash, number};
use crate::blockchain::{GETBLOCKCHAININFO, GETDEPLOYMENTINFO};
use crate::json::object;

/// `getblockchaininfo`.
pub(super) fn info(ask: &Ask) -> Result<Found, RestError> {
    if ask.format != Format::Json {
        return Err(RestError::json_only());
    }
    ask.world()?;
    Ok(Found::json(&ask.method(&GETBLOCKCHAININFO, Vec::new())?))
}

/// `getdeploymentinfo`, at a block of any branch.
pub(super) fn deployments(ask: &Ask) -> Result<Found, RestError> {
    if ask.format != Format::Json {
        return Err(RestError::json_only());
    }
    let mut places = Vec::new();
    if !ask.argument.is_empty() {
        let wanted: BlockHash = hash(&ask.argument)?;
        if ask.ledger().header(&wanted).is_none() {
            return Err(RestError::bad("Block not found"));
        }
        places.push(ask.argument.as_str().into());
    }
    ask.world()?;
    Ok(Found::json(&ask.method(&GETDEPLOYMENTINFO, places)?))
}

/// What may stand in a path; the rest is left out where one is repeated.
fn is_safe(character: &char) -> bool {
    character.is_ascii_alphanumeric() || "!*'();:@&=+$,/?#[]-_.~%".contains(*character)
}

/// The hash of the block at a height.
pub(super) fn hash_by_height(ask: &Ask) -> Result<Found, RestError> {
    let wanted = number::<i32>(&ask.argument).and_then(|height| u32::try_from(height).ok());
    let height = wanted.ok_or_else(|| {
        let shown: String = ask.argument.chars().filter(is_safe).collect();
        RestError::bad(format!("Invalid height: {shown}"))
    })?;
    let hash = ask
        .world()?
        .block_hash_at(height)
        .ok_or_else(|| RestError::not_found("Block height out of range"))?;
    match ask.format {
        Format::Binary => Ok(Found::bytes(hash.to_byte_array().to_vec())),
        // Displayed, so the other way round than the bytes are.
        Format::Hex => Ok(Found::line(hash.to_string())),
        Format::Json => Ok(Found::json(&object! { "blockhash" => hash })),
        Format::Undefined => Err(RestError::no_format()),
    }
}
