//! Owns the few keys that all signed spends use, and the one context that signs with them.

use std::sync::LazyLock;

use bitcoin::secp256k1::{All, Keypair, Message, Scalar, Secp256k1, XOnlyPublicKey};

/// How many keys there are: few, so that scripts name the same one more than once.
pub const KEY_COUNT: usize = 5;

/// Keys that everybody knows.
pub struct Keys {
    secp: Secp256k1<All>,
    pairs: Vec<Keypair>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let secp = Secp256k1::new();
    let pair = |number: usize| {
        Keypair::from_seckey_slice(&secp, &[number as u8; 32]).expect("small numbers are keys")
    };
    let pairs = (1..=KEY_COUNT).map(pair).collect();
    Keys { secp, pairs }
});

impl Keys {
    /// The keys.
    pub fn get() -> &'static Keys {
        &KEYS
    }

    /// The public key of this number, below [`KEY_COUNT`], with 33 bytes.
    pub fn compressed(&self, key: usize) -> [u8; 33] {
        self.pairs[key].public_key().serialize()
    }

    /// The same with 65 bytes.
    pub fn uncompressed(&self, key: usize) -> [u8; 65] {
        self.pairs[key].public_key().serialize_uncompressed()
    }

    /// The same as taproot wants it.
    pub fn x_only(&self, key: usize) -> [u8; 32] {
        self.pairs[key].x_only_public_key().0.serialize()
    }

    /// An ECDSA signature in DER.
    pub fn sign_ecdsa(&self, key: usize, digest: [u8; 32]) -> Vec<u8> {
        let message = Message::from_digest(digest);
        let signature = self
            .secp
            .sign_ecdsa(&message, &self.pairs[key].secret_key());
        signature.serialize_der().to_vec()
    }

    /// A Schnorr signature.
    pub fn sign_schnorr(&self, key: usize, digest: [u8; 32]) -> Vec<u8> {
        let message = Message::from_digest(digest);
        let signature = self
            .secp
            .sign_schnorr_no_aux_rand(&message, &self.pairs[key]);
        signature.serialize().to_vec()
    }

    /// The output key of an internal key and a tweak, and whether its Y is odd; `None` if they make no key.
    pub fn tweak(&self, internal: &[u8; 32], tweak: [u8; 32]) -> Option<([u8; 32], u8)> {
        let internal = XOnlyPublicKey::from_slice(internal).ok()?;
        let tweak = Scalar::from_be_bytes(tweak).ok()?;
        let (output, parity) = internal.add_tweak(&self.secp, &tweak).ok()?;
        Some((output.serialize(), parity.to_u8()))
    }
}
