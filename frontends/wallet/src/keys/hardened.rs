//! Owns the taking of hardened steps that a public key cannot take.
//! Promises a descriptor of the same scripts whose keys have those steps in their origins.
//! Refuses where the private key is not there.

use bitcoin::bip32::{ChildNumber, DerivationPath, Xpub};
use miniscript::descriptor::{DescriptorPublicKey, DescriptorSecretKey, DescriptorXKey, Wildcard};
use miniscript::{Descriptor, MiniscriptKey, Translator};

use super::expression::{DescriptorError, SECP, wrong};

struct StepDown<'a> {
    index: u32,
    secrets: &'a [DescriptorSecretKey],
}

impl StepDown<'_> {
    /// The public key at the index, from the private key that it comes from.
    fn derive(&self, key: &DescriptorPublicKey) -> Option<DescriptorPublicKey> {
        let secret = self
            .secrets
            .iter()
            .find(|secret| secret.to_public(&SECP).is_ok_and(|public| public == *key))?;
        let DescriptorSecretKey::XPrv(extended) = secret else {
            return None;
        };
        let child = match extended.wildcard {
            Wildcard::None => None,
            Wildcard::Unhardened => Some(ChildNumber::from_normal_idx(self.index).ok()?),
            Wildcard::Hardened => Some(ChildNumber::from_hardened_idx(self.index).ok()?),
        };
        let mut path = extended.derivation_path.clone();
        if let Some(child) = child {
            path = path.child(child);
        }
        let derived = extended.xkey.derive_priv(&*SECP, &path).ok()?;
        let (fingerprint, above) = match &extended.origin {
            Some((fingerprint, above)) => (*fingerprint, above.clone()),
            None => (extended.xkey.fingerprint(&*SECP), DerivationPath::master()),
        };
        Some(DescriptorPublicKey::XPub(DescriptorXKey {
            origin: Some((fingerprint, above.extend(&path))),
            xkey: Xpub::from_priv(&SECP, &derived),
            derivation_path: DerivationPath::master(),
            wildcard: Wildcard::None,
        }))
    }
}

impl Translator<DescriptorPublicKey> for StepDown<'_> {
    type TargetPk = DescriptorPublicKey;
    type Error = DescriptorError;

    fn pk(&mut self, key: &DescriptorPublicKey) -> Result<DescriptorPublicKey, DescriptorError> {
        let hardened = key.has_hardened_step() || key.wildcard() == Some(Wildcard::Hardened);
        if !hardened {
            return Ok(key.clone());
        }
        self.derive(key).ok_or_else(|| {
            wrong(
                "Cannot expand descriptor. Probably because of hardened derivations without private keys provided",
            )
        })
    }

    fn sha256(
        &mut self,
        hash: &<DescriptorPublicKey as MiniscriptKey>::Sha256,
    ) -> Result<<DescriptorPublicKey as MiniscriptKey>::Sha256, DescriptorError> {
        Ok(*hash)
    }

    fn hash256(
        &mut self,
        hash: &<DescriptorPublicKey as MiniscriptKey>::Hash256,
    ) -> Result<<DescriptorPublicKey as MiniscriptKey>::Hash256, DescriptorError> {
        Ok(*hash)
    }

    fn ripemd160(
        &mut self,
        hash: &<DescriptorPublicKey as MiniscriptKey>::Ripemd160,
    ) -> Result<<DescriptorPublicKey as MiniscriptKey>::Ripemd160, DescriptorError> {
        Ok(*hash)
    }

    fn hash160(
        &mut self,
        hash: &<DescriptorPublicKey as MiniscriptKey>::Hash160,
    ) -> Result<<DescriptorPublicKey as MiniscriptKey>::Hash160, DescriptorError> {
        Ok(*hash)
    }
}

/// The descriptor with the keys at `index` in place of those that have hardened steps.
pub(crate) fn step_down(
    descriptor: &Descriptor<DescriptorPublicKey>,
    index: u32,
    secrets: &[DescriptorSecretKey],
) -> Result<Descriptor<DescriptorPublicKey>, DescriptorError> {
    let mut step_down = StepDown { index, secrets };
    descriptor
        .translate_pk(&mut step_down)
        .map_err(|error| match error {
            miniscript::TranslateErr::TranslatorErr(error) => error,
            miniscript::TranslateErr::OuterError(error) => wrong(error.to_string()),
        })
}
