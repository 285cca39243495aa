//! Owns addresses of several keys.

use bitcoin::hex::FromHex;
use bitcoin::opcodes::all::OP_CHECKMULTISIG;
use bitcoin::script::Builder;
use bitcoin::{Address, PublicKey, ScriptBuf};

use crate::call::Call;
use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::with_checksum;

/// Most keys of an address.
const MAX_KEYS: usize = 20;
/// Longest script that can be pushed.
const MAX_PUSH: usize = 520;

pub(super) static CREATEMULTISIG: Method = Method {
    name: "createmultisig",
    category: Category::Util,
    about: "An address that several keys have to sign for.",
    arguments: &[
        Argument::required("nrequired", Kind::Number, "How many have to sign"),
        Argument::required("keys", Kind::Array, "The public keys in hexadecimal")
            .shown("[\"key\",...]"),
        Argument::default(
            "address_type",
            Kind::Text,
            "\"legacy\"",
            "legacy, p2sh-segwit or bech32",
        ),
    ],
    result: "{\"address\", \"redeemScript\", \"descriptor\", \"warnings\"}    (json object) The address",
    at: false,
    run: Run::Read(create_multisig),
};

fn public_key(value: &Json) -> Result<PublicKey, RpcError> {
    let text = value.text()?;
    let no = |why: &str| RpcError::new(INVALID_ADDRESS_OR_KEY, format!("Pubkey \"{text}\" {why}"));
    let bytes = Vec::<u8>::from_hex(text)
        .ok()
        .filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or_else(|| no("must be a hex string"))?;
    if bytes.len() != 33 && bytes.len() != 65 {
        return Err(no("must have a length of either 33 or 65 bytes"));
    }
    PublicKey::from_slice(&bytes).map_err(|_| no("must be cryptographically valid."))
}

fn create_multisig(call: &Call) -> Answer {
    let required: i32 = call.int(0)?;
    let keys = call.arg(1).array()?;
    let keys = keys.iter().map(public_key).collect::<Result<Vec<_>, _>>()?;
    let wanted = call.maybe(2).map_or(Ok("legacy"), Json::text)?;
    match wanted {
        "legacy" | "p2sh-segwit" | "bech32" => {}
        "bech32m" => {
            return Err(RpcError::new(
                INVALID_ADDRESS_OR_KEY,
                "createmultisig cannot create bech32m multisig addresses",
            ));
        }
        _ => {
            return Err(RpcError::new(
                INVALID_ADDRESS_OR_KEY,
                format!("Unknown address type '{wanted}'"),
            ));
        }
    }
    if required < 1 {
        return Err(RpcError::parameter(
            "a multisignature address must require at least one key to redeem",
        ));
    }
    if keys.len() < required as usize {
        return Err(RpcError::parameter(format!(
            "not enough keys supplied (got {} keys, but need at least {required} to redeem)",
            keys.len()
        )));
    }
    if keys.len() > MAX_KEYS {
        return Err(RpcError::parameter(format!(
            "Number of keys involved in the multisignature address creation > {MAX_KEYS}\nReduce the number"
        )));
    }
    let mut script = Builder::new().push_int(i64::from(required));
    for key in &keys {
        script = script.push_key(key);
    }
    let script = script
        .push_int(keys.len() as i64)
        .push_opcode(OP_CHECKMULTISIG)
        .into_script();
    let compressed = keys.iter().all(|key| key.compressed);
    let kind = if compressed { wanted } else { "legacy" };
    if kind == "legacy" && script.len() > MAX_PUSH {
        return Err(RpcError::parameter(format!(
            "redeemScript exceeds size limit: {} > {MAX_PUSH}",
            script.len()
        )));
    }
    let network = call.ledger().params().network.to_bitcoin();
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let multi = format!("multi({required},{})", names.join(","));
    let (paid, descriptor) = match kind {
        "bech32" => (
            ScriptBuf::new_p2wsh(&script.wscript_hash()),
            format!("wsh({multi})"),
        ),
        "p2sh-segwit" => {
            let witness = ScriptBuf::new_p2wsh(&script.wscript_hash());
            (
                ScriptBuf::new_p2sh(&witness.script_hash()),
                format!("sh(wsh({multi}))"),
            )
        }
        _ => (
            ScriptBuf::new_p2sh(&script.script_hash()),
            format!("sh({multi})"),
        ),
    };
    let address =
        Address::from_script(&paid, network).map_err(|error| RpcError::misc(error.to_string()))?;
    let mut json = object! {
        "address" => address.to_string(),
        "redeemScript" => script.to_hex_string(),
        "descriptor" => with_checksum(&descriptor),
    };
    if kind != wanted {
        json.push(
            "warnings",
            vec!["Unable to make chosen address type, please ensure no uncompressed public keys are present."],
        );
    }
    Ok(json)
}
