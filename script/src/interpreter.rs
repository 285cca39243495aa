//! Executing one script on a stack: the loop, its limits, and who does what.
//! Promises Core's result for every script, with Core's error where several would fit.
//! Refuses to know how scripts follow each other in a spend: see `verify` and `witness`.
//!
//! | module | opcodes |
//! |---|---|
//! | `control` | conditionals, lock times |
//! | `shuffle` | those that move elements |
//! | `arithmetic` | those on numbers |
//! | `signatures` | OP_CHECKSIG and its kin |

mod arithmetic;
mod control;
mod shuffle;
mod signatures;

use crate::checker::Checker;
use crate::conditions::Conditions;
use crate::error::ScriptError;
use crate::flags::Flags;
use crate::hash;
use crate::instruction::{Instruction, Instructions};
use crate::number;
use crate::opcode::*;
use crate::sighash::taproot::TapscriptPosition;
use crate::stack::{Element, Stack};
use crate::trace::{Observer, Phase, Step, Stop, StopCause};

#[cfg(test)]
mod tests;

/// Longest script before tapscript, in bytes.
pub const MAX_SCRIPT_SIZE: usize = 10_000;
/// Longest element, in bytes.
pub const MAX_ELEMENT_SIZE: usize = 520;
/// Most operations of a script before tapscript; pushes are none, each key of a multisig is one.
pub const MAX_OPS_PER_SCRIPT: usize = 201;
/// Most elements of main and alternative stack together.
pub const MAX_STACK_SIZE: usize = 1_000;

/// Which rules a script runs under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptVersion {
    /// Everything outside of a witness.
    Base,
    /// Scripts of version 0 witness programs (BIP141, BIP143).
    WitnessV0,
    /// Leaf scripts of taproot outputs with leaf version 0xc0 (BIP342).
    Tapscript,
}

/// What a taproot spend is about, beyond its stack (BIP341, BIP342).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaprootContext {
    /// SHA-256 of the annex with its length before it; `None` without an annex.
    pub annex_hash: Option<[u8; 32]>,
    /// Where in which leaf the execution stands; `None` for the key path.
    pub tapscript: Option<TapscriptPosition>,
}

/// What a script runs with.
pub(crate) struct Environment<'x, C, O> {
    pub(crate) flags: Flags,
    pub(crate) version: ScriptVersion,
    pub(crate) checker: &'x mut C,
    pub(crate) observer: &'x mut O,
    /// Only read by tapscripts.
    pub(crate) taproot: TaprootContext,
    /// What the signatures of a tapscript may still weigh (BIP342).
    pub(crate) validation_weight_left: i64,
}

/// Runs `script` on `stack`. What the stack must look like afterwards is for the caller to judge.
pub(crate) fn evaluate<'a, C: Checker, O: Observer>(
    phase: Phase,
    script: &'a [u8],
    stack: &mut Stack<'a>,
    environment: Environment<'_, C, O>,
) -> Result<(), ScriptError> {
    environment
        .observer
        .script_begins(phase, environment.version, script, stack);
    let mut interpreter = Interpreter {
        minimal: environment.flags.contains(Flags::MINIMALDATA),
        environment,
        stack,
        alt_stack: Stack::default(),
        conditions: Conditions::default(),
        op_count: 0,
        script_code: script,
    };
    let result = interpreter.run(script);
    let Interpreter {
        environment,
        stack,
        alt_stack,
        ..
    } = interpreter;
    environment.observer.script_ends(stack, &alt_stack, result);
    result
}

/// A script in execution.
struct Interpreter<'x, 'a, C, O> {
    environment: Environment<'x, C, O>,
    stack: &'x mut Stack<'a>,
    alt_stack: Stack<'a>,
    conditions: Conditions,
    /// Operations so far that count towards [`MAX_OPS_PER_SCRIPT`].
    op_count: usize,
    /// What signatures sign: the script from its last executed OP_CODESEPARATOR on.
    script_code: &'a [u8],
    /// Whether pushes and numbers must be in their shortest form.
    minimal: bool,
}

