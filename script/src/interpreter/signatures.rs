//! OP_CHECKSIG and its kin.

use std::borrow::Cow;

use super::{Interpreter, ScriptVersion};
use crate::checker::Checker;
use crate::error::ScriptError;
use crate::flags::Flags;
use crate::instruction::Instructions;
use crate::number;
use crate::opcode::*;
use crate::signature::{check_encoding, check_key_encoding};
use crate::sigops::MAX_PUBKEYS_PER_MULTISIG;
use crate::stack::Element;
use crate::trace::Observer;

/// What each signature that is not empty takes from a tapscript's weight (BIP342).
const VALIDATION_WEIGHT_PER_SIGOP: i64 = 50;

impl<'a, C: Checker, O: Observer> Interpreter<'_, 'a, C, O> {
    /// OP_CHECKSIG and OP_CHECKSIGVERIFY: `signature key --`.
    pub(super) fn check_signature(&mut self, opcode: Opcode) -> Result<(), ScriptError> {
        self.stack.require(2)?;
        let (signature, key) = (*self.stack.peek(1)?, *self.stack.peek(0)?);
        let holds = self.signature_holds(&signature, &key)?;
        self.stack.drop_top(2)?;
        self.answer(
            holds,
            opcode == OP_CHECKSIGVERIFY,
            ScriptError::CheckSigVerify,
        )
    }

    /// OP_CHECKSIGADD: `signature number key -- number`, tapscript only (BIP342).
    pub(super) fn check_signature_and_add(&mut self) -> Result<(), ScriptError> {
        if self.environment.version != ScriptVersion::Tapscript {
            return Err(ScriptError::BadOpcode);
        }
        self.stack.require(3)?;
        let count = self.number(1)?;
        let (signature, key) = (*self.stack.peek(2)?, *self.stack.peek(0)?);
        let holds = self.signature_holds(&signature, &key)?;
        self.stack.drop_top(3)?;
        self.stack.push(number::encode(count + i64::from(holds)));
        Ok(())
    }

    #[inline]
    fn signature_holds(
        &mut self,
        signature: &Element<'a>,
        key: &Element<'a>,
    ) -> Result<bool, ScriptError> {
        let (signature, key) = (signature.as_bytes(), key.as_bytes());
        match self.environment.version {
            ScriptVersion::Tapscript => self.schnorr_holds(signature, key),
            ScriptVersion::Base | ScriptVersion::WitnessV0 => self.ecdsa_holds(signature, key),
        }
    }

    fn ecdsa_holds(&mut self, signature: &[u8], key: &[u8]) -> Result<bool, ScriptError> {
        let mut script_code = Cow::Borrowed(self.script_code);
        self.delete_signature(&mut script_code, signature)?;
        self.check_encodings(signature, key)?;
        let version = self.environment.version;
        let holds = self
            .environment
            .checker
            .check_ecdsa(signature, key, &script_code, version);
        let null_fail = self.environment.flags.contains(Flags::NULLFAIL);
        if !holds && null_fail && !signature.is_empty() {
            return Err(ScriptError::SigNullFail);
        }
        Ok(holds)
    }

    /// The order of these rules is consensus: weight, empty key, signature, keys of unknown type.
    fn schnorr_holds(&mut self, signature: &[u8], key: &[u8]) -> Result<bool, ScriptError> {
        let holds = !signature.is_empty();
        if holds {
            self.environment.validation_weight_left -= VALIDATION_WEIGHT_PER_SIGOP;
            if self.environment.validation_weight_left < 0 {
                return Err(ScriptError::TapscriptValidationWeight);
            }
        }
        match key.len() {
            0 => return Err(ScriptError::TapscriptEmptyPubkey),
            32 => {
                if holds {
                    let taproot = &self.environment.taproot;
                    self.environment
                        .checker
                        .check_schnorr(signature, key, taproot)?;
                }
            }
            _ => {
                if self
                    .environment
                    .flags
                    .contains(Flags::DISCOURAGE_UPGRADABLE_PUBKEYTYPE)
                {
                    return Err(ScriptError::DiscourageUpgradablePubkeyType);
                }
            }
        }
        Ok(holds)
    }

    fn check_encodings(&self, signature: &[u8], key: &[u8]) -> Result<(), ScriptError> {
        check_encoding(signature, self.environment.flags)?;
        check_key_encoding(key, self.environment.flags, self.environment.version)
    }

    /// Deletes a signature from the script code that it signs, as legacy scripts do.
    fn delete_signature(
        &self,
        script_code: &mut Cow<'_, [u8]>,
        signature: &[u8],
    ) -> Result<(), ScriptError> {
        if self.environment.version != ScriptVersion::Base {
            return Ok(());
        }
        if let Some(shorter) = find_and_delete(script_code, signature) {
            if self.environment.flags.contains(Flags::CONST_SCRIPTCODE) {
                return Err(ScriptError::SigFindAndDelete);
            }
            *script_code = Cow::Owned(shorter);
        }
        Ok(())
    }

    /// OP_CHECKMULTISIG and OP_CHECKMULTISIGVERIFY: `dummy signature… m key… n --`.
    ///
    /// Signatures must come in the order of their keys; each key is tried once.
    pub(super) fn check_multisig(&mut self, opcode: Opcode) -> Result<(), ScriptError> {
        if self.environment.version == ScriptVersion::Tapscript {
            return Err(ScriptError::TapscriptCheckMultisig);
        }
        let keys = self.count(0, MAX_PUBKEYS_PER_MULTISIG, ScriptError::PubkeyCount)?;
        self.count_operations(keys)?;
        let signatures = self.count(keys + 1, keys, ScriptError::SigCount)?;
        let (first_key, first_signature) = (1, keys + 2);
        let dummy = first_signature + signatures;
        self.stack.require(dummy + 1)?;

        let mut script_code = Cow::Borrowed(self.script_code);
        for index in 0..signatures {
            let signature = *self.stack.peek(first_signature + index)?;
            self.delete_signature(&mut script_code, signature.as_bytes())?;
        }
        let all_hold =
            self.multisig_holds(first_key, keys, first_signature, signatures, &script_code)?;

        if !all_hold && self.environment.flags.contains(Flags::NULLFAIL) {
            for index in 0..signatures {
                if !self
                    .stack
                    .peek(first_signature + index)?
                    .as_bytes()
                    .is_empty()
                {
                    return Err(ScriptError::SigNullFail);
                }
            }
        }
        // One element more than needed is taken, a flaw from the beginning.
        let dummy_is_empty = self.stack.peek(dummy)?.as_bytes().is_empty();
        if self.environment.flags.contains(Flags::NULLDUMMY) && !dummy_is_empty {
            return Err(ScriptError::SigNullDummy);
        }
        self.stack.drop_top(dummy + 1)?;
        self.answer(
            all_hold,
            opcode == OP_CHECKMULTISIGVERIFY,
            ScriptError::CheckMultisigVerify,
        )
    }

    /// A number from 0 to `limit`, `depth` below the top.
    fn count(&self, depth: usize, limit: usize, error: ScriptError) -> Result<usize, ScriptError> {
        let count = usize::try_from(self.number(depth)?).map_err(|_| error)?;
        if count > limit { Err(error) } else { Ok(count) }
    }

    fn multisig_holds(
        &mut self,
        first_key: usize,
        keys: usize,
        first_signature: usize,
        signatures: usize,
        script_code: &[u8],
    ) -> Result<bool, ScriptError> {
        let (mut next_key, mut next_signature) = (0, 0);
        while next_signature < signatures {
            // Also the order of what is looked at can be told from outside: a malformed key or signature
            // fails the script only if it is reached.
            if signatures - next_signature > keys - next_key {
                return Ok(false);
            }
            let signature = *self.stack.peek(first_signature + next_signature)?;
            let key = *self.stack.peek(first_key + next_key)?;
            let (signature, key) = (signature.as_bytes(), key.as_bytes());
            self.check_encodings(signature, key)?;
            let version = self.environment.version;
            if self
                .environment
                .checker
                .check_ecdsa(signature, key, script_code, version)
            {
                next_signature += 1;
            }
            next_key += 1;
        }
        Ok(true)
    }
}

