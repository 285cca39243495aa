//! Owns what is told of a wallet's coins, and the locking of them.
//! Promises the coins of the world that is asked, and those that wait there.

use std::collections::HashSet;

use bitcoin::{Address, Amount, OutPoint, Script, ScriptBuf};
use everett_wallet::{Spendable, View};

use super::balance::avoids_reuse;
use super::book;
use crate::address;
use crate::call::{Call, parse_txid};
use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError, TYPE_ERROR};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::rawtransactions::parse_amount;

/// Most confirmations that are asked for unless somebody says otherwise.
const MAX_CONFIRMATIONS: u32 = 9_999_999;

pub(super) static LISTUNSPENT: Method = Method {
    name: "listunspent",
    category: Category::Wallet,
    about: "The coins that the wallet has in the world that is asked, by outpoint, and what waits there for it.",
    arguments: &[
        Argument::default("minconf", Kind::Number, "1", "Fewest confirmations"),
        Argument::default("maxconf", Kind::Number, "9999999", "Most confirmations"),
        Argument::default(
            "addresses",
            Kind::Array,
            "[]",
            "Only what these addresses have",
        )
        .shown("[\"address\",...]"),
        Argument::default(
            "include_unsafe",
            Kind::Bool,
            "true",
            "Whether what others are about to pay is told as well",
        ),
        Argument::optional("query_options", Kind::Object, "Further limits").options(&[
            Argument::default("minimumAmount", Kind::Any, "0", "Least worth of a coin"),
            Argument::optional("maximumAmount", Kind::Any, "Most worth of a coin"),
            Argument::optional("maximumCount", Kind::Number, "Most coins"),
            Argument::optional(
                "minimumSumAmount",
                Kind::Any,
                "Enough when so much is together",
            ),
            Argument::default(
                "include_immature_coinbase",
                Kind::Bool,
                "false",
                "Whether coinbases that are too young are told as well",
            ),
        ]),
    ],
    result: "[{\"txid\", \"vout\", \"address\", \"label\", \"scriptPubKey\", \"amount\", \"confirmations\", \"solvable\", \"desc\", \"parent_descs\", \
             \"safe\", ...}, ...]    (json array) The coins",
    at: true,
    run: Run::Read(list),
};

pub(super) static LOCKUNSPENT: Method = Method {
    name: "lockunspent",
    category: Category::Wallet,
    about: "Locks coins so that no payment takes them by itself, or unlocks them; all locked ones where none are named.",
    arguments: &[
        Argument::required(
            "unlock",
            Kind::Bool,
            "Whether they are unlocked rather than locked",
        ),
        Argument::default("transactions", Kind::Array, "[]", "The coins")
            .shown("[{\"txid\":\"hex\",\"vout\":n},...]"),
        Argument::default(
            "persistent",
            Kind::Bool,
            "false",
            "Whether the lock is kept in the file",
        ),
    ],
    result: "true|false    (boolean) Whether it was done",
    at: false,
    run: Run::Read(lock),
};

pub(super) static LISTLOCKUNSPENT: Method = Method {
    name: "listlockunspent",
    category: Category::Wallet,
    about: "The coins that are locked.",
    arguments: &[],
    result: "[{\"txid\", \"vout\"}, ...]    (json array) The coins",
    at: false,
    run: Run::Read(list_locked),
};

/// An address of this network; otherwise Core's error with what was given.
pub(super) fn parse_address(call: &Call, text: &str) -> Result<Address, RpcError> {
    let network = call.ledger().params().network.to_bitcoin();
    address::parse(text, network).map_err(|_| {
        RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            format!("Invalid Bitcoin address: {text}"),
        )
    })
}

/// The addresses of a list, each once.
fn wanted_scripts(call: &Call, list: Option<&Json>) -> Result<HashSet<ScriptBuf>, RpcError> {
    let mut scripts = HashSet::new();
    for value in list.map_or(Ok(&[][..]), Json::array)? {
        let text = value.text()?;
        let script = parse_address(call, text)?.script_pubkey();
        if !scripts.insert(script) {
            return Err(RpcError::parameter(format!(
                "Invalid parameter, duplicated address: {text}"
            )));
        }
    }
    Ok(scripts)
}

/// Whether a payment may be built on a coin: it is confirmed, or change of ours of a payment that was not bumped.
fn is_safe(view: &View<'_>, coin: &Spendable) -> bool {
    coin.trusted && !view.was_bumped(coin)
}

