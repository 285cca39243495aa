//! Owns what libsecp256k1 has to do for an input, whatever else a node does around it.

use std::hint::black_box;

use secp256k1::{
    Message, PublicKey, Scalar, Secp256k1, Verification, XOnlyPublicKey, ecdsa, schnorr,
};

/// One task for the library, in the bytes in which an input has it.
pub(crate) enum Raw {
    Ecdsa {
        key: Vec<u8>,
        /// DER, without the hash type.
        signature: Vec<u8>,
        hash: [u8; 32],
    },
    Schnorr {
        key: [u8; 32],
        signature: Vec<u8>,
        hash: [u8; 32],
    },
    /// That a key commits to a script.
    Tweak {
        internal_key: [u8; 32],
        tweak: [u8; 32],
    },
}

impl Raw {
    /// Parses and verifies.
    pub(crate) fn verify(&self, secp: &Secp256k1<impl Verification>) -> bool {
        black_box(match self {
            Raw::Ecdsa {
                key,
                signature,
                hash,
            } => {
                let key = PublicKey::from_slice(key);
                let signature = ecdsa::Signature::from_der_lax(signature);
                let (Ok(key), Ok(mut signature)) = (key, signature) else {
                    return false;
                };
                signature.normalize_s();
                let message = Message::from_digest(*hash);
                secp.verify_ecdsa(&message, &signature, &key).is_ok()
            }
            Raw::Schnorr {
                key,
                signature,
                hash,
            } => {
                let key = XOnlyPublicKey::from_slice(key);
                let signature = schnorr::Signature::from_slice(signature);
                let (Ok(key), Ok(signature)) = (key, signature) else {
                    return false;
                };
                let message = Message::from_digest(*hash);
                secp.verify_schnorr(&signature, &message, &key).is_ok()
            }
            Raw::Tweak {
                internal_key,
                tweak,
            } => {
                let key = XOnlyPublicKey::from_slice(internal_key);
                let tweak = Scalar::from_be_bytes(*tweak);
                let (Ok(key), Ok(tweak)) = (key, tweak) else {
                    return false;
                };
                black_box(key.add_tweak(secp, &tweak)).is_ok()
            }
        })
    }
}
