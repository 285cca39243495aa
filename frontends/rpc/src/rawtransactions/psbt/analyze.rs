//! Owns what is said of how far a PSBT is.

use bitcoin::hashes::{Hash, hash160};
use bitcoin::hex::DisplayHex;
use bitcoin::{Psbt, ScriptBuf, TxOut};
use everett_ledger::Coin;
use everett_script::policy::Template;

use super::finalize::{extracted, finalize_all};
use super::{is_final, spent_output};
use crate::call::Call;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;
use crate::signing::verify;
use crate::transaction::sizes;

pub(in crate::rawtransactions) static ANALYZEPSBT: Method = Method {
    name: "analyzepsbt",
    category: Category::Rawtransactions,
    about: "How far a PSBT is, and what each of its inputs is missing. Size and feerate are told once all signatures \
            are there.",
    arguments: &[Argument::required(
        "psbt",
        Kind::Text,
        "The PSBT in base 64",
    )],
    result: "{...}    (json object) inputs, estimated_vsize, estimated_feerate, fee, next, error",
    at: false,
    run: Run::Read(analyze),
};

/// Who has to do something next, the first one first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Updater,
    Signer,
    Finalizer,
    Extractor,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Role::Updater => "updater",
            Role::Signer => "signer",
            Role::Finalizer => "finalizer",
            Role::Extractor => "extractor",
        }
    }
}

/// What an input is missing, by HASH160.
#[derive(Default)]
struct Missing {
    keys: Vec<[u8; 20]>,
    signatures: Vec<[u8; 20]>,
    redeem: Option<[u8; 20]>,
    witness: Option<[u8; 32]>,
}

impl Missing {
    fn json(&self) -> Option<Json> {
        let list = |hashes: &[[u8; 20]]| -> Json {
            hashes
                .iter()
                .map(|hash| hash.to_lower_hex_string())
                .collect()
        };
        let mut json = Json::Object(Vec::new());
        if !self.keys.is_empty() {
            json.push("pubkeys", list(&self.keys));
        }
        json.push_some(
            "redeemscript",
            self.redeem.map(|hash| hash.to_lower_hex_string()),
        );
        json.push_some(
            "witnessscript",
            self.witness.map(|hash| hash.to_lower_hex_string()),
        );
        if !self.signatures.is_empty() {
            json.push("signatures", list(&self.signatures));
        }
        let any = json.object().is_ok_and(|fields| !fields.is_empty());
        any.then_some(json)
    }

    fn only_signatures(&self) -> bool {
        let others = self.keys.is_empty() && self.redeem.is_none() && self.witness.is_none();
        others && !self.signatures.is_empty()
    }
}

fn missing(psbt: &Psbt, index: usize, output: &TxOut) -> Missing {
    let mut missing = Missing::default();
    let Some(input) = psbt.inputs.get(index) else {
        return missing;
    };
    let mut script: ScriptBuf = output.script_pubkey.clone();
    if let Template::ScriptHash { hash } = Template::of(script.as_bytes()) {
        match &input.redeem_script {
            Some(redeem) => script = redeem.clone(),
            None => {
                missing.redeem = hash.try_into().ok();
                return missing;
            }
        }
    }
    if let Template::WitnessV0ScriptHash { hash } = Template::of(script.as_bytes()) {
        match &input.witness_script {
            Some(witness) => script = witness.clone(),
            None => {
                missing.witness = hash.try_into().ok();
                return missing;
            }
        }
    }
    let hash_of = |key: &[u8]| hash160::Hash::hash(key).to_byte_array();
    let signed = |hash: &[u8; 20]| {
        let mut keys = input.partial_sigs.keys();
        keys.any(|key| key.pubkey_hash().to_byte_array() == *hash)
    };
    let known = |hash: &[u8; 20]| {
        let mut keys = input.bip32_derivation.keys();
        signed(hash) || keys.any(|key| hash_of(&key.serialize()) == *hash)
    };
    match Template::of(script.as_bytes()) {
        Template::PubKey { key } if !signed(&hash_of(key)) => {
            missing.signatures.push(hash_of(key));
        }
        Template::PubKeyHash { hash } | Template::WitnessV0KeyHash { hash } => {
            if let Ok(hash) = hash.try_into() {
                match (known(&hash), signed(&hash)) {
                    (false, _) => missing.keys.push(hash),
                    (true, false) => missing.signatures.push(hash),
                    _ => {}
                }
            }
        }
        Template::Multisig { keys, .. } => {
            let unsigned = keys
                .iter()
                .map(|key| hash_of(key))
                .filter(|hash| !signed(hash));
            missing.signatures.extend(unsigned);
        }
        _ => {}
    }
    missing
}

fn analyze(call: &Call) -> Answer {
    let partial = Partial::parse(call.text(0)?)?;
    let psbt = partial.psbt;
    let invalid = |message: String| Ok(object! { "next" => "creator", "error" => message });
    let spent: Vec<Option<TxOut>> = (0..psbt.inputs.len())
        .map(|index| spent_output(&psbt, index))
        .collect();
    let mut finished = psbt.clone();
    finalize_all(&mut finished);
    let mut next = Role::Extractor;
    let mut inputs = Vec::new();
    let mut taken = Some(0_i64);
    for (index, output) in spent.iter().enumerate() {
        let Some(output) = output else {
            let vout = psbt.unsigned_tx.input[index].previous_output.vout as usize;
            let whole = psbt.inputs[index].non_witness_utxo.as_ref();
            if whole.is_some_and(|whole| vout >= whole.output.len()) {
                return invalid(format!(
                    "PSBT is not valid. Input {index} specifies invalid prevout"
                ));
            }
            taken = None;
            next = next.min(Role::Updater);
            inputs.push(object! { "has_utxo" => false, "is_final" => false, "next" => "updater" });
            continue;
        };
        if Coin::is_unspendable(&output.script_pubkey) {
            return invalid(format!(
                "PSBT is not valid. Input {index} spends unspendable output"
            ));
        }
        taken = taken.map(|taken| taken + output.value.to_sat() as i64);
        let is_final = is_final(&psbt, index) && verify(&extracted(&psbt), &spent, index).is_ok();
        let can_finish = super::is_final(&finished, index);
        let lacks = missing(&psbt, index, output);
        let role = match (is_final, can_finish) {
            (true, _) => Role::Extractor,
            (false, true) => Role::Finalizer,
            _ if lacks.only_signatures() => Role::Signer,
            _ => Role::Updater,
        };
        next = next.min(role);
        let mut json = object! {
            "has_utxo" => true,
            "is_final" => is_final,
            "next" => role.word(),
        };
        if role < Role::Finalizer {
            json.push_some("missing", lacks.json());
        }
        inputs.push(json);
    }
    let mut json = Json::Object(Vec::new());
    if !inputs.is_empty() {
        json.push("inputs", inputs);
    }
    if let Some(taken) = taken {
        let given: i64 = psbt
            .unsigned_tx
            .output
            .iter()
            .map(|output| output.value.to_sat() as i64)
            .sum();
        let fee = taken - given;
        if next >= Role::Finalizer {
            let (_, weight) = sizes(&extracted(&finished));
            let size = weight.div_ceil(4) as i64;
            json.push("estimated_vsize", size);
            json.push("estimated_feerate", amount(fee * 1000 / size.max(1)));
        }
        json.push("fee", amount(fee));
    }
    json.push("next", next.word());
    Ok(json)
}
