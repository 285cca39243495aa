//! Why a script failed.
//! Promises Bitcoin Core's name and text for each reason, and one reason for each failed script.
//! Refuses to say which input of which transaction it was: the caller knows, see `prepared::InputError`.

use thiserror::Error;

#[cfg(test)]
mod tests;

/// Declares each error once: its variant, Core's name in the test vectors, Core's text.
macro_rules! script_errors {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $text:literal;)*) => {
        /// Why a script failed. `Display` gives Core's text (`ScriptErrorString`).
        ///
        /// Flags named in a description are the ones without which this failure does not occur.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
        pub enum ScriptError {
            $($(#[$doc])* #[error($text)] $variant,)*
        }

        impl ScriptError {
            /// Every error, in the order of Core's numbering.
            pub const ALL: &'static [ScriptError] = &[$(ScriptError::$variant,)*];

            /// Core's name for it, as in `script_tests.json`: `EVAL_FALSE`, `SIG_DER`, …
            pub const fn name(self) -> &'static str {
                match self {
                    $(ScriptError::$variant => $name,)*
                }
            }
        }
    };
}

script_errors! {
    /// The script ran to its end and left an empty stack or false on top.
    EvalFalse = "EVAL_FALSE", "Script evaluated without error but finished with a false/empty top stack element";
    /// OP_RETURN was executed.
    OpReturn = "OP_RETURN", "OP_RETURN was encountered";
    /// An element used as a number is longer than 4 bytes (5 for lock times), or not minimal where that is demanded.
    ScriptNumber = "SCRIPTNUM", "Script number overflowed or is non-minimally encoded";
    /// A script before tapscript is longer than 10,000 bytes.
    ScriptSize = "SCRIPT_SIZE", "Script is too big";
    /// A pushed or witness element is longer than 520 bytes.
    PushSize = "PUSH_SIZE", "Push value size limit exceeded";
    /// A script before tapscript has more than 201 operations that are no pushes, keys of multisigs included.
    OpCount = "OP_COUNT", "Operation limit exceeded";
    /// The two stacks together hold more than 1,000 elements.
    StackSize = "STACK_SIZE", "Stack size limit exceeded";
    /// OP_CHECKMULTISIG was given a negative number of signatures, or more than keys.
    SigCount = "SIG_COUNT", "Signature count negative or greater than pubkey count";
    /// OP_CHECKMULTISIG was given a negative number of keys, or more than 20.
    PubkeyCount = "PUBKEY_COUNT", "Pubkey count negative or limit exceeded";
    /// OP_VERIFY found false.
    Verify = "VERIFY", "Script failed an OP_VERIFY operation";
    /// OP_EQUALVERIFY found different elements.
    EqualVerify = "EQUALVERIFY", "Script failed an OP_EQUALVERIFY operation";
    /// OP_CHECKMULTISIGVERIFY found a signature that does not hold.
    CheckMultisigVerify = "CHECKMULTISIGVERIFY", "Script failed an OP_CHECKMULTISIGVERIFY operation";
    /// OP_CHECKSIGVERIFY found a signature that does not hold.
    CheckSigVerify = "CHECKSIGVERIFY", "Script failed an OP_CHECKSIGVERIFY operation";
    /// OP_NUMEQUALVERIFY found different numbers.
    NumEqualVerify = "NUMEQUALVERIFY", "Script failed an OP_NUMEQUALVERIFY operation";
    /// An opcode has no meaning, or a push goes past the end of the script.
    BadOpcode = "BAD_OPCODE", "Opcode missing or not understood";
    /// An opcode disabled by CVE-2010-5137 stands in the script, executed or not.
    DisabledOpcode = "DISABLED_OPCODE", "Attempted to use a disabled opcode";
    /// An opcode needs more elements than the stack holds.
    InvalidStackOperation = "INVALID_STACK_OPERATION", "Operation not valid with the current stack size";
    /// OP_FROMALTSTACK found the alternative stack empty.
    InvalidAltStackOperation = "INVALID_ALTSTACK_OPERATION", "Operation not valid with the current altstack size";
    /// An OP_ELSE or OP_ENDIF without OP_IF, or an OP_IF without OP_ENDIF.
    UnbalancedConditional = "UNBALANCED_CONDITIONAL", "Invalid OP_IF construction";
    /// A lock time operand is negative.
    NegativeLockTime = "NEGATIVE_LOCKTIME", "Negative locktime";
    /// The transaction does not reach the lock time that the script demands.
    UnsatisfiedLockTime = "UNSATISFIED_LOCKTIME", "Locktime requirement not satisfied";
    /// A signature's hash type is undefined (STRICTENC).
    SigHashType = "SIG_HASHTYPE", "Signature hash type missing or not understood";
    /// A signature is not strict DER (DERSIG, LOW_S or STRICTENC).
    SigDer = "SIG_DER", "Non-canonical DER signature";
    /// A push could be shorter (MINIMALDATA).
    MinimalData = "MINIMALDATA", "Data push larger than necessary";
    /// A scriptSig has other opcodes than pushes (P2SH, or SIGPUSHONLY).
    SigPushOnly = "SIG_PUSHONLY", "Only push operators allowed in signatures";
    /// A signature's S is above half of the group's order (LOW_S).
    SigHighS = "SIG_HIGH_S", "Non-canonical signature: S value is unnecessarily high";
    /// The dummy element of OP_CHECKMULTISIG is not empty (NULLDUMMY).
    SigNullDummy = "SIG_NULLDUMMY", "Dummy CHECKMULTISIG argument must be zero";
    /// A public key has neither the compressed nor the uncompressed form (STRICTENC).
    PubkeyType = "PUBKEYTYPE", "Public key is neither compressed or uncompressed";
    /// Other elements than the result remain on the stack (CLEANSTACK; always in witness scripts).
    CleanStack = "CLEANSTACK", "Stack size must be exactly one after execution";
    /// The condition in a witness v0 script is neither empty nor 0x01 (MINIMALIF).
    MinimalIf = "MINIMALIF", "OP_IF/NOTIF argument must be minimal";
    /// A failed signature check had a signature that is not empty (NULLFAIL).
    SigNullFail = "NULLFAIL", "Signature must be zero for failed CHECK(MULTI)SIG operation";
    /// An opcode kept for soft forks was executed (DISCOURAGE_UPGRADABLE_NOPS).
    DiscourageUpgradableNops = "DISCOURAGE_UPGRADABLE_NOPS", "NOPx reserved for soft-fork upgrades";
    /// A witness program has no meaning yet (DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM).
    DiscourageUpgradableWitnessProgram = "DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM", "Witness version reserved for soft-fork upgrades";
    /// A taproot leaf version has no meaning yet (DISCOURAGE_UPGRADABLE_TAPROOT_VERSION).
    DiscourageUpgradableTaprootVersion = "DISCOURAGE_UPGRADABLE_TAPROOT_VERSION", "Taproot version reserved for soft-fork upgrades";
    /// An OP_SUCCESSx stands in a tapscript (DISCOURAGE_OP_SUCCESS).
    DiscourageOpSuccess = "DISCOURAGE_OP_SUCCESS", "OP_SUCCESSx reserved for soft-fork upgrades";
    /// A tapscript public key has no meaning yet (DISCOURAGE_UPGRADABLE_PUBKEYTYPE).
    DiscourageUpgradablePubkeyType = "DISCOURAGE_UPGRADABLE_PUBKEYTYPE", "Public key version reserved for soft-fork upgrades";
    /// A version 0 witness program has neither 20 nor 32 bytes.
    WitnessProgramWrongLength = "WITNESS_PROGRAM_WRONG_LENGTH", "Witness program has incorrect length";
    /// A witness program needs a witness, and there is none.
    WitnessProgramWitnessEmpty = "WITNESS_PROGRAM_WITNESS_EMPTY", "Witness program was passed an empty witness";
    /// The witness does not hash to the witness program, or has the wrong number of elements.
    WitnessProgramMismatch = "WITNESS_PROGRAM_MISMATCH", "Witness program hash mismatch";
    /// A witness program is spent with a scriptSig that is not empty.
    WitnessMalleated = "WITNESS_MALLEATED", "Witness requires empty scriptSig";
    /// A witness program inside P2SH is spent with more than the push of the program.
    WitnessMalleatedP2sh = "WITNESS_MALLEATED_P2SH", "Witness requires only-redeemscript scriptSig";
    /// There is a witness, but no witness program.
    WitnessUnexpected = "WITNESS_UNEXPECTED", "Witness provided for non-witness script";
    /// A public key in a witness v0 script is not compressed (WITNESS_PUBKEYTYPE).
    WitnessPubkeyType = "WITNESS_PUBKEYTYPE", "Using non-compressed keys in segwit";
    /// A Schnorr signature has neither 64 nor 65 bytes.
    SchnorrSigSize = "SCHNORR_SIG_SIZE", "Invalid Schnorr signature size";
    /// A Schnorr signature's hash type is undefined, or SINGLE without an output of the same index.
    SchnorrSigHashType = "SCHNORR_SIG_HASHTYPE", "Invalid Schnorr signature hash type";
    /// A Schnorr signature does not hold.
    SchnorrSig = "SCHNORR_SIG", "Invalid Schnorr signature";
    /// A control block is not 33 bytes and up to 128 times 32 bytes long.
    TaprootWrongControlSize = "TAPROOT_WRONG_CONTROL_SIZE", "Invalid Taproot control block size";
    /// A tapscript checks more signatures than its witness size pays for.
    TapscriptValidationWeight = "TAPSCRIPT_VALIDATION_WEIGHT", "Too much signature validation relative to witness weight";
    /// OP_CHECKMULTISIG or OP_CHECKMULTISIGVERIFY was executed in a tapscript.
    TapscriptCheckMultisig = "TAPSCRIPT_CHECKMULTISIG", "OP_CHECKMULTISIG(VERIFY) is not available in tapscript";
    /// The condition in a tapscript is neither empty nor 0x01.
    TapscriptMinimalIf = "TAPSCRIPT_MINIMALIF", "OP_IF/NOTIF argument must be minimal in tapscript";
    /// A public key in a tapscript is empty.
    TapscriptEmptyPubkey = "TAPSCRIPT_EMPTY_PUBKEY", "Empty public key in tapscript";
    /// OP_CODESEPARATOR stands in a script outside of a witness (CONST_SCRIPTCODE).
    OpCodeSeparator = "OP_CODESEPARATOR", "Using OP_CODESEPARATOR in non-witness script";
    /// A signature stands in the script that checks it (CONST_SCRIPTCODE).
    SigFindAndDelete = "SIG_FINDANDDELETE", "Signature is found in scriptCode";
}

impl ScriptError {
    /// The error with this name.
    pub fn from_name(name: &str) -> Option<ScriptError> {
        Self::ALL.iter().copied().find(|error| error.name() == name)
    }
}
