//! Owns the kinds of addresses, and which chain of keys an address is from.
//! Promises Core's names for them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The kinds of addresses that a wallet gives out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OutputType {
    /// P2PKH, and other scripts in P2SH.
    Legacy,
    /// P2WPKH or P2WSH in P2SH.
    P2shSegwit,
    /// P2WPKH or P2WSH.
    Bech32,
    /// P2TR.
    Bech32m,
}

impl OutputType {
    /// All kinds, oldest first.
    pub const ALL: [OutputType; 4] = [
        OutputType::Legacy,
        OutputType::P2shSegwit,
        OutputType::Bech32,
        OutputType::Bech32m,
    ];

    /// Core's name for it.
    pub fn name(self) -> &'static str {
        match self {
            OutputType::Legacy => "legacy",
            OutputType::P2shSegwit => "p2sh-segwit",
            OutputType::Bech32 => "bech32",
            OutputType::Bech32m => "bech32m",
        }
    }
}

impl fmt::Display for OutputType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no kind of addresses of this name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("Unknown address type '{0}'")]
pub struct UnknownOutputType(pub String);

impl FromStr for OutputType {
    type Err = UnknownOutputType;

    fn from_str(name: &str) -> Result<OutputType, UnknownOutputType> {
        let found = OutputType::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownOutputType(name.to_owned()))
    }
}

/// Which chain of keys: the one whose addresses are given out, or the one for change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Chain {
    /// Addresses to be paid to by others.
    External,
    /// Addresses for change.
    Internal,
}
