//! Owns the signing of transactions with keys that the caller brings.

use std::collections::BTreeMap;

use bitcoin::key::Secp256k1;
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxOut};
use everett_script::ScriptError;
use everett_script::assembly::to_asm;
use everett_script::policy::Template;

use super::create::parse_amount;
use super::{network, outputs_at};
use crate::call::{Call, parse_hex, parse_txid};
use crate::error::{DESERIALIZATION_ERROR, RpcError, TYPE_ERROR};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::signing::{Keys, Signing, hash_type, known_signatures, produce, verify};
use crate::transaction::{decode_hex, encode_hex};
use crate::util::private_key;

/// The amount of an output of which none was said.
const UNKNOWN: Amount = Amount::MAX_MONEY;

pub(super) static SIGNRAWTRANSACTIONWITHKEY: Method = Method {
    name: "signrawtransactionwithkey",
    category: Category::Rawtransactions,
    about: "Signs a transaction with private keys, as far as they go. What it spends is looked up among \
            transactions that wait and in the world that is asked, unless it is said.",
    arguments: &[
        Argument::required("hexstring", Kind::Text, "The transaction"),
        Argument::required("privkeys", Kind::Array, "The private keys").shown("[\"privatekey\",...]"),
        Argument::optional("prevtxs", Kind::Array, "Outputs that it spends: txid, vout, scriptPubKey, amount and scripts")
            .shown(
                "[{\"txid\":\"hex\",\"vout\":n,\"scriptPubKey\":\"hex\",\"redeemScript\":\"hex\",\"witnessScript\":\"hex\",\"amount\":amount},...]",
            ),
        Argument::optional("sighashtype", Kind::Text, "What the signatures cover: DEFAULT, ALL, NONE, SINGLE, …"),
    ],
    result: "{\"hex\", \"complete\", \"errors\": [...]}    (json object) The transaction, and what is missing",
    at: true,
    run: Run::Read(sign_with_key),
};

/// A signature hash type by its name.
pub(crate) fn parse_hash_type(value: Option<&Json>) -> Result<Option<u8>, RpcError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let name = value.text()?;
    match hash_type(name) {
        Some(value) => Ok(Some(value)),
        None => Err(RpcError::parameter(format!(
            "'{name}' is not a valid sighash parameter."
        ))),
    }
}

fn sign_with_key(call: &Call) -> Answer {
    let mut transaction = decode_hex(call.text(0)?, true, true).ok_or_else(|| {
        RpcError::new(
            DESERIALIZATION_ERROR,
            "TX decode failed. Make sure the tx has at least one input.",
        )
    })?;
    let secp = Secp256k1::new();
    let mut keys = Keys::default();
    for value in call.arg(1).array()? {
        keys.add(private_key(value.text()?, network(call))?, &secp);
    }
    let outpoints = || transaction.input.iter().map(|input| input.previous_output);
    let found = outputs_at(call, outpoints())?;
    let found = outpoints().zip(found);
    let mut outputs: BTreeMap<OutPoint, TxOut> = found
        .filter_map(|(outpoint, output)| Some((outpoint, output?)))
        .collect();
    if let Some(previous) = call.maybe(2) {
        for value in previous.array()? {
            add_previous(value, &mut outputs, &mut keys, Scripts::HaveToBeTold)?;
        }
    }
    let hash_type = parse_hash_type(call.maybe(3))?.unwrap_or(0);
    sign_all(&mut transaction, &outputs, &mut keys, hash_type)
}

/// Checks the types of fields of an object.
fn check_types(value: &Json, fields: &[&str], optional: bool) -> Result<(), RpcError> {
    for name in fields {
        let field = value.get(name);
        let expected = if *name == "vout" { "number" } else { "string" };
        if field.is_null() && !optional {
            return Err(RpcError::new(TYPE_ERROR, format!("Missing {name}")));
        }
        if !field.is_null() && field.type_name() != expected {
            return Err(RpcError::new(
                TYPE_ERROR,
                format!(
                    "JSON value of type {} for field {name} is not of expected type {expected}",
                    field.type_name()
                ),
            ));
        }
    }
    Ok(())
}

/// Who knows the scripts that an output pays the hash of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    /// Whoever describes the output.
    HaveToBeTold,
    /// A wallet, perhaps.
    MayBeKnown,
}

