//! Owns the blocks: whole, in part, and what they spend. Those of any branch are found.

use bitcoin::VarInt;
use bitcoin::consensus::Encodable;
use bitcoin::consensus::encode::serialize;
use bitcoin::hex::DisplayHex;
use everett_ledger::BlockError;

use super::answer::{Found, RestError};
use super::ask::{Ask, Format, number};
use crate::blockchain::{GETBLOCK, read_block, spent};
use crate::json::{Json, object};
use crate::show::{Spent, script_json};

/// A block, its JSON with whole transactions and what they spend.
pub(super) fn with_details(ask: &Ask) -> Result<Found, RestError> {
    block(ask, 3)
}

/// A block, its JSON with the ids of transactions.
pub(super) fn without_details(ask: &Ask) -> Result<Found, RestError> {
    block(ask, 1)
}

fn bytes(ask: &Ask) -> Result<Vec<u8>, RestError> {
    let hash = ask.block_hash()?;
    let name = &ask.argument;
    let missing = |why: &str| RestError::not_found(format!("{name} not {why}"));
    match ask.ledger().block_bytes(&hash) {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(BlockError::Unknown { .. }) => Err(missing("found")),
        Err(BlockError::Pruned { .. }) => Err(missing("available (pruned data)")),
        Err(BlockError::HeaderOnly { .. }) => Err(missing("available (not fully downloaded)")),
        Err(_) => Err(RestError::broken(format!("I/O error reading {name}"))),
    }
}

fn block(ask: &Ask, verbosity: i32) -> Result<Found, RestError> {
    let bytes = bytes(ask)?;
    Found::encode(
        ask.format,
        || bytes,
        || {
            // The method takes them in lower case as well as this does.
            let places = vec![ask.argument.as_str().into(), verbosity.into()];
            ask.world()?;
            Ok(ask.method(&GETBLOCK, places)?)
        },
    )
}

/// Some bytes of a block.
pub(super) fn part(ask: &Ask) -> Result<Found, RestError> {
    let parameter = |name: &str| {
        let value = ask.parameter(name).unwrap_or_default();
        number::<u64>(&value)
            .ok_or_else(|| RestError::bad(format!("Block part {name} missing or invalid")))
    };
    let offset = parameter("offset")?;
    let size = parameter("size")?;
    let bytes = bytes(ask)?;
    let range = usize::try_from(offset)
        .ok()
        .zip(usize::try_from(size).ok())
        .filter(|(_, size)| *size > 0)
        .and_then(|(offset, size)| Some(offset..offset.checked_add(size)?));
    let part = range.and_then(|range| bytes.get(range)).ok_or_else(|| {
        let name = &ask.argument;
        RestError::bad(format!(
            "Bad block part offset/size {offset}/{size} for {name}"
        ))
    })?;
    match ask.format {
        Format::Binary => Ok(Found::bytes(part.to_vec())),
        Format::Hex => Ok(Found::line(part.to_lower_hex_string())),
        Format::Json => Err(RestError::bad(
            "JSON output is not supported for this request type",
        )),
        Format::Undefined => Err(RestError::no_format()),
    }
}

/// The outputs that each transaction of a block spends; none for the coinbase.
pub(super) fn spent_outputs(ask: &Ask) -> Result<Found, RestError> {
    let name = &ask.argument;
    if name.contains('/') {
        return Err(RestError::bad(
            "Invalid URI format. Expected /rest/spenttxouts/<hash>.<ext>",
        ));
    }
    let hash = ask.block_hash()?;
    let info = ask
        .ledger()
        .block_info(&hash)
        .ok_or_else(|| RestError::not_found(format!("{name} not found")))?;
    let unavailable = || RestError::not_found(format!("{name} undo not available"));
    let of_transactions: Vec<Vec<Spent>> = match info.height {
        0 => vec![Vec::new()],
        _ => {
            let bytes = ask.ledger().block_bytes(&hash).map_err(|_| unavailable())?;
            let block = read_block(&hash, &bytes)?;
            let spent = spent(&ask.call(Vec::new())?, &info, &block)?;
            let mut all = vec![Vec::new()];
            for spent in spent.into_iter().skip(1) {
                all.push(spent.ok_or_else(unavailable)?);
            }
            match all.len() == block.txdata.len() {
                true => all,
                false => return Err(unavailable()),
            }
        }
    };
    let network = ask.network();
    Found::encode(
        ask.format,
        || serialize_spent(&of_transactions),
        || {
            let shown = |coin: &Spent| {
                object! {
                    "value" => coin.amount,
                    "scriptPubKey" => script_json(&coin.script, network),
                }
            };
            let list = |spent: &Vec<Spent>| spent.iter().map(shown).collect::<Json>();
            Ok(of_transactions.iter().map(list).collect())
        },
    )
}

/// For each transaction the outputs that it spends, each list behind its length.
fn serialize_spent(of_transactions: &[Vec<Spent>]) -> Vec<u8> {
    let mut bytes = serialize(&VarInt(of_transactions.len() as u64));
    for spent in of_transactions {
        bytes.extend(serialize(&VarInt(spent.len() as u64)));
        for coin in spent {
            let output = bitcoin::TxOut {
                value: coin.amount,
                script_pubkey: coin.script.clone(),
            };
            output
                .consensus_encode(&mut bytes)
                .expect("memory takes every byte");
        }
    }
    bytes
}
