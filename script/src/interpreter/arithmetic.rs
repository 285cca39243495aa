//! Opcodes on numbers.

use super::Interpreter;
use crate::checker::Checker;
use crate::error::ScriptError;
use crate::number;
use crate::opcode::*;
use crate::stack::Element;
use crate::trace::Observer;

impl<C: Checker, O: Observer> Interpreter<'_, '_, C, O> {
    /// Everything from OP_1ADD to OP_WITHIN that has a meaning; other opcodes fail.
    /// Operands have at most 4 bytes, so no result overflows.
    pub(super) fn calculate(&mut self, opcode: Opcode) -> Result<(), ScriptError> {
        match opcode {
            OP_1ADD | OP_1SUB | OP_NEGATE | OP_ABS | OP_NOT | OP_0NOTEQUAL => {
                let operand = self.number(0)?;
                let result = match opcode {
                    OP_1ADD => operand + 1,
                    OP_1SUB => operand - 1,
                    OP_NEGATE => -operand,
                    OP_ABS => operand.abs(),
                    OP_NOT => i64::from(operand == 0),
                    _ => i64::from(operand != 0),
                };
                self.stack.drop_top(1)?;
                self.stack.push(number::encode(result));
                Ok(())
            }
            OP_WITHIN => {
                self.stack.require(3)?;
                let (operand, low, high) = (self.number(2)?, self.number(1)?, self.number(0)?);
                self.stack.drop_top(3)?;
                self.stack
                    .push(Element::from_bool((low..high).contains(&operand)));
                Ok(())
            }
            OP_ADD | OP_SUB => self.calculate_with_two(opcode),
            _ if (OP_BOOLAND..=OP_MAX).contains(&opcode) => self.calculate_with_two(opcode),
            _ => Err(ScriptError::BadOpcode),
        }
    }

    fn calculate_with_two(&mut self, opcode: Opcode) -> Result<(), ScriptError> {
        self.stack.require(2)?;
        let (first, second) = (self.number(1)?, self.number(0)?);
        self.stack.drop_top(2)?;
        let result = match opcode {
            OP_ADD => first + second,
            OP_SUB => first - second,
            OP_MIN => first.min(second),
            OP_MAX => first.max(second),
            _ => {
                let answer = compare(opcode, first, second);
                let verify = opcode == OP_NUMEQUALVERIFY;
                return self.answer(answer, verify, ScriptError::NumEqualVerify);
            }
        };
        self.stack.push(number::encode(result));
        Ok(())
    }
}

fn compare(opcode: Opcode, first: i64, second: i64) -> bool {
    match opcode {
        OP_BOOLAND => first != 0 && second != 0,
        OP_BOOLOR => first != 0 || second != 0,
        OP_NUMNOTEQUAL => first != second,
        OP_LESSTHAN => first < second,
        OP_GREATERTHAN => first > second,
        OP_LESSTHANOREQUAL => first <= second,
        OP_GREATERTHANOREQUAL => first >= second,
        // OP_NUMEQUAL and OP_NUMEQUALVERIFY.
        _ => first == second,
    }
}
