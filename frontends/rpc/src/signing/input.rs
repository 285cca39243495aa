//! Owns the solving of one input: which signatures its script wants, and where they go.

use bitcoin::hashes::{Hash, hash160, ripemd160};
use bitcoin::secp256k1::{Keypair, Message};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{PublicKey, Script, ScriptBuf, TxOut, Witness, XOnlyPublicKey};
use everett_script::policy::Template;

use super::{Keys, Signatures, Signing, pushes, verify};

/// What an input came to.
pub(crate) struct Produced {
    pub(crate) script_sig: ScriptBuf,
    pub(crate) witness: Witness,
    /// Whether it verifies.
    pub(crate) complete: bool,
    /// All signatures that are known now, with those that were made.
    pub(crate) signatures: Signatures,
}

/// Which rules a signature is made under.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    Base,
    WitnessV0,
}

struct Solver<'a> {
    signing: &'a Signing<'a>,
    keys: &'a Keys,
    input: usize,
    output: &'a TxOut,
    signatures: Signatures,
}

/// The message that an ECDSA signature of an input signs.
pub(super) fn ecdsa_message(
    signing: &Signing<'_>,
    input: usize,
    script: &Script,
    amount: bitcoin::Amount,
    witness: bool,
    hash_type: u8,
) -> Option<Message> {
    let mut cache = SighashCache::new(signing.transaction);
    if witness {
        let kind = EcdsaSighashType::from_consensus(u32::from(hash_type));
        let hash = cache
            .p2wsh_signature_hash(input, script, amount, kind)
            .ok()?;
        return Some(Message::from_digest(hash.to_byte_array()));
    }
    let hash = cache
        .legacy_signature_hash(input, script, u32::from(hash_type))
        .ok()?;
    Some(Message::from_digest(hash.to_byte_array()))
}

impl Solver<'_> {
    /// The signature of a key: one that is known, or a new one.
    fn sign(&mut self, key: &[u8], script: &Script, rules: Rules) -> Option<Vec<u8>> {
        if let Some(known) = self.signatures.get(key) {
            return Some(known.clone());
        }
        let public = PublicKey::from_slice(key).ok()?;
        let private = self.keys.private_of(&public)?;
        if rules == Rules::WitnessV0 && !public.compressed {
            return None;
        }
        let hash_type = match self.signing.hash_type {
            0 => 1,
            other => other,
        };
        let witness = rules == Rules::WitnessV0;
        let amount = self.output.value;
        let message = ecdsa_message(self.signing, self.input, script, amount, witness, hash_type)?;
        let signature = self.signing.secp.sign_ecdsa_low_r(&message, &private.inner);
        let mut bytes = signature.serialize_der().to_vec();
        bytes.push(hash_type);
        self.signatures.insert(key.to_vec(), bytes.clone());
        Some(bytes)
    }

    fn public(&self, hash: &[u8]) -> Option<Vec<u8>> {
        let hash: [u8; 20] = hash.try_into().ok()?;
        if let Some(key) = self.keys.public.get(&hash) {
            return Some(key.to_bytes());
        }
        let known = self
            .signatures
            .keys()
            .find(|key| hash160::Hash::hash(key).to_byte_array() == hash);
        known.cloned()
    }

    /// One step: what satisfies a script, and whether all of it does.
    fn step(&mut self, script: &Script, rules: Rules) -> (Vec<Vec<u8>>, bool) {
        let nothing = (Vec::new(), false);
        match Template::of(script.as_bytes()) {
            Template::PubKey { key } => match self.sign(key, script, rules) {
                Some(signature) => (vec![signature], true),
                None => nothing,
            },
            Template::PubKeyHash { hash } => {
                let Some(key) = self.public(hash) else {
                    return nothing;
                };
                match self.sign(&key, script, rules) {
                    Some(signature) => (vec![signature, key], true),
                    None => nothing,
                }
            }
            Template::Multisig { required, keys } => {
                let mut stack = vec![Vec::new()];
                for key in keys {
                    let signature = self.sign(key, script, rules);
                    if stack.len() <= required {
                        stack.extend(signature);
                    }
                }
                let whole = stack.len() == required + 1;
                stack.resize(required + 1, Vec::new());
                (stack, whole)
            }
            Template::ScriptHash { hash } => self.script(hash),
            Template::WitnessV0ScriptHash { hash } => {
                let hash = ripemd160::Hash::hash(hash);
                self.script(hash.as_byte_array())
            }
            Template::WitnessV0KeyHash { hash } => (vec![hash.to_vec()], true),
            Template::WitnessV1Taproot { key } => match self.taproot(key) {
                Some(signature) => (vec![signature], true),
                None => nothing,
            },
            _ => nothing,
        }
    }

    fn script(&self, hash: &[u8]) -> (Vec<Vec<u8>>, bool) {
        let found = <[u8; 20]>::try_from(hash)
            .ok()
            .and_then(|hash| self.keys.scripts.get(&hash));
        match found {
            Some(script) => (vec![script.to_bytes()], true),
            None => (Vec::new(), false),
        }
    }

    /// A signature of the output key itself.
    fn taproot(&self, key: &[u8]) -> Option<Vec<u8>> {
        let key = XOnlyPublicKey::from_slice(key).ok()?;
        let private = self.keys.x_only.get(&key)?;
        let kind = TapSighashType::from_consensus_u8(self.signing.hash_type).ok()?;
        let outputs = self.signing.all_outputs()?;
        let mut cache = SighashCache::new(self.signing.transaction);
        let hash = cache
            .taproot_key_spend_signature_hash(self.input, &Prevouts::All(&outputs), kind)
            .ok()?;
        let pair = Keypair::from_secret_key(self.signing.secp, &private.inner);
        let message = Message::from_digest(hash.to_byte_array());
        let signature = self.signing.secp.sign_schnorr_no_aux_rand(&message, &pair);
        let mut bytes = signature.as_ref().to_vec();
        if kind != TapSighashType::Default {
            bytes.push(self.signing.hash_type);
        }
        Some(bytes)
    }
}

