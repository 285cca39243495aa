//! Owns the private part of one descriptor: its text with private keys, and the keys themselves.
//! Promises that both are overwritten when they are dropped. Copies that the cryptography's own code makes on its stack are
//! beyond reach.
//! Refuses to be printed.

use std::collections::HashMap;

use bitcoin::bip32::{ChildNumber, Xpriv};
use bitcoin::secp256k1::SecretKey;
use bitcoin::{Network, PrivateKey, PublicKey, XOnlyPublicKey};
use miniscript::descriptor::{DescriptorSecretKey, Wildcard};
use zeroize::{Zeroize, Zeroizing};

use super::expression::{DescriptorError, Expression, SECP};

/// The private keys of one descriptor.
pub(crate) struct Secret {
    /// The descriptor with them, of one path, with `h` for hardened steps and without a checksum.
    pub(crate) text: Zeroizing<String>,
    pub(crate) keys: Vec<DescriptorSecretKey>,
}

fn erase(key: &mut SecretKey) {
    key.non_secure_erase();
}

fn erase_extended(key: &mut Xpriv) {
    erase(&mut key.private_key);
    let mut chain_code = key.chain_code.to_bytes();
    chain_code.zeroize();
    key.chain_code = chain_code.into();
}

impl Drop for Secret {
    fn drop(&mut self) {
        for key in &mut self.keys {
            match key {
                DescriptorSecretKey::Single(single) => erase(&mut single.key.inner),
                DescriptorSecretKey::XPrv(extended) => erase_extended(&mut extended.xkey),
                DescriptorSecretKey::MultiXPrv(extended) => erase_extended(&mut extended.xkey),
            }
        }
    }
}

impl Secret {
    /// Reads a text; that of several paths is no secret of one descriptor.
    pub(crate) fn parse(
        text: Zeroizing<String>,
        network: Network,
    ) -> Result<Secret, DescriptorError> {
        let keys = Expression::parse_kept(&text, network, false)?.secrets;
        Ok(Secret { text, keys })
    }

    /// Adds the private keys at an index of the descriptor.
    pub(crate) fn keys_at(&self, index: u32, keys: &mut PrivateKeys) {
        for key in &self.keys {
            match key {
                DescriptorSecretKey::Single(single) => keys.add(single.key),
                DescriptorSecretKey::XPrv(extended) => {
                    let mut path = extended.derivation_path.clone();
                    let child = match extended.wildcard {
                        Wildcard::None => None,
                        Wildcard::Unhardened => ChildNumber::from_normal_idx(index).ok(),
                        Wildcard::Hardened => ChildNumber::from_hardened_idx(index).ok(),
                    };
                    if let Some(child) = child {
                        path = path.child(child);
                    }
                    if let Ok(mut derived) = extended.xkey.derive_priv(&*SECP, &path) {
                        keys.add(derived.to_priv());
                        erase_extended(&mut derived);
                    }
                }
                // A secret is of one path.
                DescriptorSecretKey::MultiXPrv(_) => {}
            }
        }
    }
}

/// Private keys to sign with; overwritten when they are dropped.
#[derive(Default)]
pub struct PrivateKeys {
    by_key: HashMap<PublicKey, PrivateKey>,
    by_x_only: HashMap<XOnlyPublicKey, PrivateKey>,
}

impl PrivateKeys {
    /// Adds one.
    pub fn add(&mut self, key: PrivateKey) {
        let public = key.public_key(&SECP);
        self.by_x_only
            .insert(public.inner.x_only_public_key().0, key);
        self.by_key.insert(public, key);
    }

    /// The private key of a public one.
    pub fn get(&self, key: &PublicKey) -> Option<&PrivateKey> {
        self.by_key.get(key)
    }

    /// The private key of an x-only public one; its parity is whatever it is.
    pub fn get_x_only(&self, key: &XOnlyPublicKey) -> Option<&PrivateKey> {
        self.by_x_only.get(key)
    }

    /// Every one.
    pub fn iter(&self) -> impl Iterator<Item = (&PublicKey, &PrivateKey)> {
        self.by_key.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

impl Drop for PrivateKeys {
    fn drop(&mut self) {
        let all = self.by_key.values_mut().chain(self.by_x_only.values_mut());
        for key in all {
            erase(&mut key.inner);
        }
    }
}