impl<'a, C: Checker, O: Observer> Interpreter<'_, 'a, C, O> {
    fn run(&mut self, script: &'a [u8]) -> Result<(), ScriptError> {
        let is_tapscript = self.environment.version == ScriptVersion::Tapscript;
        if !is_tapscript && script.len() > MAX_SCRIPT_SIZE {
            return Err(ScriptError::ScriptSize);
        }
        let mut instructions = Instructions::new(script);
        let mut index = 0;
        loop {
            let offset = script.len() - instructions.rest().len();
            let instruction = match instructions.next() {
                None => break,
                Some(Ok(instruction)) => instruction,
                Some(Err(_)) => {
                    self.environment.observer.stops(&Stop {
                        offset,
                        index,
                        rest: &script[offset..],
                        cause: StopCause::TruncatedPush,
                    });
                    return Err(ScriptError::BadOpcode);
                }
            };
            let executed = self.conditions.all_true();
            self.environment.observer.step(&Step {
                offset,
                index,
                instruction,
                executed,
                stack: self.stack,
                alt_stack: &self.alt_stack,
                conditions: &self.conditions,
            });
            self.step(instruction, executed, index, instructions.rest())?;
            if self.stack.len() + self.alt_stack.len() > MAX_STACK_SIZE {
                return Err(ScriptError::StackSize);
            }
            index += 1;
        }
        if !self.conditions.is_empty() {
            return Err(ScriptError::UnbalancedConditional);
        }
        Ok(())
    }

    #[inline]
    fn step(
        &mut self,
        instruction: Instruction<'a>,
        executed: bool,
        index: u32,
        rest: &'a [u8],
    ) -> Result<(), ScriptError> {
        let Instruction { opcode, data } = instruction;
        if data.len() > MAX_ELEMENT_SIZE {
            return Err(ScriptError::PushSize);
        }
        if !opcode.is_push() && self.environment.version != ScriptVersion::Tapscript {
            self.count_operations(1)?;
        }
        if opcode.is_disabled() {
            return Err(ScriptError::DisabledOpcode);
        }
        if opcode == OP_CODESEPARATOR
            && self.environment.version == ScriptVersion::Base
            && self.environment.flags.contains(Flags::CONST_SCRIPTCODE)
        {
            return Err(ScriptError::OpCodeSeparator);
        }
        if executed && opcode <= OP_PUSHDATA4 {
            if self.minimal && !is_minimal_push(instruction) {
                return Err(ScriptError::MinimalData);
            }
            self.stack.push(Element::pushed(data));
            Ok(())
        } else if executed || (OP_IF..=OP_ENDIF).contains(&opcode) {
            self.execute(opcode, executed, index, rest)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn count_operations(&mut self, count: usize) -> Result<(), ScriptError> {
        self.op_count += count;
        if self.op_count > MAX_OPS_PER_SCRIPT {
            return Err(ScriptError::OpCount);
        }
        Ok(())
    }

    fn execute(
        &mut self,
        opcode: Opcode,
        executed: bool,
        index: u32,
        rest: &'a [u8],
    ) -> Result<(), ScriptError> {
        match opcode {
            OP_1NEGATE => self.stack.push(number::encode(-1)),

            OP_NOP => {}
            OP_CHECKLOCKTIMEVERIFY => self.check_lock_time()?,
            OP_CHECKSEQUENCEVERIFY => self.check_sequence()?,
            OP_NOP1 | OP_NOP4 | OP_NOP5 | OP_NOP6 | OP_NOP7 | OP_NOP8 | OP_NOP9 | OP_NOP10 => {
                if self
                    .environment
                    .flags
                    .contains(Flags::DISCOURAGE_UPGRADABLE_NOPS)
                {
                    return Err(ScriptError::DiscourageUpgradableNops);
                }
            }
            OP_IF | OP_NOTIF => self.open_condition(opcode, executed)?,
            OP_ELSE if !self.conditions.turn() => return Err(ScriptError::UnbalancedConditional),
            OP_ELSE => {}
            OP_ENDIF if !self.conditions.close() => return Err(ScriptError::UnbalancedConditional),
            OP_ENDIF => {}
            OP_VERIFY => {
                if !self.stack.peek(0)?.is_true() {
                    return Err(ScriptError::Verify);
                }
                self.stack.pop()?;
            }
            OP_RETURN => return Err(ScriptError::OpReturn),

            OP_SIZE => {
                let size = self.stack.peek(0)?.as_bytes().len();
                self.stack.push(number::encode(size as i64));
            }
            OP_EQUAL | OP_EQUALVERIFY => {
                let equal = self.stack.peek(1)?.as_bytes() == self.stack.peek(0)?.as_bytes();
                self.stack.drop_top(2)?;
                self.answer(equal, opcode == OP_EQUALVERIFY, ScriptError::EqualVerify)?;
            }

            OP_RIPEMD160 | OP_SHA1 | OP_SHA256 | OP_HASH160 | OP_HASH256 => {
                let element = self.stack.pop()?;
                self.stack.push(hash_element(opcode, element.as_bytes()));
            }
            OP_CODESEPARATOR => {
                self.script_code = rest;
                if let Some(tapscript) = &mut self.environment.taproot.tapscript {
                    tapscript.code_separator = index;
                }
            }
            OP_CHECKSIG | OP_CHECKSIGVERIFY => self.check_signature(opcode)?,
            OP_CHECKSIGADD => self.check_signature_and_add()?,
            OP_CHECKMULTISIG | OP_CHECKMULTISIGVERIFY => self.check_multisig(opcode)?,
            _ => match opcode.small_number() {
                Some(number) => self.stack.push(number::encode(i64::from(number))),
                None if (OP_TOALTSTACK..=OP_TUCK).contains(&opcode) => self.shuffle(opcode)?,
                None => self.calculate(opcode)?,
            },
        }
        Ok(())
    }

    /// Leaves a boolean on the stack, or where `verify` asks for it, fails unless it is true.
    #[inline]
    fn answer(
        &mut self,
        value: bool,
        verify: bool,
        failure: ScriptError,
    ) -> Result<(), ScriptError> {
        if !verify {
            self.stack.push(Element::from_bool(value));
        } else if !value {
            // Core fails with the false answer left on the stack, which an observer can see.
            self.stack.push(Element::FALSE);
            return Err(failure);
        }
        Ok(())
    }

    /// The element `depth` below the top as an operand of arithmetic.
    #[inline]
    fn number(&self, depth: usize) -> Result<i64, ScriptError> {
        number::decode(
            self.stack.peek(depth)?.as_bytes(),
            self.minimal,
            number::MAX_NUMBER_LENGTH,
        )
    }
}

fn hash_element<'a>(opcode: Opcode, bytes: &[u8]) -> Element<'a> {
    match opcode {
        OP_RIPEMD160 => Element::computed(&hash::ripemd160(bytes)),
        OP_SHA1 => Element::computed(&hash::sha1(bytes)),
        OP_SHA256 => Element::computed(&hash::sha256(bytes)),
        OP_HASH160 => Element::computed(&hash::hash160(bytes)),
        _ => Element::computed(&hash::sha256d(bytes)),
    }
}

/// Whether a push could not be shorter (BIP62 rule 3).
pub(crate) fn is_minimal_push(push: Instruction<'_>) -> bool {
    match (push.data, push.data.len()) {
        (_, 0) => push.opcode == OP_0,
        // There is an opcode for each of these numbers.
        ([1..=16 | 0x81], 1) => false,
        (_, 1..=75) => usize::from(push.opcode.0) == push.data.len(),
        (_, 76..=0xff) => push.opcode == OP_PUSHDATA1,
        (_, 0x100..=0xffff) => push.opcode == OP_PUSHDATA2,
        _ => true,
    }
}
