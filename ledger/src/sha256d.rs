//! Owns double SHA-256, the hash that names blocks and transactions.
//! Promises the hardware's SHA instructions where there are any: `sha2` was measured
//! against `bitcoin_hashes`, see `docs/decisions.md`.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use sha2::{Digest, Sha256};

/// Double SHA-256 of the concatenation of `parts`.
pub(crate) fn sha256d(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Sha256::digest(hasher.finalize()).into()
}

/// Double SHA-256 of two hashes side by side: an inner node of a merkle tree.
pub(crate) fn sha256d_pair(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256d(&[left, right])
}

/// A header as the network carries it.
pub(crate) fn header_bytes(header: &Header) -> [u8; Header::SIZE] {
    let mut bytes = [0; Header::SIZE];
    bytes[..4].copy_from_slice(&header.version.to_consensus().to_le_bytes());
    bytes[4..36].copy_from_slice(header.prev_blockhash.as_ref());
    bytes[36..68].copy_from_slice(header.merkle_root.as_ref());
    bytes[68..72].copy_from_slice(&header.time.to_le_bytes());
    bytes[72..76].copy_from_slice(&header.bits.to_consensus().to_le_bytes());
    bytes[76..].copy_from_slice(&header.nonce.to_le_bytes());
    bytes
}

/// A header's hash.
pub(crate) fn block_hash(header: &Header) -> BlockHash {
    BlockHash::from_byte_array(sha256d(&[&header_bytes(header)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Network, Params};

    #[test]
    fn a_headers_bytes_and_hash_are_those_of_the_bitcoin_crate() {
        for network in Network::ALL {
            let header = Params::new(network).genesis.header;
            assert_eq!(
                header_bytes(&header)[..],
                bitcoin::consensus::serialize(&header)
            );
            assert_eq!(block_hash(&header), header.block_hash());
        }
    }
}
