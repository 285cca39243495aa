//! Scripts as text, in Bitcoin Core's notations.
//! Promises that [`format()`] reads back byte for byte with [`parse`], and that [`to_asm`] is what Core shows.
//! Refuses to guess: what [`parse`] does not know is an error that names the word.
//!
//! | function | Core's | example of a 3-byte push, then OP_DUP |
//! |---|---|---|
//! | [`to_asm`] | `ScriptToAsmStr`, what RPC answers show | `197121 OP_DUP` |
//! | [`format()`] | `FormatScript`, what test vectors hold | `0x03 0x010203 DUP` |
//! | [`parse`] | `ParseScript`, reads test vectors | |

use std::fmt::Write;

use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::{Script, ScriptBuf};
use thiserror::Error;

use crate::flags::Flags;
use crate::instruction::Instructions;
use crate::interpreter::MAX_SCRIPT_SIZE;
use crate::number;
use crate::opcode::*;
use crate::signature::check_encoding;

#[cfg(test)]
mod tests;

/// Decimal numbers in script text lie between minus this and this.
const MAX_DECIMAL: i64 = 0xffff_ffff;

/// A push of so many bytes or fewer is shown as a number by [`to_asm`].
const MAX_SHOWN_AS_NUMBER: usize = 4;

/// A word that is no part of a script.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// A decimal number too large for a script.
    #[error(
        "the number {word} is outside of -0xffffffff to 0xffffffff; push larger ones as hex: 0x05 0x0000000001"
    )]
    NumberRange {
        /// The word as it was given.
        word: String,
    },
    /// Neither number, hex, quoted text nor opcode.
    #[error("{word:?} is no opcode, no decimal number, no 0x… bytes and no 'text'")]
    UnknownWord {
        /// The word as it was given.
        word: String,
    },
}

/// Reads a script from words between white space: opcode names with or without `OP_`, decimal numbers
/// (pushed in their shortest form), `0x…` (bytes put into the script as they are, not pushed), and
/// `'text'` (pushed; no white space inside).
///
/// As in Core, but OP_CHECKSIGADD is known too.
pub fn parse(text: &str) -> Result<ScriptBuf, ParseError> {
    let mut script = Vec::new();
    for word in text.split_ascii_whitespace() {
        if is_decimal(word) {
            push_decimal(&mut script, word)?;
        } else if let Some(bytes) = hex_word(word) {
            script.extend_from_slice(&bytes);
        } else if let Some(quoted) = quoted_word(word) {
            push_data(&mut script, quoted.as_bytes());
        } else {
            let unknown = || ParseError::UnknownWord {
                word: word.to_owned(),
            };
            script.push(opcode_named(word).ok_or_else(unknown)?.0);
        }
    }
    Ok(ScriptBuf::from_bytes(script))
}

fn is_decimal(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn hex_word(word: &str) -> Option<Vec<u8>> {
    let digits = word
        .strip_prefix("0x")
        .filter(|digits| !digits.is_empty())?;
    Vec::from_hex(digits).ok()
}

fn quoted_word(word: &str) -> Option<&str> {
    word.strip_prefix('\'')?.strip_suffix('\'')
}

/// The opcode with this name, with or without `OP_`; numbers are no names.
pub fn opcode_named(name: &str) -> Option<Opcode> {
    let named = NAMED.iter().map(|(_, opcode)| *opcode);
    // Pushes would need their data, and the last is no opcode at all.
    let mut callable =
        named.filter(|op| (OP_NOP..=OP_CHECKSIGADD).contains(op) || *op == OP_RESERVED);
    callable.find(|opcode| {
        let full = opcode.name();
        full == name || full.strip_prefix("OP_") == Some(name)
    })
}

fn push_decimal(script: &mut Vec<u8>, word: &str) -> Result<(), ParseError> {
    let number = word.parse::<i64>().ok();
    let in_range = number.filter(|number| (-MAX_DECIMAL..=MAX_DECIMAL).contains(number));
    match in_range.ok_or_else(|| ParseError::NumberRange {
        word: word.to_owned(),
    })? {
        -1 => script.push(OP_1NEGATE.0),
        0 => script.push(OP_0.0),
        small @ 1..=16 => script.push(OP_1.0 - 1 + small as u8),
        number => push_data(script, number::encode(number).as_bytes()),
    }
    Ok(())
}

/// Appends the shortest push that carries its data itself: never one of the opcodes for small numbers.
pub fn push_data(script: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u32).to_le_bytes();
    match data.len() {
        0..=75 => script.push(length[0]),
        76..=0xff => script.extend_from_slice(&[OP_PUSHDATA1.0, length[0]]),
        0x100..=0xffff => script.extend_from_slice(&[OP_PUSHDATA2.0, length[0], length[1]]),
        _ => {
            script.push(OP_PUSHDATA4.0);
            script.extend_from_slice(&length);
        }
    }
    script.extend_from_slice(data);
}

