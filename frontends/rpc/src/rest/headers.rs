//! Owns rows of headers, and the filters that there are none of.

use bitcoin::BlockHash;
use bitcoin::consensus::encode::serialize;
use everett_ledger::{BlockInfo, World};

use super::answer::{Found, RestError};
use super::ask::{Ask, hash, number};
use crate::show::header_json;

/// Most headers of one answer.
const MAX_HEADERS: u64 = 2000;
/// How many there are if nobody says.
const DEFAULT_COUNT: &str = "5";
/// The one kind of block filter (BIP158).
const BASIC: &str = "basic";

/// How many are wanted.
fn count(text: &str) -> Result<u64, RestError> {
    number(text)
        .filter(|count| (1..=MAX_HEADERS).contains(count))
        .ok_or_else(|| {
            RestError::bad(format!(
                "Header count is invalid or out of acceptable range (1-{MAX_HEADERS}): {text}"
            ))
        })
}

fn count_of_query(ask: &Ask) -> String {
    let given = ask.parameter("count");
    given.unwrap_or_else(|| DEFAULT_COUNT.to_owned())
}

/// The headers of a world from a block on; none if the world does not have it.
fn from_block(ask: &Ask, world: &World, first: &BlockHash, count: u64) -> Vec<BlockInfo> {
    let ledger = ask.ledger();
    let Some(info) = ledger.block_info(first) else {
        return Vec::new();
    };
    if world.block_hash_at(info.height) != Some(info.hash) {
        return Vec::new();
    }
    let heights = info.height..=world.height();
    heights
        .take(usize::try_from(count).unwrap_or(usize::MAX))
        .map_while(|height| ledger.block_info(&world.block_hash_at(height)?))
        .collect()
}

/// The headers from a block on: 80 bytes each, or their fields.
pub(super) fn headers(ask: &Ask) -> Result<Found, RestError> {
    let parts: Vec<&str> = ask.argument.split('/').collect();
    let (first, wanted) = match parts[..] {
        [count, hash] => (hash, count.to_owned()),
        [hash] => (hash, count_of_query(ask)),
        _ => {
            return Err(RestError::bad(
                "Invalid URI format. Expected /rest/headers/<hash>.<ext>?count=<count>",
            ));
        }
    };
    let wanted = count(&wanted)?;
    let first: BlockHash = hash(first)?;
    let world = ask.world()?;
    let headers = from_block(ask, &world, &first, wanted);
    Found::encode(
        ask.format,
        || {
            let bytes = headers.iter().flat_map(|info| serialize(&info.header));
            bytes.collect()
        },
        || {
            let fields = headers.iter().map(|info| header_json(info, &world));
            Ok(fields.collect())
        },
    )
}

fn no_index(kind: &str) -> RestError {
    RestError::bad(match kind {
        BASIC => format!("Index is not enabled for filtertype {kind}"),
        _ => format!("Unknown filtertype {kind}"),
    })
}

/// The filter of a block: there is no index of them.
pub(super) fn filter(ask: &Ask) -> Result<Found, RestError> {
    let Some((kind, block)) = ask
        .argument
        .split_once('/')
        .filter(|(_, rest)| !rest.contains('/'))
    else {
        return Err(RestError::bad(
            "Invalid URI format. Expected /rest/blockfilter/<filtertype>/<blockhash>",
        ));
    };
    hash::<BlockHash>(block)?;
    Err(no_index(kind))
}

/// The headers of filters: there is no index of them.
pub(super) fn filter_headers(ask: &Ask) -> Result<Found, RestError> {
    let parts: Vec<&str> = ask.argument.split('/').collect();
    let (kind, wanted, block) = match parts[..] {
        [kind, count, block] => (kind, count.to_owned(), block),
        [kind, block] => (kind, count_of_query(ask), block),
        _ => {
            return Err(RestError::bad(
                "Invalid URI format. Expected /rest/blockfilterheaders/<filtertype>/<blockhash>.<ext>?count=<count>",
            ));
        }
    };
    count(&wanted)?;
    hash::<BlockHash>(block)?;
    Err(no_index(kind))
}
