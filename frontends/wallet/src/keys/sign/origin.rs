//! Owns the finding of our keys by the ways that a PSBT says lead to them.
//! Promises only keys that our descriptors can make, each checked against the public key that is named.

use bitcoin::PrivateKey;
use bitcoin::bip32::{DerivationPath, KeySource};
use bitcoin::psbt::Input;
use bitcoin::secp256k1::XOnlyPublicKey;
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

/// Adds the private keys that an input names and that are ours.
pub(super) fn keys_of_origins(keyring: &Keyring, input: &Input, keys: &mut PrivateKeys) {
    let named = input.bip32_derivation.iter();
    let named = named.map(|(key, source)| (key.x_only_public_key().0, source));
    let tapscript = input.tap_key_origins.iter();
    let tapscript = tapscript.map(|(key, (_, source))| (*key, source));
    let all: Vec<(XOnlyPublicKey, &KeySource)> = named.chain(tapscript).collect();
    for (wanted, source) in all {
        if keys.get_x_only(&wanted).is_some() {
            continue;
        }
        let found = keyring
            .secrets()
            .flat_map(|(_, secret)| &secret.keys)
            .filter_map(|secret| follow(secret, source))
            .find(|key| key.public_key(&SECP).inner.x_only_public_key().0 == wanted);
        if let Some(key) = found {
            keys.add(key);
        }
    }
}