/// A script as RPC answers show it: pushes of up to 4 bytes as numbers, longer ones as hex, `[error]`
/// where a push goes past the end.
pub fn to_asm(script: &Script) -> String {
    asm(script.as_bytes(), false)
}

/// As [`to_asm`], showing the hash type of what looks like an ECDSA signature: `3044…[ALL]`. For scriptSigs.
pub fn to_asm_with_hash_types(script: &Script) -> String {
    asm(script.as_bytes(), true)
}

fn asm(script: &[u8], show_hash_types: bool) -> String {
    // Data behind OP_RETURN may look like a signature by chance.
    let unspendable = script.first() == Some(&OP_RETURN.0) || script.len() > MAX_SCRIPT_SIZE;
    let mut words = Vec::new();
    for read in Instructions::new(script) {
        words.push(match read {
            Err(_) => "[error]".to_owned(),
            Ok(one) if one.opcode > OP_PUSHDATA4 => one.opcode.name().to_owned(),
            Ok(one) if one.data.len() <= MAX_SHOWN_AS_NUMBER => shown_number(one.data),
            Ok(one) if show_hash_types && !unspendable => shown_signature(one.data),
            Ok(one) => one.data.to_lower_hex_string(),
        });
    }
    words.join(" ")
}

/// Any bytes up to [`MAX_SHOWN_AS_NUMBER`] are a number where minimality is not demanded.
fn shown_number(data: &[u8]) -> String {
    number::decode(data, false, MAX_SHOWN_AS_NUMBER)
        .unwrap_or_default()
        .to_string()
}

fn shown_signature(data: &[u8]) -> String {
    let Some((hash_type, der)) = data.split_last() else {
        return String::new();
    };
    if check_encoding(data, Flags::STRICTENC).is_err() {
        return data.to_lower_hex_string();
    }
    let outputs = match hash_type & 0x7f {
        1 => "ALL",
        2 => "NONE",
        _ => "SINGLE",
    };
    let inputs = if hash_type & 0x80 != 0 {
        "|ANYONECANPAY"
    } else {
        ""
    };
    format!("{}[{outputs}{inputs}]", der.to_lower_hex_string())
}

/// A script in the notation of test vectors, which [`parse`] reads back byte for byte.
///
/// Opcodes go by their names without `OP_`, small numbers as such; pushes as the bytes of the opcode and
/// length, then the data; everything else, a broken end included, as bytes.
pub fn format(script: &Script) -> String {
    let script = script.as_bytes();
    let mut text = String::new();
    let mut word = |word: std::fmt::Arguments<'_>| {
        if !text.is_empty() {
            text.push(' ');
        }
        // Writing to a String cannot fail.
        let _ = text.write_fmt(word);
    };
    let mut instructions = Instructions::new(script);
    loop {
        let at = instructions.rest();
        let Some(read) = instructions.next() else {
            return text;
        };
        let Ok(one) = read else {
            word(format_args!("0x{}", at.as_hex()));
            return text;
        };
        let is_number = one.opcode == OP_1NEGATE || one.opcode.small_number().is_some();
        let is_named = (OP_NOP..=OP_NOP10).contains(&one.opcode);
        if is_number || is_named {
            let name = one.opcode.name();
            word(format_args!("{}", name.strip_prefix("OP_").unwrap_or(name)));
            continue;
        }
        let length = at.len() - instructions.rest().len();
        let (header, data) = at[..length].split_at(length - one.data.len());
        word(format_args!("0x{}", header.as_hex()));
        if !data.is_empty() {
            word(format_args!("0x{}", data.as_hex()));
        }
    }
}
