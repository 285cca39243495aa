//! Owns the signing of transactions with keys at hand: every standard form, and what of it can be done with some keys.
//! Promises Core's signatures (low R, no randomness) and Core's layout of inputs that are signed in part.
//! Refuses to keep keys longer than a call.

mod extract;
mod input;

use std::collections::{BTreeMap, HashMap};

use bitcoin::hashes::{Hash, hash160};
use bitcoin::secp256k1::{All, Secp256k1};
use bitcoin::{
    Amount, PrivateKey, PublicKey, Script, ScriptBuf, Transaction, TxOut, XOnlyPublicKey,
};
use everett_script::{Flags, PreparedTransaction, ScriptError, SpentOutput};

pub(crate) use extract::known_signatures;
pub(crate) use input::produce;

/// The signature hash types that have a name.
const HASH_TYPES: [(&str, u8); 7] = [
    ("DEFAULT", 0),
    ("ALL", 1),
    ("NONE", 2),
    ("SINGLE", 3),
    ("ALL|ANYONECANPAY", 0x81),
    ("NONE|ANYONECANPAY", 0x82),
    ("SINGLE|ANYONECANPAY", 0x83),
];

/// The signature hash type of this name.
pub(crate) fn hash_type(name: &str) -> Option<u8> {
    HASH_TYPES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

/// The name of a signature hash type.
pub(crate) fn hash_type_name(value: u8) -> &'static str {
    HASH_TYPES
        .iter()
        .find(|(_, known)| *known == value)
        .map_or("", |(name, _)| name)
}

/// Keys and scripts that may be used.
#[derive(Default)]
pub(crate) struct Keys {
    /// By HASH160 of the public key.
    private: HashMap<[u8; 20], PrivateKey>,
    public: HashMap<[u8; 20], PublicKey>,
    x_only: HashMap<XOnlyPublicKey, PrivateKey>,
    /// By HASH160 of the script.
    scripts: HashMap<[u8; 20], ScriptBuf>,
}

impl Keys {
    /// Adds a private key.
    pub(crate) fn add(&mut self, key: PrivateKey, secp: &Secp256k1<All>) {
        let public = key.public_key(secp);
        let hash = public.pubkey_hash().to_byte_array();
        self.private.insert(hash, key);
        self.public.insert(hash, public);
        self.x_only.insert(public.inner.x_only_public_key().0, key);
    }

    /// Adds a script that hashes may stand for.
    pub(crate) fn add_script(&mut self, script: ScriptBuf) {
        let hash = hash160::Hash::hash(script.as_bytes()).to_byte_array();
        self.scripts.insert(hash, script);
    }

    fn private_of(&self, key: &PublicKey) -> Option<&PrivateKey> {
        self.private.get(&key.pubkey_hash().to_byte_array())
    }
}

/// A transaction that is signed, and the outputs that it spends as far as they are known.
pub(crate) struct Signing<'a> {
    pub(crate) transaction: &'a Transaction,
    pub(crate) spent: &'a [Option<TxOut>],
    pub(crate) hash_type: u8,
    pub(crate) secp: &'a Secp256k1<All>,
}

/// ECDSA signatures by the serialized key that made them.
pub(crate) type Signatures = BTreeMap<Vec<u8>, Vec<u8>>;

impl Signing<'_> {
    fn output(&self, input: usize) -> Option<&TxOut> {
        self.spent.get(input).and_then(Option::as_ref)
    }

    /// The outputs that all inputs spend, if they are known.
    fn all_outputs(&self) -> Option<Vec<TxOut>> {
        self.spent.iter().cloned().collect()
    }
}

/// Runs the scripts of an input as it stands.
pub(crate) fn verify(
    transaction: &Transaction,
    spent: &[Option<TxOut>],
    input: usize,
) -> Result<(), ScriptError> {
    let nothing = TxOut {
        value: Amount::ZERO,
        script_pubkey: ScriptBuf::new(),
    };
    let outputs: Vec<&TxOut> = spent
        .iter()
        .map(|output| output.as_ref().unwrap_or(&nothing))
        .collect();
    let outputs: Vec<SpentOutput<'_>> = outputs
        .iter()
        .map(|output| SpentOutput {
            amount: output.value,
            script_pubkey: &output.script_pubkey,
        })
        .collect();
    match PreparedTransaction::new(transaction, &outputs) {
        Ok(prepared) => prepared.verify_input(input, Flags::STANDARD),
        Err(_) => Err(ScriptError::InvalidStackOperation),
    }
}

/// A script of pushes.
fn pushes(items: &[Vec<u8>]) -> ScriptBuf {
    let mut bytes = Vec::new();
    for item in items {
        match item.as_slice() {
            [] => bytes.push(0),
            [small @ 1..=16] => bytes.push(0x50 + small),
            [0x81] => bytes.push(0x4f),
            data => everett_script::assembly::push_data(&mut bytes, data),
        }
    }
    ScriptBuf::from_bytes(bytes)
}

/// What a script pushes, if it does nothing else.
fn pushed(script: &Script) -> Option<Vec<Vec<u8>>> {
    let mut items = Vec::new();
    for instruction in script.instructions() {
        match instruction.ok()? {
            bitcoin::script::Instruction::PushBytes(bytes) => items.push(bytes.as_bytes().to_vec()),
            bitcoin::script::Instruction::Op(opcode) => {
                let number = opcode.to_u8().checked_sub(0x50)?;
                if !(1..=16).contains(&number) {
                    return None;
                }
                items.push(vec![number]);
            }
        }
    }
    Some(items)
}

#[cfg(test)]
mod tests;
