//! Owns the reading of requests: hashes, scripts, addresses, times.
//! Promises that what is malformed is answered with the field's path and what is wrong with it.
//! Refuses to look at the ledger.

use std::str::FromStr;
use std::time::Duration;

use bitcoin::hex::FromHex;
use bitcoin::{Address, BlockHash, OutPoint, ScriptBuf, Txid};
use everett_ledger::{Cursor, Network, ScriptHash};
use everett_proto::v1;
use everett_proto::v1::script::Script as Named;
use everett_wallet::{AddressError, read_address};

use crate::fault::Fault;

/// Longest script that can be the script pubkey of a coin, in bytes.
const MAX_SCRIPT_BYTES: usize = 10_000;

/// Longest address that is looked at, in characters; the longest valid ones have 90.
const MAX_ADDRESS_CHARS: usize = 100;

/// How often a stream gives a sign of life unless the request says otherwise.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(30);
/// How often it may be asked to.
const HEARTBEATS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);

/// Most characters of a refused text that an answer repeats.
const MAX_QUOTED_CHARS: usize = 100;

/// A block's hash.
pub(crate) fn block_hash(field: &str, text: &str) -> Result<BlockHash, Fault> {
    check_hex(field, text, "a block hash")?;
    BlockHash::from_str(text).map_err(|error| Fault::field(field, error.to_string()))
}

/// A transaction's id.
pub(crate) fn txid(field: &str, text: &str) -> Result<Txid, Fault> {
    check_hex(field, text, "a transaction id")?;
    Txid::from_str(text).map_err(|error| Fault::field(field, error.to_string()))
}

fn check_hex(field: &str, text: &str, what: &str) -> Result<(), Fault> {
    if <[u8; 32]>::from_hex(text).is_ok() {
        return Ok(());
    }
    let wrong = match text.is_empty() {
        true => format!("{what} is missing"),
        false => format!(
            "`{}` is not {what}: 64 hexadecimal characters are",
            quoted(text)
        ),
    };
    Err(Fault::field(field, wrong))
}

/// The beginning of a text, for a message.
fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
}

/// An output's place.
pub(crate) fn outpoint(field: &str, outpoint: Option<v1::OutPoint>) -> Result<OutPoint, Fault> {
    let outpoint = outpoint.ok_or_else(|| Fault::field(field, "an outpoint is missing"))?;
    Ok(OutPoint {
        txid: txid(&format!("{field}.txid"), &outpoint.txid)?,
        vout: outpoint.vout,
    })
}

/// The hash of a script, however it is named.
pub(crate) fn script_hash(
    field: &str,
    script: Option<&v1::Script>,
    network: Network,
) -> Result<ScriptHash, Fault> {
    if let Some(Named::ScriptHash(text)) = script.and_then(|script| script.script.as_ref()) {
        let field = format!("{field}.script_hash");
        check_hex(&field, text, "a script hash")?;
        return ScriptHash::from_display_hex(text)
            .ok_or_else(|| Fault::field(field, "not a script hash"));
    }
    Ok(ScriptHash::of(&script_pubkey(field, script, network)?))
}

/// A script pubkey, given as such or as an address.
pub(crate) fn script_pubkey(
    field: &str,
    script: Option<&v1::Script>,
    network: Network,
) -> Result<ScriptBuf, Fault> {
    match script.and_then(|script| script.script.as_ref()) {
        None => Err(Fault::field(
            field,
            "a script is missing: set script_pubkey, address or script_hash",
        )),
        Some(Named::ScriptPubkey(bytes)) => {
            if bytes.len() > MAX_SCRIPT_BYTES {
                return Err(Fault::field(
                    format!("{field}.script_pubkey"),
                    format!(
                        "{} bytes; a script that can be spent has at most {MAX_SCRIPT_BYTES}",
                        bytes.len()
                    ),
                ));
            }
            Ok(ScriptBuf::from_bytes(bytes.clone()))
        }
        Some(Named::Address(text)) => {
            Ok(address(&format!("{field}.address"), text, network)?.script_pubkey())
        }
        Some(Named::ScriptHash(_)) => Err(Fault::field(
            format!("{field}.script_hash"),
            "a hash does not tell the script: set script_pubkey or address",
        )),
    }
}

pub(crate) fn address(field: &str, text: &str, network: Network) -> Result<Address, Fault> {
    if text.chars().count() > MAX_ADDRESS_CHARS {
        return Err(Fault::field(field, "too long for an address"));
    }
    read_address(text, network.to_bitcoin()).map_err(|error| {
        let message = match error {
            AddressError::OtherNetwork { .. } => format!(
                "`{text}` is an address of {}; this node is on {network}",
                networks_of(text)
            ),
            _ => format!("`{}` is no address: {error}", quoted(text)),
        };
        Fault::field(field, message)
    })
}

/// The networks that an address is one of.
fn networks_of(address: &str) -> String {
    let networks = Network::ALL.into_iter();
    let of = networks.filter(|network| read_address(address, network.to_bitcoin()).is_ok());
    let names: Vec<String> = of.map(|network| network.to_string()).collect();
    names.join(", ")
}

/// A value that a field of an enum has, or none for the one that stands for nothing said.
pub(crate) fn choice<E: TryFrom<i32> + Default + PartialEq>(
    field: &str,
    value: i32,
) -> Result<Option<E>, Fault> {
    match E::try_from(value) {
        Ok(choice) => Ok(Some(choice).filter(|choice| *choice != E::default())),
        Err(_) => Err(Fault::field(
            field,
            format!("{value} is none of its values"),
        )),
    }
}

/// Where a subscriber stands.
pub(crate) fn cursor(field: &str, cursor: Option<v1::EventCursor>) -> Result<Cursor, Fault> {
    let cursor = cursor.ok_or_else(|| Fault::field(field, "a cursor is missing"))?;
    Ok(Cursor {
        seq: cursor.seq,
        block: block_hash(&format!("{field}.block_hash"), &cursor.block_hash)?,
    })
}

/// A length of time; none for a negative one. (The conversion of prost-types 0.14 overflows at some of those.)
pub(crate) fn duration(duration: prost_types::Duration) -> Option<Duration> {
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u32::try_from(duration.nanos).ok()?;
    Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos.into()))
}

/// How often a stream gives a sign of life.
pub(crate) fn heartbeat(asked: Option<prost_types::Duration>) -> Result<Duration, Fault> {
    let Some(asked) = asked else {
        return Ok(DEFAULT_HEARTBEAT);
    };
    duration(asked)
        .filter(|asked| HEARTBEATS.contains(asked))
        .ok_or_else(|| Fault::field("heartbeat", "a heartbeat comes every 1 s to 1 h"))
}

/// A header's time, in unix seconds.
pub(crate) fn header_time(
    field: &str,
    time: Option<prost_types::Timestamp>,
) -> Result<Option<u32>, Fault> {
    time.map(|time| {
        u32::try_from(time.seconds)
            .map_err(|_| Fault::field(field, "a block's time lies between 1970 and 2106"))
    })
    .transpose()
}