/// Adds an output that somebody describes, with its scripts.
pub(crate) fn add_previous(
    value: &Json,
    outputs: &mut BTreeMap<OutPoint, TxOut>,
    keys: &mut Keys,
    scripts: Scripts,
) -> Result<(), RpcError> {
    let undecodable = |message: String| RpcError::new(DESERIALIZATION_ERROR, message);
    if !matches!(value, Json::Object(_)) {
        return Err(undecodable(
            "expected object with {\"txid'\",\"vout\",\"scriptPubKey\"}".to_owned(),
        ));
    }
    // In the order in which Core's map of them is sorted.
    check_types(value, &["scriptPubKey", "txid", "vout"], false)?;
    let txid = parse_txid(value.get("txid"), "txid")?;
    let vout: i32 = value.get("vout").int()?;
    let vout =
        u32::try_from(vout).map_err(|_| undecodable("vout cannot be negative".to_owned()))?;
    let outpoint = OutPoint::new(txid, vout);
    let script = ScriptBuf::from_bytes(parse_hex(value.get("scriptPubKey"), "scriptPubKey")?);
    if let Some(known) = outputs.get(&outpoint)
        && known.script_pubkey != script
    {
        return Err(undecodable(format!(
            "Previous output scriptPubKey mismatch:\n{}\nvs:\n{}",
            to_asm(&known.script_pubkey),
            to_asm(&script)
        )));
    }
    let amount = value.find("amount").map(parse_amount).transpose()?;
    outputs.insert(
        outpoint,
        TxOut {
            value: amount.unwrap_or(UNKNOWN),
            script_pubkey: script.clone(),
        },
    );
    let by_script_hash = matches!(Template::of(script.as_bytes()), Template::ScriptHash { .. });
    let by_witness = script.is_p2wsh();
    if !by_script_hash && !by_witness {
        return Ok(());
    }
    check_types(value, &["redeemScript", "witnessScript"], true)?;
    let redeem = value.find("redeemScript").filter(|value| !value.is_null());
    let witness = value.find("witnessScript").filter(|value| !value.is_null());
    let inner = match (witness, redeem) {
        (Some(witness), _) => parse_hex(witness, "witnessScript")?,
        (None, Some(redeem)) => parse_hex(redeem, "redeemScript")?,
        (None, None) if scripts == Scripts::MayBeKnown => return Ok(()),
        (None, None) => {
            return Err(RpcError::parameter("Missing redeemScript/witnessScript"));
        }
    };
    let inner = ScriptBuf::from_bytes(inner);
    let program = ScriptBuf::new_p2wsh(&inner.wscript_hash());
    keys.add_script(inner.clone());
    keys.add_script(program.clone());
    if let (Some(witness), Some(redeem)) = (witness, redeem)
        && witness != redeem
        && parse_hex(redeem, "redeemScript")? != program.as_bytes()
    {
        return Err(RpcError::parameter(
            "redeemScript does not correspond to witnessScript",
        ));
    }
    let fits = match by_script_hash {
        true => {
            script == ScriptBuf::new_p2sh(&inner.script_hash())
                || script == ScriptBuf::new_p2sh(&program.script_hash())
        }
        false => script == program,
    };
    match fits {
        true => Ok(()),
        false => Err(RpcError::parameter(
            "redeemScript/witnessScript does not match scriptPubKey",
        )),
    }
}

/// Why an input does not verify.
fn complaint(error: ScriptError) -> String {
    match error {
        ScriptError::InvalidStackOperation => {
            "Unable to sign input, invalid stack size (possibly missing key)".to_owned()
        }
        ScriptError::SigNullFail => {
            "CHECK(MULTI)SIG failing with non-zero signature (possibly need more signatures)"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Signs with these keys, and says what is missing.
pub(crate) fn sign_all(
    transaction: &mut Transaction,
    outputs: &BTreeMap<OutPoint, TxOut>,
    keys: &mut Keys,
    hash_type: u8,
) -> Answer {
    let secp = Secp256k1::new();
    let spent: Vec<Option<TxOut>> = transaction
        .input
        .iter()
        .map(|input| outputs.get(&input.previous_output).cloned())
        .collect();
    let mut errors = Vec::new();
    for index in 0..transaction.input.len() {
        let Some(output) = spent.get(index).and_then(Option::as_ref) else {
            errors.push((index, "Input not found or already spent".to_owned()));
            continue;
        };
        let single = hash_type & 0x7f == 3;
        let as_it_is = verify(transaction, &spent, index);
        let signs = as_it_is.is_err() && (!single || index < transaction.output.len());
        if signs {
            let original = transaction.clone();
            let signing = Signing {
                transaction: &original,
                spent: &spent,
                hash_type,
                secp: &secp,
            };
            let known = known_signatures(&signing, index, keys);
            if let (Some(produced), Some(input)) = (
                produce(&signing, keys, index, known),
                transaction.input.get_mut(index),
            ) {
                input.script_sig = produced.script_sig;
                input.witness = produced.witness;
            }
        }
        let witnessed = transaction
            .input
            .get(index)
            .is_some_and(|input| !input.witness.is_empty());
        if output.value == UNKNOWN && witnessed {
            let shown: String = output
                .script_pubkey
                .to_hex_string()
                .chars()
                .take(30)
                .collect();
            return Err(RpcError::new(
                TYPE_ERROR,
                format!(
                    "Missing amount for CTxOut(nValue=21000000.00000000, scriptPubKey={shown})"
                ),
            ));
        }
        let now = match signs {
            true => verify(transaction, &spent, index),
            false => as_it_is,
        };
        if let Err(error) = now {
            errors.push((index, complaint(error)));
        }
    }
    let mut json = object! {
        "hex" => encode_hex(transaction),
        "complete" => errors.is_empty(),
    };
    if !errors.is_empty() {
        let told = errors.into_iter().filter_map(|(index, message)| {
            let input = transaction.input.get(index)?;
            Some(object! {
                "txid" => input.previous_output.txid,
                "vout" => input.previous_output.vout,
                "witness" => input
                    .witness
                    .iter()
                    .map(bitcoin::hex::DisplayHex::to_lower_hex_string)
                    .collect::<Json>(),
                "scriptSig" => input.script_sig.to_hex_string(),
                "sequence" => input.sequence.0,
                "error" => message,
            })
        });
        json.push("errors", told.collect::<Json>());
    }
    Ok(json)
}
