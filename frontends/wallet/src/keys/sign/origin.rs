//! Owns the finding of our keys by the ways that a PSBT says lead to them, and by the keys themselves.
//! Promises only keys that our descriptors can make, each checked against the public key that is named.

use bitcoin::bip32::{DerivationPath, KeySource};
use bitcoin::psbt::Input;
use bitcoin::secp256k1::{self, Parity, XOnlyPublicKey};
use bitcoin::{CompressedPublicKey, PrivateKey, ScriptBuf};
use miniscript::descriptor::{DescriptorSecretKey, Wildcard};

use crate::keys::Keyring;
use crate::keys::expression::SECP;
use crate::keys::secret::PrivateKeys;

/// The private key at the end of a way, if it starts from this one and is one that the descriptor makes.
fn follow(secret: &DescriptorSecretKey, (fingerprint, way): &KeySource) -> Option<PrivateKey> {
    let extended = match secret {
        DescriptorSecretKey::Single(single) => return Some(single.key),
        DescriptorSecretKey::XPrv(extended) => extended,
        DescriptorSecretKey::MultiXPrv(_) => return None,
    };
    let above = match &extended.origin {
        Some((origin, above)) if origin == fingerprint => above.clone(),
        None if extended.xkey.fingerprint(&*SECP) == *fingerprint => DerivationPath::master(),
        _ => return None,
    };
    let below = way.as_ref().strip_prefix(above.as_ref())?;
    let last = below.strip_prefix(extended.derivation_path.as_ref())?;
    let fits = match (extended.wildcard, last) {
        (Wildcard::None, []) => true,
        (Wildcard::Unhardened, [last]) => last.is_normal(),
        (Wildcard::Hardened, [last]) => last.is_hardened(),
        _ => false,
    };
    if !fits {
        return None;
    }
    let derived = extended.xkey.derive_priv(&*SECP, &below).ok()?;
    Some(PrivateKey::new(derived.private_key, extended.xkey.network))
}

/// The private key of a public one that an address of ours with one key has: whoever was given that address may have put the key
/// into a script of their own, and know no way that leads to it.
fn of_address(keyring: &Keyring, key: &secp256k1::PublicKey) -> Option<PrivateKey> {
    let key = CompressedPublicKey(*key);
    let (wanted, _) = key.0.x_only_public_key();
    let segwit = ScriptBuf::new_p2wpkh(&key.wpubkey_hash());
    let scripts = [
        ScriptBuf::new_p2sh(&segwit.script_hash()),
        segwit,
        ScriptBuf::new_p2pkh(&key.pubkey_hash()),
        ScriptBuf::new_p2tr(&*SECP, wanted, None),
    ];
    let mut found = scripts.iter().map(|script| keyring.private_keys(script));
    found.find_map(|keys| keys.get_x_only(&wanted).copied())
}

/// Adds the private keys that an input names and that are ours.
pub(super) fn keys_of_origins(keyring: &Keyring, input: &Input, keys: &mut PrivateKeys) {
    let named = input.bip32_derivation.iter();
    let named = named.map(|(key, source)| (*key, source));
    let tapscript = input.tap_key_origins.iter();
    // Parity is not told there: of the addresses with one key those of taproot are found in any case.
    let tapscript = tapscript.map(|(key, (_, source))| (key.public_key(Parity::Even), source));
    let all: Vec<(secp256k1::PublicKey, &KeySource)> = named.chain(tapscript).collect();
    for (named, source) in all {
        let (wanted, _) = named.x_only_public_key();
        if keys.get_x_only(&wanted).is_some() {
            continue;
        }
        let found = keyring
            .secrets()
            .flat_map(|(_, secret)| &secret.keys)
            .filter_map(|secret| follow(secret, source))
            .find(|key| x_only(key) == wanted);
        if let Some(key) = found.or_else(|| of_address(keyring, &named)) {
            keys.add(key);
        }
    }
}

fn x_only(key: &PrivateKey) -> XOnlyPublicKey {
    key.public_key(&SECP).inner.x_only_public_key().0
}
