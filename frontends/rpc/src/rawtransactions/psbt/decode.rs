//! Owns how a PSBT is told.

use std::collections::BTreeMap;

use bitcoin::bip32::KeySource;
use bitcoin::hashes::Hash;
use bitcoin::hex::DisplayHex;
use bitcoin::psbt::raw;
use bitcoin::taproot::TapLeafHash;
use bitcoin::{Network, Psbt, Script, XOnlyPublicKey, psbt, secp256k1};
use everett_script::assembly::{to_asm, to_asm_with_hash_types};

use crate::call::Call;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::{InputExtra, Partial};
use crate::rawtransactions::network;
use crate::show::{Verbosity, script_json, script_type, transaction_json};
use crate::signing::hash_type_name;

pub(in crate::rawtransactions) static DECODEPSBT: Method = Method {
    name: "decodepsbt",
    category: Category::Rawtransactions,
    about: "What a PSBT holds.",
    arguments: &[Argument::required(
        "psbt",
        Kind::Text,
        "The PSBT in base 64",
    )],
    result: "{...}    (json object) tx or the fields of version 2, global_xpubs, psbt_version, proprietary, unknown, \
             inputs, outputs, fee",
    at: false,
    run: Run::Read(decode),
};

/// A script that is no script pubkey.
fn inner_script(script: &Script) -> Json {
    object! {
        "asm" => to_asm(script),
        "hex" => script.to_hex_string(),
        "type" => script_type(script),
    }
}

fn path_text(source: &KeySource) -> String {
    let steps = source.1.as_ref().iter().map(|step| match step {
        bitcoin::bip32::ChildNumber::Normal { index } => format!("/{index}"),
        bitcoin::bip32::ChildNumber::Hardened { index } => format!("/{index}h"),
    });
    format!("m{}", steps.collect::<String>())
}

fn ways(known: &BTreeMap<secp256k1::PublicKey, KeySource>) -> Option<Json> {
    let way = |(key, source): (&secp256k1::PublicKey, &KeySource)| {
        object! {
            "pubkey" => key.to_string(),
            "master_fingerprint" => source.0.to_string(),
            "path" => path_text(source),
        }
    };
    (!known.is_empty()).then(|| known.iter().map(way).collect())
}

type TapWays = BTreeMap<XOnlyPublicKey, (Vec<TapLeafHash>, KeySource)>;

fn tap_ways(known: &TapWays) -> Option<Json> {
    let way = |(key, (leaves, source)): (&XOnlyPublicKey, &(Vec<TapLeafHash>, KeySource))| {
        let leaves = leaves
            .iter()
            .map(|leaf| leaf.to_byte_array().to_lower_hex_string());
        object! {
            "pubkey" => key.to_string(),
            "master_fingerprint" => source.0.to_string(),
            "path" => path_text(source),
            "leaf_hashes" => leaves.collect::<Json>(),
        }
    };
    (!known.is_empty()).then(|| known.iter().map(way).collect())
}

fn proprietary(known: &BTreeMap<raw::ProprietaryKey, Vec<u8>>) -> Json {
    let entry = |(key, value): (&raw::ProprietaryKey, &Vec<u8>)| {
        object! {
            "identifier" => key.prefix.to_lower_hex_string(),
            "subtype" => key.subtype,
            "key" => key.key.to_lower_hex_string(),
            "value" => value.to_lower_hex_string(),
        }
    };
    known.iter().map(entry).collect()
}

fn unknown(known: &BTreeMap<raw::Key, Vec<u8>>) -> Json {
    let mut json = Json::Object(Vec::new());
    for (key, value) in known {
        let mut name = vec![key.type_value];
        name.extend_from_slice(&key.key);
        json.push(&name.to_lower_hex_string(), value.to_lower_hex_string());
    }
    json
}

fn preimages<H: AsRef<[u8]>>(known: &BTreeMap<H, Vec<u8>>) -> Option<Json> {
    let mut json = Json::Object(Vec::new());
    for (hash, preimage) in known {
        let name = hash.as_ref().to_lower_hex_string();
        json.push(&name, preimage.to_lower_hex_string());
    }
    (!known.is_empty()).then_some(json)
}

