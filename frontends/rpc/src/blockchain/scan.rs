//! Owns the search for coins by descriptors.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use bitcoin::{Amount, OutPoint, Script, ScriptBuf};
use everett_ledger::{Coin, ReadError, ScriptHash, World};

use crate::call::Call;
use crate::descriptor::parse_scan_object;
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Coins that are read at once: some tens of milliseconds' worth.
const PAGE: usize = 50_000;

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
    let mut found: Vec<(OutPoint, Coin)> = Vec::new();
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
            if !call.goes_on() {
                return Err(ReadError::Cancelled.into());
            }
        }
    }
    // Those of one script are in order already, which this sorting makes use of.
    found.sort_by_key(|(outpoint, _)| *outpoint);
    let total = (found.iter()).fold(0_i64, |total, (_, coin)| {
        total.saturating_add(coin.amount.to_sat() as i64)
    });
    Ok(object! {
        "success" => whole,
        "txouts" => found.len(),
        "height" => world.height(),
        "bestblock" => world.hash(),
        "unspents" => Json::Written(written(&world, &descriptors, &found)),
        "total_amount" => amount(total),
    })
}

/// Bytes of a coin that was found as it is written, about.
const WRITTEN_COIN: usize = 400;

/// The list of what was found. What many coins have in common is put into words once: where all coins of a busy script
/// are asked for, there are hundreds of thousands.
fn written(
    world: &World,
    descriptors: &BTreeMap<ScriptBuf, String>,
    found: &[(OutPoint, Coin)],
) -> String {
    let mut scripts: HashMap<&Script, String> = HashMap::new();
    let mut blocks: HashMap<u32, String> = HashMap::new();
    let mut out = String::with_capacity(2 + found.len() * WRITTEN_COIN);
    out.push('[');
    for (index, (outpoint, coin)) in found.iter().enumerate() {
        let script: &Script = &coin.script_pubkey;
        let of_script = scripts.entry(script).or_insert_with(|| {
            let descriptor = descriptors.get(script).map(String::as_str);
            fields(object! {
                "scriptPubKey" => script.to_hex_string(),
                "desc" => descriptor.unwrap_or_default(),
            })
        });
        let of_block = blocks.entry(coin.height).or_insert_with(|| {
            fields(object! {
                "height" => coin.height,
                "blockhash" => world.block_hash_at(coin.height),
                "confirmations" => world.height() - coin.height + 1,
            })
        });
        if index > 0 {
            out.push(',');
        }
        let sat = coin.amount.to_sat();
        let (whole, rest) = (
            sat / Amount::ONE_BTC.to_sat(),
            sat % Amount::ONE_BTC.to_sat(),
        );
        write!(
            out,
            r#"{{"txid":"{}","vout":{},{of_script},"amount":{whole}.{rest:08},"coinbase":{},{of_block}}}"#,
            outpoint.txid, outpoint.vout, coin.coinbase,
        )
        .expect("writing to a String cannot fail");
    }
    out.push(']');
    out
}

/// The fields of an object as they are written, without the braces around them.
fn fields(object: Json) -> String {
    let text = object.write();
    text[1..text.len() - 1].to_owned()
}
