//! Conditionals and lock times.

use super::{Interpreter, ScriptVersion};
use crate::checker::{Checker, SEQUENCE_DISABLED};
use crate::error::ScriptError;
use crate::flags::Flags;
use crate::number;
use crate::opcode::*;
use crate::trace::Observer;

impl<C: Checker, O: Observer> Interpreter<'_, '_, C, O> {
    /// OP_IF and OP_NOTIF. A condition opened where nothing is executed counts as false and takes nothing.
    pub(super) fn open_condition(
        &mut self,
        opcode: Opcode,
        executed: bool,
    ) -> Result<(), ScriptError> {
        let mut value = false;
        if executed {
            let element = self.stack.peek(0)?;
            let is_minimal = matches!(element.as_bytes(), [] | [1]);
            let demanded = match self.environment.version {
                ScriptVersion::Base => false,
                ScriptVersion::WitnessV0 => self.environment.flags.contains(Flags::MINIMALIF),
                ScriptVersion::Tapscript => true,
            };
            if demanded && !is_minimal {
                return Err(match self.environment.version {
                    ScriptVersion::Tapscript => ScriptError::TapscriptMinimalIf,
                    _ => ScriptError::MinimalIf,
                });
            }
            value = element.is_true() == (opcode == OP_IF);
            self.stack.pop()?;
        }
        self.conditions.open(value);
        Ok(())
    }

    /// OP_CHECKLOCKTIMEVERIFY (BIP65); without its flag it does nothing.
    pub(super) fn check_lock_time(&mut self) -> Result<(), ScriptError> {
        if !self.environment.flags.contains(Flags::CHECKLOCKTIMEVERIFY) {
            return Ok(());
        }
        let lock_time = self.lock_time_operand()?;
        if !self.environment.checker.check_lock_time(lock_time) {
            return Err(ScriptError::UnsatisfiedLockTime);
        }
        Ok(())
    }

    /// OP_CHECKSEQUENCEVERIFY (BIP112); without its flag it does nothing.
    pub(super) fn check_sequence(&mut self) -> Result<(), ScriptError> {
        if !self.environment.flags.contains(Flags::CHECKSEQUENCEVERIFY) {
            return Ok(());
        }
        let sequence = self.lock_time_operand()?;
        // Kept open for soft forks: an operand with this bit locks nothing.
        if sequence & i64::from(SEQUENCE_DISABLED) != 0 {
            return Ok(());
        }
        if !self.environment.checker.check_sequence(sequence) {
            return Err(ScriptError::UnsatisfiedLockTime);
        }
        Ok(())
    }

    /// The top of the stack, which stays there. Five bytes, so that it does not end in 2038.
    fn lock_time_operand(&self) -> Result<i64, ScriptError> {
        let bytes = self.stack.peek(0)?.as_bytes();
        let operand = number::decode(bytes, self.minimal, number::MAX_LOCK_TIME_LENGTH)?;
        if operand < 0 {
            return Err(ScriptError::NegativeLockTime);
        }
        Ok(operand)
    }
}