/// Deletes every push of `signature` from a script: where one begins at an instruction's first byte, also
/// repeatedly. `None` when there is none.
///
/// The push looked for is never one of the opcodes for small numbers: an empty signature is OP_0.
pub(super) fn find_and_delete(script: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    // Shorter than one push of it, as in nearly every script: a key hash cannot hold a signature.
    if script.len() <= signature.len() {
        return None;
    }
    let mut header = [0; 5];
    let header = push_header(signature.len(), &mut header);
    let pushed_here = |rest: &[u8]| {
        rest.strip_prefix(header)
            .and_then(|rest| rest.strip_prefix(signature))
            .is_some()
    };
    let mut kept: Option<Vec<u8>> = None;
    let mut instructions = Instructions::new(script);
    let mut keep_from = script;
    loop {
        let at = instructions.rest();
        let mut after = at;
        while pushed_here(after) {
            after = &after[header.len() + signature.len()..];
        }
        if after.len() < at.len() {
            let kept = kept.get_or_insert_with(|| Vec::with_capacity(script.len()));
            kept.extend_from_slice(&keep_from[..keep_from.len() - at.len()]);
            keep_from = after;
            instructions = Instructions::new(after);
        }
        if !matches!(instructions.next(), Some(Ok(_))) {
            break;
        }
    }
    let mut kept = kept?;
    kept.extend_from_slice(keep_from);
    Some(kept)
}

/// The opcode and length bytes that push so many bytes, however few they are.
fn push_header(length: usize, header: &mut [u8; 5]) -> &[u8] {
    let bytes = (length as u32).to_le_bytes();
    let used = match length {
        0..=75 => {
            header[0] = bytes[0];
            1
        }
        76..=0xff => {
            header[0] = OP_PUSHDATA1.0;
            2
        }
        0x100..=0xffff => {
            header[0] = OP_PUSHDATA2.0;
            3
        }
        _ => {
            header[0] = OP_PUSHDATA4.0;
            5
        }
    };
    header[1..used].copy_from_slice(&bytes[..used - 1]);
    &header[..used]
}
