//! Signatures and public keys: their encodings and their verification.
//! Promises Core's verdict on every byte string, lax DER and hybrid keys included.
//! Refuses to hash: it is told what the signature must commit to.

use std::sync::LazyLock;

use secp256k1::{Message, PublicKey, Secp256k1, VerifyOnly, XOnlyPublicKey, ecdsa, schnorr};

use crate::error::ScriptError;
use crate::flags::Flags;
use crate::interpreter::ScriptVersion;
use crate::sighash::{ALL, ANYONE_CAN_PAY, SINGLE};

#[cfg(test)]
mod tests;

/// The one context. Verification has no secrets, so it is never randomised.
pub(crate) static SECP: LazyLock<Secp256k1<VerifyOnly>> =
    LazyLock::new(Secp256k1::verification_only);

/// Shortest and longest strict DER signature, its hash type included, in bytes.
const STRICT_DER_LENGTHS: std::ops::RangeInclusive<usize> = 9..=73;

/// Checks what the flags demand of an ECDSA signature's encoding. An empty signature always passes: it is
/// the short way to write one that does not hold.
#[inline]
pub(crate) fn check_encoding(signature: &[u8], flags: Flags) -> Result<(), ScriptError> {
    const DEMAND_DER: [Flags; 3] = [Flags::DERSIG, Flags::LOW_S, Flags::STRICTENC];
    let Some((hash_type, der)) = signature.split_last() else {
        return Ok(());
    };
    if DEMAND_DER.iter().any(|flag| flags.contains(*flag)) && !is_strict_der(signature) {
        return Err(ScriptError::SigDer);
    }
    if flags.contains(Flags::LOW_S) && !is_low_s(der) {
        return Err(ScriptError::SigHighS);
    }
    if flags.contains(Flags::STRICTENC) && !is_defined(*hash_type) {
        return Err(ScriptError::SigHashType);
    }
    Ok(())
}

fn is_defined(hash_type: u8) -> bool {
    let outputs = u32::from(hash_type) & !ANYONE_CAN_PAY;
    (ALL..=SINGLE).contains(&outputs)
}

/// True for the one encoding of a signature with its hash type that BIP66 allows:
/// `30 length 02 length R 02 length S type`, R and S positive and as short as they can be.
fn is_strict_der(signature: &[u8]) -> bool {
    if !STRICT_DER_LENGTHS.contains(&signature.len()) {
        return false;
    }
    let (header, numbers) = signature[..signature.len() - 1].split_at(2);
    if header[0] != 0x30 || usize::from(header[1]) != numbers.len() {
        return false;
    }
    let Some(after_r) = strict_integer(numbers) else {
        return false;
    };
    strict_integer(after_r).is_some_and(<[u8]>::is_empty)
}

/// Reads one positive integer in its shortest form and gives what follows it.
fn strict_integer(bytes: &[u8]) -> Option<&[u8]> {
    let (header, rest) = bytes.split_at_checked(2)?;
    if header[0] != 0x02 {
        return None;
    }
    let (integer, rest) = rest.split_at_checked(usize::from(header[1]))?;
    let positive = match integer {
        [] => false,
        [first] => first & 0x80 == 0,
        // A leading zero is there only to keep the next byte's highest bit from being a sign.
        [0, second, ..] => second & 0x80 != 0,
        [first, ..] => first & 0x80 == 0,
    };
    positive.then_some(rest)
}

/// True when S is at most half of the group's order. `der` comes without the hash type.
fn is_low_s(der: &[u8]) -> bool {
    let Ok(signature) = ecdsa::Signature::from_der_lax(der) else {
        return false;
    };
    let mut normalized = signature;
    normalized.normalize_s();
    normalized == signature
}

/// Checks what the flags demand of a public key's encoding.
#[inline]
pub(crate) fn check_key_encoding(
    key: &[u8],
    flags: Flags,
    version: ScriptVersion,
) -> Result<(), ScriptError> {
    if flags.contains(Flags::STRICTENC) && !is_compressed(key) && !is_uncompressed(key) {
        return Err(ScriptError::PubkeyType);
    }
    let only_compressed =
        flags.contains(Flags::WITNESS_PUBKEYTYPE) && version == ScriptVersion::WitnessV0;
    if only_compressed && !is_compressed(key) {
        return Err(ScriptError::WitnessPubkeyType);
    }
    Ok(())
}

fn is_compressed(key: &[u8]) -> bool {
    key.len() == 33 && matches!(key[0], 2 | 3)
}

fn is_uncompressed(key: &[u8]) -> bool {
    key.len() == 65 && key[0] == 4
}

/// Whether a signature without its hash type holds for `key` and `hash`. Signatures are read laxly and
/// may have a high S: rules on that come from the flags, before. Hybrid keys (06, 07) are keys.
#[inline]
pub fn verify_ecdsa(signature: &[u8], key: &[u8], hash: [u8; 32]) -> bool {
    let Ok(key) = PublicKey::from_slice(key) else {
        return false;
    };
    let Ok(mut signature) = ecdsa::Signature::from_der_lax(signature) else {
        return false;
    };
    signature.normalize_s();
    SECP.verify_ecdsa(&Message::from_digest(hash), &signature, &key)
        .is_ok()
}

/// Whether a 64-byte signature holds for a 32-byte key and `hash` (BIP340).
#[inline]
pub fn verify_schnorr(signature: &[u8], key: &[u8], hash: [u8; 32]) -> bool {
    let Ok(key) = XOnlyPublicKey::from_slice(key) else {
        return false;
    };
    let Ok(signature) = schnorr::Signature::from_slice(signature) else {
        return false;
    };
    SECP.verify_schnorr(&signature, &Message::from_digest(hash), &key)
        .is_ok()
}

/// Whether a key is as long as its first byte says. Other keys are none, and nothing is
/// hashed for them.
#[inline]
pub(crate) fn has_key_length(key: &[u8]) -> bool {
    match key.first() {
        Some(2 | 3) => key.len() == 33,
        Some(4 | 6 | 7) => key.len() == 65,
        _ => false,
    }
}
