//! Owns the small names of things: blocks of the tree and scripts of the index.
//! Promises that two things that could be swapped by mistake have two types.

use std::collections::HashMap;
use std::fmt;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{BlockHash, Script};

/// A block of the tree, by the order in which its header was first accepted; genesis is 0.
///
/// Dense and stable: an id is never reused, and survives a restart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockId(pub u32);

impl BlockId {
    /// The genesis block's id.
    pub const GENESIS: BlockId = BlockId(0);

    /// The id as an index into a dense table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Something for each of many blocks. Ids are handed out here and hashes are work, so a fast hash will do.
pub(crate) type ById<V> = HashMap<BlockId, V, foldhash::fast::RandomState>;

/// The same by block hash.
pub(crate) type ByHash<V> = HashMap<BlockHash, V, foldhash::fast::RandomState>;

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// SHA-256 of a script pubkey, in the byte order in which SHA-256 writes it.
///
/// Electrum shows it reversed; so do [`fmt::Display`] and the gRPC interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScriptHash(pub [u8; 32]);

impl ScriptHash {
    /// The hash of `script`.
    pub fn of(script: &Script) -> ScriptHash {
        ScriptHash(sha256::Hash::hash(script.as_bytes()).to_byte_array())
    }

    /// Reads 64 hexadecimal characters in display (reversed) order.
    pub fn from_display_hex(text: &str) -> Option<ScriptHash> {
        let bytes = <[u8; 32] as bitcoin::hex::FromHex>::from_hex(text).ok()?;
        let mut inner = bytes;
        inner.reverse();
        Some(ScriptHash(inner))
    }
}

impl fmt::Display for ScriptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().rev() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScriptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScriptHash({self})")
    }
}
