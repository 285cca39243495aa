//! The standard forms of a script pubkey.

use crate::instruction::{Instruction, Instructions, is_push_only};
use crate::interpreter::is_minimal_push;
use crate::number;
use crate::opcode::*;
use crate::program::{WitnessProgram, is_p2sh};
use crate::signature::has_key_length;
use crate::sigops::MAX_PUBKEYS_PER_MULTISIG;

/// Keys of a standard bare multisig.
const STANDARD_MULTISIG_KEYS: std::ops::RangeInclusive<usize> = 1..=3;

/// Which standard form a script pubkey has, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template<'a> {
    /// None of the others.
    NonStandard,
    /// Pay to anchor: anyone can spend it.
    Anchor,
    /// `<key> OP_CHECKSIG`.
    PubKey {
        /// 33 or 65 bytes with a first byte that fits; not necessarily a point on the curve.
        key: &'a [u8],
    },
    /// `OP_DUP OP_HASH160 <hash> OP_EQUALVERIFY OP_CHECKSIG`.
    PubKeyHash {
        /// HASH160 of the key, 20 bytes.
        hash: &'a [u8],
    },
    /// `OP_HASH160 <hash> OP_EQUAL` (BIP16).
    ScriptHash {
        /// HASH160 of the redeem script, 20 bytes.
        hash: &'a [u8],
    },
    /// `m <key>… n OP_CHECKMULTISIG`.
    Multisig {
        /// Signatures needed, 1 to the number of keys.
        required: usize,
        /// 1 to 20 keys, as in [`Template::PubKey`].
        keys: Vec<&'a [u8]>,
    },
    /// OP_RETURN, then pushes only.
    NullData,
    /// `0 <hash>` (BIP141).
    WitnessV0ScriptHash {
        /// SHA-256 of the witness script, 32 bytes.
        hash: &'a [u8],
    },
    /// `0 <hash>` (BIP141).
    WitnessV0KeyHash {
        /// HASH160 of the key, 20 bytes.
        hash: &'a [u8],
    },
    /// `1 <key>` (BIP341).
    WitnessV1Taproot {
        /// The x-only output key, 32 bytes.
        key: &'a [u8],
    },
    /// A witness program without a meaning yet.
    WitnessUnknown {
        /// 1 to 16.
        version: u8,
        /// 2 to 40 bytes.
        program: &'a [u8],
    },
}

impl<'a> Template<'a> {
    /// Core's `Solver`.
    pub fn of(script_pubkey: &'a [u8]) -> Self {
        if is_p2sh(script_pubkey) {
            return Template::ScriptHash {
                hash: &script_pubkey[2..22],
            };
        }
        if let Some(program) = WitnessProgram::parse(script_pubkey) {
            return Self::of_program(program);
        }
        match script_pubkey {
            [first, rest @ ..] if *first == OP_RETURN.0 && is_push_only(rest) => Template::NullData,
            [length, key @ .., last]
                if *last == OP_CHECKSIG.0
                    && usize::from(*length) == key.len()
                    && has_key_length(key) =>
            {
                Template::PubKey { key }
            }
            // OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG
            [0x76, 0xa9, 20, hash @ .., 0x88, 0xac] if hash.len() == 20 => {
                Template::PubKeyHash { hash }
            }
            _ => Self::of_multisig(script_pubkey).unwrap_or(Template::NonStandard),
        }
    }

    fn of_program(program: WitnessProgram<'a>) -> Self {
        let WitnessProgram {
            version,
            program: bytes,
        } = program;
        match (version, bytes.len()) {
            (0, 20) => Template::WitnessV0KeyHash { hash: bytes },
            (0, 32) => Template::WitnessV0ScriptHash { hash: bytes },
            (1, 32) => Template::WitnessV1Taproot { key: bytes },
            _ if program.is_anchor() => Template::Anchor,
            (0, _) => Template::NonStandard,
            _ => Template::WitnessUnknown {
                version,
                program: bytes,
            },
        }
    }

    fn of_multisig(script_pubkey: &'a [u8]) -> Option<Self> {
        if script_pubkey.last() != Some(&OP_CHECKMULTISIG.0) {
            return None;
        }
        let mut instructions = Instructions::new(script_pubkey);
        let required = small_count(instructions.next()?.ok()?)?;
        let mut keys = Vec::new();
        let count = loop {
            let one = instructions.next()?.ok()?;
            if !has_key_length(one.data) {
                break small_count(one)?;
            }
            keys.push(one.data);
        };
        // The byte looked at above is an opcode only if it is all that is left: it could be a push's data.
        let ends_here = instructions.rest().len() == 1;
        let fits = count == keys.len() && (1..=count).contains(&required);
        (ends_here && fits).then_some(Template::Multisig { required, keys })
    }

    /// Core's `GetTxnOutputType`, as RPC answers show it.
    pub const fn name(&self) -> &'static str {
        match self {
            Template::NonStandard => "nonstandard",
            Template::Anchor => "anchor",
            Template::PubKey { .. } => "pubkey",
            Template::PubKeyHash { .. } => "pubkeyhash",
            Template::ScriptHash { .. } => "scripthash",
            Template::Multisig { .. } => "multisig",
            Template::NullData => "nulldata",
            Template::WitnessV0ScriptHash { .. } => "witness_v0_scripthash",
            Template::WitnessV0KeyHash { .. } => "witness_v0_keyhash",
            Template::WitnessV1Taproot { .. } => "witness_v1_taproot",
            Template::WitnessUnknown { .. } => "witness_unknown",
        }
    }

    /// Core's `IsStandard` for one script pubkey: every form but none, and multisigs up to 3 keys.
    pub fn is_standard(&self) -> bool {
        match self {
            Template::NonStandard => false,
            Template::Multisig { keys, .. } => STANDARD_MULTISIG_KEYS.contains(&keys.len()),
            _ => true,
        }
    }
}

/// A number from 1 to 20 in its shortest form, by opcode or by push.
fn small_count(instruction: Instruction<'_>) -> Option<usize> {
    let number = match instruction.opcode {
        OP_0 => return None,
        opcode if opcode <= OP_PUSHDATA4 => {
            if !is_minimal_push(instruction) {
                return None;
            }
            number::decode(instruction.data, true, number::MAX_NUMBER_LENGTH).ok()?
        }
        opcode => i64::from(opcode.small_number()?),
    };
    let count = usize::try_from(number).ok()?;
    (1..=MAX_PUBKEYS_PER_MULTISIG)
        .contains(&count)
        .then_some(count)
}
