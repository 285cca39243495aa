//! Owns the list of the extended keys that a wallet's descriptors begin with.
//! Promises the keys that were given with their private parts, so that a fresh wallet has one: its master key.
//! Refuses to guess: while a wallet is locked, a key is known only as far as the public text tells it.

use std::collections::BTreeMap;

use bitcoin::bip32::{Xpriv, Xpub};
use miniscript::ForEachKey;
use miniscript::descriptor::{DescriptorPublicKey, DescriptorSecretKey};

use super::Keyring;
use crate::keys::descriptor::WalletDescriptor;
use crate::keys::expression::{SECP, extended_keys};
use crate::slot::DescriptorNumber;

/// An extended key, and what the wallet has of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HdKey {
    /// The public key.
    pub public: Xpub,
    /// The private key; `None` without one, and while the wallet is locked.
    pub private: Option<Xpriv>,
    /// Whether the wallet has the private key, or while it is locked a private key of a descriptor with this one.
    pub has_private: bool,
    /// The descriptors that have it.
    pub descriptors: Vec<DescriptorNumber>,
}

impl Keyring {
    /// The extended keys of all descriptors, or of those that new addresses come from, by their text.
    pub fn hd_keys(&self, active_only: bool) -> Vec<HdKey> {
        let mut found: BTreeMap<String, HdKey> = BTreeMap::new();
        for descriptor in self.descriptors() {
            if active_only && !descriptor.active {
                continue;
            }
            let locked = descriptor.has_private_keys && self.vault.get(descriptor.number).is_none();
            for (public, private) in self.hd_keys_of(descriptor) {
                let key = found.entry(public.to_string()).or_insert(HdKey {
                    public,
                    private: None,
                    has_private: false,
                    descriptors: Vec::new(),
                });
                key.has_private |= locked || private.is_some();
                key.private = key.private.or(private);
                if !key.descriptors.contains(&descriptor.number) {
                    key.descriptors.push(descriptor.number);
                }
            }
        }
        found.into_values().collect()
    }

    fn hd_keys_of(&self, descriptor: &WalletDescriptor) -> Vec<(Xpub, Option<Xpriv>)> {
        if let Some(secret) = self.vault.get(descriptor.number) {
            let keys = secret.keys.iter().filter_map(|key| match key {
                DescriptorSecretKey::XPrv(key) => Some(key.xkey),
                DescriptorSecretKey::MultiXPrv(key) => Some(key.xkey),
                DescriptorSecretKey::Single(_) => None,
            });
            let ours = keys.map(|key| (Xpub::from_priv(&SECP, &key), Some(key)));
            let others = extended_keys(&secret.text).into_iter();
            return ours.chain(others.map(|key| (key, None))).collect();
        }
        let mut keys = Vec::new();
        if let Some(form) = descriptor.form.descriptor() {
            form.for_each_key(|key| {
                match key {
                    DescriptorPublicKey::XPub(key) => keys.push((key.xkey, None)),
                    DescriptorPublicKey::MultiXPub(key) => keys.push((key.xkey, None)),
                    DescriptorPublicKey::Single(_) => {}
                }
                true
            });
        }
        keys
    }
}
