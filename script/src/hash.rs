//! The hash functions that scripts and signature hashes use, over `sha2` (SHA-NI) and `bitcoin_hashes`.
//! Promises plain byte arrays, in the order in which the hash gives its bytes.
//! Refuses display order: reversing is for those who show a hash to people.

use std::sync::LazyLock;

use bitcoin::hashes::{Hash, ripemd160, sha1};
use sha2::Digest;
pub(crate) use sha2::Sha256;

#[inline]
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

#[inline]
pub(crate) fn sha256d(data: &[u8]) -> [u8; 32] {
    sha256(&sha256(data))
}

#[inline]
pub(crate) fn hash160(data: &[u8]) -> [u8; 20] {
    ripemd160(&sha256(data))
}

#[inline]
pub(crate) fn ripemd160(data: &[u8]) -> [u8; 20] {
    ripemd160::Hash::hash(data).to_byte_array()
}

pub(crate) fn sha1(data: &[u8]) -> [u8; 20] {
    sha1::Hash::hash(data).to_byte_array()
}

/// A SHA-256 in progress: what signature hashes are written into. A clone goes on from the same midstate.
#[derive(Clone, Debug)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    #[inline]
    pub(crate) fn new() -> Self {
        Hasher(Sha256::new())
    }

    /// Starts as BIP340's tagged hashes do.
    fn tagged(tag: &str) -> Self {
        let tag = sha256(tag.as_bytes());
        let mut hasher = Self::new();
        hasher.put(&tag);
        hasher.put(&tag);
        hasher
    }

    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Writes a length in Bitcoin's variable-length form.
    #[inline]
    pub(crate) fn put_compact_size(&mut self, size: usize) {
        match size {
            0..=0xfc => self.put(&[size as u8]),
            0xfd..=0xffff => {
                let [low, high] = (size as u16).to_le_bytes();
                self.put(&[0xfd, low, high]);
            }
            0x1_0000..=0xffff_ffff => {
                self.put(&[0xfe]);
                self.put(&(size as u32).to_le_bytes());
            }
            _ => {
                self.put(&[0xff]);
                self.put(&(size as u64).to_le_bytes());
            }
        }
    }

    /// Writes bytes with their length before them.
    #[inline]
    pub(crate) fn put_sized(&mut self, bytes: &[u8]) {
        self.put_compact_size(bytes.len());
        self.put(bytes);
    }

    #[inline]
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The hash of the hash.
    #[inline]
    pub(crate) fn finish_double(self) -> [u8; 32] {
        sha256(&self.finish())
    }
}

static TAP_LEAF: LazyLock<Hasher> = LazyLock::new(|| Hasher::tagged("TapLeaf"));
static TAP_BRANCH: LazyLock<Hasher> = LazyLock::new(|| Hasher::tagged("TapBranch"));
static TAP_TWEAK: LazyLock<Hasher> = LazyLock::new(|| Hasher::tagged("TapTweak"));
static TAP_SIGHASH: LazyLock<Hasher> = LazyLock::new(|| Hasher::tagged("TapSighash"));

/// A hash begun for a taproot leaf (BIP341).
pub(crate) fn tap_leaf() -> Hasher {
    TAP_LEAF.clone()
}

/// A hash begun for an inner node of a taproot tree (BIP341).
pub(crate) fn tap_branch() -> Hasher {
    TAP_BRANCH.clone()
}

/// A hash begun for the tweak of a taproot output key (BIP341).
pub(crate) fn tap_tweak() -> Hasher {
    TAP_TWEAK.clone()
}

/// A hash begun for a taproot signature (BIP341).
pub(crate) fn tap_sighash() -> Hasher {
    TAP_SIGHASH.clone()
}
