//! What a script asks about the transaction that it is executed for: signatures and lock times.
//! Promises Core's answer for an input of a prepared transaction; other answers are the implementor's.
//! Refuses to judge encodings: scripts check these before they ask.

use crate::error::ScriptError;
use crate::interpreter::{ScriptVersion, TaprootContext};
use crate::prepared::PreparedTransaction;
use crate::sighash::{MidstateCache, legacy, segwit, taproot};
use crate::signature::{has_key_length, verify_ecdsa, verify_schnorr};

#[cfg(test)]
mod tests;

/// Lock times below this are block heights, from it on seconds since 1970 (BIP65).
pub const LOCK_TIME_THRESHOLD: u32 = 500_000_000;

/// A sequence number with this bit has no relative lock time (BIP68).
pub(crate) const SEQUENCE_DISABLED: u32 = 1 << 31;
/// A relative lock time with this bit is in units of 512 seconds, else in blocks (BIP68).
const SEQUENCE_IS_TIME: u32 = 1 << 22;
/// The bits of a sequence number that hold a relative lock time (BIP68).
const SEQUENCE_VALUE: u32 = 0xffff;

/// What a script asks about its transaction. The answers given here say that there is none.
pub trait Checker {
    /// Whether an ECDSA signature, its hash type at its end, holds for `key`.
    ///
    /// `script_code` is the executed script from its last OP_CODESEPARATOR on, the signature deleted from
    /// it where `version` is [`ScriptVersion::Base`]; the only other version asked for is
    /// [`ScriptVersion::WitnessV0`].
    fn check_ecdsa(
        &mut self,
        signature: &[u8],
        key: &[u8],
        script_code: &[u8],
        version: ScriptVersion,
    ) -> bool {
        let _ = (signature, key, script_code, version);
        false
    }

    /// Whether a Schnorr signature, its hash type at its end if it has one, holds for a 32-byte key.
    /// `context.tapscript` is `None` for the key path.
    fn check_schnorr(
        &mut self,
        signature: &[u8],
        key: &[u8],
        context: &TaprootContext,
    ) -> Result<(), ScriptError> {
        let _ = (signature, key, context);
        Err(ScriptError::SchnorrSig)
    }

    /// Whether the transaction's lock time has reached `lock_time`, which is not negative (BIP65).
    fn check_lock_time(&mut self, lock_time: i64) -> bool {
        let _ = lock_time;
        false
    }

    /// Whether the input's relative lock time has reached `sequence`, which is neither negative nor
    /// disabled (BIP112).
    fn check_sequence(&mut self, sequence: i64) -> bool {
        let _ = sequence;
        false
    }
}

/// A checker for scripts without a transaction: no signature holds, no lock time is reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTransaction;

impl Checker for NoTransaction {}

/// The checker for one input of a transaction. It keeps what the signatures of this input share.
#[derive(Debug)]
pub struct InputChecker<'a> {
    prepared: &'a PreparedTransaction<'a>,
    input: usize,
    midstates: MidstateCache,
    /// The hash of the output that SINGLE signs, once a Schnorr signature asked for it.
    output_hash: Option<[u8; 32]>,
}

impl<'a> InputChecker<'a> {
    /// Answers for one input.
    ///
    /// # Panics
    ///
    /// When the transaction has no such input.
    #[inline]
    pub fn new(prepared: &'a PreparedTransaction<'_>, input: usize) -> InputChecker<'a> {
        assert!(
            input < prepared.transaction().input.len(),
            "the transaction has no input {input}"
        );
        let midstates = MidstateCache::default();
        InputChecker {
            prepared,
            input,
            midstates,
            output_hash: None,
        }
    }

    fn sequence(&self) -> u32 {
        self.prepared.transaction().input[self.input].sequence.0
    }

    /// What an ECDSA signature with this hash type commits to; `script_code` and `version` as in
    /// [`Checker::check_ecdsa`].
    #[inline]
    pub fn ecdsa_hash(
        &mut self,
        hash_type: u32,
        script_code: &[u8],
        version: ScriptVersion,
    ) -> [u8; 32] {
        let (prepared, input) = (self.prepared, self.input);
        let tx = prepared.transaction();
        if version == ScriptVersion::WitnessV0 {
            let amount = prepared.spent_outputs()[input].amount;
            self.midstates.hash(script_code, hash_type, || {
                let hashes = prepared.segwit_hashes();
                segwit::midstate(tx, hashes, input, script_code, amount, hash_type)
            })
        } else if legacy::signs_missing_output(tx, input, hash_type) {
            legacy::SINGLE_BUG
        } else {
            self.midstates.hash(script_code, hash_type, || {
                let template = || prepared.legacy_template();
                legacy::midstate(tx, input, script_code, hash_type, template)
            })
        }
    }

    /// What a Schnorr signature with this hash type commits to, 0 standing for none; `None` if the type has no
    /// meaning here.
    #[inline]
    pub fn schnorr_hash(&mut self, hash_type: u8, context: &TaprootContext) -> Option<[u8; 32]> {
        taproot::hash(
            self.prepared,
            self.input,
            hash_type,
            context.annex_hash.as_ref(),
            context.tapscript.as_ref(),
            &mut self.output_hash,
        )
    }
}

impl Checker for InputChecker<'_> {
    #[inline]
    fn check_ecdsa(
        &mut self,
        signature: &[u8],
        key: &[u8],
        script_code: &[u8],
        version: ScriptVersion,
    ) -> bool {
        let Some((hash_type, der)) = signature.split_last() else {
            return false;
        };
        if !has_key_length(key) {
            return false;
        }
        let hash = self.ecdsa_hash(u32::from(*hash_type), script_code, version);
        verify_ecdsa(der, key, hash)
    }

    #[inline]
    fn check_schnorr(
        &mut self,
        signature: &[u8],
        key: &[u8],
        context: &TaprootContext,
    ) -> Result<(), ScriptError> {
        let (signature, hash_type) = match signature.len() {
            64 => (signature, 0),
            65 if signature[64] == 0 => return Err(ScriptError::SchnorrSigHashType),
            65 => (&signature[..64], signature[64]),
            _ => return Err(ScriptError::SchnorrSigSize),
        };
        let hash = self
            .schnorr_hash(hash_type, context)
            .ok_or(ScriptError::SchnorrSigHashType)?;
        if !verify_schnorr(signature, key, hash) {
            return Err(ScriptError::SchnorrSig);
        }
        Ok(())
    }

    fn check_lock_time(&mut self, lock_time: i64) -> bool {
        let own = i64::from(self.prepared.transaction().lock_time.to_consensus_u32());
        let threshold = i64::from(LOCK_TIME_THRESHOLD);
        let same_kind = (own < threshold) == (lock_time < threshold);
        // A final sequence number switches the transaction's lock time off, so it proves nothing.
        same_kind && lock_time <= own && self.sequence() != u32::MAX
    }

    fn check_sequence(&mut self, sequence: i64) -> bool {
        let own = self.sequence();
        // Version numbers are unsigned where relative lock times are concerned.
        if (self.prepared.transaction().version.0 as u32) < 2 || own & SEQUENCE_DISABLED != 0 {
            return false;
        }
        let mask = SEQUENCE_IS_TIME | SEQUENCE_VALUE;
        let (own, wanted) = (i64::from(own & mask), sequence & i64::from(mask));
        let is_time = |value: i64| value & i64::from(SEQUENCE_IS_TIME) != 0;
        is_time(own) == is_time(wanted) && wanted <= own
    }
}
