//! Numbers on the stack: little-endian, sign in the highest bit, as short as they can be.
//! Promises Core's range and minimality rules on reading and the shortest form on writing.
//! Refuses arithmetic: operands have at most 5 bytes, so `i64` never overflows.

use crate::error::ScriptError;
use crate::stack::Element;

#[cfg(test)]
mod tests;

/// Longest operand of arithmetic opcodes, in bytes. Results may be longer, but not be used again.
pub const MAX_NUMBER_LENGTH: usize = 4;

/// Longest operand of OP_CHECKLOCKTIMEVERIFY and OP_CHECKSEQUENCEVERIFY, in bytes.
pub const MAX_LOCK_TIME_LENGTH: usize = 5;

/// Reads a number of at most `max_length` bytes (which must be at most 8).
///
/// Fails with [`ScriptError::ScriptNumber`] when it is longer, or when `minimal` is demanded and the
/// same number has a shorter form (negative zero counts as one).
#[inline]
pub fn decode(bytes: &[u8], minimal: bool, max_length: usize) -> Result<i64, ScriptError> {
    let Some((last, lower)) = bytes.split_last() else {
        return Ok(0);
    };
    if bytes.len() > max_length.min(8) {
        return Err(ScriptError::ScriptNumber);
    }
    // The last byte may hold nothing but the sign only where the byte below it uses its own highest bit.
    let last_is_sign_only = last & 0x7f == 0;
    if minimal && last_is_sign_only && lower.last().is_none_or(|below| below & 0x80 == 0) {
        return Err(ScriptError::ScriptNumber);
    }
    let mut magnitude = u64::from(last & 0x7f);
    for byte in lower.iter().rev() {
        magnitude = magnitude << 8 | u64::from(*byte);
    }
    let magnitude = magnitude as i64;
    Ok(if last & 0x80 != 0 {
        -magnitude
    } else {
        magnitude
    })
}

/// Writes a number in its shortest form: zero is empty.
#[inline]
pub fn encode<'a>(number: i64) -> Element<'a> {
    let mut bytes = [0; 9];
    let mut length = 0;
    let mut magnitude = number.unsigned_abs();
    while magnitude > 0 {
        bytes[length] = magnitude as u8;
        magnitude >>= 8;
        length += 1;
    }
    let sign = if number < 0 { 0x80 } else { 0 };
    if length > 0 && bytes[length - 1] & 0x80 != 0 {
        bytes[length] = sign;
        length += 1;
    } else if length > 0 {
        bytes[length - 1] |= sign;
    }
    Element::computed(&bytes[..length])
}
