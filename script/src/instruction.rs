//! Reading a script's bytes, one instruction after the other.
//! Promises to split exactly as Bitcoin Core does, a push past the end being an error where it stands.
//! Refuses to judge: limits, minimal encodings and meanings belong to the interpreter.

use thiserror::Error;

use crate::opcode::*;

#[cfg(test)]
mod tests;

/// One opcode and, for a push, the bytes that it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction<'a> {
    /// The opcode byte.
    pub opcode: Opcode,
    /// The bytes after it, for opcodes up to [`OP_PUSHDATA4`]; empty for all others, [`OP_0`] included.
    pub data: &'a [u8],
}

/// A push that carries fewer bytes than it promises, at the end of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the script ends inside a push; its last instruction cannot be read")]
pub struct TruncatedPush;

/// An iterator over the instructions of a script. After an error it has ended.
#[derive(Debug, Clone)]
pub struct Instructions<'a> {
    rest: &'a [u8],
}

impl<'a> Instructions<'a> {
    /// Starts at the first byte of `script`.
    #[inline]
    pub fn new(script: &'a [u8]) -> Self {
        Instructions { rest: script }
    }

    /// The bytes not yet read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    fn read_push(&mut self, opcode: Opcode) -> Option<&'a [u8]> {
        let length = match opcode {
            OP_PUSHDATA1 => usize::from(self.take(1)?[0]),
            OP_PUSHDATA2 => {
                let bytes = self.take(2)?;
                usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
            }
            OP_PUSHDATA4 => {
                let bytes = self.take(4)?;
                let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                usize::try_from(length).ok()?
            }
            Opcode(direct) => usize::from(direct),
        };
        self.take(length)
    }
}

impl<'a> Iterator for Instructions<'a> {
    type Item = Result<Instruction<'a>, TruncatedPush>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        let opcode = Opcode(*byte);
        if opcode > OP_PUSHDATA4 {
            return Some(Ok(Instruction { opcode, data: &[] }));
        }
        let Some(data) = self.read_push(opcode) else {
            self.rest = &[];
            return Some(Err(TruncatedPush));
        };
        Some(Ok(Instruction { opcode, data }))
    }
}

/// True when the script consists of readable instructions up to [`OP_16`] only.
/// [`OP_RESERVED`] counts as a push here, as in Core.
pub fn is_push_only(script: &[u8]) -> bool {
    Instructions::new(script).all(|read| read.is_ok_and(|instruction| instruction.opcode.is_push()))
}

/// The data of the last push of a push-only script: what it leaves on top of the stack, except that
/// opcodes which push a number count as empty. `None` when the script is not push-only.
pub(crate) fn last_push(script: &[u8]) -> Option<&[u8]> {
    let mut last: &[u8] = &[];
    for read in Instructions::new(script) {
        let instruction = read.ok()?;
        if !instruction.opcode.is_push() {
            return None;
        }
        last = instruction.data;
    }
    Some(last)
}