/// What limits the list beyond confirmations.
struct Limits {
    least: Amount,
    most: Amount,
    count: u64,
    enough: Amount,
    immature: bool,
}

/// The options there are, with their types where those are checked.
const OPTIONS: [(&str, Option<&str>); 5] = [
    ("minimumAmount", None),
    ("maximumAmount", None),
    ("minimumSumAmount", None),
    ("maximumCount", Some("number")),
    ("include_immature_coinbase", Some("bool")),
];

/// Checks that an object has no other keys than these, and those of the right types.
pub(super) fn check_options(
    options: &Json,
    known: &[(&str, Option<&str>)],
) -> Result<(), RpcError> {
    check_types(options, known)?;
    for (name, _) in options.object()? {
        if !known.iter().any(|(other, _)| other == name) {
            return Err(RpcError::new(TYPE_ERROR, format!("Unexpected key {name}")));
        }
    }
    Ok(())
}

/// Checks the types of fields that are there.
fn check_types(options: &Json, known: &[(&str, Option<&str>)]) -> Result<(), RpcError> {
    for (name, expected) in known {
        let value = options.get(name);
        let Some(expected) = expected.filter(|_| !value.is_null()) else {
            continue;
        };
        if value.type_name() != expected {
            return Err(RpcError::new(
                TYPE_ERROR,
                format!(
                    "JSON value of type {} for field {name} is not of expected type {expected}",
                    value.type_name()
                ),
            ));
        }
    }
    Ok(())
}

fn limits(options: Option<&Json>) -> Result<Limits, RpcError> {
    let empty = Json::Object(Vec::new());
    let options = options.unwrap_or(&empty);
    check_options(options, &OPTIONS)?;
    let given = |name: &str| options.find(name).filter(|value| !value.is_null());
    let worth = |name: &str| given(name).map(parse_amount).transpose();
    Ok(Limits {
        least: worth("minimumAmount")?.unwrap_or_default(),
        most: worth("maximumAmount")?.unwrap_or(Amount::MAX_MONEY),
        count: given("maximumCount").map_or(Ok(0), Json::int)?,
        enough: worth("minimumSumAmount")?.unwrap_or(Amount::MAX_MONEY),
        immature: given("include_immature_coinbase").map_or(Ok(false), Json::bool)?,
    })
}

fn list(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let least: u32 = super::balance::min_confirmations(call, 0, 1)?;
    let most: u32 = super::balance::min_confirmations(call, 1, MAX_CONFIRMATIONS)?;
    let wanted = wanted_scripts(call, call.maybe(2))?;
    let include_unsafe = call.bool_or(3, true)?;
    let limits = limits(call.maybe(4))?;
    let world = call.world()?;
    let view = wallet.view()?;
    let avoids = avoids_reuse(&view, None)?;
    let mut coins = view.spendable(&world)?;
    if limits.immature {
        coins.extend(view.immature(&world)?);
        coins.sort_by_key(|coin| coin.outpoint);
    }
    let mut total = Amount::ZERO;
    let mut told: Vec<Json> = Vec::new();
    for coin in coins {
        let amount = coin.output.amount;
        let fits = (least..=most).contains(&coin.confirmations)
            && (is_safe(&view, &coin) || include_unsafe)
            && !coin.locked
            && (limits.least..=limits.most).contains(&amount);
        let script = view.script_of(&coin.outpoint).filter(|_| fits);
        let Some(script) = script.filter(|script| wanted.is_empty() || wanted.contains(script))
        else {
            continue;
        };
        told.push(coin_json(call, &view, &coin, &script, avoids)?);
        total += amount;
        if total >= limits.enough || (limits.count > 0 && told.len() as u64 >= limits.count) {
            break;
        }
    }
    Ok(Json::Array(told))
}

