//! Owns how a user names a block: by hash, by height on the best chain, or as the best one.
//! Promises that a number is a height and 64 hexadecimal characters are a hash; refuses the rest.

use std::fmt;
use std::str::FromStr;

use bitcoin::BlockHash;

/// A block, as the command line names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum At {
    /// The tip of the best world.
    Best,
    /// The best chain's block at this height.
    Height(u32),
    /// This block, on whatever branch.
    Hash(BlockHash),
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<At, String> {
        if text == "best" {
            return Ok(At::Best);
        }
        if text.len() == 64 {
            return text
                .parse()
                .map(At::Hash)
                .map_err(|_| format!("`{text}` is no block hash: it is not all hexadecimal"));
        }
        text.parse().map(At::Height).map_err(|_| {
            format!("`{text}` names no block; write a hash of 64 characters, a height, or `best`")
        })
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Best => f.write_str("best"),
            At::Height(height) => write!(f, "{height}"),
            At::Hash(hash) => write!(f, "{hash}"),
        }
    }
}

#[cfg(test)]
mod tests;
