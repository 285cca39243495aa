//! Script pubkeys whose shape alone changes how they are spent: P2SH and witness programs.
//! Promises the same verdict as Core on every byte string.
//! Refuses the other standard templates, which are policy.

use crate::opcode::*;

/// The shortest and longest script that can be a witness program, in bytes (BIP141).
const WITNESS_PROGRAM_SCRIPT_LENGTHS: std::ops::RangeInclusive<usize> = 4..=42;

/// Version and program of a script pubkey that is a witness program (BIP141).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WitnessProgram<'a> {
    /// 0 to 16.
    pub version: u8,
    /// 2 to 40 bytes.
    pub program: &'a [u8],
}

impl<'a> WitnessProgram<'a> {
    /// Takes a script apart; `None` when it is no witness program.
    #[inline]
    pub fn parse(script: &'a [u8]) -> Option<Self> {
        if !WITNESS_PROGRAM_SCRIPT_LENGTHS.contains(&script.len()) {
            return None;
        }
        let version = Opcode(script[0]).small_number()?;
        let program = &script[2..];
        (usize::from(script[1]) == program.len()).then_some(WitnessProgram { version, program })
    }

    /// True for pay-to-anchor, `1 4e73`: anyone can spend it, with an empty witness.
    pub fn is_anchor(&self) -> bool {
        self.version == 1 && self.program == [0x4e, 0x73]
    }
}

/// True for `OP_HASH160 <20 bytes> OP_EQUAL` with a direct push (BIP16).
#[inline]
pub fn is_p2sh(script: &[u8]) -> bool {
    script.len() == 23 && script[0] == OP_HASH160.0 && script[1] == 20 && script[22] == OP_EQUAL.0
}