fn decode(call: &Call) -> Answer {
    let partial = Partial::parse(call.text(0)?)?;
    let network = network(call);
    let psbt = &partial.psbt;
    let transaction = &psbt.unsigned_tx;
    let mut json = Json::Object(Vec::new());
    if partial.version < 2 {
        let told = transaction_json(transaction, network, None, Verbosity::Details, false);
        json.push("tx", told);
    }
    let xpub = |(key, source): (&bitcoin::bip32::Xpub, &KeySource)| {
        object! {
            "xpub" => key.to_string(),
            "master_fingerprint" => source.0.to_string(),
            "path" => path_text(source),
        }
    };
    json.push("global_xpubs", psbt.xpub.iter().map(xpub).collect::<Json>());
    if partial.version >= 2 {
        json.push("tx_version", transaction.version.0 as u32);
        json.push_some("fallback_locktime", partial.fallback);
        json.push("input_count", psbt.inputs.len());
        json.push("output_count", psbt.outputs.len());
        if let Some(flags) = partial.modifiable {
            json.push("inputs_modifiable", flags & 1 != 0);
            json.push("outputs_modifiable", flags & 2 != 0);
            json.push("has_sighash_single", flags & 4 != 0);
        }
    }
    json.push("psbt_version", partial.version);
    json.push("proprietary", proprietary(&psbt.proprietary));
    json.push("unknown", unknown(&psbt.unknown));
    let mut inputs = Vec::with_capacity(psbt.inputs.len());
    for index in 0..psbt.inputs.len() {
        let extra = partial.extras.get(index).filter(|_| partial.version >= 2);
        inputs.push(input_json(psbt, index, extra, network));
    }
    json.push("inputs", inputs);
    let outputs: Json = psbt
        .outputs
        .iter()
        .zip(&transaction.output)
        .map(|(output, paid)| {
            let paid = (partial.version >= 2).then_some(paid);
            output_json(output, paid, network)
        })
        .collect();
    json.push("outputs", outputs);
    let taken: Option<i64> = (0..psbt.inputs.len())
        .map(|index| super::spent_output(psbt, index).map(|output| output.value.to_sat() as i64))
        .sum();
    if let Some(taken) = taken {
        let given: i64 = transaction
            .output
            .iter()
            .map(|output| output.value.to_sat() as i64)
            .sum();
        json.push("fee", amount(taken - given));
    }
    Ok(json)
}

fn input_json(psbt: &Psbt, index: usize, extra: Option<&InputExtra>, network: Network) -> Json {
    let mut json = Json::Object(Vec::new());
    let Some(input) = psbt.inputs.get(index) else {
        return json;
    };
    if let Some(output) = &input.witness_utxo {
        let told = object! {
            "amount" => output.value,
            "scriptPubKey" => script_json(&output.script_pubkey, network),
        };
        json.push("witness_utxo", told);
    }
    if let Some(whole) = &input.non_witness_utxo {
        let told = transaction_json(whole, network, None, Verbosity::Details, false);
        json.push("non_witness_utxo", told);
    }
    if !input.partial_sigs.is_empty() {
        let mut signatures: Vec<_> = input.partial_sigs.iter().collect();
        // Core keeps them by the hashes of their keys.
        signatures.sort_by_key(|(key, _)| key.pubkey_hash().to_byte_array());
        let mut told = Json::Object(Vec::new());
        for (key, signature) in signatures {
            told.push(&key.to_string(), signature.to_vec().to_lower_hex_string());
        }
        json.push("partial_signatures", told);
    }
    let hash_type = input
        .sighash_type
        .map(|kind| hash_type_name(kind.to_u32() as u8));
    json.push_some("sighash", hash_type);
    json.push_some(
        "redeem_script",
        input.redeem_script.as_deref().map(inner_script),
    );
    json.push_some(
        "witness_script",
        input.witness_script.as_deref().map(inner_script),
    );
    json.push_some("bip32_derivs", ways(&input.bip32_derivation));
    if let Some(script) = &input.final_script_sig {
        let told = object! {
            "asm" => to_asm_with_hash_types(script),
            "hex" => script.to_hex_string(),
        };
        json.push("final_scriptSig", told);
    }
    if let Some(witness) = &input.final_script_witness {
        let stack = witness.iter().map(|item| item.to_lower_hex_string());
        json.push("final_scriptwitness", stack.collect::<Json>());
    }
    json.push_some("ripemd160_preimages", preimages(&input.ripemd160_preimages));
    json.push_some("sha256_preimages", preimages(&input.sha256_preimages));
    json.push_some("hash160_preimages", preimages(&input.hash160_preimages));
    json.push_some("hash256_preimages", preimages(&input.hash256_preimages));
    if let (Some(extra), Some(spends)) = (extra, psbt.unsigned_tx.input.get(index)) {
        json.push("previous_txid", spends.previous_output.txid);
        json.push("previous_vout", spends.previous_output.vout);
        json.push_some("sequence", extra.sequence);
        json.push_some("time_locktime", extra.time);
        json.push_some("height_locktime", extra.height);
    }
    push_taproot(&mut json, input);
    if !input.proprietary.is_empty() {
        json.push("proprietary", proprietary(&input.proprietary));
    }
    if !input.unknown.is_empty() {
        json.push("unknown", unknown(&input.unknown));
    }
    json
}

