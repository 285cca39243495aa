//! Owns filters of blocks (BIP158), made when they are asked for.
//! Promises Core's filters and headers, where `blockfilterindex` is switched on. Refuses to keep filters: their headers are
//! remembered, and the first call on a chain reads it from its beginning.

use std::collections::HashMap;

use bitcoin::bip158::{BlockFilter, FilterHeader};
use bitcoin::hashes::Hash;
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf};
use everett_ledger::{BlockError, ReadError};

use super::read_block;
use crate::call::Call;
use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// The one kind of filters.
pub(crate) const BASIC: &str = "basic";
/// Headers of filters that are remembered at most: beyond it all are forgotten, and made anew when they are needed.
const MAX_HEADERS: usize = 1 << 20;

/// The headers of filters that were made.
#[derive(Default)]
pub(crate) struct FilterHeaders(HashMap<BlockHash, FilterHeader>);

pub(super) static GETBLOCKFILTER: Method = Method {
    name: "getblockfilter",
    category: Category::Blockchain,
    about: "A block's filter (BIP157, BIP158), where -blockfilterindex is switched on. Filters are made when they are asked \
            for: the first call reads the chain from its beginning.",
    arguments: &[
        Argument::required("blockhash", Kind::Text, "The block, on any branch"),
        Argument::default(
            "filtertype",
            Kind::Text,
            "\"basic\"",
            "basic is the only one",
        ),
    ],
    result: "{\"filter\", \"header\"}    (json object) Both in hexadecimal",
    at: false,
    run: Run::Read(block_filter),
};

fn block_filter(call: &Call) -> Answer {
    let hash = call.block_hash(0, "blockhash")?;
    if call.maybe(1).map_or(Ok(BASIC), Json::text)? != BASIC {
        return Err(RpcError::not_found("Unknown filtertype"));
    }
    if !call.site.config.block_filters {
        return Err(RpcError::misc("Index is not enabled for filtertype basic"));
    }
    if call.ledger().block_info(&hash).is_none() {
        return Err(RpcError::not_found("Block not found"));
    }
    let mut below = vec![hash];
    let mut header = FilterHeader::all_zeros();
    while let Some(block) = below.last() {
        let parent = call.ledger().header(block);
        let parent = parent.ok_or_else(|| RpcError::not_found("Block not found"))?;
        let parent = parent.header.prev_blockhash;
        if parent == BlockHash::all_zeros() {
            break;
        }
        if let Some(known) = call.site.filter_headers.lock().0.get(&parent) {
            header = *known;
            break;
        }
        below.push(parent);
    }
    let mut filter = Vec::new();
    while let Some(hash) = below.pop() {
        if !call.goes_on() {
            return Err(ReadError::Cancelled.into());
        }
        let made = make(call, &hash)?;
        header = made.filter_header(&header);
        filter = made.content;
        let mut known = call.site.filter_headers.lock();
        if known.0.len() >= MAX_HEADERS {
            known.0.clear();
        }
        known.0.insert(hash, header);
    }
    Ok(object! {
        "filter" => filter.to_lower_hex_string(),
        "header" => header.to_string(),
    })
}

/// The filter of a block that was once connected.
fn make(call: &Call, hash: &BlockHash) -> Result<BlockFilter, RpcError> {
    let not_connected = || {
        RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            "Filter not found. Block was not connected to active chain.",
        )
    };
    let bytes = call
        .ledger()
        .block_bytes(hash)
        .map_err(|error| match error {
            BlockError::HeaderOnly { .. } => not_connected(),
            other => other.into(),
        })?;
    let block = read_block(hash, &bytes)?;
    let spent = match call.ledger().coins_spent_by(hash)? {
        Some(spent) => spent,
        // Nothing was ever spent by a block without a parent.
        None if block.header.prev_blockhash == BlockHash::all_zeros() => Vec::new(),
        None => return Err(not_connected()),
    };
    let spent = spent.into_iter().map(|(outpoint, coin)| {
        let script: &bitcoin::Script = &coin.script_pubkey;
        (outpoint, script.to_owned())
    });
    let mut scripts: HashMap<OutPoint, ScriptBuf> = spent.collect();
    add_own(&block, &mut scripts);
    BlockFilter::new_script_filter(&block, |outpoint| {
        let script = scripts.get(outpoint).cloned();
        script.ok_or(bitcoin::bip158::Error::UtxoMissing(*outpoint))
    })
    .map_err(|error| RpcError::misc(error.to_string()))
}

fn add_own(block: &Block, scripts: &mut HashMap<OutPoint, ScriptBuf>) {
    for tx in &block.txdata {
        let txid = tx.compute_txid();
        for (place, output) in (0..).zip(&tx.output) {
            scripts.insert(OutPoint::new(txid, place), output.script_pubkey.clone());
        }
    }
}
