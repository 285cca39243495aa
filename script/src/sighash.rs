//! Signature hashes: what a signature commits to.
//! Promises Core's hash for every transaction, script and hash type, undefined types included.
//! Refuses to judge hash types: that is `signature`'s for ECDSA, and `None` here for Schnorr.
//!
//! | module | spends | rule |
//! |---|---|---|
//! | [`legacy`] | everything before segwit | the transaction with its scriptSigs replaced, hashed anew for each input |
//! | [`segwit`] | witness version 0 | BIP143 |
//! | [`taproot`] | witness version 1 | BIP341, BIP342 |

pub mod legacy;
pub mod segwit;
pub mod taproot;

use bitcoin::{OutPoint, TxOut};

use crate::hash::Hasher;

#[cfg(test)]
mod tests;

/// Sign all outputs; the default where the low five bits name neither of the two others.
pub const ALL: u32 = 1;
/// Sign no output.
pub const NONE: u32 = 2;
/// Sign the output with the index of the input.
pub const SINGLE: u32 = 3;
/// Sign only the input itself; added to one of the three above.
pub const ANYONE_CAN_PAY: u32 = 0x80;

/// The bits of an ECDSA hash type that choose among outputs. All others but [`ANYONE_CAN_PAY`] only change the hash.
const OUTPUTS_MASK: u32 = 0x1f;

#[inline]
fn is_none(hash_type: u32) -> bool {
    hash_type & OUTPUTS_MASK == NONE
}

#[inline]
fn is_single(hash_type: u32) -> bool {
    hash_type & OUTPUTS_MASK == SINGLE
}

#[inline]
fn is_anyone_can_pay(hash_type: u32) -> bool {
    hash_type & ANYONE_CAN_PAY != 0
}

/// An outpoint as transactions encode it: transaction id, then output index, little-endian.
#[inline]
fn outpoint_bytes(outpoint: &OutPoint) -> [u8; 36] {
    let mut bytes = [0; 36];
    bytes[..32].copy_from_slice(outpoint.txid.as_ref());
    bytes[32..].copy_from_slice(&outpoint.vout.to_le_bytes());
    bytes
}

#[inline]
fn put_output(hasher: &mut Hasher, output: &TxOut) {
    hasher.put(&output.value.to_sat().to_le_bytes());
    hasher.put_sized(output.script_pubkey.as_bytes());
}

/// How many kinds of ECDSA hash types differ before the type itself is hashed.
const MIDSTATE_CLASSES: usize = 6;

/// The work of ECDSA signature hashes of one input, kept so that many signatures over the same script code
/// (a multisig, or a script made to be slow) hash the transaction once for each class of hash types.
#[derive(Debug, Default)]
pub(crate) struct MidstateCache {
    entries: [Option<Box<CachedMidstate>>; MIDSTATE_CLASSES],
}

#[derive(Debug)]
struct CachedMidstate {
    script_code: Vec<u8>,
    midstate: Hasher,
}

impl MidstateCache {
    /// The hash for `hash_type`, `compute` giving the state before the hash type is written.
    ///
    /// One cache serves one input, and thereby one kind of script: no input runs both legacy and version 0
    /// scripts that check signatures.
    pub(crate) fn hash(
        &mut self,
        script_code: &[u8],
        hash_type: u32,
        compute: impl FnOnce() -> Hasher,
    ) -> [u8; 32] {
        if checks_one_signature(script_code) {
            return finish(compute(), hash_type);
        }
        let class = usize::from(is_anyone_can_pay(hash_type)) * 3
            + usize::from(is_single(hash_type)) * 2
            + usize::from(is_none(hash_type));
        let entry = &mut self.entries[class];
        let cached = entry
            .as_ref()
            .filter(|cached| cached.script_code == script_code);
        if let Some(cached) = cached {
            return finish(cached.midstate.clone(), hash_type);
        }
        let midstate = compute();
        let script_code = script_code.to_vec();
        *entry = Some(Box::new(CachedMidstate {
            script_code,
            midstate: midstate.clone(),
        }));
        finish(midstate, hash_type)
    }
}

/// Writes the hash type and hashes twice, as both ECDSA signature hashes end.
#[inline]
fn finish(mut midstate: Hasher, hash_type: u32) -> [u8; 32] {
    midstate.put(&hash_type.to_le_bytes());
    midstate.finish_double()
}

/// True for the two templates whose only opcode with a signature is their last: nothing to be shared there.
#[inline]
fn checks_one_signature(script_code: &[u8]) -> bool {
    match script_code {
        // OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG
        [0x76, 0xa9, 20, rest @ ..] => rest.len() == 22 && rest[20..] == [0x88, 0xac],
        // <33 bytes> OP_CHECKSIG
        [33, rest @ ..] => rest.len() == 34 && rest[33] == 0xac,
        _ => false,
    }
}