/// Solves an input as far as keys and known signatures go; `None` where the output that it spends is not known.
pub(crate) fn produce(
    signing: &Signing<'_>,
    keys: &Keys,
    input: usize,
    known: Signatures,
) -> Option<Produced> {
    let output = signing.output(input)?;
    let mut solver = Solver {
        signing,
        keys,
        input,
        output,
        signatures: known,
    };
    let mut script = output.script_pubkey.clone();
    let (mut stack, mut solved) = solver.step(&script, Rules::Base);
    let mut redeem = None;
    if solved && matches!(Template::of(script.as_bytes()), Template::ScriptHash { .. }) {
        script = ScriptBuf::from_bytes(stack.remove(0));
        (stack, solved) = solver.step(&script, Rules::Base);
        let nested = matches!(Template::of(script.as_bytes()), Template::ScriptHash { .. });
        solved &= !nested;
        redeem = Some(script.clone());
    }
    let mut witness = Vec::new();
    match Template::of(script.as_bytes()) {
        Template::WitnessV0KeyHash { hash } if solved => {
            let mut bytes = vec![0x76, 0xa9, 0x14];
            bytes.extend_from_slice(hash);
            bytes.extend_from_slice(&[0x88, 0xac]);
            (witness, solved) = solver.step(Script::from_bytes(&bytes), Rules::WitnessV0);
            stack.clear();
        }
        Template::WitnessV0ScriptHash { .. } if solved => {
            let inner = ScriptBuf::from_bytes(stack.remove(0));
            let wraps = matches!(
                Template::of(inner.as_bytes()),
                Template::ScriptHash { .. }
                    | Template::WitnessV0ScriptHash { .. }
                    | Template::WitnessV0KeyHash { .. }
            );
            (witness, solved) = match wraps {
                true => (Vec::new(), false),
                false => solver.step(&inner, Rules::WitnessV0),
            };
            witness.push(inner.to_bytes());
            stack.clear();
        }
        Template::WitnessV1Taproot { .. } if redeem.is_none() => {
            witness = std::mem::take(&mut stack);
        }
        _ => {}
    }
    if let Some(redeem) = redeem {
        stack.push(redeem.into_bytes());
    }
    let mut produced = Produced {
        script_sig: pushes(&stack),
        witness: Witness::from_slice(&witness),
        complete: false,
        signatures: solver.signatures,
    };
    if solved {
        let mut transaction = signing.transaction.clone();
        if let Some(input) = transaction.input.get_mut(input) {
            input.script_sig = produced.script_sig.clone();
            input.witness = produced.witness.clone();
        }
        produced.complete = verify(&transaction, signing.spent, input).is_ok();
    }
    Some(produced)
}
