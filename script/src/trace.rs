//! Watching a script run, step by step.
//! Promises that watching changes no verdict, and that not watching costs nothing: observers are generic.
//! Refuses to print: see `assembly` for the words.

use crate::conditions::Conditions;
use crate::error::ScriptError;
use crate::instruction::Instruction;
use crate::interpreter::ScriptVersion;
use crate::stack::Stack;

#[cfg(test)]
mod tests;

/// Which script of a spend is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The spending input's scriptSig.
    ScriptSig,
    /// The spent output's script pubkey.
    ScriptPubkey,
    /// The redeem script that the scriptSig pushed last (BIP16).
    RedeemScript,
    /// The script of a version 0 witness program; for P2WPKH the implied one.
    WitnessScript,
    /// The leaf script of a taproot output.
    Tapscript,
}

impl Phase {
    /// The field's own word for it: `scriptSig`, `scriptPubKey`, `redeemScript`, `witnessScript`, `tapscript`.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::ScriptSig => "scriptSig",
            Phase::ScriptPubkey => "scriptPubKey",
            Phase::RedeemScript => "redeemScript",
            Phase::WitnessScript => "witnessScript",
            Phase::Tapscript => "tapscript",
        }
    }
}

/// The state right before an instruction, executed or skipped.
#[derive(Debug, Clone, Copy)]
pub struct Step<'s, 'a> {
    /// Where the instruction begins in the script, in bytes.
    pub offset: usize,
    /// How many instructions stand before it.
    pub index: u32,
    /// The instruction.
    pub instruction: Instruction<'a>,
    /// False where an open condition skips it (conditionals themselves are always followed).
    pub executed: bool,
    /// The main stack.
    pub stack: &'s Stack<'a>,
    /// The alternative stack.
    pub alt_stack: &'s Stack<'a>,
    /// The open conditions.
    pub conditions: &'s Conditions,
}

/// An instruction that is read and not executed: the script's fate is decided by its being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop<'a> {
    /// Where the instruction begins in the script, in bytes.
    pub offset: usize,
    /// How many instructions stand before it.
    pub index: u32,
    /// The script's bytes from the instruction on, its opcode first; never empty.
    pub rest: &'a [u8],
    /// What it is.
    pub cause: StopCause,
}

/// Why a script goes no further than an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopCause {
    /// A push of more bytes than the script has left.
    TruncatedPush,
    /// An opcode of BIP342 that makes a tapscript succeed, executed or not.
    Success,
}

/// What is checked of a taproot spend beside scripts (BIP341).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check<'a> {
    /// A signature by the output key: the key path.
    KeyPathSignature {
        /// The witness program, 32 bytes.
        output_key: &'a [u8],
        /// As in the witness: 64 bytes, or 65 with a hash type, where it is well-formed.
        signature: &'a [u8],
    },
    /// The proof that the output key commits to a script: the script path.
    Commitment {
        /// The witness program, 32 bytes.
        output_key: &'a [u8],
        /// As in the witness: leaf version and parity, internal key, path, where it is well-formed.
        control: &'a [u8],
        /// The script that is revealed.
        script: &'a [u8],
    },
}

/// Something that watches scripts run. Every method does nothing by default.
pub trait Observer {
    /// False for observers that watch nothing: shortcuts that skip visible steps are taken only then.
    const WATCHES: bool = true;

    /// A script begins, on this stack.
    fn script_begins(
        &mut self,
        phase: Phase,
        version: ScriptVersion,
        script: &[u8],
        stack: &Stack<'_>,
    ) {
        let _ = (phase, version, script, stack);
    }

    /// An instruction is about to be executed or skipped.
    fn step(&mut self, step: &Step<'_, '_>) {
        let _ = step;
    }

    /// The script that began last is read up to here and no further; its end follows.
    fn stops(&mut self, stop: &Stop<'_>) {
        let _ = stop;
    }

    /// Something beside scripts was checked, between them.
    fn checked(&mut self, check: &Check<'_>, result: Result<(), ScriptError>) {
        let _ = (check, result);
    }

    /// The script that began last has ended, with these stacks. A script that ends well may still leave a
    /// stack that fails the spend.
    fn script_ends(
        &mut self,
        stack: &Stack<'_>,
        alt_stack: &Stack<'_>,
        result: Result<(), ScriptError>,
    ) {
        let _ = (stack, alt_stack, result);
    }
}

/// Watches nothing.
impl Observer for () {
    const WATCHES: bool = false;
}

/// Lends an observer.
impl<O: Observer> Observer for &mut O {
    const WATCHES: bool = O::WATCHES;

    fn script_begins(
        &mut self,
        phase: Phase,
        version: ScriptVersion,
        script: &[u8],
        stack: &Stack<'_>,
    ) {
        (**self).script_begins(phase, version, script, stack);
    }

    fn step(&mut self, step: &Step<'_, '_>) {
        (**self).step(step);
    }

    fn stops(&mut self, stop: &Stop<'_>) {
        (**self).stops(stop);
    }

    fn checked(&mut self, check: &Check<'_>, result: Result<(), ScriptError>) {
        (**self).checked(check, result);
    }

    fn script_ends(
        &mut self,
        stack: &Stack<'_>,
        alt_stack: &Stack<'_>,
        result: Result<(), ScriptError>,
    ) {
        (**self).script_ends(stack, alt_stack, result);
    }
}
