//! Owns what a wallet knows of one address.
//! Promises Core's fields for what stands behind a script: its redeem script, keys, the address within, and where its key comes
//! from.

use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Network, PublicKey, Script, ScriptBuf};
use everett_script::policy::Template;
use everett_wallet::keys::expression::origin;
use miniscript::descriptor::{DefiniteDescriptorKey, ShInner};
use miniscript::{Descriptor, ForEachKey};

use crate::address::parse;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::{address_of, script_type};
use crate::util::describe;

pub(super) static GETADDRESSINFO: Method = Method {
    name: "getaddressinfo",
    category: Category::Wallet,
    about: "What there is to know of an address, and what the wallet knows of it.",
    arguments: &[Argument::required("address", Kind::Text, "The address")],
    result: "{...}    (json object) address, scriptPubKey, ismine, solvable, desc, parent_desc, iswatchonly, isscript, \
             iswitness, witness_version, witness_program, script, hex, pubkeys, sigsrequired, pubkey, embedded, iscompressed, \
             ischange, timestamp, hdkeypath, hdseedid, hdmasterfingerprint, labels",
    at: false,
    run: Run::Read(address_info),
};

/// What solves a script: the keys and scripts that a descriptor tells.
#[derive(Default)]
struct Known {
    keys: Vec<PublicKey>,
    scripts: Vec<ScriptBuf>,
}

impl Known {
    fn new(descriptor: &Descriptor<DefiniteDescriptorKey>) -> Known {
        let secp = bitcoin::secp256k1::Secp256k1::verification_only();
        let mut known = Known::default();
        descriptor.for_each_key(|key| {
            known.keys.push(key.derive_public_key(&secp));
            true
        });
        if let Ok(script) = descriptor.explicit_script() {
            known.scripts.push(script.to_p2wsh());
            known.scripts.push(script);
        }
        let wrapped = known.keys.iter().filter_map(|key| key.wpubkey_hash().ok());
        let wrapped: Vec<ScriptBuf> = wrapped.map(|hash| ScriptBuf::new_p2wpkh(&hash)).collect();
        known.scripts.extend(wrapped);
        known
    }

    fn key(&self, hash: &[u8]) -> Option<&PublicKey> {
        let has = |key: &&PublicKey| key.pubkey_hash().to_byte_array() == *hash;
        self.keys.iter().find(has)
    }

    /// Adds what is known of what an address stands for.
    fn describe(&self, json: &mut Json, script: &Script, network: Network) {
        match Template::of(script.as_bytes()) {
            Template::PubKeyHash { hash } => {
                if let Some(key) = self.key(hash) {
                    json.push("pubkey", key.to_string());
                    json.push("iscompressed", key.compressed);
                }
            }
            Template::WitnessV0KeyHash { hash } => {
                let key = self.key(hash).map(PublicKey::to_string);
                json.push_some("pubkey", key);
            }
            Template::ScriptHash { hash } => {
                let has = |one: &&ScriptBuf| one.script_hash().to_byte_array() == *hash;
                if let Some(inner) = self.scripts.iter().find(has) {
                    self.describe_inner(json, inner, network);
                }
            }
            Template::WitnessV0ScriptHash { hash } => {
                let has =
                    |one: &&ScriptBuf| sha256::Hash::hash(one.as_bytes()).to_byte_array() == *hash;
                if let Some(inner) = self.scripts.iter().find(has) {
                    self.describe_inner(json, inner, network);
                }
            }
            _ => {}
        }
    }

    /// Adds a redeem script or witness script.
    fn describe_inner(&self, json: &mut Json, inner: &Script, network: Network) {
        json.push("script", script_type(inner));
        json.push("hex", inner.to_hex_string());
        if let Some(address) = address_of(inner, network) {
            let mut embedded = Json::Object(Vec::new());
            describe(&mut embedded, &Template::of(inner.as_bytes()));
            self.describe(&mut embedded, inner, network);
            embedded.push("address", address.to_string());
            embedded.push("scriptPubKey", inner.to_hex_string());
            json.push_some("pubkey", embedded.find("pubkey").cloned());
            json.push("embedded", embedded);
        } else if let Template::Multisig { required, keys } = Template::of(inner.as_bytes()) {
            json.push("sigsrequired", required as u64);
            let keys: Json = keys.iter().map(|key| key.to_lower_hex_string()).collect();
            json.push("pubkeys", keys);
        }
    }
}

fn address_info(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let network = call.ledger().params().network.to_bitcoin();
    let address: Address =
        parse(call.text(0)?, network).map_err(|no| RpcError::not_found(no.message))?;
    let script = address.script_pubkey();
    let view = wallet.view()?;
    let keyring = view.keyring();
    let slot = keyring.slot_of(&script);
    let parent = slot.and_then(|slot| keyring.descriptor(slot.descriptor));
    let solution = keyring.solution(&script);
    let text = keyring.text_of(&script);
    let mut json = object! {
        "address" => address.to_string(),
        "scriptPubKey" => script.to_hex_string(),
        "ismine" => slot.is_some(),
        "solvable" => text.is_some(),
    };
    json.push_some("desc", text);
    json.push_some("parent_desc", parent.map(|parent| &*parent.text));
    json.push("iswatchonly", false);
    describe(&mut json, &Template::of(script.as_bytes()));
    let known = solution.as_ref().map(Known::new).unwrap_or_default();
    known.describe(&mut json, &script, network);
    let label = keyring.labels().address(&address.to_string());
    json.push("ischange", slot.is_some() && label.is_none());
    if let (Some(parent), Some(key)) = (parent, solution.as_ref().and_then(own_key)) {
        json.push("timestamp", parent.birth);
        push_origin(&mut json, &key);
    }
    let labels: Vec<&str> = label.map(|label| label.text.as_str()).into_iter().collect();
    json.push("labels", labels);
    Ok(json)
}

/// The key that an address itself stands for: that of a script with a hash of a key, the inner one of taproot. `None` for
/// addresses of scripts.
fn own_key(solution: &Descriptor<DefiniteDescriptorKey>) -> Option<DefiniteDescriptorKey> {
    match solution {
        Descriptor::Pkh(pkh) => Some(pkh.as_inner().clone()),
        Descriptor::Wpkh(wpkh) => Some(wpkh.as_inner().clone()),
        Descriptor::Sh(sh) => match sh.as_inner() {
            ShInner::Wpkh(wpkh) => Some(wpkh.as_inner().clone()),
            _ => None,
        },
        Descriptor::Tr(tree) => Some(tree.internal_key().clone()),
        Descriptor::Wsh(_) | Descriptor::Bare(_) => None,
    }
}

/// Where a key comes from.
fn push_origin(json: &mut Json, key: &DefiniteDescriptorKey) {
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let (fingerprint, path) = origin(key, &secp);
    // Core writes hardened steps with an h.
    let path = path.to_string().replace('\'', "h");
    let path = match path.as_str() {
        "" | "m" => "m".to_owned(),
        steps => format!("m/{}", steps.trim_start_matches("m/")),
    };
    json.push("hdkeypath", path);
    json.push("hdseedid", "0".repeat(40));
    json.push("hdmasterfingerprint", fingerprint.to_string());
}
