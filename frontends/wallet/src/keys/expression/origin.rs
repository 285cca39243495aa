//! Owns how a descriptor's keys are written once they are derived: with the master's fingerprint and the way from it.

use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint};
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{All, Secp256k1};
use miniscript::descriptor::{
    DefiniteDescriptorKey, Descriptor, DescriptorPublicKey, SinglePubKey,
};
use miniscript::{MiniscriptKey, Translator};

/// The origin of a key: the fingerprint of the key that it comes from, and the way.
pub fn origin(key: &DefiniteDescriptorKey, secp: &Secp256k1<All>) -> (Fingerprint, DerivationPath) {
    let public = key.derive_public_key(secp);
    let own = || {
        let hash = public.inner.serialize();
        let hash = bitcoin::PublicKey::from_slice(&hash).map(|key| key.pubkey_hash());
        let bytes: [u8; 20] = hash.map_or([0; 20], |hash| {
            use bitcoin::hashes::Hash;
            hash.to_byte_array()
        });
        Fingerprint::from([bytes[0], bytes[1], bytes[2], bytes[3]])
    };
    match key.as_descriptor_public_key() {
        DescriptorPublicKey::Single(single) => match &single.origin {
            Some((fingerprint, path)) => (*fingerprint, path.clone()),
            None => (own(), DerivationPath::master()),
        },
        DescriptorPublicKey::XPub(extended) => match &extended.origin {
            Some((fingerprint, path)) => (*fingerprint, path.extend(&extended.derivation_path)),
            None => (
                extended.xkey.fingerprint(),
                extended.derivation_path.clone(),
            ),
        },
        DescriptorPublicKey::MultiXPub(_) => (own(), DerivationPath::master()),
    }
}

fn step(number: &ChildNumber) -> String {
    match number {
        ChildNumber::Normal { index } => format!("/{index}"),
        ChildNumber::Hardened { index } => format!("/{index}h"),
    }
}

struct Named<'a> {
    secp: &'a Secp256k1<All>,
    x_only: bool,
}

impl Translator<DefiniteDescriptorKey> for Named<'_> {
    type TargetPk = String;
    type Error = ();

    fn pk(&mut self, key: &DefiniteDescriptorKey) -> Result<String, ()> {
        let (fingerprint, path) = origin(key, self.secp);
        let public = key.derive_public_key(self.secp);
        let x_only_given = matches!(
            key.as_descriptor_public_key(),
            DescriptorPublicKey::Single(single) if matches!(single.key, SinglePubKey::XOnly(_))
        );
        let hex = match self.x_only || x_only_given {
            true => public
                .inner
                .x_only_public_key()
                .0
                .serialize()
                .to_lower_hex_string(),
            false => public.to_bytes().to_lower_hex_string(),
        };
        let steps: String = path.as_ref().iter().map(step).collect();
        Ok(format!("[{fingerprint}{steps}]{hex}"))
    }

    fn sha256(
        &mut self,
        hash: &<DefiniteDescriptorKey as MiniscriptKey>::Sha256,
    ) -> Result<String, ()> {
        Ok(hash.to_string())
    }

    fn hash256(
        &mut self,
        hash: &<DefiniteDescriptorKey as MiniscriptKey>::Hash256,
    ) -> Result<String, ()> {
        Ok(hash.to_string())
    }

    fn ripemd160(
        &mut self,
        hash: &<DefiniteDescriptorKey as MiniscriptKey>::Ripemd160,
    ) -> Result<String, ()> {
        Ok(hash.to_string())
    }

    fn hash160(
        &mut self,
        hash: &<DefiniteDescriptorKey as MiniscriptKey>::Hash160,
    ) -> Result<String, ()> {
        Ok(hash.to_string())
    }
}

/// A derived descriptor with the origins of its keys, and a checksum.
pub(super) fn with_origins(
    descriptor: &Descriptor<DefiniteDescriptorKey>,
    secp: &Secp256k1<All>,
) -> Result<String, String> {
    let x_only = matches!(descriptor, Descriptor::Tr(_));
    let mut named = Named { secp, x_only };
    let translated = descriptor
        .translate_pk(&mut named)
        .map_err(|_| "a descriptor that cannot be written with its keys' origins".to_owned())?;
    Ok(translated.to_string())
}
