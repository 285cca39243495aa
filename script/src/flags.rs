//! Verification flags: the switches that Bitcoin Core's script verification knows.
//! Promises Core's names in text, both ways, and sets that combine freely.
//! Refuses to know heights and networks: which flags hold for which block is the ledger's to say.

use std::fmt;
use std::ops::{BitOr, BitOrAssign, Sub};
use std::str::FromStr;

use thiserror::Error;

#[cfg(test)]
mod tests;

/// A set of script verification flags.
///
/// Every flag is a soft fork: what passes under `a | b` passes under `a`. Bitcoin Core demands that
/// [`Flags::WITNESS`] comes with [`Flags::P2SH`], and [`Flags::CLEANSTACK`] with both; see
/// [`Flags::is_consistent`]. Other combinations are evaluated just as well, but without that promise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Flags(u32);

/// Declares each flag once: its constant, its bit and its name in Core's text form.
macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Flags = Flags(1 << $bit);)*

            /// Each single flag with Core's name for it, in the order of Core's bits.
            pub const NAMED: &'static [(&'static str, Flags)] = &[$((stringify!($name), Flags::$name),)*];
        }
    };
}

flags! {
    /// Evaluate pay-to-script-hash redeem scripts (BIP16).
    P2SH = 0;
    /// Signatures must be strict DER with a defined hash type, public keys well-formed (policy).
    STRICTENC = 1;
    /// Signatures must be strict DER (BIP66).
    DERSIG = 2;
    /// Signatures must have S of at most half the group's order (BIP62 rule 5, policy).
    LOW_S = 3;
    /// The dummy element that OP_CHECKMULTISIG consumes must be empty (BIP147).
    NULLDUMMY = 4;
    /// The scriptSig must consist of pushes only (BIP62 rule 2, policy).
    SIGPUSHONLY = 5;
    /// Pushes and numbers must be encoded in the shortest way (BIP62 rules 3 and 4, policy).
    MINIMALDATA = 6;
    /// OP_NOP1 and OP_NOP4 to OP_NOP10 fail when executed (policy).
    DISCOURAGE_UPGRADABLE_NOPS = 7;
    /// Exactly one element must remain on the stack (BIP62 rule 6, policy).
    CLEANSTACK = 8;
    /// OP_CHECKLOCKTIMEVERIFY is enforced (BIP65).
    CHECKLOCKTIMEVERIFY = 9;
    /// OP_CHECKSEQUENCEVERIFY is enforced (BIP112).
    CHECKSEQUENCEVERIFY = 10;
    /// Segregated witness is enforced (BIP141, BIP143).
    WITNESS = 11;
    /// Witness programs without a meaning yet fail (policy).
    DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM = 12;
    /// In witness v0 scripts, OP_IF and OP_NOTIF take only the empty element or 0x01 (policy).
    MINIMALIF = 13;
    /// Signatures of a failed OP_CHECKSIG or OP_CHECKMULTISIG must be empty (BIP146, policy).
    NULLFAIL = 14;
    /// Public keys in witness v0 scripts must be compressed (policy).
    WITNESS_PUBKEYTYPE = 15;
    /// OP_CODESEPARATOR and a signature found in its own script fail outside of witness scripts (policy).
    CONST_SCRIPTCODE = 16;
    /// Taproot and tapscript are enforced (BIP341, BIP342).
    TAPROOT = 17;
    /// Taproot leaf versions without a meaning yet fail (policy).
    DISCOURAGE_UPGRADABLE_TAPROOT_VERSION = 18;
    /// OP_SUCCESSx opcodes fail (policy).
    DISCOURAGE_OP_SUCCESS = 19;
    /// Tapscript public keys of unknown type fail (policy).
    DISCOURAGE_UPGRADABLE_PUBKEYTYPE = 20;
}

impl Flags {
    /// No flag at all: scripts as before BIP16.
    pub const NONE: Flags = Flags(0);

    /// Every flag there is.
    pub const ALL: Flags = Flags((1 << Self::NAMED.len()) - 1);

