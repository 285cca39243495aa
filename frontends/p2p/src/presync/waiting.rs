//! Owns a header that waits to be released: 48 bytes, for its parent's hash is known from the header before it.

use bitcoin::block::{Header, Version};
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode};

/// A header in the window: its parent's hash is known from the one before it.
#[derive(Debug)]
pub(super) struct Waiting {
    version: Version,
    merkle_root: TxMerkleNode,
    time: u32,
    bits: CompactTarget,
    nonce: u32,
}

impl Waiting {
    pub(super) fn new(header: &Header) -> Waiting {
        Waiting {
            version: header.version,
            merkle_root: header.merkle_root,
            time: header.time,
            bits: header.bits,
            nonce: header.nonce,
        }
    }

    pub(super) fn header(&self, prev_blockhash: BlockHash) -> Header {
        Header {
            version: self.version,
            prev_blockhash,
            merkle_root: self.merkle_root,
            time: self.time,
            bits: self.bits,
            nonce: self.nonce,
        }
    }
}
