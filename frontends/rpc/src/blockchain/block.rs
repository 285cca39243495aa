//! Owns the questions about one block: its header, its bytes, its transactions.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, BlockHash};
use everett_ledger::BlockInfo;
use everett_ledger::decode::decode_block;

use super::known_block;
use crate::call::Call;
use crate::error::{RpcError, TYPE_ERROR};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::{Spent, Verbosity, block_json, header_json, spent_by_transaction};

pub(super) static GETBLOCKHEADER: Method = Method {
    name: "getblockheader",
    category: Category::Blockchain,
    about: "A block's header: its fields, or its 80 bytes in hexadecimal. Confirmations are counted in the world that \
            is asked.",
    arguments: &[
        Argument::required("blockhash", Kind::Text, "The hash of the block"),
        Argument::default("verbose", Kind::Bool, "true", "Fields rather than bytes"),
    ],
    result: "{...}    (json object) The header, or (string) its bytes",
    at: true,
    run: Run::Read(block_header),
};

fn block_header(call: &Call) -> Answer {
    let info = known_block(call, 0, "hash")?;
    if !call.bool_or(1, true)? {
        return Ok(serialize_hex(&info.header).into());
    }
    Ok(header_json(&info, &call.world()?))
}

pub(crate) static GETBLOCK: Method = Method {
    name: "getblock",
    category: Category::Blockchain,
    about: "A block of any branch. Verbosity 0 gives its bytes, 1 its header and the ids of its transactions, 2 whole \
            transactions, 3 also the coins that they spend.",
    arguments: &[
        Argument::required("blockhash", Kind::Text, "The hash of the block"),
        Argument::default(
            "verbosity|verbose",
            Kind::Any,
            "1",
            "How much to tell, 0 to 3",
        ),
    ],
    result: "{...}    (json object) The block, or (string) its bytes",
    at: true,
    run: Run::Read(block),
};

/// A level of verbosity, also given as a boolean where that is allowed.
pub(crate) fn verbosity(
    value: Option<&Json>,
    default: i32,
    bool_too: bool,
) -> Result<i32, RpcError> {
    match value {
        None => Ok(default),
        Some(Json::Bool(value)) if bool_too => Ok(i32::from(*value)),
        Some(Json::Bool(_)) => Err(RpcError::new(
            TYPE_ERROR,
            "Verbosity was boolean but only integer allowed",
        )),
        Some(value) => value.int(),
    }
}

fn block(call: &Call) -> Answer {
    let hash = call.block_hash(0, "blockhash")?;
    let verbosity = verbosity(call.maybe(1), 1, true)?;
    let info = known_block(call, 0, "blockhash")?;
    let bytes = call.ledger().block_bytes(&hash)?;
    if verbosity <= 0 {
        return Ok(bytes.to_lower_hex_string().into());
    }
    let block = read_block(&hash, &bytes)?;
    let world = call.world()?;
    let network = call.ledger().params().network.to_bitcoin();
    let level = match verbosity {
        1 => return Ok(block_json(&info, &block, &world, network, None)),
        2 => Verbosity::Details,
        _ => Verbosity::Previous,
    };
    let spent = spent(call, &info, &block)?;
    Ok(block_json(
        &info,
        &block,
        &world,
        network,
        Some((level, &spent)),
    ))
}

/// A block from its bytes.
pub(crate) fn read_block(hash: &BlockHash, bytes: &[u8]) -> Result<Block, RpcError> {
    let (decoded, _) = decode_block(bytes)
        .map_err(|error| RpcError::misc(format!("Block {hash} cannot be read: {error}")))?;
    let transactions = decoded.transactions.into_iter();
    Ok(Block {
        header: decoded.header,
        txdata: transactions.map(|transaction| transaction.tx).collect(),
    })
}

/// What the transactions of a block spend, as far as it is known.
pub(crate) fn spent(
    call: &Call,
    info: &BlockInfo,
    block: &Block,
) -> Result<Vec<Option<Vec<Spent>>>, RpcError> {
    let before = call.ledger().coins_spent_by(&info.hash)?;
    Ok(match before {
        Some(before) => spent_by_transaction(&block.txdata, info.height, before),
        None => Vec::new(),
    })
}
