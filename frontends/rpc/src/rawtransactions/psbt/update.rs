//! Owns what is added to a PSBT: outputs that it spends, what descriptors know, and signatures.

use std::collections::HashMap;

use bitcoin::bip32::KeySource;
use bitcoin::hashes::{Hash, hash160};
use bitcoin::key::Secp256k1;
use bitcoin::psbt::{GetKey, GetKeyError, KeyRequest};
use bitcoin::secp256k1::{self, All, Signing as CanSign};
use bitcoin::{OutPoint, PrivateKey, Psbt, PublicKey, Script, ScriptBuf, TxOut, ecdsa, taproot};
use everett_ledger::World;
use everett_script::policy::Template;
use miniscript::descriptor::{
    DefiniteDescriptorKey, Descriptor, DescriptorPublicKey, DescriptorSecretKey,
};
use miniscript::psbt::PsbtExt;
use miniscript::{ForEachKey, ToPublicKey};

use super::finalize::{extracted, finalize_all, scripts, signatures};
use super::{is_final, spent_output};
use crate::call::Call;
use crate::descriptor::{Expression, origin, parse_scan_object};
use crate::error::{DESERIALIZATION_ERROR, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;
use crate::rawtransactions::{find, network, outputs_at, sign, waiting};
use crate::signing::{Keys, Signing, produce};
use crate::transaction::encode_hex;

const DESCRIPTORS: &str = "[\"\",{\"desc\":\"str\",\"range\":n or [n,n]},...]";

pub(in crate::rawtransactions) static UTXOUPDATEPSBT: Method = Method {
    name: "utxoupdatepsbt",
    category: Category::Rawtransactions,
    about: "Adds to a PSBT what it spends, from the world that is asked and the index of transactions, and what \
            descriptors tell of its scripts and keys.",
    arguments: &[
        Argument::required("psbt", Kind::Text, "The PSBT in base 64"),
        Argument::optional(
            "descriptors",
            Kind::Array,
            "Descriptors, alone or with a range",
        )
        .shown(DESCRIPTORS),
    ],
    result: "\"str\"    (string) The PSBT in base 64",
    at: true,
    run: Run::Read(utxo_update),
};

pub(in crate::rawtransactions) static DESCRIPTORPROCESSPSBT: Method = Method {
    name: "descriptorprocesspsbt",
    category: Category::Rawtransactions,
    about: "Adds to a PSBT what it spends and what descriptors tell, and signs with the private keys in them.",
    arguments: &[
        Argument::required("psbt", Kind::Text, "The PSBT in base 64"),
        Argument::required(
            "descriptors",
            Kind::Array,
            "Descriptors, alone or with a range",
        )
        .shown(DESCRIPTORS),
        Argument::optional(
            "sighashtype",
            Kind::Text,
            "What the signatures cover: DEFAULT, ALL, NONE, SINGLE, …",
        ),
        Argument::default(
            "bip32derivs",
            Kind::Bool,
            "true",
            "Whether the ways to keys are told",
        ),
        Argument::default(
            "finalize",
            Kind::Bool,
            "true",
            "Whether inputs are finished that can be",
        ),
    ],
    result: "{\"psbt\", \"complete\", \"hex\"}    (json object) The PSBT, and the transaction if it is complete",
    at: true,
    run: Run::Read(descriptor_process),
};

/// What descriptors know.
#[derive(Default)]
struct Known {
    by_script: HashMap<ScriptBuf, Descriptor<DefiniteDescriptorKey>>,
    secrets: Secrets,
    /// Keys and the ways to them, by HASH160.
    keys: HashMap<[u8; 20], (secp256k1::PublicKey, KeySource)>,
}

/// Private keys by their public ones.
#[derive(Default)]
struct Secrets(HashMap<secp256k1::PublicKey, PrivateKey>);

impl GetKey for Secrets {
    type Error = GetKeyError;

    fn get_key<C: CanSign>(
        &self,
        request: KeyRequest,
        _: &Secp256k1<C>,
    ) -> Result<Option<PrivateKey>, GetKeyError> {
        Ok(match request {
            KeyRequest::Pubkey(key) => self.0.get(&key.inner).copied(),
            KeyRequest::XOnlyPubkey(key) => self
                .0
                .iter()
                .find(|(public, _)| public.x_only_public_key().0 == key)
                .map(|(_, private)| *private),
            _ => None,
        })
    }
}

/// The private key of a derived key.
fn private_of(
    expression: &Expression,
    key: &DefiniteDescriptorKey,
    public: &PublicKey,
    secp: &Secp256k1<All>,
) -> Option<PrivateKey> {
    expression.secrets.iter().find_map(|secret| {
        let private = match (secret, key.as_descriptor_public_key()) {
            (DescriptorSecretKey::Single(single), _) => single.key,
            (DescriptorSecretKey::XPrv(extended), DescriptorPublicKey::XPub(definite)) => {
                // The public key has the hardened steps in its origin, and the rest in its path.
                let whole = match &definite.origin {
                    Some((_, origin)) => origin.extend(&definite.derivation_path),
                    None => definite.derivation_path.clone(),
                };
                let known = extended.origin.as_ref().map_or(0, |(_, path)| path.len());
                let steps: Vec<_> = whole.into_iter().skip(known).copied().collect();
                extended.xkey.derive_priv(secp, &steps).ok()?.to_priv()
            }
            _ => return None,
        };
        (private.public_key(secp).inner == public.inner).then_some(private)
    })
}

fn read_descriptors(call: &Call, value: &Json) -> Result<Known, RpcError> {
    let secp = Secp256k1::new();
    let mut known = Known::default();
    for item in value.array()? {
        let (expression, (first, last)) = parse_scan_object(item, network(call))?;
        for index in first..=last {
            if !call.goes_on() {
                return Err(everett_ledger::ReadError::Cancelled.into());
            }
            for path in 0..expression.paths() {
                for derived in expression.derive(path, index)? {
                    let Some(definite) = derived.definite else {
                        continue;
                    };
                    definite.for_each_key(|key| {
                        let public = key.to_public_key();
                        let way = origin(key, &secp);
                        let hash = public.pubkey_hash().to_byte_array();
                        known.keys.insert(hash, (public.inner, way));
                        if let Some(private) = private_of(&expression, key, &public, &secp) {
                            known.secrets.0.insert(public.inner, private);
                        }
                        true
                    });
                    known.by_script.insert(derived.script, definite);
                }
            }
        }
    }
    Ok(known)
}

/// Adds the outputs that inputs spend: whole transactions where there is an index or they wait, or else segwit outputs.
fn add_spent(call: &Call, world: &World, psbt: &mut Psbt, known: &Known) -> Result<(), RpcError> {
    let indexed = call.ledger().tx_index_complete() == Some(true);
    let outpoints: Vec<OutPoint> = psbt
        .unsigned_tx
        .input
        .iter()
        .map(|input| input.previous_output)
        .collect();
    let mut waiting = waiting(call, outpoints.iter().map(|outpoint| outpoint.txid))?.into_iter();
    let mut outputs = outputs_at(call, outpoints.iter().copied())?.into_iter();
    for (index, outpoint) in outpoints.iter().enumerate() {
        let (waiting, output) = (waiting.next().flatten(), outputs.next().flatten());
        if psbt.inputs[index].non_witness_utxo.is_some() {
            continue;
        }
        if indexed && let Ok(found) = find(call, world, &outpoint.txid, None) {
            psbt.inputs[index].non_witness_utxo = Some(found.transaction);
            continue;
        }
        if waiting.is_some() {
            psbt.inputs[index].non_witness_utxo = waiting;
            continue;
        }
        let Some(output) = output else {
            continue;
        };
        let nested = known.by_script.get(&output.script_pubkey);
        let nested =
            nested.is_some_and(|descriptor| descriptor.desc_type().segwit_version().is_some());
        if output.script_pubkey.is_witness_program() || nested {
            psbt.inputs[index].witness_utxo = Some(output);
        }
    }
    Ok(())
}

impl Known {
    /// The known keys that a script asks for, with the ways to them.
    fn ways(&self, script: &Script) -> Vec<(secp256k1::PublicKey, KeySource)> {
        let hash_of = |key: &[u8]| hash160::Hash::hash(key).to_byte_array();
        let hashes: Vec<[u8; 20]> = match Template::of(script.as_bytes()) {
            Template::PubKeyHash { hash } | Template::WitnessV0KeyHash { hash } => {
                hash.try_into().into_iter().collect()
            }
            Template::PubKey { key } => vec![hash_of(key)],
            Template::Multisig { keys, .. } => keys.iter().map(|key| hash_of(key)).collect(),
            _ => Vec::new(),
        };
        let known = hashes.iter().filter_map(|hash| self.keys.get(hash));
        known.cloned().collect()
    }
}

/// Adds what descriptors know of inputs and outputs.
fn add_known(psbt: &mut Psbt, known: &Known, tell_ways: bool) {
    for index in 0..psbt.inputs.len() {
        let Some(output) = spent_output(psbt, index) else {
            continue;
        };
        if is_final(psbt, index) {
            continue;
        }
        if let Some(descriptor) = known.by_script.get(&output.script_pubkey) {
            // One that does not fit its output was not found by it.
            let _ = psbt.update_input_with_descriptor(index, descriptor);
        }
        let input = &mut psbt.inputs[index];
        let inner = input
            .witness_script
            .as_ref()
            .or(input.redeem_script.as_ref());
        let ways = known.ways(inner.unwrap_or(&output.script_pubkey));
        input.bip32_derivation.extend(ways);
        if let Template::WitnessV1Taproot { key } = Template::of(output.script_pubkey.as_bytes()) {
            let same = known
                .keys
                .values()
                .find(|(public, _)| public.x_only_public_key().0.serialize() == key);
            if let Some((public, way)) = same {
                let origin = (Vec::new(), way.clone());
                let key = public.x_only_public_key().0;
                input.tap_key_origins.entry(key).or_insert(origin);
            }
        }
        if !tell_ways {
            input.bip32_derivation.clear();
            input.tap_key_origins.clear();
        }
        let redeem = input
            .redeem_script
            .as_ref()
            .unwrap_or(&output.script_pubkey);
        let witness = match Template::of(redeem.as_bytes()) {
            Template::WitnessV0KeyHash { .. } | Template::WitnessV1Taproot { .. } => true,
            Template::WitnessV0ScriptHash { .. } => input.witness_script.is_some(),
            _ => false,
        };
        if witness {
            input.witness_utxo = Some(output);
        }
    }
    for index in 0..psbt.outputs.len() {
        let script = psbt.unsigned_tx.output[index].script_pubkey.clone();
        if tell_ways {
            psbt.outputs[index]
                .bip32_derivation
                .extend(known.ways(&script));
        }
        if let Some(descriptor) = known.by_script.get(&script) {
            let _ = psbt.update_output_with_descriptor(index, descriptor);
            if !tell_ways {
                psbt.outputs[index].bip32_derivation.clear();
                psbt.outputs[index].tap_key_origins.clear();
            }
        }
    }
}

/// Where every input is of taproot or later, whole transactions are not needed.
fn drop_unnecessary(psbt: &mut Psbt) {
    let later = |index: usize| {
        let output = spent_output(psbt, index);
        let script = output.map(|output| output.script_pubkey);
        let version = script.and_then(|script| script.witness_version());
        version.is_some_and(|version| version.to_num() >= 1)
            && psbt.inputs[index].witness_utxo.is_some()
    };
    if (0..psbt.inputs.len()).all(later) {
        for input in &mut psbt.inputs {
            input.non_witness_utxo = None;
        }
    }
}

fn utxo_update(call: &Call) -> Answer {
    let known = match call.maybe(1) {
        Some(value) => read_descriptors(call, value)?,
        None => Known::default(),
    };
    let mut partial = Partial::parse(call.text(0)?)?;
    let world = call.world()?;
    add_spent(call, &world, &mut partial.psbt, &known)?;
    add_known(&mut partial.psbt, &known, true);
    drop_unnecessary(&mut partial.psbt);
    Ok(partial.text().into())
}

fn descriptor_process(call: &Call) -> Answer {
    let known = read_descriptors(call, call.arg(1))?;
    let hash_type = sign::parse_hash_type(call.maybe(2))?;
    let tell_ways = call.bool_or(3, true)?;
    let finish = call.bool_or(4, true)?;
    let mut partial = Partial::parse(call.text(0)?)?;
    let world = call.world()?;
    add_spent(call, &world, &mut partial.psbt, &known)?;
    let original = partial.psbt.clone();
    add_known(&mut partial.psbt, &known, true);
    sign_all(&mut partial.psbt, &known.secrets, hash_type)?;
    if !tell_ways {
        for (input, before) in partial.psbt.inputs.iter_mut().zip(&original.inputs) {
            input.bip32_derivation = before.bip32_derivation.clone();
            input.tap_key_origins = before.tap_key_origins.clone();
        }
        for (output, before) in partial.psbt.outputs.iter_mut().zip(&original.outputs) {
            output.bip32_derivation = before.bip32_derivation.clone();
            output.tap_key_origins = before.tap_key_origins.clone();
        }
    }
    let complete = match finish {
        true => finalize_all(&mut partial.psbt),
        false => (0..partial.psbt.inputs.len()).all(|index| is_final(&partial.psbt, index)),
    };
    drop_unnecessary(&mut partial.psbt);
    let mut json = object! { "psbt" => partial.text(), "complete" => complete };
    if complete {
        json.push("hex", encode_hex(&extracted(&partial.psbt)));
    }
    Ok(json)
}

fn sign_all(psbt: &mut Psbt, secrets: &Secrets, hash_type: Option<u8>) -> Result<(), RpcError> {
    let secp = Secp256k1::new();
    let spent: Vec<Option<TxOut>> = (0..psbt.inputs.len())
        .map(|index| spent_output(psbt, index))
        .collect();
    let transaction = psbt.unsigned_tx.clone();
    for index in 0..psbt.inputs.len() {
        let Some(output) = spent.get(index).and_then(Option::as_ref) else {
            continue;
        };
        let is_taproot = output.script_pubkey.is_p2tr();
        let default = if is_taproot { 0 } else { 1 };
        let wanted = hash_type.unwrap_or(default);
        let input = &mut psbt.inputs[index];
        if input
            .sighash_type
            .is_some_and(|known| known.to_u32() != u32::from(wanted))
        {
            return Err(RpcError::new(
                DESERIALIZATION_ERROR,
                "Specified sighash value does not match value stored in PSBT",
            ));
        }
        if wanted != 0 && (is_taproot || wanted != 1) {
            input.sighash_type = Some(bitcoin::psbt::PsbtSighashType::from_u32(u32::from(wanted)));
        }
        let mut keys = Keys::default();
        for key in secrets.0.values() {
            keys.add(*key, &secp);
        }
        scripts(psbt, index, &mut keys);
        let signing = Signing {
            transaction: &transaction,
            spent: &spent,
            hash_type: wanted,
            secp: &secp,
        };
        let known = signatures(psbt, index);
        let produced = produce(&signing, &keys, index, known);
        let Some(produced) = produced else { continue };
        if is_taproot && let Some(signature) = produced.witness.nth(0) {
            let signature = taproot::Signature::from_slice(signature).ok();
            psbt.inputs[index].tap_key_sig = psbt.inputs[index].tap_key_sig.or(signature);
        }
        for (key, signature) in produced.signatures {
            if let (Ok(key), Ok(signature)) = (
                PublicKey::from_slice(&key),
                ecdsa::Signature::from_slice(&signature),
            ) {
                psbt.inputs[index].partial_sigs.insert(key, signature);
            }
        }
    }
    // What no template covers: taproot with tweaked keys, and miniscript.
    let mut rest = psbt.clone();
    let _ = rest.sign(secrets, &secp);
    for (input, signed) in psbt.inputs.iter_mut().zip(rest.inputs) {
        for (key, signature) in signed.partial_sigs {
            input.partial_sigs.entry(key).or_insert(signature);
        }
        input.tap_key_sig = input.tap_key_sig.or(signed.tap_key_sig);
        for (key, signature) in signed.tap_script_sigs {
            input.tap_script_sigs.entry(key).or_insert(signature);
        }
    }
    Ok(())
}