fn coin_json(
    call: &Call,
    view: &View<'_>,
    coin: &Spendable,
    script: &Script,
    avoids: bool,
) -> Answer {
    let keyring = view.keyring();
    let solution = keyring.solution(script);
    let mut json = object! { "txid" => coin.outpoint.txid, "vout" => coin.outpoint.vout };
    if let Some(address) = book::address(script, keyring.network()) {
        json.push("address", address.to_string());
        json.push_some(
            "label",
            book::entry(view, script).map(|label| label.text.clone()),
        );
    }
    if let Some(solution) = &solution {
        let inner = solution.explicit_script().ok();
        if script.is_p2sh() {
            // What the hash in the output stands for.
            let redeem = solution.unsigned_script_sig();
            let redeem = redeem.instructions().last().and_then(Result::ok);
            let redeem = redeem.and_then(|push| Some(push.push_bytes()?.as_bytes().to_vec()));
            match redeem {
                Some(redeem) => {
                    let redeem = ScriptBuf::from_bytes(redeem);
                    json.push("redeemScript", redeem.to_hex_string());
                    if redeem.is_p2wsh() {
                        json.push_some("witnessScript", inner.map(|inner| inner.to_hex_string()));
                    }
                }
                None => json.push_some("redeemScript", inner.map(|inner| inner.to_hex_string())),
            }
        } else if script.is_p2wsh() {
            json.push_some("witnessScript", inner.map(|inner| inner.to_hex_string()));
        }
    }
    json.push("scriptPubKey", script.to_hex_string());
    json.push("amount", coin.output.amount);
    json.push("confirmations", coin.confirmations);
    if coin.confirmations == 0 {
        let mempool = call.handle().mempool().view()?;
        if let Some(entry) = mempool.entry(&coin.outpoint.txid) {
            json.push("ancestorcount", entry.ancestors.count);
            json.push("ancestorsize", entry.ancestors.vsize);
            json.push("ancestorfees", entry.ancestors.fee);
        }
    }
    json.push("spendable", true);
    let desc = keyring.text_of(script);
    json.push("solvable", desc.is_some());
    json.push_some("desc", desc);
    json.push("parent_descs", parents(view, script));
    json.push_some("reused", avoids.then_some(coin.reused));
    json.push("safe", is_safe(view, coin));
    Ok(json)
}

/// The descriptors of the wallet that a script comes from.
pub(super) fn parents(view: &View<'_>, script: &Script) -> Json {
    let keyring = view.keyring();
    let slots = keyring.slots_of(script).iter();
    let descriptors = slots.filter_map(|slot| keyring.descriptor(slot.descriptor));
    descriptors.map(|descriptor| &*descriptor.text).collect()
}

fn lock(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let unlock = call.arg(0).bool()?;
    let keep = call.bool_or(2, false)?;
    let Some(list) = call.maybe(1) else {
        if unlock {
            let locked = wallet.view()?.locked();
            for outpoint in locked {
                wallet.lock_coin(outpoint, false, false)?;
            }
        }
        return Ok(true.into());
    };
    let mut chosen: Vec<OutPoint> = Vec::new();
    {
        let world = call.world()?;
        let view = wallet.view()?;
        let state = view.state(&world);
        let pending = view.pending_on(&world)?;
        for value in list.array()? {
            // Other fields are let be: what listunspent tells of a coin can be handed back as it is.
            check_types(value, &[("txid", Some("string")), ("vout", Some("number"))])?;
            let txid = parse_txid(value.get("txid"), "txid")?;
            let vout: i64 = value.get("vout").int()?;
            let fail = |why: &str| Err(RpcError::parameter(format!("Invalid parameter, {why}")));
            let Ok(vout) = u32::try_from(vout) else {
                return fail("vout cannot be negative");
            };
            let outpoint = OutPoint::new(txid, vout);
            let Some(record) = view.record(&txid) else {
                return fail("unknown transaction");
            };
            if vout as usize >= record.tx.output.len() {
                return fail("vout index out of bounds");
            }
            let spent = state.spender(&outpoint).is_some()
                || view
                    .spenders(&outpoint)
                    .iter()
                    .any(|txid| pending.contains(txid));
            if spent {
                return fail("expected unspent output");
            }
            let held = view.lock_of(&outpoint);
            if unlock && held.is_none() {
                return fail("expected locked output");
            }
            if !unlock && held.is_some_and(|kept| kept || !keep) {
                return fail("output already locked");
            }
            chosen.push(outpoint);
        }
    }
    for outpoint in chosen {
        wallet.lock_coin(outpoint, !unlock, keep)?;
    }
    Ok(true.into())
}

fn list_locked(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let view = wallet.view()?;
    let coin = |outpoint: OutPoint| object! { "txid" => outpoint.txid, "vout" => outpoint.vout };
    Ok(view.locked().into_iter().map(coin).collect())
}
