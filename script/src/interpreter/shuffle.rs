//! Opcodes that move elements without looking at them.

use super::Interpreter;
use crate::checker::Checker;
use crate::error::ScriptError;
use crate::number;
use crate::opcode::*;
use crate::trace::Observer;

impl<C: Checker, O: Observer> Interpreter<'_, '_, C, O> {
    /// Everything from OP_TOALTSTACK to OP_TUCK; other opcodes fail.
    pub(super) fn shuffle(&mut self, opcode: Opcode) -> Result<(), ScriptError> {
        let stack = &mut *self.stack;
        match opcode {
            OP_TOALTSTACK => self.alt_stack.push(stack.pop()?),
            OP_FROMALTSTACK => {
                let element = self
                    .alt_stack
                    .pop()
                    .map_err(|_| ScriptError::InvalidAltStackOperation)?;
                stack.push(element);
            }
            OP_2DROP => stack.drop_top(2)?,
            OP_2DUP => stack.copy_to_top(1, 2)?,
            OP_3DUP => stack.copy_to_top(2, 3)?,
            OP_2OVER => stack.copy_to_top(3, 2)?,
            OP_2ROT => stack.rotate(6, 2)?,
            OP_2SWAP => stack.rotate(4, 2)?,
            OP_IFDUP => {
                if stack.peek(0)?.is_true() {
                    stack.copy_to_top(0, 1)?;
                }
            }
            OP_DEPTH => stack.push(number::encode(stack.len() as i64)),
            OP_DROP => stack.drop_top(1)?,
            OP_DUP => stack.copy_to_top(0, 1)?,
            OP_NIP => {
                stack.remove(1)?;
            }
            OP_OVER => stack.copy_to_top(1, 1)?,
            OP_PICK | OP_ROLL => return self.pick_or_roll(opcode),
            OP_ROT => stack.rotate(3, 1)?,
            OP_SWAP => stack.swap(0, 1)?,
            OP_TUCK => {
                stack.require(2)?;
                let top = *stack.peek(0)?;
                stack.insert_below(2, top)?;
            }
            _ => return Err(ScriptError::BadOpcode),
        }
        Ok(())
    }

    fn pick_or_roll(&mut self, opcode: Opcode) -> Result<(), ScriptError> {
        self.stack.require(2)?;
        let depth = self.number(0)?;
        self.stack.pop()?;
        let depth = usize::try_from(depth).map_err(|_| ScriptError::InvalidStackOperation)?;
        if depth >= self.stack.len() {
            return Err(ScriptError::InvalidStackOperation);
        }
        if opcode == OP_PICK {
            self.stack.copy_to_top(depth, 1)
        } else {
            let element = self.stack.remove(depth)?;
            self.stack.push(element);
            Ok(())
        }
    }
}
