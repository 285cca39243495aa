//! Owns the search for coins by descriptors.

use std::collections::BTreeMap;

use bitcoin::{OutPoint, ScriptBuf};
use everett_ledger::{Coin, ReadError, ScriptHash};

use crate::call::Call;
use crate::descriptor::parse_scan_object;
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Coins that are read at once.
const PAGE: usize = 1000;

/// What is to be done about a search.
pub(super) const ACTION: Argument = Argument::required(
    "action",
    Kind::Text,
    "start, status (of a search that runs), or abort (ends it)",
);
/// What is looked for: see [`wanted_scripts`].
pub(super) const SCANOBJECTS: Argument = Argument::optional(
    "scanobjects",
    Kind::Array,
    "Descriptors, alone or as {\"desc\": \"...\", \"range\": n or [n,n]}",
)
.shown("[scanobjects,...]");

pub(super) static SCANTXOUTSET: Method = Method {
    name: "scantxoutset",
    category: Category::Blockchain,
    about: "Finds the unspent outputs of scripts in the world that is asked. The index of scripts answers it: the set \
            is not read.",
    arguments: &[ACTION, SCANOBJECTS],
    result: "{\"success\", \"txouts\", \"height\", \"bestblock\", \"unspents\": [...], \"total_amount\"}    (json object) \
             What was found; txouts counts what was found, not the whole set",
    at: true,
    run: Run::Read(scan_tx_out_set),
};

fn scan_tx_out_set(call: &Call) -> Answer {
    match call.text(0)? {
        "status" => Ok(match call.site.coin_scan.progress() {
            Some(progress) => object! { "progress" => progress },
            None => Json::Null,
        }),
        "abort" => Ok(Json::Bool(call.site.coin_scan.abort())),
        "start" => start(call),
        other => Err(RpcError::parameter(format!("Invalid action '{other}'"))),
    }
}

/// All scripts of the descriptors in a list, each with the descriptor that it came of.
pub(super) fn wanted_scripts(
    call: &Call,
    objects: &Json,
) -> Result<BTreeMap<ScriptBuf, String>, RpcError> {
    let network = call.ledger().params().network.to_bitcoin();
    let mut descriptors = BTreeMap::new();
    for value in objects.array()? {
        let (expression, (first, last)) = parse_scan_object(value, network)?;
        for index in first..=last {
            if !call.goes_on() {
                return Err(ReadError::Cancelled.into());
            }
            for path in 0..expression.paths() {
                for derived in expression.derive(path, index)? {
                    descriptors
                        .entry(derived.script)
                        .or_insert(derived.descriptor);
                }
            }
        }
    }
    Ok(descriptors)
}

fn start(call: &Call) -> Answer {
    let scanning = call.site.coin_scan.begin().ok_or_else(|| {
        RpcError::parameter("Scan already in progress, use action \"abort\" or \"status\"")
    })?;
    if call.count() < 2 {
        return Err(RpcError::misc(
            "scanobjects argument is required for the start action",
        ));
    }
    let world = call.world()?;
    let descriptors = wanted_scripts(call, call.arg(1))?;
    let mut found: BTreeMap<OutPoint, Coin> = BTreeMap::new();
    let mut whole = true;
    for (number, script) in descriptors.keys().enumerate() {
        if !call.goes_on() {
            return Err(ReadError::Cancelled.into());
        }
        if scanning.aborted() {
            whole = false;
            break;
        }
        scanning.at(number as u64 * 100 / descriptors.len() as u64);
        let script = ScriptHash::of(script);
        let mut after = None;
        loop {
            let page = world.coins_of(&script, after, PAGE)?;
            after = page.last().map(|(outpoint, _)| *outpoint);
            let full = page.len() == PAGE;
            found.extend(page);
            if !full {
                break;
            }
        }
    }
    let mut total = 0_i64;
    let mut unspents = Vec::with_capacity(found.len());
    for (outpoint, coin) in &found {
        total = total.saturating_add(coin.amount.to_sat() as i64);
        let script: &bitcoin::Script = &coin.script_pubkey;
        let descriptor = descriptors.get(script).map(String::as_str);
        unspents.push(object! {
            "txid" => outpoint.txid,
            "vout" => outpoint.vout,
            "scriptPubKey" => script.to_hex_string(),
            "desc" => descriptor.unwrap_or_default(),
            "amount" => coin.amount,
            "coinbase" => coin.coinbase,
            "height" => coin.height,
            "blockhash" => world.block_hash_at(coin.height),
            "confirmations" => world.height() - coin.height + 1,
        });
    }
    Ok(object! {
        "success" => whole,
        "txouts" => found.len(),
        "height" => world.height(),
        "bestblock" => world.hash(),
        "unspents" => unspents,
        "total_amount" => amount(total),
    })
}
