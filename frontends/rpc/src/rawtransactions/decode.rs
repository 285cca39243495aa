//! Owns how bytes of transactions and scripts are told.

use bitcoin::opcodes::all::{OP_CHECKSIGADD, OP_RESERVED};
use bitcoin::script::Instruction;
use bitcoin::{Address, Network, Script, ScriptBuf};
use everett_script::assembly::to_asm;
use everett_script::policy::Template;

use super::network;
use crate::call::{Call, parse_hex};
use crate::error::{DESERIALIZATION_ERROR, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::{Verbosity, infer, script_json, script_type, transaction_json, with_checksum};
use crate::transaction::decode_hex;

/// Longest push, and longest script, that can be executed.
const MAX_PUSH: usize = 520;
const MAX_SCRIPT: usize = 10_000;

pub(super) static DECODERAWTRANSACTION: Method = Method {
    name: "decoderawtransaction",
    category: Category::Rawtransactions,
    about: "The fields of a transaction.",
    arguments: &[
        Argument::required("hexstring", Kind::Text, "The transaction"),
        Argument::optional(
            "iswitness",
            Kind::Bool,
            "Whether it is written with witnesses; without, whichever looks better",
        ),
    ],
    result: "{...}    (json object) txid, hash, version, size, vsize, weight, locktime, vin, vout",
    at: false,
    run: Run::Read(decode_raw_transaction),
};

fn decode_raw_transaction(call: &Call) -> Answer {
    let witness = call.maybe(1).map(Json::bool).transpose()?;
    let transaction = decode_hex(call.text(0)?, witness != Some(true), witness != Some(false));
    let transaction =
        transaction.ok_or_else(|| RpcError::new(DESERIALIZATION_ERROR, "TX decode failed"))?;
    let verbosity = Verbosity::Details;
    Ok(transaction_json(
        &transaction,
        network(call),
        None,
        verbosity,
        false,
    ))
}

pub(super) static DECODESCRIPT: Method = Method {
    name: "decodescript",
    category: Category::Rawtransactions,
    about: "What a script is, and the addresses that stand for it.",
    arguments: &[Argument::required("hexstring", Kind::Text, "The script")],
    result: "{...}    (json object) asm, desc, type, address, p2sh, segwit",
    at: false,
    run: Run::Read(decode_script),
};

fn decode_script(call: &Call) -> Answer {
    let script = match call.text(0)? {
        "" => ScriptBuf::new(),
        _ => ScriptBuf::from_bytes(parse_hex(call.arg(0), "argument")?),
    };
    let network = network(call);
    let mut json = object! {
        "asm" => to_asm(&script),
        "desc" => infer(&script, network),
    };
    let template = Template::of(script.as_bytes());
    let address = crate::show::address_of(&script, network);
    json.push_some("address", address.map(|address| address.to_string()));
    json.push("type", script_type(&script));
    if !can_be_wrapped(&script, &template) {
        return Ok(json);
    }
    json.push_some("p2sh", hash_address(&script, network));
    if let Some(segwit) = segwit_form(&script, &template) {
        let mut form = script_json(&segwit, network);
        if let (Json::Object(fields), Some(descriptor)) =
            (&mut form, inferred_wsh(&script, &segwit))
        {
            for (name, value) in fields.iter_mut() {
                if name == "desc" {
                    *value = Json::from(descriptor.as_str());
                }
            }
        }
        form.push_some("p2sh-segwit", hash_address(&segwit, network));
        json.push("segwit", form);
    }
    Ok(json)
}

fn hash_address(script: &Script, network: Network) -> Option<String> {
    let paid = ScriptBuf::new_p2sh(&script.script_hash());
    let address = Address::from_script(&paid, network).ok()?;
    Some(address.to_string())
}

fn can_be_wrapped(script: &Script, template: &Template<'_>) -> bool {
    let form = matches!(
        template,
        Template::Multisig { .. }
            | Template::NonStandard
            | Template::PubKey { .. }
            | Template::PubKeyHash { .. }
            | Template::WitnessV0KeyHash { .. }
            | Template::WitnessV0ScriptHash { .. }
    );
    let unspendable = script.is_op_return() || script.len() > MAX_SCRIPT;
    let operations = script.instructions().all(|instruction| match instruction {
        Ok(Instruction::PushBytes(bytes)) => bytes.len() <= MAX_PUSH,
        Ok(Instruction::Op(opcode)) => {
            let code = opcode.to_u8();
            code <= 0xb9 && opcode != OP_CHECKSIGADD && !is_success(code)
        }
        Err(_) => false,
    });
    form && !unspendable && operations
}

/// The opcodes that make a tapscript succeed.
fn is_success(code: u8) -> bool {
    code == OP_RESERVED.to_u8()
        || matches!(code, 98 | 126..=129 | 131..=134 | 137..=138 | 141..=142 | 149..=153 | 187..=254)
}

/// The witness program that stands for a script, where one may.
fn segwit_form(script: &Script, template: &Template<'_>) -> Option<ScriptBuf> {
    let compressed = |key: &[u8]| key.len() == 33;
    match template {
        Template::PubKey { key } if compressed(key) => {
            use bitcoin::hashes::{Hash, hash160};
            let hash = hash160::Hash::hash(key).to_byte_array();
            Some(ScriptBuf::new_p2wpkh(
                &bitcoin::WPubkeyHash::from_byte_array(hash),
            ))
        }
        Template::PubKeyHash { hash } => {
            use bitcoin::hashes::Hash;
            let hash: [u8; 20] = (*hash).try_into().ok()?;
            Some(ScriptBuf::new_p2wpkh(
                &bitcoin::WPubkeyHash::from_byte_array(hash),
            ))
        }
        Template::Multisig { keys, .. } if keys.iter().all(|key| compressed(key)) => {
            Some(ScriptBuf::new_p2wsh(&script.wscript_hash()))
        }
        Template::NonStandard => Some(ScriptBuf::new_p2wsh(&script.wscript_hash())),
        _ => None,
    }
}

/// The descriptor of a witness script hash whose script is known.
fn inferred_wsh(script: &Script, segwit: &Script) -> Option<String> {
    use miniscript::{Descriptor, Miniscript, Segwitv0};
    if !segwit.is_p2wsh() {
        return None;
    }
    if let Template::Multisig { required, keys } = Template::of(script.as_bytes()) {
        use bitcoin::hex::DisplayHex;
        let keys: Vec<String> = keys.iter().map(|key| key.to_lower_hex_string()).collect();
        return Some(with_checksum(&format!(
            "wsh(multi({required},{}))",
            keys.join(",")
        )));
    }
    let inner = Miniscript::<bitcoin::PublicKey, Segwitv0>::decode_consensus(script).ok()?;
    inner.sanity_check().ok()?;
    Some(Descriptor::new_wsh(inner).ok()?.to_string())
}
