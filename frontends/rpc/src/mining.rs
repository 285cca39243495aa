//! Owns the methods about blocks that are made: templates, blocks made here, what counts as paying how much.
//! Promises Core's template and blocks, on the best world and, with `at`, on any other.
//! Refuses to guess who is to be paid: it is named, told by a setting, or, for `generate`, the wallet that is asked.

mod generate;
mod generate_block;
mod hash_rate;
mod info;
mod longpoll;
mod priority;
mod proposal;
mod template;

use bitcoin::{Network, ScriptBuf};
use everett_ledger::{Reject, World};
use everett_mining::{GenerateError, TemplateError};

use crate::call::Call;
use crate::descriptor::Expression;
use crate::error::{INTERNAL_ERROR, RpcError};
use crate::method::Method;

pub(crate) use template::Templates;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &generate::GENERATE,
    &generate::GENERATETOADDRESS,
    &generate::GENERATETODESCRIPTOR,
    &generate_block::GENERATEBLOCK,
    &hash_rate::GETNETWORKHASHPS,
    &info::GETMININGINFO,
    &priority::GETPRIORITISEDTRANSACTIONS,
    &priority::PRIORITISETRANSACTION,
    &template::GETBLOCKTEMPLATE,
];

/// The script that a descriptor stands for; of `combo()` the one that pays a witness, or else a hash.
///
/// The inner error is that of a text which is no descriptor, and may be an address.
pub(crate) fn payout(
    descriptor: &str,
    network: Network,
) -> Result<Result<ScriptBuf, RpcError>, RpcError> {
    let expression = match Expression::parse(descriptor, network, false) {
        Ok(expression) => expression,
        Err(error) => return Ok(Err(error)),
    };
    if expression.paths() > 1 {
        return Err(RpcError::parameter("Multipath descriptor not accepted"));
    }
    if expression.is_range() {
        return Err(RpcError::parameter(
            "Ranged descriptor not accepted. Maybe pass through deriveaddresses first?",
        ));
    }
    let scripts = expression.derive(0, 0)?;
    let place = match scripts.len() {
        4 => 2,
        2 => 1,
        _ => 0,
    };
    let script = scripts.into_iter().nth(place).map(|one| one.script);
    script
        .map(Ok)
        .ok_or_else(|| RpcError::new(INTERNAL_ERROR, "the descriptor stands for no script"))
}

fn network(call: &Call) -> Network {
    call.ledger().params().network.to_bitcoin()
}

/// The world that was named, unless it is simply the best one.
fn named_world(call: &Call) -> Result<Option<World>, RpcError> {
    match call.names_world() {
        true => call.world().map(Some),
        false => Ok(None),
    }
}

/// What is wrong with a block, as Core words it.
fn invalid(reject: &Reject) -> String {
    let details = core_details(reject).unwrap_or(&reject.debug);
    let comma = if details.is_empty() { "" } else { ", " };
    format!(
        "TestBlockValidity failed: {}{comma}{details}",
        reject.reason
    )
}

/// What Core adds to a reason where the ledger says it with more figures.
fn core_details(reject: &Reject) -> Option<&'static str> {
    Some(match &*reject.reason {
        "bad-blk-length" => "size limits failed",
        "bad-blk-weight" => "ContextualCheckBlock : weight limit failed",
        "bad-cb-height" => "block height mismatch in coinbase",
        "bad-cb-missing" => "first tx is not coinbase",
        "bad-cb-multiple" => "more than one coinbase",
        "bad-diffbits" => "incorrect proof of work",
        "bad-txnmrklroot" => "hashMerkleRoot mismatch",
        "bad-txns-BIP30" => "tried to overwrite transaction",
        "bad-txns-accumulated-fee-outofrange" => "accumulated fee in the block out of range",
        "bad-txns-duplicate" => "duplicate transaction",
        "bad-txns-nonfinal" if !reject.debug.starts_with("contains") => "non-final transaction",
        "time-timewarp-attack" => "block's timestamp is too early on diff adjustment block",
        "time-too-new" => "block timestamp too far in the future",
        "time-too-old" => "block's timestamp is too early",
        _ => return None,
    })
}

impl From<TemplateError> for RpcError {
    fn from(error: TemplateError) -> RpcError {
        match error {
            TemplateError::Mempool(error) => error.into(),
            TemplateError::Read(error) => error.into(),
            TemplateError::Invalid(reject) => RpcError::misc(invalid(&reject)),
        }
    }
}

impl From<GenerateError> for RpcError {
    fn from(error: GenerateError) -> RpcError {
        match error {
            GenerateError::Template(error) => error.into(),
            GenerateError::Store(error) => error.into(),
            GenerateError::World(error) => error.into(),
            GenerateError::Refused { .. } => {
                RpcError::new(INTERNAL_ERROR, "ProcessNewBlock, block not accepted")
            }
        }
    }
}