fn push_taproot(json: &mut Json, input: &psbt::Input) {
    let signature = input
        .tap_key_sig
        .map(|signature| signature.to_vec().to_lower_hex_string());
    json.push_some("taproot_key_path_sig", signature);
    if !input.tap_script_sigs.is_empty() {
        let signatures = input
            .tap_script_sigs
            .iter()
            .map(|((key, leaf), signature)| {
                object! {
                    "pubkey" => key.to_string(),
                    "leaf_hash" => leaf.to_byte_array().to_lower_hex_string(),
                    "sig" => signature.to_vec().to_lower_hex_string(),
                }
            });
        json.push("taproot_script_path_sigs", signatures.collect::<Json>());
    }
    if !input.tap_scripts.is_empty() {
        let scripts = input
            .tap_scripts
            .iter()
            .map(|(control, (script, version))| {
                object! {
                    "script" => script.to_hex_string(),
                    "leaf_ver" => version.to_consensus(),
                    "control_blocks" => vec![control.serialize().to_lower_hex_string()],
                }
            });
        json.push("taproot_scripts", scripts.collect::<Json>());
    }
    json.push_some("taproot_bip32_derivs", tap_ways(&input.tap_key_origins));
    let key = input.tap_internal_key.map(|key| key.to_string());
    json.push_some("taproot_internal_key", key);
    let root = input.tap_merkle_root;
    let root = root.map(|root| root.to_byte_array().to_lower_hex_string());
    json.push_some("taproot_merkle_root", root);
}

fn output_json(output: &psbt::Output, paid: Option<&bitcoin::TxOut>, network: Network) -> Json {
    let mut json = Json::Object(Vec::new());
    json.push_some(
        "redeem_script",
        output.redeem_script.as_deref().map(inner_script),
    );
    json.push_some(
        "witness_script",
        output.witness_script.as_deref().map(inner_script),
    );
    json.push_some("bip32_derivs", ways(&output.bip32_derivation));
    if let Some(paid) = paid {
        json.push("amount", paid.value);
        json.push("script", script_json(&paid.script_pubkey, network));
    }
    let key = output.tap_internal_key.map(|key| key.to_string());
    json.push_some("taproot_internal_key", key);
    if let Some(tree) = &output.tap_tree {
        let leaves = tree.script_leaves().map(|leaf| {
            object! {
                "depth" => leaf.merkle_branch().len(),
                "leaf_ver" => leaf.version().to_consensus(),
                "script" => leaf.script().to_hex_string(),
            }
        });
        json.push("taproot_tree", leaves.collect::<Json>());
    }
    json.push_some("taproot_bip32_derivs", tap_ways(&output.tap_key_origins));
    if !output.proprietary.is_empty() {
        json.push("proprietary", proprietary(&output.proprietary));
    }
    if !output.unknown.is_empty() {
        json.push("unknown", unknown(&output.unknown));
    }
    json
}