    /// The flags that blocks are held to today. A block that breaks one of them is invalid.
    pub const CONSENSUS: Flags = Flags(
        Self::P2SH.0
            | Self::DERSIG.0
            | Self::NULLDUMMY.0
            | Self::CHECKLOCKTIMEVERIFY.0
            | Self::CHECKSEQUENCEVERIFY.0
            | Self::WITNESS.0
            | Self::TAPROOT.0,
    );

    /// The flags that Core holds unconfirmed transactions to: everything but [`Flags::SIGPUSHONLY`],
    /// which its policy checks before it looks at any script.
    pub const STANDARD: Flags = Flags(Self::ALL.0 & !Self::SIGPUSHONLY.0);

    /// The set as bits, in Core's order. Fit for a cache key within one version of this crate.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set with these bits; `None` when a bit has no flag.
    pub const fn from_bits(bits: u32) -> Option<Flags> {
        if bits & !Self::ALL.0 == 0 {
            Some(Flags(bits))
        } else {
            None
        }
    }

    /// True when every flag of `other` is in this set.
    #[inline]
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when at least one flag of `other` is in this set.
    #[inline]
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// True when no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True when the set keeps Core's two rules: WITNESS needs P2SH, CLEANSTACK needs P2SH and WITNESS.
    /// Only among such sets is adding a flag always a soft fork.
    pub const fn is_consistent(self) -> bool {
        let witness_ok = !self.contains(Self::WITNESS) || self.contains(Self::P2SH);
        let clean_ok = !self.contains(Self::CLEANSTACK) || self.contains(Self::WITNESS);
        witness_ok && clean_ok
    }

    /// The set with the flags added that its members need to be consistent.
    #[must_use]
    pub const fn filled(self) -> Flags {
        let mut bits = self.0;
        if bits & Self::CLEANSTACK.0 != 0 {
            bits |= Self::WITNESS.0;
        }
        if bits & Self::WITNESS.0 != 0 {
            bits |= Self::P2SH.0;
        }
        Flags(bits)
    }

    /// The set without the flags whose needs it does not meet.
    #[must_use]
    pub const fn trimmed(self) -> Flags {
        let mut bits = self.0;
        if bits & Self::P2SH.0 == 0 {
            bits &= !Self::WITNESS.0;
        }
        if bits & Self::WITNESS.0 == 0 {
            bits &= !Self::CLEANSTACK.0;
        }
        Flags(bits)
    }

    /// The single flags in this set, in the order of Core's bits.
    pub fn iter(self) -> impl Iterator<Item = Flags> {
        Self::NAMED
            .iter()
            .map(|(_, flag)| *flag)
            .filter(move |flag| self.contains(*flag))
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl Sub for Flags {
    type Output = Flags;

    /// The flags of `self` that are not in `other`.
    fn sub(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

impl fmt::Display for Flags {
    /// Core's names joined by commas; `NONE` for the empty set. [`Flags::from_str`] reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("NONE");
        }
        let names = Self::NAMED.iter().filter(|(_, flag)| self.contains(*flag));
        for (index, (name, _)) in names.enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({self})")
    }
}

/// A word in a list of flags that names none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "unknown script verification flag {name:?}; known are NONE, {}",
    known_names()
)]
pub struct UnknownFlag {
    /// The word as it was given.
    pub name: String,
}

fn known_names() -> String {
    let names: Vec<_> = Flags::NAMED.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

impl FromStr for Flags {
    type Err = UnknownFlag;

    /// Reads Core's notation: names joined by commas, in any order, with or without blanks around them. The empty text
    /// and `NONE` are the empty set.
    fn from_str(text: &str) -> Result<Flags, UnknownFlag> {
        let mut flags = Flags::NONE;
        let text = text.trim();
        if text.is_empty() || text == "NONE" {
            return Ok(flags);
        }
        for word in text.split(',') {
            let word = word.trim();
            let named = Self::NAMED.iter().find(|(name, _)| *name == word);
            let (_, flag) = named.ok_or_else(|| UnknownFlag {
                name: word.to_owned(),
            })?;
            flags |= *flag;
        }
        Ok(flags)
    }
}
