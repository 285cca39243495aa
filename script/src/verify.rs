//! Verifying a spend: scriptSig, script pubkey, redeem script and witness, in this order.
//! Promises Core's verdict and error under every set of flags.
//! Refuses to find the spent output: see `prepared` for whole transactions.

use bitcoin::{Script, Witness};

use crate::checker::Checker;
use crate::error::ScriptError;
use crate::flags::Flags;
use crate::instruction::is_push_only;
use crate::interpreter::{Environment, ScriptVersion, TaprootContext, evaluate};
use crate::opcode::*;
use crate::program::{WitnessProgram, is_p2sh};
use crate::stack::{Stack, is_true};
use crate::trace::{Observer, Phase};
use crate::witness::verify_program;

#[cfg(test)]
mod tests;

/// Verifies that scriptSig and witness spend a script pubkey, asking `checker` about the transaction.
///
/// Sets of flags that are not [consistent](Flags::is_consistent) are followed to the letter: a missing
/// P2SH flag, for instance, makes a P2SH-wrapped witness program an unexpected witness.
pub fn verify_script<C: Checker>(
    script_sig: &Script,
    script_pubkey: &Script,
    witness: &Witness,
    flags: Flags,
    checker: &mut C,
) -> Result<(), ScriptError> {
    verify_script_watched(script_sig, script_pubkey, witness, flags, checker, &mut ())
}

/// As [`verify_script`], with an observer that sees every step.
pub fn verify_script_watched<C: Checker, O: Observer>(
    script_sig: &Script,
    script_pubkey: &Script,
    witness: &Witness,
    flags: Flags,
    checker: &mut C,
    observer: &mut O,
) -> Result<(), ScriptError> {
    let (script_sig, script_pubkey) = (script_sig.as_bytes(), script_pubkey.as_bytes());
    let program = match flags.contains(Flags::WITNESS) {
        true => WitnessProgram::parse(script_pubkey),
        false => None,
    };
    // What the two pushes of a bare witness program do is known: only a program of zeros fails.
    if let (Some(program), [], false) = (program, script_sig, O::WATCHES) {
        if !is_true(program.program) {
            return Err(ScriptError::EvalFalse);
        }
        return verify_program(witness, program, false, flags, checker, observer);
    }
    verify_in_full(
        script_sig,
        script_pubkey,
        program,
        witness,
        flags,
        checker,
        observer,
    )
}

fn verify_in_full<C: Checker, O: Observer>(
    script_sig: &[u8],
    script_pubkey: &[u8],
    program: Option<WitnessProgram<'_>>,
    witness: &Witness,
    flags: Flags,
    checker: &mut C,
    observer: &mut O,
) -> Result<(), ScriptError> {
    if flags.contains(Flags::SIGPUSHONLY) && !is_push_only(script_sig) {
        return Err(ScriptError::SigPushOnly);
    }
    let mut stack = Stack::with_capacity(8);
    evaluate(
        Phase::ScriptSig,
        script_sig,
        &mut stack,
        base(flags, checker, observer),
    )?;
    let spends_p2sh = flags.contains(Flags::P2SH) && is_p2sh(script_pubkey);
    let pushed = spends_p2sh.then(|| stack.clone());
    evaluate(
        Phase::ScriptPubkey,
        script_pubkey,
        &mut stack,
        base(flags, checker, observer),
    )?;
    require_true(&stack)?;

    let mut stack_size = stack.len();
    let mut had_program = false;
    if let Some(program) = program {
        had_program = true;
        if !script_sig.is_empty() {
            return Err(ScriptError::WitnessMalleated);
        }
        verify_program(witness, program, false, flags, checker, observer)?;
        // The program itself is still on the stack; witness scripts have seen to their own.
        stack_size = 1;
    }

    if let Some(mut stack) = pushed {
        if !is_push_only(script_sig) {
            return Err(ScriptError::SigPushOnly);
        }
        let redeem_script = stack.pop()?;
        let redeem_script = redeem_script.as_bytes();
        let mut stack = stack;
        let environment = base(flags, checker, observer);
        evaluate(Phase::RedeemScript, redeem_script, &mut stack, environment)?;
        require_true(&stack)?;
        stack_size = stack.len();

        let nested = WitnessProgram::parse(redeem_script);
        if let (Some(program), true) = (nested, flags.contains(Flags::WITNESS)) {
            had_program = true;
            if !is_one_push_of(script_sig, redeem_script) {
                return Err(ScriptError::WitnessMalleatedP2sh);
            }
            verify_program(witness, program, true, flags, checker, observer)?;
            stack_size = 1;
        }
    }

    if flags.contains(Flags::CLEANSTACK) && stack_size != 1 {
        return Err(ScriptError::CleanStack);
    }
    if flags.contains(Flags::WITNESS) && !had_program && !witness.is_empty() {
        return Err(ScriptError::WitnessUnexpected);
    }
    Ok(())
}

fn base<'x, C, O>(flags: Flags, checker: &'x mut C, observer: &'x mut O) -> Environment<'x, C, O> {
    Environment {
        flags,
        version: ScriptVersion::Base,
        checker,
        observer,
        taproot: TaprootContext::default(),
        validation_weight_left: 0,
    }
}

fn require_true(stack: &Stack<'_>) -> Result<(), ScriptError> {
    match stack.elements().last() {
        Some(top) if top.is_true() => Ok(()),
        _ => Err(ScriptError::EvalFalse),
    }
}

/// Whether a scriptSig is the direct push of a witness program (4 to 42 bytes) and nothing else.
fn is_one_push_of(script_sig: &[u8], program_script: &[u8]) -> bool {
    match script_sig.split_first() {
        Some((length, pushed)) => {
            Opcode(*length) < OP_PUSHDATA1
                && usize::from(*length) == program_script.len()
                && pushed == program_script
        }
        None => false,
    }
}
