//! Owns messages that are signed with the key of an address, in the way that Core's `signmessage` has it.
//! Promises that what is signed here is verified there, and the reverse.
//! Refuses addresses of anything but one key's hash: the others have no agreed way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::secp256k1::Message;
use bitcoin::sign_message::{MessageSignature, signed_msg_hash};
use bitcoin::{Address, AddressType, PrivateKey, ScriptBuf};
use thiserror::Error;

use super::expression::SECP;
use super::{KeyError, Keyring};

/// Why a signature of a message could not be made or looked at: Core's words.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Not P2PKH.
    #[error("Address does not refer to key")]
    NoKey,
    /// The signature is not base 64.
    #[error("Malformed base64 encoding")]
    NotBase64,
    /// The wallet has no private key of the address.
    #[error("Private key not available")]
    NoPrivateKey,
    /// The wallet is locked.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// Signs a message; the signature is in base 64.
pub fn sign_message(key: &PrivateKey, message: &str) -> String {
    let hash = signed_msg_hash(message);
    let digest = Message::from_digest(*AsRef::<[u8; 32]>::as_ref(&hash));
    let signature = SECP.sign_ecdsa_recoverable(&digest, &key.inner);
    STANDARD.encode(MessageSignature::new(signature, key.compressed).serialize())
}

/// Whether a message was signed with the key of an address.
///
/// # Errors
///
/// [`MessageError::NoKey`], [`MessageError::NotBase64`].
pub fn verify_message(
    address: &Address,
    signature: &str,
    message: &str,
) -> Result<bool, MessageError> {
    if address.address_type() != Some(AddressType::P2pkh) {
        return Err(MessageError::NoKey);
    }
    let bytes = STANDARD
        .decode(signature)
        .map_err(|_| MessageError::NotBase64)?;
    let recovered = MessageSignature::from_slice(&bytes)
        .ok()
        .and_then(|signature| {
            signature
                .recover_pubkey(&SECP, signed_msg_hash(message))
                .ok()
        });
    Ok(recovered
        .is_some_and(|key| ScriptBuf::new_p2pkh(&key.pubkey_hash()) == address.script_pubkey()))
}

impl Keyring {
    /// Signs a message with the key of an address of ours.
    ///
    /// # Errors
    ///
    /// [`MessageError::NoKey`], [`MessageError::NoPrivateKey`], [`KeyError::Locked`].
    pub fn sign_message(&self, address: &Address, message: &str) -> Result<String, MessageError> {
        if address.address_type() != Some(AddressType::P2pkh) {
            return Err(MessageError::NoKey);
        }
        let script = address.script_pubkey();
        if !self.can_sign(&script) {
            return Err(MessageError::NoPrivateKey);
        }
        if self.is_locked() {
            return Err(KeyError::Locked.into());
        }
        let keys = self.private_keys(&script);
        let key = keys
            .iter()
            .find(|(public, _)| ScriptBuf::new_p2pkh(&public.pubkey_hash()) == script);
        match key {
            Some((_, key)) => Ok(sign_message(key, message)),
            None => Err(MessageError::NoPrivateKey),
        }
    }
}

#[cfg(test)]
mod tests;
