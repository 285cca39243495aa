//! Owns the reading of signatures out of inputs that are signed in part.

use bitcoin::{Script, ScriptBuf};
use everett_script::policy::Template;
use everett_script::signature::verify_ecdsa;

use super::input::ecdsa_message;
use super::{Keys, Signatures, Signing, pushed};

/// The signatures that an input of the transaction holds, by their keys. Scripts that it shows are added to `keys`.
pub(crate) fn known_signatures(signing: &Signing<'_>, input: usize, keys: &mut Keys) -> Signatures {
    let mut found = Signatures::new();
    let (Some(shown), Some(output)) = (signing.transaction.input.get(input), signing.output(input))
    else {
        return found;
    };
    let mut stack = pushed(&shown.script_sig).unwrap_or_default();
    let mut script = output.script_pubkey.clone();
    let mut witness = false;
    if matches!(Template::of(script.as_bytes()), Template::ScriptHash { .. })
        && let Some(redeem) = stack.pop()
    {
        script = ScriptBuf::from_bytes(redeem);
        keys.add_script(script.clone());
    }
    match Template::of(script.as_bytes()) {
        Template::WitnessV0ScriptHash { .. } => {
            stack = shown.witness.to_vec();
            witness = true;
            if let Some(inner) = stack.pop() {
                script = ScriptBuf::from_bytes(inner);
                keys.add_script(script.clone());
            }
        }
        Template::WitnessV0KeyHash { hash } => {
            let mut bytes = vec![0x76, 0xa9, 0x14];
            bytes.extend_from_slice(hash);
            bytes.extend_from_slice(&[0x88, 0xac]);
            script = ScriptBuf::from_bytes(bytes);
            stack = shown.witness.to_vec();
            witness = true;
        }
        _ => {}
    }
    let candidates: Vec<Vec<u8>> = match Template::of(script.as_bytes()) {
        Template::PubKey { key } => vec![key.to_vec()],
        Template::PubKeyHash { .. } => stack.last().cloned().into_iter().collect(),
        Template::Multisig { keys, .. } => keys.iter().map(|key| key.to_vec()).collect(),
        _ => Vec::new(),
    };
    for signature in stack.iter().filter(|item| !item.is_empty()) {
        for key in &candidates {
            if signs(signing, input, &script, witness, signature, key) {
                found.insert(key.clone(), signature.clone());
            }
        }
    }
    found
}

fn signs(
    signing: &Signing<'_>,
    input: usize,
    script: &Script,
    witness: bool,
    signature: &[u8],
    key: &[u8],
) -> bool {
    let (Some((hash_type, der)), Some(output)) = (signature.split_last(), signing.output(input))
    else {
        return false;
    };
    let message = ecdsa_message(signing, input, script, output.value, witness, *hash_type);
    message.is_some_and(|message| verify_ecdsa(der, key, *message.as_ref()))
}
