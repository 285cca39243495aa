//! Owns double SHA-256, the hash that names blocks and transactions.
//! Promises the hardware's SHA instructions where there are any: `sha2` was measured
//! against `bitcoin_hashes`, see `docs/decisions.md`.

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
